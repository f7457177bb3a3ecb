"""`polysema collection` as a user types it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.files.formats import read_vectors
from polysema.indexes.collection import Collection

WORDS = ["bank", "river", "swan", "money", "gold"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    vectors = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    lines = [f"{word} {' '.join(map(str, row))}" for word, row in zip(WORDS, vectors.tolist(), strict=True)]
    (tmp_path / "v.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def c(here: Path, polysema) -> Path:  # type: ignore[no-untyped-def]
    status, out, err = polysema("collection", "import", "c", "v.txt")
    assert (status, err) == (0, "")
    assert out.startswith("c: 5 rows into the space v; index flat: 5 x 4 is searched exactly")
    return here / "c"


def test_a_file_of_vectors_goes_in_and_comes_out(c: Path, polysema) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = polysema("collection", "search", "c", "--id", "bank", "-k", "2", "--format", "json")
    answer = json.loads(out)
    assert status == 0
    (hits,) = answer["answers"]
    assert [hit["rank"] for hit in hits] == [1, 2]
    assert "bank" not in [hit["id"] for hit in hits]  # a row is no neighbor of itself
    assert answer["recall"] == 1.0
    assert polysema("collection", "delete", "c", "gold", "silver")[1] == "c: 1 rows deleted, 4 are left (version 5)\n"
    assert polysema("collection", "export", "c", "w.txt")[:2] == (0, "w.txt: 4 rows\n")
    assert list(read_vectors("w.txt").keys) == WORDS[:4]
    status, out, err = polysema("collection", "export", "c", "w.txt")
    assert (status, "w.txt is there already" in err) == (2, True)
    status, out, _ = polysema("collection", "get", "c", "river", "--format", "json")
    assert json.loads(out)["vectors"][0] == pytest.approx(read_vectors("v.txt").vector("river").tolist())
    assert polysema("collection", "copy", "c", "d")[1] == "d: 4 rows\n"
    assert polysema("collection", "restore", "d", "nope")[0] == 2


def test_a_collection_of_the_data_folder_has_a_name(here: Path, polysema, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("POLYSEMA_HOME", str(here / "home"))
    (here / "home" / "collections").mkdir(parents=True)
    assert polysema("collection", "import", "home/collections/mine", "v.txt")[0] == 0
    assert polysema("collection", "delete", "mine", "gold")[1] == "mine: 1 rows deleted, 4 are left (version 5)\n"
    assert polysema("collection", "import", "mine", "v.txt")[0] == 0  # a folder here, as the path says
    assert (len(Collection(here / "mine")), len(Collection(here / "home/collections/mine"))) == (5, 4)
    assert polysema("collection", "get", "mine", "gold")[0] == 0  # the folder goes before the name


def test_a_table_keeps_its_columns_and_its_origin(here: Path, polysema) -> None:  # type: ignore[no-untyped-def]
    table = pa.table(
        {
            "name": ["a", "b", "a"],
            "topic": ["x", "y", "x"],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6, dtype=np.float32)), 2),
        }
    )
    pq.write_table(table, "t.parquet")
    assert (
        polysema(
            "collection", "import", "c", "t.parquet", "--id-column", "name", "--metric", "euclidean", "--space", "s"
        )[0]
        == 0
    )
    _, out, _ = polysema(
        "collection", "search", "c", "--vector", "4,5", "-k", "3", "--where", "topic = 'x'", "--format", "csv"
    )
    assert out.splitlines() == ["rank,id,score,topic", "1,a#2,-0.0,x", "2,a,-5.656854,x"]
    assert polysema("collection", "export", "c", "u.parquet")[0] == 0
    assert polysema("collection", "import", "c2", "u.parquet")[0] == 0
    space = Collection("c2").space()
    assert list(space.keys) == ["a", "b", "a#2"]
    assert space.column("topic") == ["x", "y", "x"]
    assert space.origin.source == "t.parquet"


def test_an_export_goes_in_layer_by_layer_and_is_searched_by_text(here: Path, polysema) -> None:  # type: ignore[no-untyped-def]
    Path("t.txt").write_text("The bank of the river.\nMoney in the bank.\n")
    assert polysema("export", "t.txt", "out", "--layers", "0,6", "--engine", "torch")[0] == 0
    assert polysema("collection", "import", "c", "out")[0] == 0
    status, out, _ = polysema("collection", "info", "c", "--format", "json")
    assert [(name, space["rows"]) for name, space in json.loads(out)["spaces"].items()] == [
        ("layer-0", 9),
        ("layer-6", 9),
    ]
    query = (
        "collection",
        "search",
        "c",
        "--text",
        "She sat by the bank of the stream",
        "--word",
        "bank",
        "-k",
        "2",
        "--format",
        "json",
    )
    status, out, _ = polysema(*query, "-s", "layer-6")
    assert [hit["id"] for hit in json.loads(out)["answers"][0]] == ["0:4-8", "1:13-17"]
    status, _, err = polysema(*query)
    assert (status, "holds several spaces, which are never mixed: name one of layer-0, layer-6" in err) == (2, True)
    assert polysema("collection", "import", "c", "out")[0] == 0  # once more changes nothing
    assert len(Collection("c")) == 18
    status, _, err = polysema("collection", "import", "c", "out", "--space", "layer-0", "--layers", "6")
    assert status == 2
    assert "has a space layer-0 already" in err


def test_damage_is_told_and_mended(c: Path, polysema) -> None:  # type: ignore[no-untyped-def]
    assert "each as it was written" in polysema("collection", "verify", "c")[1]
    (c / "FORMAT").write_bytes(b"x")
    status, _, err = polysema("collection", "verify", "c")
    assert status == 2
    assert "FORMAT is damaged" in err
    status, _, err = polysema("collection", "search", "c", "--id", "bank")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "FORMAT was written anew" in polysema("collection", "repair", "c")[1]
    large = c / "segments" / Collection(c).view().manifest.segments[0].data.name
    data = bytearray(large.read_bytes())
    data[len(data) // 2] ^= 1
    large.write_bytes(data)
    status, _, err = polysema("collection", "repair", "c")
    assert status == 2
    assert f"lost: 5 rows of {large.name}" in err
    assert (c / "aside" / large.name).exists()
    assert polysema("collection", "repair", "c")[:2] == (0, "c: nothing to mend\n")
    assert polysema("collection", "verify", "c")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nowhere"], "nowhere holds no collection"),
        (["create", "c"], "holds a collection already"),
        (["create", "no/where"], "is not there; make the folder first"),
        (["search", "c"], "give one of --id, --vector, --vectors and --text"),
        (["search", "c", "--id", "zebra"], "'zebra': no such id in v"),
        (["search", "c", "--vector", "1,2"], "queries must have the shape (n, 4)"),
        (["search", "c", "--vector", "1,x,3,4"], "a vector is numbers with commas between"),
        (["search", "c", "--vectors", "v.txt"], "v.txt is no .npy file"),
        (["search", "c", "--id", "bank", "-k", "0"], "k must be 1 or more; got 0"),
        (["search", "c", "--id", "bank", "--where", "topic = 1"], "no column 'topic'"),
        (["search", "c", "--id", "bank", "--columns", "topic"], "there is no column 'topic'"),
        (["search", "c", "--text", "a bank", "--word", "bank"], "was not made by a model from texts"),
        (["delete", "c"], "delete takes ids, or a condition"),
        (["delete", "c", "bank", "--where", "id = 'bank'"], "delete takes ids, or a condition"),
        (["compact", "c", "--index", "hnsw:Q=3"], "an index has no parameter 'Q'"),
        (["compact", "c", "--index", "annoy"], "index kind 'annoy' does not exist"),
        (["import", "c", "nothing.bin"], "nothing.bin is not there"),
        (["import", "new", "v.txt", "--index", "annoy"], "index kind 'annoy' does not exist"),
        (["import", "new", "v.txt", "--metric", "hamming"], "metric 'hamming' does not exist"),
        (["import", "new", "v.txt", "--layers", "3"], "layers are those of an export's folder"),
        (["import", "new", "v.txt", "--space", "a b"], "a space is named with"),
        (["import", "new", "empty.txt"], "empty.txt"),
        (["snapshot", "c", "../x"], "a snapshot is named with"),
        (["restore", "c", "77"], "keeps the versions"),
        (["export", "c", "x.zzz"], "x.zzz"),
        (["verify", "nowhere"], "nowhere holds no collection"),
        (["repair", "nowhere"], "nowhere holds no collection"),
        (["copy", "c", "c"], "c is there already"),
    ],
)
def test_mistakes(c: Path, polysema, arguments: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    Path("empty.txt").write_text("")
    before = sorted(str(path) for path in Path().rglob("*"))
    status, out, err = polysema("collection", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(str(path) for path in Path().rglob("*")) == before
