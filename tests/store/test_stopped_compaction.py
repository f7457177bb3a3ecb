"""A compaction says what its index takes before it begins, and leaves nothing when it is stopped."""

from pathlib import Path

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
