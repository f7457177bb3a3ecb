"""Routes of the dashboard's own server from which browsers fetch published points: large clouds stay off the websocket.

Every answer follows from the version in its address, so browsers may keep it for good.
"""

import re
from collections.abc import Mapping

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polysema.app.dashboard.components.point_columns import write_rows
from polysema.app.dashboard.components.point_store import store
from polysema.app.dashboard.components.points import PublishedCloud

__all__ = ["MAX_TEXT_ROWS", "point_routes"]

MAX_SOUGHT = 200
"""Most characters of a text that is sought."""
MAX_TEXT_ROWS = 500
"""Most rows of one request for texts."""

PATH = "/api/points/{version}"
CACHE_HEADERS = {"cache-control": "private, max-age=31536000, immutable", "x-polysema-points": "1"}
NO_CACHE_HEADERS = {"cache-control": "no-store", "x-polysema-points": "1"}


def point_routes(base_path: str = "") -> list[Route]:
    """The routes, below the dashboard's base path (`server.baseUrlPath`).

    `/api/points/<version>/positions` answers `Published.body`; `/api/points/<version>/texts?rows=1,2` answers labels,
    details and marks of at most `MAX_TEXT_ROWS` rows as JSON, and `/search?q=bank` the rows whose label or detail holds
    a text, whatever its case: as a list, or as bits when they are many, and `first` the row with just this label or -1.
    Anything that was never published, or was evicted, gives a 404. The name of a cloud is a hash of 128 bits of its
    content: who can name it, knows it.
    """
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    return [
        Route(f"{base}{PATH}/positions", _positions, methods=["GET"]),
        Route(f"{base}{PATH}/texts", _texts, methods=["GET"]),
        Route(f"{base}{PATH}/search", _search, methods=["GET"]),
    ]


def _cloud(request: Request) -> PublishedCloud | None:
    cloud: PublishedCloud | None = store().get(request.path_params["version"])
    return cloud


def _gone() -> Response:
    message = "the server no longer has these points; rerun the page to publish them again"
    return JSONResponse({"code": "gone", "message": message}, 404, headers=NO_CACHE_HEADERS)


def _wrong(message: str) -> Response:
    return JSONResponse({"code": "rows", "message": message}, 400, headers=NO_CACHE_HEADERS)


def _unchanged(request: Request, headers: Mapping[str, str]) -> bool:
    given = request.headers.get("if-none-match", "")
    return headers["etag"] in [tag.strip().removeprefix("W/") for tag in given.split(",")]


def _positions(request: Request) -> Response:
    cloud = _cloud(request)
    if cloud is None:
        return _gone()
    # Random mantissas hardly shrink, and gzip would take longer than the picture: "identity" keeps it away.
    headers = {**CACHE_HEADERS, "etag": f'"{cloud.version}"', "content-encoding": "identity"}
    if _unchanged(request, headers):
        return Response(status_code=304, headers=headers)
    return Response(cloud.body, media_type="application/octet-stream", headers=headers)


def _texts(request: Request) -> Response:
    cloud = _cloud(request)
    if cloud is None:
        return _gone()
    given = request.query_params.get("rows", "")
    if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", given, re.ASCII):
        return _wrong("rows must be row numbers with commas between them, as in rows=0,17")
    rows = [int(row) for row in given.split(",")]
    if len(rows) > MAX_TEXT_ROWS:
        return _wrong(f"at most {MAX_TEXT_ROWS} rows can be requested at once, got {len(rows):,}")
    if max(rows) >= cloud.count:
        return _wrong(f"rows must lie in [0, {cloud.count}), not {max(rows)}")
    answer = {
        "rows": rows,
        "labels": cloud.labels.take(rows).to_pylist(),
        "details": None if cloud.details is None else cloud.details.take(rows).to_pylist(),
        "marks": None if cloud.marks is None else cloud.marks[rows].tolist(),
    }
    return JSONResponse(answer, headers=CACHE_HEADERS)


def _search(request: Request) -> Response:
    cloud = _cloud(request)
    if cloud is None:
        return _gone()
    sought = request.query_params.get("q", "")
    if not 1 <= len(sought) <= MAX_SOUGHT or "\x00" in sought:
        return _wrong(f"q must be a text of 1 to {MAX_SOUGHT} characters")
    rows = np.flatnonzero(cloud.holds(sought))
    answer = {"first": cloud.named(sought)} | write_rows(rows, cloud.count)
    return JSONResponse(answer, headers=CACHE_HEADERS)
