"""How much waits and how much goes together: the waiting room before a batch, and the batch."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from polysema.app.service.batching import Batcher
from polysema.app.service.errors import RefusedError
from polysema.app.service.worker_pool import WorkerPool
from tests.event_loop import run


def test_so_many_requests_wait_for_a_batch_as_may_be_worked_on_and_wait() -> None:
    async def scenario() -> None:
        gate, go = WorkerPool(workers=2, queue=3, timeout=30), asyncio.Event()
        current = [asyncio.create_task(gate.hold(go.wait)) for _ in range(5)]
        await asyncio.sleep(0)
        assert (gate.waiting, gate.refused) == (5, 0)
        with pytest.raises(RefusedError, match="5 wait, as many as may"):
            await gate.hold(go.wait)
        assert gate.refused == 1
        go.set()
        assert await asyncio.gather(*current) == [True] * 5
        assert gate.waiting == 0
        assert await gate.hold(go.wait)
        gate.close()

    run(scenario)


def test_work_of_several_parts_has_the_time_for_each() -> None:
    async def scenario() -> None:
        gate = WorkerPool(workers=1, queue=1, timeout=0.2)
        with pytest.raises(RefusedError, match=r"longer than 0\.2 seconds"):
            await gate.hold(lambda: asyncio.sleep(0.5))
        await gate.hold(lambda: asyncio.sleep(0.5), n_parts=20)
        gate.close()

    run(scenario)


def test_a_part_of_a_request_that_is_under_way_is_not_turned_away() -> None:
    async def scenario() -> None:
        gate, go = WorkerPool(workers=1, queue=0, timeout=30), threading.Event()
        first = asyncio.create_task(gate.run(lambda: go.wait(30)))
        await asyncio.sleep(0)
        with pytest.raises(RefusedError, match="as many as may"):
            await gate.run(lambda: 1)
        later = asyncio.create_task(gate.run(lambda: 2, begun=True))
        await asyncio.sleep(0)
        go.set()
        assert (await first, await later) == (True, 2)
        gate.close()

    run(scenario)


def test_a_batch_holds_its_most_and_no_more() -> None:
    async def scenario() -> list[list[int]]:
        batches: list[list[int]] = []
        begun, go = threading.Event(), threading.Event()

        def run(key: str, items: list[int]) -> Sequence[int]:
            batches.append(list(items))
            begun.set()
            go.wait(30)
            return [10 * item for item in items]

        batcher = Batcher(run, most=4, wait=0.0)
        query = [asyncio.create_task(batcher.ask("model", 1, 1))]
        await asyncio.to_thread(begun.wait, 30)  # the first runs alone, the others gather
        query += [
            asyncio.create_task(batcher.ask("model", item, size))
            for item, size in ((2, 2), (3, 2), (4, 3), (5, 9), (6, 1))
        ]
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(*query) == [10, 20, 30, 40, 50, 60]
        batcher.close()
        return batches

    assert run(scenario) == [[1], [2, 3], [4], [5], [6]]  # sizes 1, 2 + 2, 3, 9 (which is too large alone), 1
