"""Whether the service lives, whether it is ready, and what it counts."""

from __future__ import annotations

import sys

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from polysema.app.explorer.results.spaces import Status
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import StateDep
from polysema.app.service.encoding import answer
from polysema.app.service.errors import answer as failure
from polysema.app.service.metrics import Metrics
from polysema.app.service.schemas.openai import HealthResponse, ReadyResponse
from polysema.app.service.schemas.response_model import json as answers
from polysema.app.service.siblings import is_of_sibling

router = APIRouter(tags=["status"], route_class=CheckedRoute)


@router.get("/health", responses=answers(HealthResponse))
async def health() -> Response:
    """Whether the service answers."""
    return answer(Status("ok"))


@router.get("/ready", responses=answers(ReadyResponse) | {503: {"description": "It is stopping: send no more."}})
async def ready(state: StateDep) -> Response:
    """Whether it takes requests: not any more from SIGTERM on."""
    if state.draining:
        return failure(503, "unavailable", "the service is stopping")
    return answer(Status("ready"))


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(state: StateDep, request: Request) -> Response:
    """Counts, latencies, queue, cache and memory, for Prometheus."""
    current = state.explorer.memory_usage()
    gate = state.gate
    gauges: dict[str, tuple[str, float]] = {
        "running": ("Requests that are worked on.", gate.running),
        "queue": ("Requests that wait.", gate.waiting),
        "jobs": ("Jobs that run or wait.", state.jobs.active()),
        "models": ("Models in memory.", current["models"]),
        "model_bytes": ("Bytes of their weights.", current["model_bytes"]),
        "spaces": ("Spaces that are kept open.", current["spaces"]),
        "resident_bytes": ("Memory of the process.", _resident(state.metrics)),
    }
    counters: dict[str, tuple[str, float]] = {
        "refused_total": ("Requests refused with 429.", gate.refused),
        "cache_hits_total": ("Models, spaces, indexes and answers that were there.", current["hits"]),
        "cache_misses_total": ("Those that had to be made.", current["misses"]),
    }
    text = state.metrics.text(gauges, counters)
    if state.siblings is not None and not is_of_sibling(request.scope):
        text = await state.siblings.metrics(text, request.scope["headers"])
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _resident(metrics: Metrics) -> float:
    """Bytes of the process in memory, 0 where the system doesn't tell."""
    known = metrics.value("process_resident_memory_bytes")
    if known:
        return known
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
