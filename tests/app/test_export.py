import hashlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from polysema.app.export import run as module
from polysema.app.export.options import ExportInput, ExportOptions, ExportSource
from polysema.app.export.run import export, verify
from polysema.core.corpus import Dialect, open_corpus
from polysema.core.errors import BusyError, ConflictError, NotFoundError, UnreadableError, UserError
from polysema.core.files.formats import read_export
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.load import LanguageModel, load_model
from polysema.indexes import ExactIndex
from tests.command_line import call

TEXTS = ["The bank of the river bank.", "", "White swans glide.", "She keeps gold in the bank.", "…"]
SOURCE = ExportSource("texts", "0" * 64, len(TEXTS))


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_what_is_written_is_what_the_model_says(minilm: LanguageModel, tmp_path: Path) -> None:
    manifest = export(ExportInput(TEXTS, SOURCE), tmp_path / "out", minilm, [0, 3, 6])
    assert {k: manifest[k] for k in ("texts", "words", "rows", "layers")} == {
        "texts": 5,
        "words": 15,
        "rows": 45,
        "layers": [0, 3, 6],
    }
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "part-00000.parquet",
        "settings.json",
    ]
    schema = pq.read_schema(tmp_path / "out" / "part-00000.parquet")
    assert schema.names == ["text_id", "word", "start", "end", "layer", "vector"]
    expected = embed(minilm, TEXTS, [0, 3, 6])
    for place, layer in enumerate([0, 3, 6]):
        space = read_export(tmp_path / "out", layer)
        np.testing.assert_allclose(space.vectors, expected.vectors[place], atol=1e-5)
        assert (space.origin.layer, space.origin.source) == (layer, "minilm-l6")
        found = zip(space.column("text_id"), space.keys, space.column("start"), space.column("end"), strict=True)
        assert list(found) == [(o.text, o.word, o.span.start, o.span.end) for o in expected.occurrences]
    (shard,) = manifest["shards"][0]["files"]
    assert shard["sha256"] == contents(tmp_path / "out")["part-00000.parquet"]


def test_it_is_searched(minilm: LanguageModel, tmp_path: Path) -> None:
    export(ExportInput(TEXTS, SOURCE), tmp_path, minilm, [6])
    space = read_export(tmp_path)
    rows = space.keys.all_rows("bank")
    hits = ExactIndex(space.vectors).search(space.vectors[rows[:1]], 2, exclude=rows[:1])
    assert hits.rows[0, 0] == rows[1]


def test_the_same_input_gives_the_same_bytes_however_often_it_is_stopped(
    minilm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "shard_texts", lambda n_layers, dim: 1)
    export(ExportInput(TEXTS, SOURCE), tmp_path / "a", minilm, [6])
    calls = []

    def stop(stage: str, texts: int, total: int) -> None:
        calls.append(texts)
        if len(calls) % 4 == 0:
            raise KeyboardInterrupt

    before: dict[str, int] = {}
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            export(ExportInput(TEXTS, SOURCE), tmp_path / "b", minilm, [6], progress=stop)
        there = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "b").glob("part-*.parquet")}
        assert before.items() <= there.items()  # what was finished is not written again
        before = there
        with pytest.raises(NotFoundError, match="holds no finished export"):
            verify(tmp_path / "b")
    assert before
    export(ExportInput(TEXTS, SOURCE), tmp_path / "b", minilm, [6])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "b").glob("*.parquet")}
    export(ExportInput(TEXTS, SOURCE), tmp_path / "b", minilm, [6])  # done already: no shard is written again
    assert before == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "b").glob("*.parquet")}


@pytest.mark.parametrize(
    "wanted", [ExportOptions(), ExportOptions(words=("gold",)), ExportOptions("tokens"), ExportOptions("sentences")]
)
def test_the_progress_counts_texts_inside_a_shard_too(
    wanted: ExportOptions, tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(str(tiny["bert"]), "cpu", "torch")
    monkeypatch.setattr(module, "shard_texts", lambda n_layers, dim: 600)
    events: list[tuple[str, int, int]] = []
    n = 700  # more than are read together
    source, texts = replace(SOURCE, lines=n), ["gold is the bank"] * n
    export(ExportInput(texts, source), tmp_path, model, [0, 1], wanted, lambda *step: events.append(step))
    assert events == [("texts", done, n) for done in (512, 600, 700)]
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "part-00001.parquet").unlink()
    events.clear()
    export(ExportInput(texts, source), tmp_path, model, [0, 1], wanted, lambda *step: events.append(step))
    assert events[-1] == ("texts", n, n)  # nothing is counted twice when it goes on


