"""In what order the files of tests are dealt to the processes that share a run."""

import os

import pytest

LONGEST = (
    "tests/browser",  # first, so that every process takes some: each has a server and a browser of its own
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


def place(nodeid: str) -> int:
    """What takes longest comes first, so that no process is left alone with it at the end."""
    starts = [at for at, start in enumerate(LONGEST) if nodeid.startswith(start)]
    return min(starts, default=len(LONGEST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files of a run in several processes."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: place(item.nodeid))
