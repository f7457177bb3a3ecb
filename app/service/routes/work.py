"""Jobs: long work with progress and cancel, and what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response, StreamingResponse

from polysema.app.schemas import SpaceMap
from polysema.app.service import vectors as form
from polysema.app.service import works
from polysema.app.service.answered import JobCard, MapPoints, Positions
from polysema.app.service.answered import forms as in_forms
from polysema.app.service.answered import json as answers
from polysema.app.service.asked import JobAsked, PlaceAsked
from polysema.app.service.jobs import Job
from polysema.app.service.state import State, The, check_writes
from polysema.app.wire import plain
from polysema.core.errors import ConflictError, UserError

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
EVERY = 0.1  # seconds between two looks at a job


@router.post("", status_code=202, responses=answers(JobCard, 202))
async def start(asked: Annotated[JobAsked, Body()], state: The, request: Request) -> Response:
    """Start long work: answers at once with the job, whose events tell how far it is."""
    if asked.kind in works.WRITING:
        check_writes(request)
    work = await state.work(lambda: works.work_of(asked, state))
    return form.answer(state.jobs.start(asked.kind, work).to_json(), 202)


@router.get("/{job}", responses=answers(JobCard))
async def look(job: str, state: The) -> Response:
    """How far a job is, and its result when it is done."""
    return form.answer(state.jobs.get(job).to_json())


@router.get("/{job}/result", responses=in_forms(MapPoints, None))
async def result(job: str, state: The, request: Request) -> Response:
    """The points of a map, with their rows, as JSON, base64 or an Arrow stream; 409 for a job that isn't done."""
    wanted = form.wanted(request)
    found = _map(state, job)
    return await state.work(lambda: works.map_answer(wanted, found))


@router.post("/{job}/place", responses=answers(Positions))
async def place(job: str, asked: PlaceAsked, state: The) -> Response:
    """Where new vectors of the same space lie on the map that a job made; the same alone or in a batch."""
    found = _map(state, job)

    def ask() -> Response:
        vectors = form.matrix(asked.vectors, found.space.dim)
        state.check_many(len(vectors), "vectors")
        if vectors.shape[1] != found.space.dim:
            raise UserError(f"the map is of vectors {found.space.dim} wide; got {vectors.shape[1]}")
        return form.answer({"positions": plain(state.explorer.place(found, vectors))})

    return await state.work(ask)


def _map(state: State, name: str) -> SpaceMap:
    job = state.jobs.get(name)
    if job.state == "failed" and job.error is not None:
        raise ConflictError(f"the job failed: {job.error['message']}")
    if job.state != "done":
        raise ConflictError(f"the job is {job.state}: its result is there when it is done")
    if not isinstance(job.value, SpaceMap):
        raise ConflictError(f"a job of the kind {job.kind} has all of its result in GET /v1/jobs/ID; maps have points")
    return job.value


@router.delete("/{job}", responses=answers(JobCard))
async def cancel(job: str, state: The) -> Response:
    """Cancel a job: at once when it waits, at its next step when it runs."""
    return form.answer(state.jobs.cancel(job).to_json())


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    },
)
async def events(job: str, state: The) -> Response:
    """A job's progress as server-sent events; the last one, `end`, holds the result."""
    return StreamingResponse(_events(state.jobs.get(job), state), media_type="text/event-stream")


async def _events(job: Job, state: State) -> AsyncIterator[bytes]:
    version = -1
    while not job.ended and not state.draining:
        if job.version != version:
            version = job.version
            yield _event("progress", {**job.to_json(), "result": None})
        await asyncio.sleep(EVERY)
    yield _event("end" if job.ended else "progress", job.to_json())


def _event(name: str, value: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(plain(value))}\n\n".encode()
