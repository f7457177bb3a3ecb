"""What the routes share: the explorer, the collections, the gate, and what is counted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import Depends, Request

from polysema.app.collection.registry import CollectionRegistry
from polysema.app.config.settings import Settings
from polysema.app.explorer import Explorer, SingleFlightCache, WordSpace
from polysema.app.explorer.index_builds import BuildLimits, limited_builds
from polysema.app.explorer.text_limits import limited_texts
from polysema.app.service.batching import Batcher
from polysema.app.service.embeddings import (
    SLICE_TOKENS,
    EmbeddingBatch,
    EmbeddingInput,
    EmbeddingModel,
    Limits,
    embed_requests,
    read_inputs,
    slices,
)
from polysema.app.service.engine_preparation import EnginePreparation
from polysema.app.service.errors import MistakeError, RefusedError
from polysema.app.service.jobs import JobQueue
from polysema.app.service.metrics import Metrics
from polysema.app.service.parameters import parameters_of
from polysema.app.service.request_limits import RequestLimits
from polysema.app.service.row_limits import check_rows_read
from polysema.app.service.schemas.fields import SpaceView
from polysema.app.service.served_names import ServedNames
from polysema.app.service.siblings import HOME, Siblings
from polysema.app.service.worker_pool import WorkerPool
from polysema.core.errors import ConflictError, UserError
from polysema.core.model.catalog import catalog_names
from polysema.core.progress import Progress, no_progress
from polysema.indexes.collection import Collection
from polysema.indexes.store.space_rows import SpaceRows

T = TypeVar("T")
MAX_LETTERS = 64_000_000  # of the texts beside the rows of an answer; each may take four bytes of memory
MAX_BUILD_SECONDS = 600.0  # of an index that a request asks for
UNBATCHED_TEXTS = 64  # inputs of one request that go through a model together where requests don't


@dataclass(eq=False)
class ServiceState:
    """The service's parts. `siblings` are the other processes, where there are several; `draining` is set from SIGTERM
    on.
    """

    explorer: Explorer
    settings: Settings
    metrics: Metrics
    siblings: Siblings | None = None
    draining: bool = False

    def __post_init__(self) -> None:
        one = self.settings
        self.keys = one.api_keys
        self.gate = WorkerPool(one.workers, one.queue, one.timeout)
        self._embedding_limits = Limits(one.max_input_tokens, one.max_tokens)
        self.batcher: Batcher[EmbeddingModel, list[EmbeddingInput], EmbeddingBatch] = Batcher(
            self._embed, one.batch_texts, one.batch_wait / 1000
        )
        exports = self.siblings is None or self.siblings.place.number == HOME
        self.engines = EnginePreparation(one.own_models, one.prepare_after, exports)
        for name, place in one.own_models.items():
            self.explorer.names.add(name, place)
        self.without_paths = partial(self.explorer.names.without_paths, folder=f"{one.folder}{os.sep}")
        self.jobs = JobQueue(one.jobs, one.jobs_queue, one.jobs_kept, self.without_paths)
        self.shelf = CollectionRegistry(one.folder, lambda: [*catalog_names(), *one.own_models])
        self.limits = RequestLimits(one)
        self.names = ServedNames(self.explorer.names, self.shelf, one.served_catalog, one.own_models)
        taken = next((name for name in one.own_models if name in self.shelf), None)
        if taken is not None:
            raise ConflictError(f"there is a collection {taken} in {one.folder}; give the model another name")
        self._spaces = SingleFlightCache(2)

    def _embed(self, model: EmbeddingModel, requests: list[list[EmbeddingInput]]) -> list[EmbeddingBatch | UserError]:
        self.metrics.count_batch(sum(map(len, requests)))
        return embed_requests(self.explorer, model, requests, self._embedding_limits, self.engines)

    async def work(self, ask: Callable[[], T]) -> T:
        """The answer of a call of the explorer or of a collection, on a worker."""
        limits = BuildLimits(self.settings.max_index_bytes, MAX_BUILD_SECONDS, wait=False)

        def within_limits() -> T:
            with limited_builds(limits), limited_texts(MAX_LETTERS):
                return ask()

        return await self.gate.run(within_limits)

    async def embed(self, model: EmbeddingModel, inputs: list[EmbeddingInput]) -> EmbeddingBatch:
        """The vectors of inputs; those of concurrent requests go through the model together.

        What is more than goes together is worked off in slices, so that other requests have their turn between two of
        them. `timeout` is the time of each.
        """
        most = self.settings.batch_texts if self.settings.batch_texts > 1 else UNBATCHED_TEXTS
        parts: list[Sequence[EmbeddingInput]] = [inputs]
        # a token has a character at least, nearly always: the few texts of more tokens go as one slice
        if len(inputs) > most or sum(len(one) for one in inputs) > SLICE_TOKENS:
            read = await self.gate.run(lambda: read_inputs(self.explorer, model, inputs, self._embedding_limits))
            parts = list(slices(read, most))

        async def each() -> EmbeddingBatch:
            made = []
            for number, part in enumerate(parts):
                made.append(await self._slice(model, list(part), number > 0))
            return EmbeddingBatch(np.concatenate([one.vectors for one in made]), sum(one.tokens for one in made))

        return await (self.gate.hold(each, len(parts)) if self.settings.batch_texts > 1 else each())

    async def _slice(self, model: EmbeddingModel, inputs: list[EmbeddingInput], begun: bool) -> EmbeddingBatch:
        if self.settings.batch_texts > 1:
            return await self.batcher.ask(model, inputs, len(inputs))
        (answer,) = await self.gate.run(lambda: self._embed(model, [inputs]), begun)
        if isinstance(answer, UserError):
            raise answer
        return answer

    def space(self, name: str, status: str = "invalid", progress: Progress = no_progress) -> WordSpace:
        """The space of that name: of the catalog, else a collection of the data folder, `mine`, or one space of it,
        `mine/SPACE`. For a worker: it may take time. Raises `UserError`, or `NotFoundError` where `status` says so.
        """
        if not self.names.check_space(name, status):
            return self.explorer.space(name, progress)
        collection, _, inner = name.partition("/")
        current = self.shelf.get(collection)
        if not isinstance(current, Collection):  # on another engine, under a name of the data folder
            return self.explorer.space(f"{current.root}/{inner}" if inner else str(current.root), progress)
        view = current.view()
        return self._spaces.get((view, inner), lambda: self.explorer.hold(SpaceRows(view, inner or None)))

    def view(self, wanted: SpaceView, status: str = "invalid", progress: Progress = no_progress) -> WordSpace:
        """The space of a request as it is to be seen; raises as `space`, `check_terms` and a limit do."""
        current = self.space(wanted.space, status, progress)
        transform, without = wanted.transform, wanted.without
        self.check_terms(current, without)
        if wanted.limit is not None:
            current = self.explorer.space(current, progress, wanted.limit)
        if without or transform.partition(":")[0] != "raw":
            what = f"{wanted.space} seen otherwise ({transform}{', without an axis' if without else ''})"
            check_rows_read(current, len(current), self.settings.max_space, what)
        return current.view(transform, without)

    def check_terms(self, space: WordSpace, terms: Sequence[str]) -> None:
        """Raise `UserError` for an occurrence (`bank in "…"`) in a space whose model is not served: the card of a
        collection may name any path, and a model is loaded from it.
        """
        if any('"' in term for term in terms):
            self.check_model(space)

    def check_model(self, space: WordSpace) -> None:
        """Raise `UserError` unless the model that made a space is served."""
        names = [row.name for row in self.names.rows()]
        if space.origin.source not in names:
            raise UserError(
                f"these vectors come from {space.origin.source!r:.80}, which is no model served here "
                f"({', '.join(names)}): ask "
                "by a row or a vector"
            )

    def busy(self) -> bool:
        """Whether a thread still works."""
        return self.gate.running > 0 or self.jobs.running() > 0

    def close(self) -> None:
        """Let every thread end."""
        self.gate.close()
        self.batcher.close()
        self.engines.close()
        self.jobs.close()


# async: to any other function FastAPI gives a thread, which a request would wait for
async def _state(request: Request) -> ServiceState:
    found: ServiceState = request.app.state.polysema
    return found


async def check_parameters(request: Request) -> None:
    """Raise `MistakeError` for a parameter of the query that the route doesn't know, or has more than once: none is
    passed over in silence.
    """
    given = Counter(name for name, _ in request.query_params.multi_items())
    if not given:
        return
    known = parameters_of(request.scope)
    for name, times in given.items():
        if name not in known:
            allowed = f"there are {', '.join(known)}" if known else "this route has none"
            raise MistakeError(f"unknown parameter {name!r:.80}: {allowed}", name[:80])
        if times > 1 and not known[name]:
            raise MistakeError(f"the parameter {name} stands {times} times; it may stand once", name)


async def check_scope(request: Request) -> None:
    """Raise `RefusedError` (403) for a key that may only read; as `check_writes`, without a thread of its own."""
    check_writes(request)


def check_writes(request: Request) -> None:
    """Raise `RefusedError` (403) for a key that may only read."""
    key = request.scope.get("polysema.key")
    if key is not None and "write" not in key.scopes:
        raise RefusedError("forbidden", f"the key {key.name} may read, not write; use one with the scope write")


StateDep = Annotated[ServiceState, Depends(_state)]
writes: Any = Depends(check_scope)
