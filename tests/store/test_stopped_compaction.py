"""A compaction says what its index takes before it begins, and leaves nothing when it is stopped."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from polysema.indexes.collection import Collection
from polysema.indexes.store.verify import verify
from tests.store.scenario import INDEX, OPTIONS, SMALL_DISK, collection_state, rows

NAMES = [f"w{number}" for number in range(120)]


@pytest.mark.parametrize("stop_at", ["index hnsw", "rows", "index"])
def test_a_compaction_that_is_stopped_leaves_nothing(tmp_path: Path, stop_at: str) -> None:
    c = Collection.create(tmp_path / "c", OPTIONS, SMALL_DISK)
    c.upsert(*rows(NAMES, 1))
    before = sorted(path.name for path in (tmp_path / "c").rglob("*"))
    stages: list[str] = []

    def stop(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        if stage == stop_at or (stop_at == "index hnsw" and stage.startswith(stop_at)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        c.compact(index=INDEX, progress=stop)
    assert stages[0] == "index hnsw takes about 2 seconds and 0 MiB"
    assert sorted(path.name for path in (tmp_path / "c").rglob("*")) == before
    assert collection_state(c) == dict.fromkeys(NAMES, 1)
    report = verify(tmp_path / "c")
    assert (report.problems, report.leftovers) == ([], [])
    c.compact(index=INDEX)
    assert c.view().manifest.segments[0].index is not None


@pytest.fixture
def large(tmp_path: Path) -> Collection:
    """So many rows that building a graph over them takes a while."""
    c = Collection.create(tmp_path / "c")
    vectors = np.random.default_rng(0).normal(size=(30_000, 64)).astype(np.float32)
    c.add([f"w{row}" for row in range(len(vectors))], vectors)
    return c


def test_ctrl_c_of_the_command_leaves_the_collection_as_it_was(large: Collection) -> None:
    root = Path(large.root)
    before = sorted(path.name for path in root.rglob("*"))
    n_files = len(list((root / "segments").iterdir()))
    command = [sys.executable, "-m", "polysema.app", "collection", "compact", str(root), "--index", "hnsw"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(list((root / "segments").iterdir())) == n_files and time.monotonic() < until:
        time.sleep(0.02)  # the rows are written, then the index is built
    time.sleep(0.3)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, time.monotonic() - begun < 10) == (130, True), err
    assert f"{root}: vectors is as it was; nothing of it was compacted" in err
    assert sorted(path.name for path in root.rglob("*")) == before
    assert (large.view().manifest.version, verify(root).leftovers) == (2, [])


def test_a_graph_can_be_stopped_every_second(large: Collection) -> None:
    steps: list[int] = []

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "index":
            steps.append(done)
            if len(steps) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        large.compact(index="hnsw:M=4,ef_construction=8", progress=stop)
    assert steps == [0, 2048, 4096]
