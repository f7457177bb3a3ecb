"""A job's states: one core under the service's queue and the dashboard's runner."""

import threading

import pytest

from polysema.core.jobs import Job, JobCancelledError


def test_a_job_that_waits_is_cancelled_at_once_and_never_runs() -> None:
    job, ran = Job(), []
    job.cancel()
    assert (job.state, job.pending, job.stopping) == ("cancelled", False, True)
    job.run(ran.append)
    assert ran == []
    with pytest.raises(JobCancelledError):
        job.result()


def test_a_job_that_runs_is_cancelled_at_its_next_step() -> None:
    job, begun, go = Job(), threading.Event(), threading.Event()

    def work(progress):  # type: ignore[no-untyped-def]
        progress("one", 1, 2)
        begun.set()
        go.wait(10)
        progress("two", 2, 2)

    thread = threading.Thread(target=job.run, args=(work,))
    thread.start()
    assert begun.wait(10)
    job.cancel()
    assert (job.state, job.stopping, job.stage) == ("running", True, "one")
    go.set()
    thread.join()
    assert (job.state, job.stage) == ("cancelled", "one")


def test_the_end_is_seen_only_with_what_came_of_it() -> None:
    seen = []

    class Watched(Job):
        def on_end(self) -> None:
            seen.append((self.state, self.value, self.failure))

    job = Watched()
    version = job.version
    job.run(lambda progress: progress("read", 1, 1) or 7)
    assert seen == [("running", 7, None)]
    assert (job.state, job.result(), job.done) == ("done", 7, 1)
    assert job.version == version + 3
    job.cancel()  # an ended one stays as it is
    assert job.state == "done"


def test_what_it_raised_is_raised_again() -> None:
    job = Job()
    job.run(lambda progress: 1 // 0)
    assert job.state == "failed"
    with pytest.raises(ZeroDivisionError):
        job.result()
