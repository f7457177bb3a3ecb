"""Which tests run in one process, and in what order: several processes share the run of the tests."""

import os
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

BROWSER = "tests/browser"  # one process: they share a server, whose answers stay warm, and a browser
LONGEST = (
    BROWSER,
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


class SharedScheduling(LoadFileScheduling):
    """The tests of a file in one process, and those of a browser in one."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)


def scope(nodeid: str) -> str:
    """What runs together with a test."""
    return BROWSER if nodeid.startswith(f"{BROWSER}/") else nodeid.partition("::")[0]


def place(nodeid: str) -> int:
    """What takes longest comes first, so that no process is left alone with it at the end."""
    starts = [at for at, start in enumerate(LONGEST) if nodeid.startswith(start)]
    return min(starts, default=len(LONGEST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files of a run in several processes."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> SharedScheduling | None:
    """Where files are dealt out, those of the browser are one."""
    return SharedScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
