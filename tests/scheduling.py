"""In what order the files of tests are dealt to the processes that share a run, and which go together."""

import os

import pytest
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
cores."""


class FolderScheduling(LoadFileScheduling):
    """A file goes to one process, and so do all files of a folder of `TOGETHER`; the third process takes `WAITING`."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        waits = node.gateway.id == WAITING_PROCESS
        units = [scope for scope in self.workqueue if scope.startswith(WAITING) == waits]
        if waits and not units:
            node.shutdown()
            return
        if units:
            self.workqueue.move_to_end(units[0], last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(f"{folder}/")), super()._split_scope(nodeid))


def place(nodeid: str) -> int:
    """What takes longest comes first, so that no process is left alone with it at the end."""
    starts = [at for at, start in enumerate(LONGEST) if nodeid.startswith(start)]
    return min(starts, default=len(LONGEST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files of a run in several processes."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config) -> FolderScheduling:
    """What `--dist loadfile` does, by folders too."""
    return FolderScheduling(config)
