"""Tables of vectors of every kind go into a collection with all of their columns, and come out again."""

import datetime
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from polysema.core.errors import NotFoundError, UnreadableError, UserError
from polysema.core.files.formats import read_vectors
from polysema.indexes.collection import Collection
from polysema.indexes.import_export import ImportOptions, export_from, import_into

ROWS = [
    {"body": f"text {place}", "n": place, "ok": place > 1, "day": datetime.date(2024, 1, place + 1), "tags": ["a", "b"]}
    for place in range(3)
]
DIM = 8


def write(path: Path) -> None:
    """The rows and their vectors, in a column called emb or in one for each number."""
    rows = [{"id": f"x{row['n']}", **row, "emb": [row["n"] + 0.5] * DIM} for row in ROWS]
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row | {"day": str(row["day"])}) for row in rows))
    elif path.suffix == ".csv":
        lines = [",".join(["id", *list(ROWS[0]), *(f"e{place}" for place in range(DIM))])]
        for row in ROWS:
            values = ['"[""a"",""b""]"' if name == "tags" else str(value) for name, value in row.items()]
            lines.append(",".join([f"x{row['n']}", *values, *([str(row["n"] + 0.5)] * DIM)]))
        path.write_text("\n".join(lines))
    else:
        path.mkdir()
        with pa.ipc.new_stream(path / "data.arrow", table.schema) as writer:
            writer.write_table(table)
        (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))


def rows_of(collection: Collection) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for batch in collection.view().batches(None, None):
        assert batch.columns is not None
        rows += [
            {"id": name, **row} for name, row in zip(batch.ids.to_pylist(), batch.columns.to_pylist(), strict=True)
        ]
    return rows


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.csv", "a.jsonl", "dataset"])
def test_every_column_goes_in_with_its_type(name: str, tmp_path: Path) -> None:
    write(tmp_path / name)
    collection = Collection.create(tmp_path / "c")
    assert import_into(collection, tmp_path / name) == {name.partition(".")[0]: 3}
    found = rows_of(collection)
    if name.endswith(".jsonl"):  # JSON has no dates: Arrow reads them as times
        found = [row | {"day": day.date()} for row in found if isinstance(day := row["day"], datetime.datetime)]
    assert found == [{"id": f"x{row['n']}", **row} for row in ROWS]
    assert collection.get(["x1"]).vectors.tolist() == [[1.5] * DIM]
    space = read_vectors(tmp_path / name)
    assert (space.dim, list(space.keys)) == (DIM, ["x0", "x1", "x2"])


def test_columns_are_chosen_and_the_texts_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    collection = Collection.create(tmp_path / "c")
    counts = import_into(collection, tmp_path / "a.csv", ImportOptions(columns=("n",), text_column="body"))
    assert rows_of(collection)[0] == {"id": "x0", "text": "text 0", "n": 0}
    assert "the file's column 'body' is called 'text' here" in counts.notes
    for wrong in (ImportOptions(columns=("nope",)), ImportOptions(text_column="nope")):
        with pytest.raises(UserError, match=r"a\.csv: there is no column 'nope'; it has: id string"):
            import_into(collection, tmp_path / "a.csv", wrong)


def test_numbered_columns_are_named_by_their_beginning(tmp_path: Path) -> None:
    names = [*(f"a{place}" for place in range(3)), *(f"b{place}" for place in range(2))]
    pq.write_table(pa.table({"id": ["x"], **{name: [0.5] for name in names}}), tmp_path / "w.parquet")
    collection = Collection.create(tmp_path / "c")
    import_into(collection, tmp_path / "w.parquet", ImportOptions(vector_column="b"))
    assert collection.get(["x"]).vectors.shape == (1, 2)
    assert rows_of(collection) == [{"id": "x", "a0": 0.5, "a1": 0.5, "a2": 0.5}]


def test_a_list_of_whole_numbers_beside_a_wide_table_is_no_vector(tmp_path: Path) -> None:
    wide = {f"v{place}": [0.5, 1.5] for place in range(8)}
    pq.write_table(pa.table({"id": ["x", "y"], "tags": [[1], [1, 2]], **wide}), tmp_path / "w.parquet")
    collection = Collection.create(tmp_path / "c")
    import_into(collection, tmp_path / "w.parquet")
    assert rows_of(collection) == [{"id": "x", "tags": [1]}, {"id": "y", "tags": [1, 2]}]


def test_labels_that_repeat_in_a_pair_of_tensorboard_keep_every_row(tmp_path: Path) -> None:
    (tmp_path / "vectors.tsv").write_text("1\t2\n3\t4\n5\t6\n")
    (tmp_path / "metadata.tsv").write_text("label\tyear\tok\nriver\t1\ttrue\nriver\t2\tfalse\nmoney\t3\ttrue\n")
    collection = Collection.create(tmp_path / "c")
    assert import_into(collection, tmp_path / "vectors.tsv") == {"vectors": 3}
    assert rows_of(collection)[1] == {"id": "river#2", "label": "river", "year": 2, "ok": False}
    export_from(collection, tmp_path / "out.tsv")
    assert (tmp_path / "out_metadata.tsv").read_text() == (
        "id\tlabel\tyear\tok\nriver\triver\t1\ttrue\nriver#2\triver\t2\tfalse\nmoney\tmoney\t3\ttrue\n"
    )
    again = Collection.create(tmp_path / "again")
    import_into(again, tmp_path / "out.tsv")
    assert rows_of(again) == rows_of(collection)


@pytest.mark.parametrize("ending", [".feather", ".jsonl", ".csv", ".parquet"])
def test_columns_come_out_again(ending: str, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    collection = Collection.create(tmp_path / "c")
    import_into(collection, tmp_path / "a.parquet")
    assert export_from(collection, tmp_path / f"out{ending}") == 3
    again = Collection.create(tmp_path / "again")
    import_into(again, tmp_path / f"out{ending}")
    found = rows_of(again)
    if ending == ".jsonl":
        found = [row | {"day": day.date()} for row in found if isinstance(day := row["day"], datetime.datetime)]
    assert found == rows_of(collection)
    assert again.get(["x2"]).vectors.tolist() == [[2.5] * DIM]


def test_what_is_no_table_is_refused_in_a_line(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c")
    (tmp_path / "a.jsonl").write_text('{"id": 1, "vector": [1.0, 2.0]}\n{"id": 2, "vector": "none"}\n')
    with pytest.raises(UnreadableError, match=r"a\.jsonl, near line 1: can't be read as JSON Lines"):
        import_into(collection, tmp_path / "a.jsonl")
    (tmp_path / "a.arrow").write_bytes(b"ARROW1\0\0" + bytes(64))
    with pytest.raises(UnreadableError, match=r"a\.arrow can't be read as Arrow"):
        import_into(collection, tmp_path / "a.arrow")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="no finished export"):
        import_into(collection, tmp_path / "empty")
