"""How much work runs at once: a few threads, a bounded queue before them, and a time for both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, TypeVar

from polysema.app.service.errors import RefusedError
from polysema.core.jobs import Job
from polysema.core.progress import ended_by

T = TypeVar("T")


class WorkerPool:
    """Runs work on `workers` threads; at most `queue` pieces of work wait. One event loop's own."""

    def __init__(self, workers: int, queue: int, timeout: float):
        self.workers, self.queue, self.timeout = workers, queue, timeout
        self.running = 0
        self.waiting = 0
        self.refused = 0
        self._free = asyncio.Semaphore(workers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="work")

    async def run(self, work: Callable[[], T], begun: bool = False) -> T:
        """What the work returns. Raises `RefusedError` where the queue is full (429) or the time is over (503).

        A part of a request that is under way (`begun`) waits however many do. Work that nobody waits for any more,
        because its time is over or the client has gone, ends at its next step; until then it holds its worker.
        """
        job = Job()

        def ended_with_request() -> T:
            with ended_by(job.check):
                return work()

        try:
            async with asyncio.timeout(self.timeout):
                await self._enter(begun)
                future = asyncio.get_running_loop().run_in_executor(self._pool, ended_with_request)
                future.add_done_callback(self._left)
                return await asyncio.shield(future)
        except TimeoutError:
            raise self.too_slow() from None
        finally:
            job.cancel()

    async def hold(self, work: Callable[[], Awaitable[T]], n_parts: int = 1) -> T:
        """As `run`, for work that waits for others (a batch) and takes no thread: only the queue and the time count.

        Work of several parts has the time for each.
        """
        if self.waiting >= self.queue + self.workers:
            self.refuse()
        self.waiting += 1
        try:
            async with asyncio.timeout(self.timeout * n_parts):
                return await work()
        except TimeoutError:
            raise self.too_slow() from None
        finally:
            self.waiting -= 1

    async def _enter(self, begun: bool) -> None:
        if self._free.locked():
            if self.waiting >= self.queue and not begun:
                self.refuse()
            self.waiting += 1
            try:
                await self._free.acquire()
            finally:
                self.waiting -= 1
        else:
            await self._free.acquire()
        self.running += 1

    def refuse(self) -> NoReturn:
        """Count a request that is refused, and raise `RefusedError`."""
        self.refused += 1
        raise RefusedError(
            "too_many",
            f"{self.running} requests are worked on and {self.waiting} wait, as many as may; try again in a second",
        )

    def too_slow(self) -> RefusedError:
        """The error for a request whose time is over."""
        return RefusedError("timeout", f"this took longer than {self.timeout:g} seconds; ask for less, or later")

    def _left(self, future: asyncio.Future[T]) -> None:
        self.running -= 1
        self._free.release()
        if not future.cancelled():
            future.exception()  # retrieved, so that it is not reported: the client may have disconnected

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
