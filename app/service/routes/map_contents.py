"""What is on a map that a job made: its areas, its columns, and what is typical of some of its rows."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from polysema.app.explorer.results.maps import SpaceMap
from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import StateDep
from polysema.app.service.routes.jobs import made
from polysema.app.service.schemas.map_contents import (
    ColumnsRequest,
    ColumnsResponse,
    RegionsResponse,
    TypicalRequest,
    TypicalResponse,
)
from polysema.app.service.schemas.response_model import json as answers

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=CheckedRoute)


@router.get("/{job}/areas", responses=answers(RegionsResponse))
async def areas(job: str, state: StateDep) -> Response:
    """Where the points of a map lie densely, few areas and large or many and small, each with a name."""
    found: SpaceMap = made(state, job, (SpaceMap,))
    return await state.work(lambda: form.answer(state.explorer.maps.areas(found)))


@router.post("/{job}/columns", responses=answers(ColumnsResponse))
async def columns(job: str, request: ColumnsRequest, state: StateDep) -> Response:
    """How the columns of a map are distributed, each among the rows that pass what a condition says of the others."""
    found: SpaceMap = made(state, job, (SpaceMap,))
    return await state.work(lambda: form.answer(state.explorer.maps.columns(found, request.columns, request.where)))


@router.post("/{job}/typical", responses=answers(TypicalResponse))
async def typical(job: str, request: TypicalRequest, state: StateDep) -> Response:
    """What sets some rows of a map apart from the rest: words, values of columns, and what is nearest to their mean."""
    found: SpaceMap = made(state, job, (SpaceMap,))
    state.limits.check_k(request.k)
    state.limits.check_many(len(request.rows), "rows")
    return await state.work(lambda: form.answer(state.explorer.maps.typical(found, request.rows, request.k)))
