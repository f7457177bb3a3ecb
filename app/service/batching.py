"""Texts of concurrent requests are embedded together: a forward pass of 32 texts takes little longer than one of 1."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from polysema.core.jobs import JobCancelledError
from polysema.core.progress import ended_by

KeyT = TypeVar("KeyT", bound=Hashable)
ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[ItemT, AnswerT]):
    item: ItemT
    size: int
    future: asyncio.Future[AnswerT]


class Batcher(Generic[KeyT, ItemT, AnswerT]):
    """Collects the items of one key and passes them to `run` together, one batch per key at a time.

    What comes alone is run at once. While a batch runs, the next one gathers; under load it waits `wait` seconds more,
    so that clients that just got a response can send the next request. `run(key, items)` returns a value or an
    exception for each item.
    """

    def __init__(self, run: Callable[[KeyT, list[ItemT]], Sequence[AnswerT | Exception]], most: int, wait: float):
        self._run, self._most, self._wait = run, most, wait
        self._queues: dict[KeyT, deque[_Waiting[ItemT, AnswerT]]] = {}
        self._tasks: dict[KeyT, asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="batch")

    async def ask(self, key: KeyT, item: ItemT, size: int) -> AnswerT:
        """The answer for one item, which counts as `size` of the most that go together."""
        waiting: _Waiting[ItemT, AnswerT] = _Waiting(item, size, asyncio.get_running_loop().create_future())
        self._queues.setdefault(key, deque()).append(waiting)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._serve(key))
        return await waiting.future

    async def _serve(self, key: KeyT) -> None:
        queue = self._queues[key]
        several = False
        try:
            while queue:
                if several and sum(one.size for one in queue) < self._most:
                    await asyncio.sleep(self._wait)
                batch = self._next(queue)
                several = len(batch) > 1
                if batch:
                    await self._answer(key, batch)
                else:
                    await asyncio.sleep(0)
        finally:
            del self._tasks[key], self._queues[key]

    def _next(self, queue: deque[_Waiting[ItemT, AnswerT]]) -> list[_Waiting[ItemT, AnswerT]]:
        batch: list[_Waiting[ItemT, AnswerT]] = []
        size = 0
        while queue and (not batch or size + queue[0].size <= self._most):
            one = queue.popleft()
            if not one.future.done():  # the client may have disconnected
                batch.append(one)
                size += one.size
        return batch

    async def _answer(self, key: KeyT, batch: list[_Waiting[ItemT, AnswerT]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            answers: Sequence[AnswerT | Exception] = await loop.run_in_executor(self._pool, self._work, key, batch)
        except Exception as error:
            answers = [error] * len(batch)
        for one, answer in zip(batch, answers, strict=True):
            if one.future.done():
                continue
            if isinstance(answer, Exception):
                one.future.set_exception(answer)
            else:
                one.future.set_result(answer)

    def _work(self, key: KeyT, batch: list[_Waiting[ItemT, AnswerT]]) -> Sequence[AnswerT | Exception]:
        """The answers, as long as there is somebody who waits for one of them."""

        def check() -> None:
            if all(one.future.done() for one in batch):
                raise JobCancelledError

        with ended_by(check):
            return self._run(key, [one.item for one in batch])

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
