"""What the tests of the store share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


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
