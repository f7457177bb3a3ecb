"""An address of another engine in the place of a folder: shell, copies in both directions, loads that are killed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.errors import ConflictError, UnavailableError, UserError
from polysema.core.space.space import Origin
from polysema.indexes.collection import Collection
from polysema.indexes.engines.address import parse_address
from polysema.indexes.engines.copy import copy_collection
from tests.command_line import call
from tests.engines.milvus_server import MilvusServer, free_ports


def polysema(*words: str) -> str:
    done = call(list(words), Path.cwd())
    assert done.status == 0, done.err
    return done.out


RNG = np.random.default_rng(5)


def table(n: int) -> pa.Table:
    vectors = RNG.normal(size=(n, 6)).astype(np.float32)
    return pa.table(
        {
            "id": [f"row {number}" for number in range(n)],
            "layer": [number % 3 for number in range(n)],
            "tags": [["x"] * (number % 3) if number % 4 else None for number in range(n)],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 6),
        }
    )


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("milvus_lite")
    return f"milvus-lite://{tmp_path_factory.mktemp('lite')}/doors.db"


def test_the_shell_takes_an_address(lite: str, tmp_path: Path) -> None:
    pq.write_table(table(40), tmp_path / "rows.parquet")
    mine = f"{lite}/mine"
    assert "40 rows into the space rows" in polysema("collection", "import", mine, str(tmp_path / "rows.parquet"))
    assert "40 rows into the space rows" in polysema("collection", "import", mine, str(tmp_path / "rows.parquet"))
    info = json.loads(polysema("collection", "info", mine, "--format", "json"))
    assert (info["rows"], info["name"], info["spaces"]["rows"]["dim"]) == (40, "mine", 6)
    near = json.loads(
        polysema("collection", "search", mine, "--id", "row 7", "--where", "layer = 1", "-k", "3", "--format", "json")
    )
    assert {row["layer"] for row in near["answers"][0]} == {1}
    assert "row 7" not in {row["id"] for row in near["answers"][0]}
    assert "13 rows deleted, 27 are left" in polysema("collection", "delete", mine, "--where", "layer = 2")
    assert "27 rows" in polysema("collection", "export", mine, str(tmp_path / "out.parquet"))
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 27
    folder, back = str(tmp_path / "copied"), f"{lite}/back"
    assert "27 rows" in polysema("collection", "copy", mine, folder)
    assert "27 rows" in polysema("collection", "copy", folder, back)
    with pytest.raises(AssertionError, match=r"Milvus has no versions; copy it to a folder"):
        polysema("collection", "versions", mine)
    with pytest.raises(AssertionError, match="verify is for collections in folders"):
        polysema("collection", "verify", mine)


def test_copies_hold_every_row(lite: str, tmp_path: Path) -> None:
    source = Collection.create(tmp_path / "source")
    origin = Origin("my model", layer=3, pooling="mean")
    source.spaces.create("three", 6, "euclidean", origin)
    rows = table(30)
    vectors = np.array(rows.column("vector").to_pylist(), np.float32)
    columns = rows.drop_columns(["id", "vector"]).append_column("real", pa.array([float("nan"), None, 1.5] * 10))
    source.add(rows.column("id"), vectors, columns, "three", origin)
    source.add(["only"], [[1.0, 2.0]], space="small")
    there, back = f"{lite}/there", str(tmp_path / "back")
    assert copy_collection(str(tmp_path / "source"), there) == 31
    assert copy_collection(str(tmp_path / "source"), there) == 31  # once more: the same rows, none twice
    assert copy_collection(there, back) == 31
    for name in ("three", "small"):
        one, other = source.space(name), Collection(back).space(name)
        order = [other.keys.row(key) for key in one.keys]
        assert np.array_equal(one.vectors, other.vectors[order])
        assert one.origin == other.origin
    one, other = source.space("three"), Collection(back).space("three")
    order = [other.keys.row(key) for key in one.keys]
    assert one.columns is not None
    assert other.columns is not None
    assert repr(one.columns.to_pydict()) == repr(other.columns.take(order).select(one.columns.column_names).to_pydict())
    assert Collection(back).view().card("three").metric.value == "euclidean"
    Collection.create(tmp_path / "other").add(["x"], [[1.0, 2.0]], space="another")
    with pytest.raises(ConflictError):
        copy_collection(str(tmp_path / "other"), there)


LOAD = """
import os, sys
from polysema.indexes import tables
from polysema.indexes.collection import Collection
from polysema.indexes.import_export import import_into
tables.BATCH_ROWS = 100
address, path, kill_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
def advance(stage, done, total):
    if done >= kill_at:
        os.kill(os.getpid(), 9)
