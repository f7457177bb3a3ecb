"""`polysema export`, `embed` and `table` as a user types them."""

import csv
import gzip
import io
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.files.formats import read_export, read_vectors
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b'name,body\none,"The bank, of the river."\ntwo,\nthree,Swans glide.\n'))
    return path


def test_a_column_is_exported_with_its_ids_and_verified(polysema, texts: Path) -> None:  # type: ignore[no-untyped-def]
    status, out, err = polysema(
        "export",
        "t.csv.gz",
        "out",
        "--column",
        "body",
        "--id-column",
        "name",
        "--layers",
        "0,6",
        "--static",
        "--engine",
        "torch",
    )
    assert (status, out, err) == (0, "14 rows (7 words of 3 texts) in out\n", "")
    space = read_export("out", 6)
    assert list(space.keys) == ["The", "bank", "of", "the", "river", "Swans", "glide"]
    assert space.column("id") == ["one"] * 5 + ["three"] * 2
    assert polysema("export", "verify", "out")[:2] == (0, "out: 14 rows in 1 files, each as it was written\n")
    (Path("out") / "part-00000.parquet").write_bytes(b"")
    status, _, err = polysema("export", "verify", "out")
    assert status == 2
    assert "part-00000.parquet has 0 bytes, not" in err


def test_standard_input_and_int8(texts: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "polysema.app",
        "export",
        "-",
        "out",
        "--engine",
        "onnx-int8",
        "--to",
        "npy",
        "--dtype",
        "int8",
    ]
    run = subprocess.run(command, input=b"The river bank.\n", capture_output=True, check=False)
    assert (run.returncode, run.stdout) == (0, b"3 rows (3 words of 1 texts) in out\n")
    assert b"note: engine onnx-int8 is not exact: layer 6 has a mean cosine of 0.99" in run.stderr
    assert np.load("out/part-00000.npy").dtype == np.int8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t.csv.gz", "out", "--column", "zz"], "has no column 'zz'"),
        (["nope.txt", "out"], "there is no file nope.txt"),
        (["t.csv.gz", "out", "--column", "body", "--layers", "9"], "minilm-l6 has layers 0 (embeddings) to 6; got 9"),
        (["t.csv.gz", "out", "--column", "body", "--layers", "x"], "layers are numbers with commas between"),
        (["t.csv.gz", "out", "--shard", "5"], "a shard is i/n, such as 2/4; got '5'"),
        (["t.csv.gz", "out", "--unit", "letters"], "unit 'letters' does not exist"),
        (["t.csv.gz", "out", "--column", "body", "--engine", "tpu"], "engine 'tpu' does not exist"),
        (["t.csv.gz"], "Missing argument"),
        (["t.csv.gz", "/proc/out", "--column", "body", "--engine", "torch"], "can't write to /proc/out"),
    ],
)
def test_mistakes_make_one_line_and_no_folder(polysema, texts: Path, arguments: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = polysema("export", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not Path("out").exists()


def test_the_column_that_was_chosen_is_told(polysema, texts: Path) -> None:  # type: ignore[no-untyped-def]
    status, out, err = polysema("export", "t.csv.gz", "out")
    assert (status, out) == (0, "7 rows (7 words of 3 texts) in out\n")
    assert "the texts are taken from the column 'body', by its name" in err


def test_a_word_at_a_place_is_printed(polysema, minilm: LanguageModel) -> None:  # type: ignore[no-untyped-def]
    text = "the bank of the river bank"
    status, out, _ = polysema(
        "embed", text, "--word", "bank", "--nth", "2", "--layers", "0,6", "--format", "json", "--engine", "torch"
    )
    found = json.loads(out)
    rows = found["rows"]
    assert status == 0
    assert [(r["start"], r["end"], r["layer"]) for r in rows] == [(22, 26, 0), (22, 26, 6)]
    hidden = embed(minilm, [text], [0, 6])
    np.testing.assert_allclose(found["vectors"], hidden.vectors[:, 5], atol=1e-5)
    (row,) = csv.DictReader(io.StringIO(polysema("embed", text, "--span", "16:26", "--format", "csv")[1]))
    assert row["word"] == "river bank"
    assert polysema("embed", text)[1].count("\n") == 7
    own = polysema("embed", text, "--unit", "sentences", "--pooling", "own", "--format", "json")[1]
    assert np.linalg.norm(json.loads(own)["vectors"][0]) == pytest.approx(1, abs=1e-5)
    for wrong, message in (
        (("--span", "4"), "a span is START:END"),
        (("--span", "4:99"), "characters 4 to 99 are not within text 0, which has 26"),
        (("--word", "swan"), "'swan' is not a word of"),
        (("--word", "bank", "--span", "0:3"), "and not both"),
        (("--generate",), "has one stack"),
    ):
        status, out, err = polysema("embed", text, *wrong)
        assert (status, out) == (2, "")
        assert message in err


def test_the_decoder_of_an_encoder_decoder_writes_or_is_given_its_text(polysema, tiny: dict[str, Path]) -> None:  # type: ignore[no-untyped-def]
    where = ["--model", str(tiny["t5"]), "--format", "json"]
    status, out, err = polysema("embed", "the bank", *where, "--stack", "decoder", "--source", "the river")
    assert (status, err) == (0, "")
    assert [row["word"] for row in json.loads(out)["rows"]] == ["the", "bank"]
    _, _, err = polysema("embed", "the river", *where, "--generate")
    assert err.startswith("written: ")


def test_tables_of_a_model(polysema, texts: Path) -> None:  # type: ignore[no-untyped-def]
    Path("words.txt").write_text("bank\nunbankable\nbank\n")
    assert polysema("table", "t.vec", "--words", "words.txt")[:2] == (0, "2 words, 384 dimensions, in t.vec\n")
    status, out, err = polysema("table", "c.safetensors", "--corpus", "t.csv.gz", "--column", "body", "--layer", "3")
    assert (status, out) == (0, "6 words, 384 dimensions, in c.safetensors\n")
    assert "distilled from 7 occurrences" in err
    assert set(read_vectors("c.safetensors").keys) == {"the", "bank", "of", "river", "swans", "glide"}
    for arguments, message in (
        (("t.vec", "--words", "words.txt"), "t.vec is there already"),
        (("new.vec",), "give --words (a file of words), --corpus (texts), or both"),
        (("new.odd", "--words", "words.txt"), "names no layout of vectors"),
        (("new.vec", "--corpus", "t.csv.gz", "--column", "body", "--min-count", "9"), "no word is left for a table"),
    ):
        status, out, err = polysema("table", *arguments)
        assert (status, out) == (2, "")
        assert message in err


def test_every_column_goes_along_into_a_collection_and_out_again(
    polysema,  # type: ignore[no-untyped-def]
    tiny: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(
        "id,text,year,ok,day,tags,word\n"
        'a7,The bank.,2001,true,2024-01-02,"[""x"",""y""]",W\n'
        "b8,Swans glide.,1999,false,2024-02-03,[],V\n"
    )
    where = ["--model", str(tiny["bert"]), "--unit", "sentences"]
    status, out, err = polysema("export", "t.csv", "out", *where)
    assert (status, out) == (0, "2 rows (2 sentences of 2 texts) in out\n")
    assert "the column 'word' is called 'file_word' in the export" in err
    assert polysema("collection", "import", "mine", "out")[0] == 0
    assert polysema("collection", "export", "mine", "back.parquet")[0] == 0
    kept = pq.read_table("back.parquet", columns=["id", "year", "ok", "day", "tags", "file_word"])
    assert kept.schema.field("day").type == pa.date32()
    assert kept.to_pylist() == [
        {"id": "a7", "year": 2001, "ok": True, "day": date(2024, 1, 2), "tags": ["x", "y"], "file_word": "W"},
        {"id": "b8", "year": 1999, "ok": False, "day": date(2024, 2, 3), "tags": [], "file_word": "V"},
    ]
    assert polysema("export", "t.csv", "few", *where, "--columns", "year,text")[0] == 0
    assert pq.read_schema(Path("few") / "part-00000.parquet").names == [
        "text_id",
        "id",
        "text",
        "year",
        "layer",
        "vector",
    ]
    status, _, err = polysema("export", "t.csv", "none", *where, "--columns", "Jahr")
    assert (status, Path("none").exists()) == (2, False)
    assert "t.csv has no column 'Jahr'; it has: 'day', 'id'" in err


def test_models_are_measured_on_labels_of_ones_own(
    polysema,  # type: ignore[no-untyped-def]
    tiny: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [f"The bank was {word}." for word in ("wide", "deep", "rich", "poor", "muddy", "closed")]
    Path("t.txt").write_text("\n".join(texts))
    labels = [f"bank,{'river' if place % 2 else 'money'},{text}" for place, text in enumerate(texts)]
    Path("s.csv").write_text("\n".join(["word,sense,text", *labels]))
    pairs = [f"bank,{texts[0]},{texts[place % 6]},{place % 2 == 0}" for place in range(10)]
    Path("w.csv").write_text("\n".join(["word,sentence1,sentence2,label", *pairs]))
    where = ["--model", str(tiny["bert"])]
    status, out, err = polysema("measure", "contextuality", "t.txt", *where)
    assert (status, err) == (0, "")
    assert "6 texts, 24 occurrences; 3 words stand in 5 of them" in out
    assert out.count(" without ") == out.count(" with ") == 3
    status, out, _ = polysema("measure", "wic", "w.csv", *where, "--format", "csv")
    assert (status, out.splitlines()[1].split(",")[1:]) == (0, ["static", "0.5"])
    for command in ("senses", "probe"):
        status, out, _ = polysema("measure", command, "s.csv", *where)
        assert (status, "0.500" in out) == (0, True)
    status, _, err = polysema("measure", "probe", "w.csv", *where, "--label-column", "nope")
    assert (status, "w.csv has no column 'nope'" in err) == (2, True)
