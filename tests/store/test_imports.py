"""Files that are damaged or lie are refused with a line or read right, and the collection stays whole."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.errors import UserError
from polysema.indexes.collection import Collection
from polysema.indexes.exchange import Import, export_from, import_into
from polysema.indexes.store.verify import verify
from tests.store.conftest import ENDURE
from tests.store.test_corruption import damaged

COUNT = 5000 if ENDURE else 300
X = np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32)


def table(**changes: object) -> pa.Table:
    columns = {
        "id": [f"w{row}" for row in range(40)],
        "topic": [f"t{row % 3}" for row in range(40)],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 6),
    }
    return pa.table(columns | changes)


def test_damaged_tables(tmp_path: Path) -> None:
    source = tmp_path / "t.parquet"
    pq.write_table(table(), source, write_page_checksum=True)
    whole = source.read_bytes()
    c = Collection.create(tmp_path / "c")
    rng = random.Random(8)
    refused = 0
    for _ in range(COUNT):
        source.write_bytes(damaged(whole, rng))
        try:
            import_into(c, source, Import(space="s"))
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
            assert str(source) in str(error) or "column" in str(error) or "ids" in str(error) or "id " in str(error)
        else:
            space = c.space()
            assert np.isfinite(space.vectors).all()
            c.drop_space("s")
    assert refused > COUNT // 2
    assert not verify(tmp_path / "c").problems


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vector": [[1.0, 2.0]] * 39 + [[1.0]]}, "vectors must be of one width; they are from 1 to 2 wide"),
        ({"vector": ["x"] * 40}, "the column vector must hold a list of numbers in each row; it holds string"),
        ({"vector": [None] + [[1.0]] * 39}, "the column vector must hold a list of numbers"),
        ({"vector": [["a"]] * 40}, "t.parquet"),
        ({"vector": [[float("nan")]] * 40}, "row 0 holds NaN or Inf"),
        ({"vector": [[1.0, None]] * 40}, "t.parquet"),
        ({"vector": [[]] * 40}, "from 1 to 65,536 wide; got 0"),
        ({"id": [None, *["a"] * 39]}, "1 of them are missing"),
        ({"id": [""] * 40}, "an id must not be empty"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    source = tmp_path / "t.parquet"
    pq.write_table(table(**changes), source)
    c = Collection.create(tmp_path / "c")
    with pytest.raises(UserError, match=told) as caught:
        import_into(c, source)
    assert "\n" not in str(caught.value)
    assert len(c) == 0


def test_out_and_in_again(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "t.parquet")
    c = Collection.create(tmp_path / "c")
    assert import_into(c, tmp_path / "t.parquet") == {"t": 40}
    assert import_into(c, tmp_path / "t.parquet") == {"t": 40}
    assert len(c) == 40
    for name in ("u.parquet", "u.txt", "u.safetensors", "u.npy"):
        assert export_from(c, tmp_path / name, where="topic = 't1'") == 13
        d = Collection.create(tmp_path / name.replace(".", "-"))
        assert import_into(d, tmp_path / name) == {"u": 13}
        assert np.array_equal(d.space().vectors, X[1::3])
        assert list(d.space().keys) == [f"w{row}" for row in range(1, 40, 3)]


def test_an_index_of_faiss_goes_in(tmp_path: Path) -> None:
    import faiss

    index = faiss.IndexHNSWFlat(6, 8)
    index.add(X)
    faiss.write_index(index, str(tmp_path / "mine.faiss"))
    c = Collection.create(tmp_path / "c")
    assert import_into(c, tmp_path / "mine.faiss") == {"mine": 40}
    assert np.array_equal(c.get(["7"]).vectors[0], X[7])
    (tmp_path / "mine.faiss").write_bytes((tmp_path / "mine.faiss").read_bytes()[:200])
    with pytest.raises(UserError, match="mine.faiss"):
        import_into(c, tmp_path / "mine.faiss")