print(import_into(Collection.open(address), path, progress=advance))
"""


def test_a_load_that_is_killed_is_run_again(milvus_server: MilvusServer, tmp_path: Path) -> None:
    pq.write_table(table(1_000), tmp_path / "rows.parquet")
    address = f"milvus://{milvus_server.uri}/killed"
    made = Collection.create(address)
    for kill_at, code in ((300, -9), (10**9, 0)):
        command = [sys.executable, "-c", LOAD, address, str(tmp_path / "rows.parquet"), str(kill_at)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        assert len(made) == (300 if code else 1_000)
    assert sorted(made.space()) == sorted(f"row {number}" for number in range(1_000))


def test_what_is_no_address_and_who_is_not_there() -> None:
    for wrong in ("milvus://", "milvus://host/name", "milvus://h:1/-a", "milvus://u@h:1/a", "milvus-lite:///x/name"):
        with pytest.raises(UserError, match="an address of a collection is milvus://host:19530/name"):
            parse_address(wrong)
    assert parse_address("milvus://h:1/a/layer-6").space == "layer-6"
    assert str(parse_address("milvus-lite:///x/y.db/a")) == "milvus-lite:///x/y.db/a"
    with pytest.raises(UserError, match="open it with Collection.open"):
        Collection("milvus://h:1/a")
    for use in (Collection, Collection.open, Collection.create):
        with pytest.raises(UserError, match="http://h:1/a is no folder; an address of a collection is milvus://"):
            use("http://h:1/a")
    with pytest.raises(UnavailableError, match="no Milvus answers there"):
        Collection.open(f"milvus://127.0.0.1:{free_ports(1)[0]}/a")


def test_words_are_asked_of_an_address(lite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By sampling and by id: of 400 rows 50 are here, and neighbors are found among all."""
    from polysema.app.explorer import Explorer
    from polysema.indexes.engines.milvus import sampled_space

    monkeypatch.setattr(sampled_space.SampledRows.__init__, "__defaults__", (50,))
    vectors = RNG.normal(size=(400, 6)).astype(np.float32)
    names = [f"word{number}" for number in range(400)]
    made = Collection.create(f"{lite}/words")
    made.add(names, vectors, {"text": [f"text of {name}" for name in names], "layer": [n % 2 for n in range(400)]})
    words = Explorer().space(f"{lite}/words/vectors")
    assert len(words) == 50
    assert words.origin.notes[-1] == "a sample of 50 of 400 rows on Milvus"
    outside = next(name for name in names if name not in list(words))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-(unit @ unit[names.index(outside)]), kind="stable")[1:6]
    found = words.neighbors(outside, k=5)
    assert [one.key for one in found.neighbors] == [names[row] for row in order]
    assert [one.text for one in found.neighbors] == [f"text of {names[row]}" for row in order]
    assert np.array_equal(words[outside], vectors[names.index(outside)])
    assert outside in words
    assert "never" not in words
    told = json.loads(polysema("neighbors", outside, "--space", f"{lite}/words", "-k", "5", "--format", "json"))
    assert [one["word"] for one in told["neighbors"]] == [names[row] for row in order]
    laid = Explorer().maps.map(words, method="pca", k=0)
    assert len(laid.space) == 50