def test_a_damaged_shard_is_made_again(minilm: LanguageModel, tmp_path: Path) -> None:
    export(ExportInput(TEXTS, SOURCE), tmp_path, minilm, [6])
    good = contents(tmp_path)
    shard = tmp_path / "part-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(UnreadableError, match=r"part-00000.parquet is missing or has another size"):
        read_export(tmp_path)
    export(ExportInput(TEXTS, SOURCE), tmp_path, minilm, [6])
    assert contents(tmp_path) == good


def test_another_export_or_something_else_is_left_alone(minilm: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        ConflictError, match=r"holds something else \(notes.txt\); export into a new or an empty folder"
    ):
        export(ExportInput(TEXTS, SOURCE), tmp_path, minilm, [6])
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    export(ExportInput(TEXTS, SOURCE), tmp_path / "out", minilm, [6])
    before = contents(tmp_path / "out")
    with pytest.raises(ConflictError, match=r"holds an export with other settings \(layers\)"):
        export(ExportInput(TEXTS, SOURCE), tmp_path / "out", minilm, [5])
    with pytest.raises(ConflictError, match=r"other settings \(input\)"):
        export(ExportInput(TEXTS, ExportSource("texts", "1" * 64, 5)), tmp_path / "out", minilm, [6])
    with pytest.raises(ConflictError, match="is a file"):
        export(ExportInput(TEXTS, SOURCE), tmp_path / "notes.txt", minilm, [6])
    assert contents(tmp_path / "out") == before


def test_reading_the_wrong_thing(minilm: LanguageModel, tmp_path: Path) -> None:
    export(ExportInput(TEXTS, SOURCE), tmp_path / "out", minilm, [0, 6])
    with pytest.raises(UserError, match="it holds 0, 6; none was given"):
        read_export(tmp_path / "out")
    with pytest.raises(UserError, match="it holds 0, 6; got 3"):
        read_export(tmp_path / "out", 3)
    (tmp_path / "out" / "manifest.json").write_text("{")
    with pytest.raises(UnreadableError, match="can't be read"):
        read_export(tmp_path / "out", 6)
    with pytest.raises(NotFoundError, match="holds no finished export"):
        read_export(tmp_path)


