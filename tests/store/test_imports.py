"""Files that are damaged or lie are refused with a line or read right, and the collection stays whole."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.errors import UserError
from polysema.indexes.collection import Collection
from polysema.indexes.import_export import ImportOptions, export_from, import_into
from polysema.indexes.store.verify import verify
from polysema.indexes.tables import BATCH_ROWS
from tests.endurance import ENDURE
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
            import_into(c, source, ImportOptions(space="s"))
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
            assert str(source) in str(error) or "column" in str(error) or "ids" in str(error) or "id " in str(error)
        else:
            space = c.space()
            assert np.isfinite(space.vectors).all()
            c.spaces.drop("s")
    assert refused > COUNT // 2
    assert not verify(tmp_path / "c").problems


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vector": [[1.0, 2.0]] * 39 + [[1.0]]}, "t.parquet: the vectors do not all have one dimension: 1, 2"),
        ({"vector": ["x"] * 40}, "t.parquet: a column of lists of numbers named vector is needed; it has: id string"),
        ({"vector": [["a"]] * 40}, "t.parquet: a column of lists of numbers"),
        ({"vector": [[float("nan")]] * 40}, "t.parquet holds no rows: 40 rows have a vector with NaN or Inf: left out"),
        ({"vector": [[1.0, None]] * 40}, "t.parquet holds no rows: 40 rows have a vector with NaN or Inf: left out"),
        ({"vector": [None] * 39 + [[float("inf")]]}, "no rows: 39 rows have no vector: left out; 1 row has a vector"),
        ({"vector": [[]] * 40}, "a column of lists of numbers named vector is needed; it has: id string"),
        ({"id": [None, *["a"] * 39]}, "t.parquet: row 1 has no id"),
        ({"id": ["a"] * 39 + [""]}, "t.parquet: row 40 has no id"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    source = tmp_path / "t.parquet"
    pq.write_table(table(**changes), source)
    c = Collection.create(tmp_path / "c")
    with pytest.raises(UserError, match=message) as caught:
        import_into(c, source)
    assert "\n" not in str(caught.value)
    assert len(c) == 0


def test_an_id_is_missing_beyond_the_first_part(tmp_path: Path) -> None:
    n = BATCH_ROWS + 37
    ids = pa.array([*map(str, range(n)), None, "x", "y"])
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(2 * len(ids), np.float32)), 2)
    pq.write_table(pa.table({"id": ids, "vector": vectors}), tmp_path / "t.parquet")
    c = Collection.create(tmp_path / "c")
    version = c.view().manifest.version
    with pytest.raises(UserError, match=f"row {n + 1:,} has no id"):
        import_into(c, tmp_path / "t.parquet")
    assert (c.view().manifest.version, c.view().manifest.spaces) == (version, {})
    pq.write_table(table(id=["bank"] * 20 + [f"bank#{number}" for number in range(2, 22)]), tmp_path / "t.parquet")
    found = import_into(c, tmp_path / "t.parquet")
    names = list(c.space().keys)
    assert names[20:] == [f"bank#{number}" for number in range(2, 22)]  # an id that a row has stays its own
    assert names[:20] == ["bank", *(f"bank#{number}" for number in range(22, 41))]
    assert found.notes == [
        "19 rows have an id that stood there before, and got a number: 'bank' again is 'bank#22', 'bank' again is"
        " 'bank#23', 'bank' again is 'bank#24'"
    ]
    assert import_into(c, tmp_path / "t.parquet", ImportOptions(space="t")) == {"t": 40}
    assert len(c) == 40


def test_a_row_that_does_not_fit_leaves_no_space(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    c.add(["a"], [[1.0, 2.0]], {"topic": [3]}, space="mine")
    pq.write_table(table(), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="after 0 rows: the column topic holds int64.*'t0' .str. in row 1"):
        import_into(c, tmp_path / "t.parquet")
    assert list(c.view().manifest.spaces) == ["mine"]
    c.widen("topic", "string")
    assert import_into(c, tmp_path / "t.parquet").notes == []
    assert c.space("t").column("topic")[:2] == ["t0", "t1"]


def test_ids_are_refused_with_their_row_when_rows_are_added(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    for value, message in (
        (None, "row 2 has none"),
        (float("nan"), "got nan.*row 2"),
        ("", "empty.*row 2"),
        (True, "got True.*row 2"),
        (1.0, "got 1.0.*row 2"),
    ):
        with pytest.raises(UserError, match=message):
            c.add(["a", value], np.eye(2))  # type: ignore[list-item]
    with pytest.raises(UserError, match="row 2 has none"):
        c.add(pa.array(["a", None]), np.eye(2))
    assert not len(c)


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

    numbered = faiss.IndexIDMap(faiss.IndexFlatL2(6))
    numbered.add_with_ids(X[:3], np.array([70, 5, 12]))
    faiss.write_index(numbered, str(tmp_path / "numbered.faiss"))
    d = Collection.create(tmp_path / "d")
    import_into(d, tmp_path / "numbered.faiss")
    assert list(d.space().keys) == ["70", "5", "12"]
    index = faiss.IndexHNSWFlat(6, 8)
    index.add(X)
    faiss.write_index(index, str(tmp_path / "mine.faiss"))
    c = Collection.create(tmp_path / "c")
    assert import_into(c, tmp_path / "mine.faiss") == {"mine": 40}
    assert np.array_equal(c.get(["7"]).vectors[0], X[7])
    (tmp_path / "mine.faiss").write_bytes((tmp_path / "mine.faiss").read_bytes()[:200])
    with pytest.raises(UserError, match="mine.faiss"):
        import_into(c, tmp_path / "mine.faiss")
