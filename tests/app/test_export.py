import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from polysema.app import export as module
from polysema.app.export import Source, export
from polysema.core.errors import ConflictError, NotFoundError, UnreadableError, UserError
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel
from polysema.core.space.formats import read_export
from polysema.indexes import ExactIndex

TEXTS = ["The bank of the river bank.", "", "White swans glide.", "She keeps gold in the bank.", "…"]
SOURCE = Source("texts", "0" * 64, len(TEXTS))


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_what_is_written_is_what_the_model_says(minilm: LanguageModel, tmp_path: Path) -> None:
    manifest = export(TEXTS, SOURCE, tmp_path / "out", minilm, [0, 3, 6])
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
    shard = manifest["shards"][0]
    assert shard["sha256"] == contents(tmp_path / "out")["part-00000.parquet"]


def test_it_is_searched(minilm: LanguageModel, tmp_path: Path) -> None:
    export(TEXTS, SOURCE, tmp_path, minilm, [6])
    space = read_export(tmp_path)
    rows = space.keys.all_rows("bank")
    hits = ExactIndex(space.vectors).search(space.vectors[rows[:1]], 2, exclude=rows[:1])
    assert hits.rows[0, 0] == rows[1]


def test_the_same_input_gives_the_same_bytes_however_often_it_is_stopped(
    minilm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "shard_texts", lambda n_layers, dim: 1)
    export(TEXTS, SOURCE, tmp_path / "a", minilm, [6])
    calls = []

    def stop(texts: int, words: int) -> None:
        calls.append(texts)
        if len(calls) % 4 == 0:
            raise KeyboardInterrupt

    for done in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            export(TEXTS, SOURCE, tmp_path / "b", minilm, [6], progress=stop)
        assert len(list((tmp_path / "b").glob("part-*.parquet"))) == done
    with pytest.raises(NotFoundError, match="holds no finished export"):
        read_export(tmp_path / "b")
    export(TEXTS, SOURCE, tmp_path / "b", minilm, [6])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "b").glob("*.parquet")}
    export(TEXTS, SOURCE, tmp_path / "b", minilm, [6])  # done already: no shard is written again
    assert before == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "b").glob("*.parquet")}


def test_a_damaged_shard_is_made_again(minilm: LanguageModel, tmp_path: Path) -> None:
    export(TEXTS, SOURCE, tmp_path, minilm, [6])
    good = contents(tmp_path)
    shard = tmp_path / "part-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(UnreadableError, match=r"part-00000.parquet is missing or has another size"):
        read_export(tmp_path)
    export(TEXTS, SOURCE, tmp_path, minilm, [6])
    assert contents(tmp_path) == good


def test_another_export_or_something_else_is_left_alone(minilm: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        ConflictError, match=r"holds something else \(notes.txt\); export into a new or an empty folder"
    ):
        export(TEXTS, SOURCE, tmp_path, minilm, [6])
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    export(TEXTS, SOURCE, tmp_path / "out", minilm, [6])
    before = contents(tmp_path / "out")
    with pytest.raises(ConflictError, match=r"holds an export with other settings \(layers\)"):
        export(TEXTS, SOURCE, tmp_path / "out", minilm, [5])
    with pytest.raises(ConflictError, match=r"other settings \(input\)"):
        export(TEXTS, Source("texts", "1" * 64, 5), tmp_path / "out", minilm, [6])
    with pytest.raises(ConflictError, match="is a file"):
        export(TEXTS, SOURCE, tmp_path / "notes.txt", minilm, [6])
    assert contents(tmp_path / "out") == before


def test_reading_the_wrong_thing(minilm: LanguageModel, tmp_path: Path) -> None:
    export(TEXTS, SOURCE, tmp_path / "out", minilm, [0, 6])
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
    def full(path: Path, hidden: object, first: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_shard", full)
        with pytest.raises(UserError, match="No space left on device; what is finished stays good"):
            export(TEXTS, SOURCE, tmp_path / "out", minilm, [6])
    assert export(TEXTS, SOURCE, tmp_path / "out", minilm, [6])["words"] == 15

    def inside(texts: int, words: int) -> None:
        with pytest.raises(ConflictError, match="another export is writing"):
            export(TEXTS, SOURCE, tmp_path / "twice", minilm, [6])

    export(TEXTS, SOURCE, tmp_path / "twice", minilm, [6], progress=inside)


def test_a_kill_in_the_middle_is_gone_on_from(tmp_path: Path) -> None:
    """The command is killed while it writes, then run again: the same bytes as without the kill."""
    source = tmp_path / "texts.txt"
    source.write_text("".join(f"Sentence {i} by the bank of river {i}.\n" for i in range(900)))
    command = [sys.executable, "-m", "polysema.app", "export", str(source)]
    whole = subprocess.run([*command, str(tmp_path / "a")], capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    assert "7,200 rows (7,200 words of 900 texts)" in whole.stdout
    process = subprocess.Popen(
        [*command, str(tmp_path / "b"), "--layers", "all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while process.poll() is None and not list((tmp_path / "b").glob("part-*.parquet")):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -9
    assert not (tmp_path / "b" / "manifest.json").exists()
    again = subprocess.run(
        [*command, str(tmp_path / "b"), "--layers", "all"], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert (manifest["words"], len(manifest["shards"]) > 1) == (7200, True)
    np.testing.assert_allclose(read_export(tmp_path / "b", 6).vectors, read_export(tmp_path / "a").vectors, atol=1e-5)
    assert not list((tmp_path / "b").glob(".*"))
