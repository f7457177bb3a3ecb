"""Searches of concurrent requests get their answers together: the price of a call is paid once for all of them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from polysema.app.collection.registry import CollectionRegistry
from polysema.app.explorer.collection_answers import search_answers
from polysema.app.explorer.results.collection import SearchAnswer
from polysema.core.errors import UserError
from polysema.core.space.space import Floats
from polysema.indexes.collection import Collection
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.faiss_objects import faiss_threads
from polysema.indexes.store.matches import Search
from polysema.indexes.store.segment_search import answers_alike

INLINE_SECONDS = 1e-3  # what may be done between two looks at the connections, without a thread
MAX_TIMES = 1024  # kinds of questions whose time is remembered
Outcome = SearchAnswer | UserError


@dataclass(frozen=True, slots=True)
class SearchKind:
    """What questions have in common that are searched together."""

    collection: str
    dim: int | None
    how: Search
    columns: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    queries: Floats
    future: asyncio.Future[SearchAnswer]


class SearchBatches:
    """Collects the questions of one kind that come at the same time, and answers them in one go: at once where that
    takes less than a millisecond, as it did before; else on a worker, while the next ones gather.

    Args:
        registry: The collections.
        work: Does work on a worker.
        most: The most questions that go together or wait.
    """

    def __init__(
        self,
        registry: CollectionRegistry,
        work: Callable[[Callable[[], list[Outcome]]], Awaitable[list[Outcome]]],
        most: int,
    ):
        self._registry, self._work, self.most = registry, work, most
        self._waiting: dict[SearchKind, list[_Question]] = {}
        self._tasks: dict[SearchKind, asyncio.Task[None]] = {}
        self._seconds: OrderedDict[SearchKind, float] = OrderedDict()  # of a query

    def is_full(self, kind: SearchKind) -> bool:
        """Whether as many questions wait as may."""
        return len(self._waiting.get(kind, ())) >= self.most

    def ask(self, kind: SearchKind, queries: Floats) -> asyncio.Future[SearchAnswer]:
        """The answer to queries (n_queries, dim), which is to be awaited."""
        loop = asyncio.get_running_loop()
        question = _Question(queries, loop.create_future())
        if kind in self._waiting:
            self._waiting[kind].append(question)
        else:
            self._waiting[kind] = [question]
            if kind not in self._tasks:
                loop.call_soon(self._begin, kind)  # those that came with it are read first
        return question.future

    def _begin(self, kind: SearchKind) -> None:
        questions = self._waiting.pop(kind)
        collection = self._registry.opened(kind.collection)
        seconds = self._seconds.get(kind)
        if (
            collection is not None
            and seconds is not None
            and seconds * sum(len(one.queries) for one in questions) < INLINE_SECONDS
            and collection.history.read_view() is not None
        ):
            self._answer_at_once(collection, kind, questions)
        else:
            self._tasks[kind] = asyncio.create_task(self._serve(kind, questions))

    def _answer_at_once(self, collection: VectorCollection, kind: SearchKind, questions: list[_Question]) -> None:
        try:
            _give(questions, self._answers(collection, kind, questions))
        except Exception as error:
            _fail(questions, error)

    async def _serve(self, kind: SearchKind, questions: list[_Question]) -> None:
        def ask() -> list[Outcome]:
            return self._answers(self._registry.get(kind.collection), kind, questions)

        try:
            _give(questions, await self._work(ask))
        except Exception as error:
            _fail(questions, error)
        finally:
            del self._tasks[kind]
            if kind in self._waiting:
                self._begin(kind)

    def _answers(self, collection: VectorCollection, kind: SearchKind, questions: Sequence[_Question]) -> list[Outcome]:
        start = time.perf_counter()
        found = _answers(collection, kind, [one.queries for one in questions])
        took = (time.perf_counter() - start) / max(1, sum(len(one.queries) for one in questions))
        self._seconds[kind] = took
        self._seconds.move_to_end(kind)
        while len(self._seconds) > MAX_TIMES:
            self._seconds.popitem(last=False)
        return found


def _give(questions: Sequence[_Question], answers: Sequence[Outcome]) -> None:
    for one, answer in zip(questions, answers, strict=True):
        if one.future.done():
            continue
        if isinstance(answer, UserError):
            one.future.set_exception(answer)
        else:
            one.future.set_result(answer)


def _fail(questions: Sequence[_Question], error: Exception) -> None:
    for one in questions:
        if not one.future.done():
            one.future.set_exception(error)


def _answers(collection: VectorCollection, kind: SearchKind, queries: Sequence[Floats]) -> list[Outcome]:
    """The answer to each question: of all in one search where that answers each as it would be alone."""
    if len(queries) > 1 and isinstance(collection, Collection):
        try:
            view = collection.view()
            if answers_alike(view.segments[view.name(kind.how.space)], kind.how):
                # the other cores have requests to read; and threads of OpenMP spin while they wait
                with faiss_threads(1):
                    return [*_search(collection, kind, np.concatenate(queries), [len(one) for one in queries])]
        except UserError:
            pass  # one of them is wrong: it alone is to be told
    answers: list[Outcome] = []
    for one in queries:
        try:
            answers += _search(collection, kind, one, [len(one)])
        except UserError as error:
            answers.append(error)
    return answers


def _search(
    collection: VectorCollection, kind: SearchKind, queries: Floats, counts: Sequence[int]
) -> Sequence[SearchAnswer]:
    how = kind.how
    found = collection.search(queries, how.k, how.where, space=how.space, recall=how.recall, exact=how.exact)
    return search_answers(found, counts, kind.columns)
