"""What the tests of the store share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from polysema.indexes import collection_files
from polysema.indexes.store import segment_files, segment_search


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of file and of search from a few rows on."""
    monkeypatch.setattr(segment_files, "MAPPED_BYTES", 8 * 4 * 8)
    monkeypatch.setattr(segment_files, "ROW_GROUP", 16)
    monkeypatch.setattr(segment_search, "SMALL_SEGMENT_ROWS", 4)
    monkeypatch.setattr(collection_files, "COLLECT_EVERY", 3)


@pytest.fixture
def shm(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: thousands of small files are written."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="polysema-", dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
