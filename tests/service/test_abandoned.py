"""Work that nobody waits for any more, because its time is over or its client has gone, ends at its next step."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

import httpx
import pytest

from polysema.app.explorer import Explorer, SingleFlightCache
from polysema.app.service.batching import Batcher
from polysema.core.jobs import Job, JobCancelledError
from polysema.core.model.engine import Engine
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.load import load_model
from polysema.core.progress import ended_by, go_on, no_progress
from polysema.indexes.exact import QUERY_BLOCK, ExactIndex
from tests.event_loop import run
from tests.service.conftest import Service

MODEL = "marian-en-fr"
BODY = {
    "model": MODEL,
    "text": "The bank lends money to the people of the river.",
    "max_new_tokens": 40,
    "num_beams": 2,
}


class Passes:
    """Counts the passes of a model, the first of which waits until it may go on."""

    def __init__(self) -> None:
        self.n = 0
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, _module: object, _given: object) -> None:
        self.n += 1
        self.begun.set()
        assert self.go.wait(60)


@pytest.fixture
def passes(explorer: Explorer) -> Iterator[Passes]:
    counted = Passes()
    handle = explorer.model(MODEL).generation.on_torch().whole.register_forward_pre_hook(counted)
    try:
        yield counted
    finally:
        counted.go.set()
        handle.remove()


def test_a_request_whose_time_is_over_makes_no_further_step(served: Service, passes: Passes) -> None:
    url, server = served(timeout=1.0)
    answer = httpx.post(f"{url}/v1/generate", json=BODY, trust_env=False, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "timeout")
    passes.go.set()
    assert server.idle(60)
    assert passes.n <= 1  # none where the time was over before the first


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_client_that_is_gone_ends_its_work(served: Service, passes: Passes, accept: str) -> None:
    url, server = served()

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            client.post(f"{url}/v1/generate", json=BODY, headers={"Accept": accept})

    with httpx.Client(trust_env=False, timeout=60) as client:
        asking = threading.Thread(target=ask)
        asking.start()
        assert passes.begun.wait(60)
        # what the client closes is its socket, under the thread that waits for the answer
        pool = client._transport._pool  # type: ignore[attr-defined]
        pool.connections[0]._connection._network_stream._sock.shutdown(2)
        asking.join(60)
    deadline = time.monotonic() + 60
    while "/v1/generate" not in (counted := httpx.get(f"{url}/metrics", trust_env=False).text):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert ('"499"' in counted) == (accept == "application/json")  # of events the beginning was sent
    assert server._polysema.gate.running == 1
    passes.go.set()
    assert server.idle(60)
    assert passes.n == 1


def test_a_batch_ends_when_the_last_of_its_askers_is_gone() -> None:
    begun, go, steps = threading.Event(), threading.Event(), list[int]()

    def work(_key: str, items: list[str]) -> Sequence[str | Exception]:
        for step in range(3):
            go_on()
            steps.append(step)
            begun.set()
            assert go.wait(60)
        return items

    async def check(n_gone: int) -> list[object]:
        for event in (begun, go):
            event.clear()
        steps.clear()
        batcher = Batcher(work, 64, 0.0)
        asked = [asyncio.ensure_future(batcher.ask("key", item, 1)) for item in ("a", "b")]
        while not begun.is_set():
            await asyncio.sleep(0.01)
        for one in asked[:n_gone]:
            one.cancel()
        await asyncio.sleep(0)
        go.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        while batcher._tasks:
            await asyncio.sleep(0.01)
        batcher.close()
        return [type(one) if isinstance(one, BaseException) else one for one in found]

    assert run(lambda: check(1)) == [asyncio.CancelledError, "b"]
    assert steps == [0, 1, 2]
    assert run(lambda: check(2)) == [asyncio.CancelledError, asyncio.CancelledError]
    assert steps == [0]


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_an_engine_runs_no_batch_more(minilm: LanguageModel, engine: str) -> None:
    current: Engine = load_model("minilm-l6", engine=engine).engine
    windows = [minilm.encode(["bank " * 100])[0].windows[0]] * 40
    job, taken = Job(), list[int]()

    def take(item: int, _states: object) -> None:
        taken.append(item)
        job.cancel()

    with ended_by(job.check), pytest.raises(JobCancelledError):
        current.run(windows, [6], take)
    assert 0 < len(taken) < len(windows)
    taken.clear()
    current.run(windows, [6], take)  # a check is of its block alone
    assert len(taken) == len(windows)


def test_a_pass_with_hooks_ends_at_its_next_block(explorer: Explorer) -> None:
    model, seen = explorer.model("minilm-l6"), list[int]()

    def check() -> None:
        seen.append(len(seen))
        if len(seen) == 3:
            raise JobCancelledError

    with ended_by(check), pytest.raises(JobCancelledError):
        model.attention("The bank of the river is no place for money.")
    assert seen == [0, 1, 2]


def test_an_exact_search_ends_at_its_next_block() -> None:
    index, seen = ExactIndex([[1.0, 0.0], [0.6, 0.8]]), list[int]()

    def check() -> None:
        seen.append(len(seen))
        if len(seen) == 2:
            raise JobCancelledError

    with ended_by(check), pytest.raises(JobCancelledError):
        index.search([[1.0, 0.1]] * (4 * QUERY_BLOCK), k=1)
    assert seen == [0, 1]


def test_what_is_kept_for_others_is_made_to_its_end() -> None:
    job = Job()
    job.cancel()

    def make() -> str:
        no_progress("make", 0, 1)
        return "made"

    with ended_by(job.check):
        assert SingleFlightCache(1).get("key", make) == "made"
        with pytest.raises(JobCancelledError):
            no_progress("make", 0, 1)


def test_a_job_ends_where_its_work_tells_nobody() -> None:
    job, done = Job(), list[int]()

    def work(_progress: object) -> None:
        for step in range(3):
            go_on()
            done.append(step)
            job.cancel()

    job.run(work)
    assert (job.state, done) == ("cancelled", [0])
