"""Jobs: long work with progress and cancel, and what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from polysema.app.explorer.results.jobs import JobCard
from polysema.app.explorer.results.map_answers import PositionsAnswer, ShiftsAnswer
from polysema.app.explorer.results.maps import MatchedMaps, SpaceMap
from polysema.app.explorer.serialization import to_json
from polysema.app.service import encoding as form
from polysema.app.service import job_kinds
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import ServiceState, StateDep, check_writes
from polysema.app.service.errors import STATUS
from polysema.app.service.jobs import ServiceJob
from polysema.app.service.schemas.jobs import (
    JobRequest,
    JobResponse,
    MapResponse,
    MatchedResponse,
    PlaceRequest,
    PointNeighborsRequest,
    PointNeighborsResponse,
    PositionsResponse,
    ShiftsResponse,
)
from polysema.app.service.schemas.response_model import forms as in_forms
from polysema.app.service.schemas.response_model import json as answers
from polysema.core.errors import ConflictError, UserError

Made = TypeVar("Made")
router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=CheckedRoute)
EVENT_SECONDS = 0.1  # seconds between two looks at a job


@router.post("", status_code=202, responses=answers(JobResponse, 202))
async def start(body: Annotated[JobRequest, Body()], state: StateDep, request: Request) -> Response:
    """Start long work: answers at once with the job, whose events tell how far it is."""
    if body.kind in job_kinds.WRITING_KINDS:
        check_writes(request)
    work = await state.work(lambda: job_kinds.work_of(body, state))
    return form.answer(state.jobs.start(body.kind, work).card(), 202)


@router.get("/{job}", responses=answers(JobResponse))
async def look(job: str, state: StateDep) -> Response:
    """How far a job is, and its result when it is done."""
    return form.answer(state.jobs.get(job).card())


@router.get("/{job}/result", responses=in_forms(MapResponse | MatchedResponse, what="The points, with their rows."))
async def result(job: str, state: StateDep, request: Request) -> Response:
    """The points of a map, or of matched maps, with their rows, as JSON, base64 or an Arrow stream; 409 for a job that
    isn't done.
    """
    wanted = form.wanted(request)
    found = made(state, job, (SpaceMap, MatchedMaps))
    answer_of: Any = job_kinds.map_answer if isinstance(found, SpaceMap) else job_kinds.matched_answer
    return await state.work(lambda: answer_of(wanted, found))


@router.get("/{job}/shifts", responses=answers(ShiftsResponse))
async def shifts(job: str, row: Annotated[int, Query(ge=0, le=2**53)], state: StateDep) -> Response:
    """What changed around a row of matched maps: its nearest that stayed, were lost and gained, with their ranks in
    both spaces.
    """
    found: MatchedMaps = made(state, job, (MatchedMaps,))

    def ask() -> Response:
        return form.answer(ShiftsAnswer(row, found.stayed(row), found.lost(row), found.gained(row)))

    return await state.work(ask)


@router.post("/{job}/around", responses=answers(PointNeighborsResponse))
async def around(job: str, request: PointNeighborsRequest, state: StateDep) -> Response:
    """What is nearest to a point of a map in the whole space, and what is on the map; each with its rank in the
    other.
    """
    found: SpaceMap = made(state, job, (SpaceMap,))
    state.limits.check_k(request.k)
    own = request.row is not None
    if own == (request.vector is not None) or (request.vector is None) != (request.position is None):
        raise UserError("give the row of a point, or, of one that was placed, its vector and its position")

    def ask() -> Response:
        current = state.view(request)
        at: Any = request.row
        if request.vector is not None:
            vector, position = form.matrix([request.vector], None)[0], form.matrix([request.position or []], None)[0]
            at = (vector, position)
        return form.answer(state.explorer.maps.around(found, current, at, request.k))

    return await state.work(ask)


@router.post("/{job}/place", responses=answers(PositionsResponse))
async def place(job: str, request: PlaceRequest, state: StateDep) -> Response:
    """Where new vectors of the same space lie on the map that a job made; the same alone or in a batch."""
    found: SpaceMap = made(state, job, (SpaceMap,))

    def ask() -> Response:
        vectors = form.matrix(request.vectors, found.space.dim)
        state.limits.check_many(len(vectors), "vectors")
        if vectors.shape[1] != found.space.dim:
            raise UserError(f"the map's vectors have dimension {found.space.dim}; got dimension {vectors.shape[1]}")
        return form.answer(PositionsAnswer(state.explorer.maps.place(found, vectors)))

    return await state.work(ask)


def made(state: ServiceState, name: str, kinds: tuple[type[Made], ...]) -> Made:
    """What a job made, which is one of these kinds; raises `ConflictError`."""
    job = state.jobs.get(name)
    if job.state == "failed" and job.error is not None:
        raise ConflictError(f"the job failed: {job.error['message']}")
    if job.state != "done":
        raise ConflictError(f"the job is {job.state}: its result is there when it is done")
    if job.value is None:
        raise ConflictError(f"a job of the kind {job.kind} has all of its result in GET /v1/jobs/ID; maps have points")
    if not isinstance(job.value, kinds):
        request = " or ".join("map" if kind is SpaceMap else "matched" for kind in kinds)
        raise ConflictError(f"this needs a job of kind {request}; this one is of kind {job.kind}")
    return job.value


@router.delete("/{job}", responses=answers(JobResponse))
async def cancel(job: str, state: StateDep) -> Response:
    """Cancel a job: at once when it waits, at its next step when it runs."""
    return form.answer(state.jobs.cancel(job).card())


def _job_of(job: str, state: StateDep) -> ServiceJob:
    """The job of that id, looked up before an answer begins; raises `NotFoundError`."""
    return state.jobs.get(job)


@router.get(
    "/{job}/events",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **{
            code: {"description": "An error, before the first event.", "content": {form.JSON: {}}}
            for code in sorted(set(STATUS.values()))
        },
    },
)
async def events(job: Annotated[ServiceJob, Depends(_job_of)], state: StateDep) -> AsyncIterator[ServerSentEvent]:
    """A job's progress as server-sent events; the last one, `end`, holds the result. A comment (`: ping`) comes every
    15 seconds in which nothing else does, so that no proxy takes the connection for dead.
    """
    version = -1
    while job.pending and not state.draining:
        if job.version != version:
            version = job.version
            yield _event("progress", job.card(with_result=False))
        await asyncio.sleep(EVENT_SECONDS)
    yield _event("progress" if job.pending else "end", job.card())


def _event(name: str, value: JobCard) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=json.dumps(to_json(value)))
