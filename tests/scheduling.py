"""In what order the files of tests are dealt to the processes that share a run, and which go together."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

WAITING_PROCESS = "gw2"

LONGEST = (
    "tests/browser",
    "tests/engines",
    "tests/app/test_page_compare.py",
    "tests/app/test_dashboard.py",
    "tests/app/test_page_data.py",
    "tests/app/test_page_lessons.py",
    "tests/app/test_lessons.py",
    "tests/app/test_links.py",
    "tests/core/test_projection.py",
    "tests/test_cases.py",
    "tests/test_docs.py",
    "tests/core/test_engines.py",
    "tests/service",
    "tests/core/test_measures.py",
    "tests/store/test_power_loss.py",
    "tests/store/test_kills.py",
    "tests/store/test_processes.py",
    "tests/core/test_against_gensim.py",
    "tests/app",
)
TOGETHER = (
    "tests/browser",  # two browsers and two dashboards on two cores take twice the time of one after the other
    "tests/engines",  # one server for all
)


WAITING = ("tests/engines", "tests/app/test_distributed.py")
"""Whose tests wait for servers most of the time: with three processes they have one of their own, and the others the
cores. Each process collects only what it may run: that takes 20 seconds of a core for all tests."""


class FolderScheduling(LoadFileScheduling):
    """A file goes to one process of those that collected it, and so do all files of a folder of `TOGETHER`."""

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Take what a process collected, which need not be what others did."""
        self.registered_collections[node] = list(collection)

    def schedule(self) -> None:
        """Deal the files out for the first time, or on to a process that has come in place of another."""
        if self.collection is not None:
            super().schedule()
            return
        every = dict.fromkeys(test for tests in self.registered_collections.values() for test in tests)
        self.collection = list(every)
        for test in every:
            self.workqueue.setdefault(self._split_scope(test), {})[test] = False
        for node in self.nodes:
            self._assign_work_unit(node)
        for node in self.nodes:  # a process runs its last test when it knows the next, or that there is none
            self._reschedule(node)

    def _assign_work_unit(self, node: WorkerController) -> None:
        collected = set(self.registered_collections[node])
        own = next((scope for scope, tests in self.workqueue.items() if next(iter(tests)) in collected), None)
        if own is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(own, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(f"{folder}/")), super()._split_scope(nodeid))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the files whose tests run in other processes."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes < 3 or collection_path.suffix != ".py" or not collection_path.is_relative_to(config.rootpath):
        return None
    name = collection_path.relative_to(config.rootpath).as_posix()
    return True if name.startswith(WAITING) != (os.environ["PYTEST_XDIST_WORKER"] == WAITING_PROCESS) else None


def place(nodeid: str) -> int:
    """What takes longest comes first, so that no process is left alone with it at the end."""
    starts = [at for at, start in enumerate(LONGEST) if nodeid.startswith(start)]
    return min(starts, default=len(LONGEST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files of a run in several processes."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    """What `--dist loadfile` does, by folders too, with what each process collected."""
    return FolderScheduling(config, log)
