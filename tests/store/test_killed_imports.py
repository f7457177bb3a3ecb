"""An import that is stopped and run again has the rows of one that wasn't; an export that is killed leaves nothing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.atomic import is_part
from polysema.indexes.collection import Collection
from polysema.indexes.import_export import export_from, import_into
from polysema.indexes.store.verify import verify
from polysema.indexes.tables import BATCH_ROWS

N = 2 * BATCH_ROWS + 100


class Stop(BaseException):
    """No error that anything handles, as a kill is none."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "t.parquet"
    ids = [f"w{row % (N - 50)}" for row in range(N)]  # fifty stand there twice
    vectors = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 2)
    pq.write_table(pa.table({"id": ids, "vector": lists, "n": range(N)}), path)
    return path


def rows_of(c: Collection) -> pa.Table:
    space = c.space("t")
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.asarray(space.vectors).ravel()), 2)
    return pa.table({"id": space.keys.array, "vector": lists, "n": space.column("n")}).sort_by("n")


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    whole = Collection.create(tmp_path_factory.mktemp("whole") / "c")
    assert import_into(whole, source) == {"t": N}
    return rows_of(whole)


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_import_that_is_stopped_is_run_again(
    tmp_path: Path, source: Path, expected: pa.Table, existing: bool, at: int
) -> None:
    c = Collection.create(tmp_path / "c")
    if existing:
        c.add(["mine"], np.ones((1, 3), np.float32), space="other")
    seen = []

    def stop(stage: str, done: int, total: int) -> None:
        seen.extend([done] if stage == "t" else [])
        if len(seen) == at:
            raise Stop

    with pytest.raises(Stop):
        import_into(c, source, progress=stop)
    again = Collection(tmp_path / "c")
    assert 0 < again.view().n_rows("t") <= N
    assert import_into(again, source) == {"t": N}
    assert rows_of(again).equals(expected)
    assert not verify(tmp_path / "c").problems


CUT = """
import os, signal, sys
from polysema.core.atomic import atomic_files
from pathlib import Path
with atomic_files([Path(sys.argv[1])]) as (part,):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="a kill there leaves no trace of whose a part is")
def test_an_export_that_is_killed_leaves_no_part_behind(tmp_path: Path, source: Path) -> None:
    c = Collection.create(tmp_path / "c")
    c.add(["a"], [[1.0, 2.0]])
    target = tmp_path / "out" / "mine [1].csv"
    target.parent.mkdir()
    subprocess.run([sys.executable, "-c", CUT, str(target)], check=False)
    assert [is_part(path.name) for path in target.parent.iterdir()] == [True]
    assert export_from(c, target) == 1
    assert [path.name for path in target.parent.iterdir()] == ["mine [1].csv"]