def test_a_full_disk_and_a_locked_folder_make_one_line(
    minilm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("polysema.app.export.task.write_shard", full)
        with pytest.raises(UserError, match="No space left on device; what is finished stays good"):
            export(ExportInput(TEXTS, SOURCE), tmp_path / "out", minilm, [6])
    assert export(ExportInput(TEXTS, SOURCE), tmp_path / "out", minilm, [6])["words"] == 15

    def inside(stage: str, texts: int, total: int) -> None:
        with pytest.raises(BusyError, match="another export is writing"):
            export(ExportInput(TEXTS, SOURCE), tmp_path / "twice", minilm, [6])

    export(ExportInput(TEXTS, SOURCE), tmp_path / "twice", minilm, [6], progress=inside)


def test_a_kill_in_the_middle_is_gone_on_from(tmp_path: Path) -> None:
    """The command is killed while it writes, then run again: the same bytes as without the kill."""
    source = tmp_path / "texts.txt"
    source.write_text("".join(f"Sentence {i} by the bank of river {i}.\n" for i in range(900)))
    whole = call(["export", str(source), "a"], tmp_path)
    assert whole.status == 0, whole.err
    assert "7,200 rows (7,200 words of 900 texts)" in whole.out
    command = ["export", str(source), str(tmp_path / "b"), "--layers", "all"]
    process = subprocess.Popen(
        [sys.executable, "-m", "polysema.app", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while process.poll() is None and not list((tmp_path / "b").glob("part-*.parquet")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -9
    assert not (tmp_path / "b" / "manifest.json").exists()
    again = call(command, tmp_path)
    assert again.status == 0, again.err
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert (manifest["words"], len(manifest["shards"]) > 1) == (7200, True)
    np.testing.assert_allclose(read_export(tmp_path / "b", 6).vectors, read_export(tmp_path / "a").vectors, atol=1e-5)
    assert not list((tmp_path / "b").glob(".*"))


def rows_of(folder: Path, layer: int | None = None) -> list[tuple[object, ...]]:
    space = read_export(folder, layer)
    return list(zip(space.column("text_id"), space.keys, strict=True))


@pytest.mark.parametrize("to", ["parquet", "arrow", "atlas", "npy", "safetensors", "word2vec", "tensorboard"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_every_format_holds_the_same_vectors(to: str, dtype: str, minilm: LanguageModel, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    wanted = ExportOptions(to=to, dtype=dtype)
    if to in ("word2vec", "tensorboard") and dtype != "float32":
        with pytest.raises(UserError, match=f"{to} is a text format: it has float32 only; got {dtype}"):
            export(ExportInput(TEXTS, SOURCE), tmp_path, minilm, [3, 6], wanted)
        return
    manifest = export(ExportInput(TEXTS, SOURCE), tmp_path, minilm, [3, 6], wanted)
    expected = embed(minilm, TEXTS, [3, 6])
    assert verify(tmp_path) == manifest
    for place, layer in enumerate((3, 6)):
        exact = expected.vectors[place]
        tolerance = {"float32": 1e-5, "float16": 2e-3, "int8": np.abs(exact).max() / 254 + 1e-5}[dtype]
        table = None
        if to in ("parquet", "arrow", "atlas"):
            space = read_export(tmp_path, layer)
            vectors, words = space.vectors, list(space.keys)
            if to == "atlas":
                assert space.column("text")[:2] == [TEXTS[0]] * 2
        elif to in ("npy", "safetensors"):
            table = pq.read_table(tmp_path / "part-00000.rows.parquet")
            mine = np.flatnonzero(table.column("layer").to_numpy() == layer)
            if to == "npy":
                vectors = np.load(tmp_path / "part-00000.npy")[mine].astype(np.float32)
            else:
                vectors = load_file(tmp_path / "part-00000.safetensors")[f"layer.{layer}"].astype(np.float32)
            if dtype == "int8":
                vectors = vectors * table.column("scale").to_numpy()[mine, None]
            words = table.column("word").take(mine).to_pylist()
        elif to == "word2vec":
            lines = (tmp_path / f"part-00000.layer-{layer}.txt").read_text().splitlines()
            assert lines[0] == "15 384"
            words = [line.split(" ")[0] for line in lines[1:]]
            vectors = np.array([line.split(" ")[1:] for line in lines[1:]], np.float32)
        else:
            vectors = np.loadtxt(tmp_path / f"part-00000.layer-{layer}.vectors.tsv", np.float32, delimiter="\t")
            lines = (tmp_path / f"part-00000.layer-{layer}.metadata.tsv").read_text().splitlines()
            assert lines[0] == "text_id\tword\tstart\tend"
            words = [line.split("\t")[1] for line in lines[1:]]
        assert words == [o.word for o in expected.occurrences]
        np.testing.assert_allclose(vectors, exact, atol=tolerance)


def test_tokens_sentences_chosen_words_and_static_vectors(minilm: LanguageModel, tmp_path: Path) -> None:
    export(ExportInput(TEXTS, SOURCE), tmp_path / "tokens", minilm, [6], ExportOptions("tokens"))
    tokens = embed(minilm, TEXTS, [6], options=EmbeddingOptions(unit="tokens"))
    assert list(read_export(tmp_path / "tokens").keys) == [o.word for o in tokens.occurrences]
    export(
        ExportInput(TEXTS, SOURCE), tmp_path / "words", minilm, [6], ExportOptions(words=("BANK", "gold"), static=True)
    )
    space = read_export(tmp_path / "words")
    assert list(space.keys) == ["bank", "bank", "gold", "bank"]
    table = minilm.input_table.numpy()
    assert space.column("static")[0] == table[minilm.tokenizer.convert_tokens_to_ids("bank")].tolist()
    texts = [("one", "The bank."), ("two", ""), ("three", "Gold.")]
    source = ExportSource("texts", "0" * 64, 3, "text", "name")
    export(ExportInput(texts, source), tmp_path / "own", minilm, [6], ExportOptions("sentences", "own"))
    sentences = read_export(tmp_path / "own")
    assert (list(sentences.keys), sentences.column("text_id")) == (["one", "three"], [0, 2])
    np.testing.assert_allclose(np.linalg.norm(sentences.vectors, axis=1), 1, atol=1e-5)


def test_the_parts_of_several_machines_make_the_whole(minilm: LanguageModel, tmp_path: Path) -> None:
    export(ExportInput(TEXTS, SOURCE), tmp_path / "all", minilm, [6], ExportOptions(limit=4))
    parts = []
    for i in (1, 2, 3):
        export(ExportInput(TEXTS, SOURCE), tmp_path / str(i), minilm, [6], ExportOptions(limit=4, shard=(i, 3)))
        parts += rows_of(tmp_path / str(i))
    assert sorted(parts) == sorted(rows_of(tmp_path / "all"))
    assert {text for text, _ in parts} == {0, 2, 3}


def test_verify_names_what_is_wrong(minilm: LanguageModel, tmp_path: Path) -> None:
    export(ExportInput(TEXTS, SOURCE), tmp_path, minilm, [6])
    shard = tmp_path / "part-00000.parquet"
    good = shard.read_bytes()
    for damage, message in (
        (good[:-1], "part-00000.parquet has .* bytes, not"),
        (good[:500] + bytes([good[500] ^ 1]) + good[501:], "part-00000.parquet has other bytes than were written"),
    ):
        shard.write_bytes(damage)
        with pytest.raises(UnreadableError, match=message):
            verify(tmp_path)
    shard.unlink()
    (tmp_path / "more.txt").write_text("")
    with pytest.raises(UnreadableError, match="part-00000.parquet is missing; more.txt doesn't belong there"):
        verify(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (ExportOptions("letters"), "unit 'letters' does not exist; choose one of words, tokens, sentences"),
        (ExportOptions(to="csv"), "format 'csv' does not exist"),
        (ExportOptions(dtype="int4"), "dtype 'int4' does not exist"),
        (ExportOptions(pooling="own"), "pooling 'own' does not exist"),
        (ExportOptions("sentences", "first"), "sentence pooling 'first' does not exist"),
        (ExportOptions("tokens", words=("a",)), "chosen words are for the unit words"),
        (ExportOptions("sentences", static=True), "a sentence has no static vector"),
        (ExportOptions(limit=0), "the limit must be at least 1"),
        (ExportOptions(shard=(3, 2)), "a shard is i/n with i from 1 to n, such as 2/4; got 3/2"),
    ],
)
def test_what_does_not_go_together_is_refused(
    wanted: ExportOptions, message: str, minilm: LanguageModel, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        export(ExportInput(TEXTS, SOURCE), tmp_path / "out", minilm, [6], wanted)
    assert not (tmp_path / "out").exists()


def test_the_manifest_says_what_was_found_out_and_what_was_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("id;text\n1;Die Bänke.\n".encode("cp1252"))
    found = ExportSource.of(open_corpus(tmp_path / "t.csv")).to_json()
    assert found["notes"] == [
        "not UTF-8: read as cp1252, which its letters fit best (--encoding names another)",
        "separated by semicolons",
    ]
    assert "dialect" not in found
    said = ExportSource.of(open_corpus(tmp_path / "t.csv", dialect=Dialect(";", True, "cp1252"))).to_json()
    assert said["dialect"] == {"separator": ";", "header": True, "encoding": "cp1252"}
    assert "notes" not in said
    (tmp_path / "plain.csv").write_text("id,text\n1,The bank.\n")
    assert list(ExportSource.of(open_corpus(tmp_path / "plain.csv")).to_json()) == [
        "name",
        "sha256",
        "lines",
        "column",
        "id_column",
    ]
