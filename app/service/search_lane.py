"""A lane of its own for searches by vectors, the requests of which there are most: decoded in one go, with answers in
batches, past the framework. What it can't read, wrong requests above all, goes the way of every other request.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
import pydantic_core
from starlette.responses import Response
from starlette.types import Scope

from polysema.app.explorer.lazy_rows import LazyRows
from polysema.app.explorer.results.collection import SearchAnswer
from polysema.app.service import encoding as form
from polysema.app.service.bodies import UNCOUNTED_BYTES
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.routes import collection
from polysema.app.service.schemas.fields import MAX_ITEMS, NAME
from polysema.app.service.search_batches import SearchBatches, SearchKind
from polysema.core.errors import UserError
from polysema.core.space.space import Floats
from polysema.indexes.store.matches import Search

_PATH = re.compile(r"/v1/collections/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})/search")
_ROUTE = next(one for one in collection.router.routes if getattr(one, "name", "") == "search")

PLAIN_ROW = ("rank", "score", "id")
MAX_INLINE_ANSWERS = 64  # to questions of one request

Line = Annotated[list[float], msgspec.Meta(min_length=1, max_length=65_536)]
Lines = Annotated[list[Line], msgspec.Meta(min_length=1, max_length=MAX_ITEMS)]
# $ would match before a line break at the end
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=NAME.removesuffix("$") + r"\Z")]
ColumnNames = Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=200)]


class VectorSearch(msgspec.Struct, forbid_unknown_fields=True):
    """A `SearchRequest` by vectors: whatever is one has the same values as that, and nothing else is."""

    vectors: Lines | Annotated[str, msgspec.Meta(min_length=1)]
    k: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10
    space: Name | None = None
    where: Annotated[str, msgspec.Meta(max_length=200_000)] | None = None
    recall: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    exact: bool = False
    columns: ColumnNames | None = None


_DECODER = msgspec.json.Decoder(VectorSearch)


def read_search(body: bytes) -> VectorSearch | None:
    """A request that is a search by vectors in all its fields; None for any other, right or wrong."""
    if len(body) > UNCOUNTED_BYTES:
        return None
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class SearchLane:
    """Answers searches by vectors of collections."""

    def __init__(self, state: ServiceState):
        self._state = state
        settings = state.settings
        self._batches = SearchBatches(state.shelf, state.work, settings.workers + settings.queue)

    async def answer(self, scope: Scope, body: bytes) -> Response | None:
        """The answer to a request; None where it is for the app. Raises `UserError` as the route does."""
        found = _PATH.fullmatch(scope["path"])
        if found is None or scope["method"] != "POST" or scope["query_string"] or not _is_json(scope):
            return None
        request = read_search(body)
        queries = self._queries(found[1], request) if request is not None else None
        if request is None or queries is None:
            return None
        scope["route"] = _ROUTE
        columns = None if request.columns is None else tuple(request.columns)
        how = Search(request.k, request.space, request.where, request.recall, request.exact)
        kind = SearchKind(found[1], queries.shape[1], how, columns)
        if self._batches.is_full(kind):
            self._state.gate.refuse()
        return _written(await self._batches.ask(kind, queries))

    def _queries(self, name: str, request: VectorSearch) -> Floats | None:
        """The vectors of a request within every limit, (n_queries, dim); None where there is something to say."""
        dim = None
        if isinstance(request.vectors, str):
            current = self._state.shelf.opened(name)
            view = None if current is None else current.history.read_view()
            if view is None:
                return None
            try:
                dim = view.card(request.space).dim
            except UserError:
                return None
        try:
            queries = form.matrix(request.vectors, dim)
            self._state.limits.check_k(request.k)
            self._state.limits.check_many(len(queries), "queries")
            self._state.limits.check_numbers(len(queries) * request.k, "these hits")
        except UserError:
            return None
        return queries


def _written(found: SearchAnswer) -> Response:
    """As `encoding.answer` writes it: rows of nothing but ids and scores without a look at each value."""
    if any(isinstance(line, LazyRows) for line in found.answers):
        return form.answer(found)
    first = next((line[0] for line in found.answers if line), {})
    if len(first) > len(PLAIN_ROW) or len(found.answers) > MAX_INLINE_ANSWERS:
        return form.answer(found)
    body = pydantic_core.to_json(
        {"answers": found.answers, "version": found.version, "recall": found.recall, "space": found.space},
        inf_nan_mode="null",
    )
    return Response(body, media_type=form.JSON)


def _is_json(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(kinds) == 1 and kinds[0].partition(b";")[0].strip().lower() == b"application/json"
