"""The HTTP service: the same questions as in Python and on the command line, over the same explorer.

A function of its dependencies: `create_app(explorer, settings)`. The parts are in `polysema.app.service`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel

from polysema.app.config.settings import Settings
from polysema.app.explorer import Explorer
from polysema.app.service.dependencies import ServiceState, check_parameters
from polysema.app.service.errors import add_handlers
from polysema.app.service.metrics import Metrics
from polysema.app.service.middleware import GuardMiddleware
from polysema.app.service.routes import (
    circuits,
    collection,
    contexts,
    embeddings,
    generation,
    inside,
    interventions,
    jobs,
    map_contents,
    relations,
    spaces,
    status,
    texts,
    words,
)
from polysema.app.service.siblings import Place, Siblings

ROUTERS = (
    status.router,
    embeddings.router,
    spaces.router,
    words.router,
    relations.router,
    texts.router,
    contexts.router,
    inside.router,
    interventions.router,
    circuits.router,
    generation.router,
    collection.router,
    jobs.router,
    map_contents.router,
)
NO_TELEMETRY: dict[str, object] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class ErrorBody(BaseModel):
    """What went wrong: one line, OpenAI's kind, the field, and a stable code."""

    message: str
    type: str
    param: str | None
    code: str
    suggestions: list[str] | None = None


class ErrorResponse(BaseModel):
    """Every error has this shape."""

    error: ErrorBody


FAILURES: dict[int | str, dict[str, object]] = {
    code: {"model": ErrorResponse, "description": what}
    for code, what in (
        (400, "The request can't be read."),
        (401, "No API key, or a wrong one."),
        (403, "The key doesn't allow this."),
        (404, "Not there."),
        (406, "No such form of vectors."),
        (408, "The body came too slowly."),
        (409, "Taken, or not compatible."),
        (413, "The body is too large."),
        (415, "No such form of a body."),
        (421, "The Host header does not name this service."),
        (
            422,
            "The request is invalid, or asks for models that don't fit into the memory that is free (`beyond_memory`).",
        ),
        (429, "Too much at once; see Retry-After."),
        (
            500,
            "What is on the disk is damaged (`corrupt`) or can't be read (`storage`), or a fault of the service "
            "(`internal`).",
        ),
        (503, "Not now; see Retry-After."),
        (507, "The disk is full; what was acknowledged is whole."),
    )
}


def create_app(explorer: Explorer, settings: Settings | None = None, place: Place | None = None) -> FastAPI:
    """The service over an explorer. Only names of the catalog are served, never paths of this machine. `place`: of
    several processes that are one service.
    """
    siblings = None if place is None else Siblings(place)
    state = ServiceState(explorer, settings or Settings(), Metrics(), siblings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        state.close()
        if siblings is not None:
            await siblings.close()

    options: dict[str, Any] = {"docs_url": None, "redoc_url": None, "telemetry": NO_TELEMETRY}
    what = "Explore embedding spaces. Errors have one shape, with a stable `code`."
    checks = [Depends(check_parameters)]
    app = FastAPI(title="Polysema", version="1", description=what, lifespan=lifespan, dependencies=checks, **options)
    app.state.polysema = state
    add_handlers(app)
    for router in ROUTERS:
        app.include_router(router, responses=FAILURES)
    app.add_middleware(GuardMiddleware, state=state)
    return app
