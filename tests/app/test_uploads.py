"""What is handed over in the browser: known by content, refused in one line, put into collections that appear whole."""

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from polysema.app.collection import ingest, summary, upload_kind, upload_preview, uploads
from polysema.app.collection.ingest import Destination, TextIngest, TextOptions
from polysema.app.collection.registry import CollectionRegistry
from polysema.core.errors import ConflictError, NotFoundError, UnreadableError, UserError
from polysema.core.model.load import LanguageModel

LIMIT = 1 << 20
TEXTS = b"The bank of the river was muddy.\n\nHer bank keeps gold.\nHer bank keeps gold.\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def shelf(tmp_path: Path) -> CollectionRegistry:
    return CollectionRegistry(tmp_path / "collections")


def quiet(stage: str, done: int, total: int) -> None:
    pass


def packed(content: bytes) -> bytes:
    return gzip.compress(content)


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def npz(**arrays: object) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def npy(array: object) -> bytes:
    out = io.BytesIO()
    np.save(out, array)  # type: ignore[arg-type]
    return out.getvalue()


WORDS = pa.table({"word": ["a", "b"], "vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))})
TABLE = np.array([[1, 2], [3, 4]], np.float32)


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ([("a.txt", TEXTS)], "texts"),
        ([("a.txt", b"12 3 4\nseven words stand here\n")], "texts"),
        ([("a.txt.gz", packed(TEXTS))], "texts"),
        ([("a.csv", b"id,text\n1,Her bank.\n")], "texts"),
        ([("a.tsv", b"id\ttext\n1\t2\n")], "texts"),
        ([("a.jsonl", b'{"text": "Her bank."}\n')], "texts"),
        ([("a.parquet", parquet(pa.table({"text": ["Her bank."]})))], "texts"),
        ([("a.txt", b"a 1 2\nb 3 4\n")], "vectors"),
        ([("a.vec", b"2 2\na 1 2\nb 3 4\n")], "vectors"),
        ([("a.vec.gz", packed(b"2 2\na 1 2\nb 3 4\n"))], "vectors"),
        ([("a.bin", b"2 2\na " + TABLE[0].tobytes() + b"b " + TABLE[1].tobytes())], "vectors"),
        ([("a.npz", npz(vectors=TABLE, words=np.array(["a", "b"])))], "vectors"),
        ([("words.txt", b"a\nb\n"), ("a.npy", npy(TABLE))], "vectors"),
        ([("names.tsv", b"a\nb\n"), ("a.tsv", b"1\t2\n3\t4\n")], "vectors"),
        ([("a.parquet", parquet(WORDS))], "vectors"),
        ([("a.parquet", parquet(WORDS.append_column("id", pa.array(["x", "y"]))))], "vectors"),
    ],
)
def test_what_is_in_a_file_is_told_by_its_content(
    files: list[tuple[str, bytes]], kind: str, shelf: CollectionRegistry
) -> None:
    upload = uploads.receive(files, LIMIT)
    assert upload_kind.kind(upload) == kind
    if kind == "vectors":
        seen = upload_preview.look_at_vectors(upload)
        assert (seen.rows, seen.dim) == (2, 2)
        assert [values for _, values in seen.first] == [(1.0, 2.0), (3.0, 4.0)]
        put = ingest.vectors_into(shelf, upload, seen, Destination("mine", "table"), quiet)
        assert put.rows == {"table": 2}
        assert shelf.get("mine").space("table").vectors.tolist() == TABLE.tolist()
    else:
        assert upload_preview.read_texts(upload).corpus.texts >= 1


def looked_at(files: list[tuple[str, bytes]]) -> object:
    upload = uploads.receive(files, LIMIT)
    return (
        upload_preview.read_texts(upload)
        if upload_kind.kind(upload) == "texts"
        else upload_preview.look_at_vectors(upload)
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a.txt", b"")], "a.txt is empty"),
        ([("a.txt", b"\n \n")], "a.txt holds no text: 2 lines, all of them blank"),
        ([("a.txt", b"ab\xff\n")], "a.txt, line 1: byte 3 is not UTF-8; convert the file"),
        (
            [("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")],
            "a.xls is an old Word or Excel file (.doc, .xls), not plain text: save",
        ),
        ([("a.txt", b"\x80\x04\x95rest")], "a.txt is a pickle"),
        ([("a.pkl", b"\x80\x04\x95rest")], "a.pkl is a pickle"),
        ([("a.docx", b"PK\x03\x04rest")], "a.docx is damaged"),
        ([("a.gz", packed(TEXTS)[:20])], "a.gz is damaged"),
        ([("a.csv", b"a,b\n1,2,3\n")], "a.csv, line 2: 3 fields, but the first line names 2 columns"),
        ([("a.jsonl", b"[1]\n")], "a.jsonl, line 1: an object was expected"),
        ([("a.parquet", b"PAR1 and no more")], "a.parquet is damaged"),
        ([("a.vec", b"2 2\na 1 2\nb 3 x\n")], "a.vec"),
        ([("a.txt", b"word " * (LIMIT // 4))], "are more than the 1,048,576 that are taken here"),
        ([("a.txt", packed(bytes(11 << 20)))], "a.txt unfolds to more than 10,485,760 bytes"),
        ([("a.txt.bz2", bz2.compress(bytes(11 << 20)))], "a.txt.bz2 unfolds to more than 10,485,760 bytes"),
        ([("a.txt.xz", lzma.compress(bytes(11 << 20)))], "a.txt.xz unfolds to more than 10,485,760 bytes"),
        ([(f"{n}.txt", b"a") for n in range(21)], "give 1 to 20 files; got 21"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(files: list[tuple[str, bytes]], message: str, home: Path) -> None:
    with pytest.raises(UserError) as caught:
        looked_at(files)
    notes = str(caught.value)
    assert message in notes
    assert "\n" not in notes
    assert str(home) not in notes  # the user has never seen that folder


def test_a_zip_bomb_is_told_before_it_unfolds() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", bytes(12 << 20))
    with pytest.raises(UserError, match=r"a\.npz unfolds to more than 10,485,760 bytes"):
        uploads.receive([("a.npz", out.getvalue())], LIMIT)


def test_a_wide_table_in_a_few_bytes_is_told_before_it_is_read() -> None:
    wide = pa.table(
        {
            "id": [str(row) for row in range(400)],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(400 * 8192, np.float32)), 8192),
        }
    )
    content = parquet(wide)
    assert len(content) < LIMIT
    with pytest.raises(UserError, match=r"a\.parquet unfolds to more than"):
        uploads.receive([("a.parquet", content)], LIMIT)


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\boot.ini", ".hidden", "a/b.txt", "", "\0", "x" * 300])
def test_a_name_never_leaves_the_folder(name: str, home: Path) -> None:
    upload = uploads.receive([(name, TEXTS)], LIMIT)
    assert [path.parent for path in upload.files] == [upload.folder]
    assert upload.folder.parent == home / "uploads"
    assert upload.files[0].is_file()
    assert len(upload.files[0].name) <= 100


def test_a_preview_says_what_is_irregular() -> None:
    seen = upload_preview.read_texts(uploads.receive([("a.txt", TEXTS + b"\x07" + b"long " * 1100)], LIMIT))
    assert (seen.corpus.lines, seen.corpus.texts, seen.longest, seen.longest_row) == (5, 4, 5501, 5)
    assert seen.first[0] == ("0", "The bank of the river was muddy.")
    assert seen.notes == (
        "1 blank rows: they get no vector",
        "1 texts repeat an earlier one: each is embedded all the same",
        "1 texts hold control characters",
        "row 5 has 5,501 characters: texts longer than the model's window are read in parts",
    )


def test_the_column_may_be_chosen() -> None:
    upload = uploads.receive([("a.csv", b"key,title,review\n7,Good,A fine river bank.\n")], LIMIT)
    layout = upload_preview.look_at_layout(upload)
    assert (layout.columns, layout.column) == (("key", "title", "review"), "review")
    assert upload_preview.read_texts(upload, "review", "key").first == (("7", "A fine river bank."),)
    assert upload_preview.read_texts(upload).corpus.column == "review"
    with pytest.raises(UserError, match=r"a\.csv has no column 'x'; it has: 'key', 'title', 'review'"):
        upload_preview.read_texts(upload, "x")


def test_texts_go_into_a_collection_and_the_upload_is_gone(
    minilm: LanguageModel, shelf: CollectionRegistry, home: Path
) -> None:
    upload = uploads.receive([("My diary.txt", TEXTS)], LIMIT)
    seen = upload_preview.read_texts(upload)
    guess = ingest.estimate(minilm, seen, TextOptions((0, 6)))
    put = ingest.embed_into(shelf, TextIngest(minilm, upload, TextOptions((0, 6)), Destination("diary")), seen, quiet)
    assert put.rows == {"layer-0": 15, "layer-6": 15}
    assert put.new
    assert abs(guess.rows - 30) <= 4
    space = shelf.get("diary").space("layer-6")
    assert space.keys[1] == f"My-diary-{upload.sha256[:6]}-0:4-8"
    assert (space.column("word")[1], space.column("text")[1]) == ("bank", "The bank of the river was muddy.")
    assert not upload.folder.exists()
    assert [path.name for path in shelf.folder.iterdir()] == ["diary"]
    (known,) = uploads.went_into(upload.sha256)
    assert (known.name, known.collection, known.spaces) == ("My diary.txt", "diary", ("layer-0", "layer-6"))


def test_two_files_never_take_each_others_place_and_one_takes_its_own(
    minilm: LanguageModel, shelf: CollectionRegistry
) -> None:
    for content in (TEXTS, b"A swan.\n", TEXTS):
        upload = uploads.receive([("a.txt", content)], LIMIT)
        ingest.embed_into(
            shelf,
            TextIngest(minilm, upload, TextOptions((6,)), Destination("all")),
            upload_preview.read_texts(upload),
            quiet,
        )
    assert len(shelf.get("all")) == 15 + 2


class Stop(Exception):
    pass


@pytest.mark.parametrize("at", ["embed", "put", "look after"])
def test_cancel_leaves_no_half_collection(at: str, minilm: LanguageModel, shelf: CollectionRegistry) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith(at):
            raise Stop

    upload = uploads.receive([("a.txt", TEXTS)], LIMIT)
    seen = upload_preview.read_texts(upload)
    with pytest.raises(Stop):
        ingest.embed_into(shelf, TextIngest(minilm, upload, TextOptions((6,)), Destination("half")), seen, stop)
    assert list(shelf.folder.iterdir() if shelf.folder.is_dir() else []) == []
    kept = ingest.finished(TextIngest(minilm, upload, TextOptions((6,)), Destination("half")))
    assert kept == (0 if at == "embed" else 15)
    stages: list[str] = []
    put = ingest.embed_into(
        shelf,
        TextIngest(minilm, upload, TextOptions((6,)), Destination("half")),
        seen,
        lambda stage, done, total: stages.append(stage),
    )
    assert put.rows == {"layer-6": 15}
    assert ingest.finished(TextIngest(minilm, upload, TextOptions((6,)), Destination("half"))) == 0


def test_giving_up_removes_what_was_finished(minilm: LanguageModel, shelf: CollectionRegistry) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith("put"):
            raise Stop

    upload = uploads.receive([("a.txt", TEXTS)], LIMIT)
    query = TextOptions((6,)), Destination("half")
    with pytest.raises(Stop):
        ingest.embed_into(shelf, TextIngest(minilm, upload, *query), upload_preview.read_texts(upload), stop)
    assert [path.name for path in upload.folder.iterdir() if path.is_dir()] != []
    ingest.give_up(TextIngest(minilm, upload, *query))
    assert [path.name for path in upload.folder.iterdir()] == ["a.txt"]


def test_a_collection_that_exists_never_keeps_half_of_the_rows(
    minilm: LanguageModel, shelf: CollectionRegistry
) -> None:
    shelf.create("old")

    def stop(stage: str, done: int, total: int) -> None:
        if not stage.startswith("embed"):
            raise Stop

    upload = uploads.receive([("a.txt", TEXTS)], LIMIT)
    put = ingest.embed_into(
        shelf,
        TextIngest(minilm, upload, TextOptions((6,)), Destination("old")),
        upload_preview.read_texts(upload),
        stop,
    )
    assert (put.new, len(shelf.get("old"))) == (False, 15)


def test_what_does_not_fit_is_told_before_anything_is_embedded(
    minilm: LanguageModel, shelf: CollectionRegistry
) -> None:
    def never(stage: str, done: int, total: int) -> None:
        raise AssertionError(stage)

    upload = uploads.receive([("a.txt", TEXTS)], LIMIT)
    seen = upload_preview.read_texts(upload)
    for name in ("../out", ".hidden", "", "a/b", "x" * 65):
        with pytest.raises(UserError, match="a collection is named with 1 to 64 of"):
            ingest.embed_into(shelf, TextIngest(minilm, upload, TextOptions((6,)), Destination(name)), seen, never)
    with pytest.raises(UserError, match="a space is named with"):
        ingest.embed_into(shelf, TextIngest(minilm, upload, TextOptions((6,)), Destination("a", "../b")), seen, never)
    ingest.embed_into(shelf, TextIngest(minilm, upload, TextOptions((6,)), Destination("a")), seen, quiet)
    upload = uploads.receive([("a.txt", TEXTS)], LIMIT)
    with pytest.raises(
        ConflictError, match=r"a has a space layer-6 of \[.*mean of sub-words.*these would be \[.*first"
    ):
        ingest.embed_into(
            shelf, TextIngest(minilm, upload, TextOptions((6,), pooling="first"), Destination("a")), seen, never
        )


def test_two_sessions_at_once_do_not_collide(minilm: LanguageModel, shelf: CollectionRegistry) -> None:
    upload = uploads.receive([("a.txt", TEXTS)], LIMIT)
    seen = upload_preview.read_texts(upload)
    first_done, failures = threading.Event(), []

    def wait(stage: str, done: int, total: int) -> None:
        if stage.startswith("put"):
            assert first_done.wait(60)

    def slow() -> None:
        try:
            ingest.embed_into(shelf, TextIngest(minilm, upload, TextOptions((6,)), Destination("slow")), seen, wait)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=slow)
    thread.start()
    while not list(upload.folder.glob("work-*")):
        time.sleep(0.01)
    ingest.embed_into(shelf, TextIngest(minilm, upload, TextOptions((0,)), Destination("quick")), seen, quiet)
    assert upload.folder.exists()  # the other still works with it
    first_done.set()
    thread.join(60)
    assert failures == []
    assert shelf.names() == ["quick", "slow"]
    assert not upload.folder.exists()


def test_what_nobody_touches_for_a_day_is_removed(home: Path) -> None:
    old = uploads.receive([("a.txt", TEXTS)], LIMIT)
    worked = uploads.receive([("b.txt", TEXTS)], LIMIT)
    (worked.folder / "work-1").mkdir()
    (worked.folder / "work-1" / "part-00000.parquet").write_bytes(b"just now")
    past = time.time() - uploads.KEPT_SECONDS - 10
    for upload in (old, worked):
        for path in (*upload.files, upload.folder):
            os.utime(path, (past, past))
    uploads.receive([("c.txt", TEXTS)], LIMIT)
    assert (old.folder.exists(), worked.folder.exists()) == (False, True)


def test_a_name_that_is_taken_meanwhile(shelf: CollectionRegistry) -> None:
    with pytest.raises(ConflictError, match="a collection x was made meanwhile"), shelf.making("x"):
        shelf.create("x").add(["a"], [[1.0]])
    assert len(shelf.get("x")) == 1
    with pytest.raises(ConflictError, match="there is a collection x already"), shelf.making("x"):
        raise AssertionError
    assert [path.name for path in shelf.folder.iterdir()] == ["x"]


def test_what_a_kill_left_half_made_is_swept(shelf: CollectionRegistry) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom polysema.app.collection.registry import CollectionRegistry\n"
        "with CollectionRegistry(Path(sys.argv[1])).making('x'): os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(shelf.folder)], check=False).returncode == 9
    (left,) = shelf.folder.iterdir()
    assert (left / "FORMAT").exists()
    with shelf.making("x"):
        pass
    assert not left.exists()
    assert shelf.names() == ["x"]


def test_a_damaged_collection_is_named_and_can_be_deleted(shelf: CollectionRegistry) -> None:
    shelf.create("good").add(["a"], [[1.0, 2.0]])
    shelf.create("bad").add(["a"], [[1.0, 2.0]])
    newest = max((shelf.folder / "bad" / "manifests").iterdir())
    newest.write_bytes(newest.read_bytes()[:-9])
    bad, good = summary.holdings(CollectionRegistry(shelf.folder))
    assert (bad.name, good.name, good.rows, good.problem) == ("bad", "good", 1, "")
    assert f"{newest.name} is damaged" in bad.problem
    assert bad.bytes > 0
    fresh = CollectionRegistry(shelf.folder)
    fresh.delete("bad")
    assert fresh.names() == ["good"]
    with pytest.raises(NotFoundError, match="there is no collection bad; there are: good"):
        fresh.delete("bad")


@pytest.fixture
def filled(shelf: CollectionRegistry) -> CollectionRegistry:
    shelf.create("c").add(
        ["a", "b, c", 'd "e"'],
        [[0.1, 2.0], [3.0, 4.0], [5.0, 6.5]],
        {"text": ["x", "line\nend", None], "n": [1, 2, 3]},
        space="s",
    )
    return shelf


def test_rows_are_written_to_each_layout(filled: CollectionRegistry, home: Path) -> None:
    for form in summary.LAYOUTS:
        made = summary.write_out(filled.get("c"), summary.Download("c", "s", None, form, False))
        assert made.parent == home / "exports" / "day"
        assert made.stat().st_size > 0
        if form.name == "Parquet":
            assert pq.read_table(made).column("id").to_pylist() == ["a", "b, c", 'd "e"']
        elif form.name == "CSV":
            table = pa_csv.read_csv(made, parse_options=pa_csv.ParseOptions(newlines_in_values=True))
            assert table.column_names == ["id", "text", "n", "v0", "v1"]
            assert table.column("id").to_pylist() == ["a", "b, c", 'd "e"']
            assert table.column("text").to_pylist()[1] == "line\nend"
            assert [np.float32(value) for value in table.column("v0").to_pylist()] == [np.float32(0.1), 3, 5]
        elif form.media == "application/zip":
            with zipfile.ZipFile(made) as archive:
                assert len(archive.namelist()) == 2
                assert archive.testzip() is None


def test_files_of_a_day_go_after_it_and_no_sooner(filled: CollectionRegistry, home: Path) -> None:
    first, second = (
        summary.write_out(filled.get("c"), summary.Download("c", "s", None, summary.layout(name), False))
        for name in ("Parquet", "CSV")
    )
    assert first.exists()  # fresh, whatever else is written
    day = summary.KEPT_SECONDS
    os.utime(first, (time.time() - day - 60,) * 2)
    os.utime(second, (time.time() - day + 60,) * 2)
    summary.write_out(filled.get("c"), summary.Download("c", "s", None, summary.layout("word2vec text"), False))
    assert (first.exists(), second.exists()) == (False, True)


def test_only_the_rows_that_pass_are_written(filled: CollectionRegistry) -> None:
    made = summary.write_out(filled.get("c"), summary.Download("c", "s", "n >= 2", summary.layout("Parquet"), True))
    assert pq.read_table(made).column("n").to_pylist() == [2, 3]
    with pytest.raises(UserError, match="no row passes"):
        summary.write_out(filled.get("c"), summary.Download("c", "s", "n > 9", summary.layout("CSV"), True))
    with pytest.raises(UserError, match="rows are not written as 'xls'"):
        summary.layout("xls")
    assert sorted(path.suffix for path in made.parent.iterdir() if path.is_file()) == [".parquet"]


def test_another_collection_of_the_same_name_is_another_file(filled: CollectionRegistry) -> None:
    form = summary.layout("Parquet")
    before = summary.write_out(filled.get("c"), summary.Download("c", "s", None, form, False))
    filled.delete("c")
    filled.create("c").add(["z"], [[7.0]], space="s")
    after = summary.write_out(filled.get("c"), summary.Download("c", "s", None, form, False))
    assert before != after
    assert pq.read_table(after).column("id").to_pylist() == ["z"]


def test_the_first_rows_come_in_their_order(filled: CollectionRegistry) -> None:
    assert summary.first_rows(filled.get("c"), "s", None, 2).column("n").to_pylist() == [1, 2]
    assert summary.first_rows(filled.get("c"), "s", "n > 1", 9).column("n").to_pylist() == [2, 3]
    assert summary.count_rows(filled.get("c"), "s", "n > 1") == 2


def test_the_ledger_survives_nonsense(home: Path) -> None:
    upload = uploads.receive([("a.txt", TEXTS)], LIMIT)
    path = home / "uploads" / "known" / f"{upload.sha256}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    for content in ("", "[1]", "{", json.dumps([["a", "b"]])):
        path.write_text(content)
        assert uploads.went_into(upload.sha256) == ()
    uploads.remember(upload, "c", ["s"])
    assert [known.collection for known in uploads.went_into(upload.sha256)] == ["c"]


def test_an_upload_that_is_gone_says_so(minilm: LanguageModel, shelf: CollectionRegistry) -> None:
    upload = uploads.receive([("a.txt", TEXTS)], LIMIT)
    seen = upload_preview.read_texts(upload)
    uploads.forget(upload)
    with pytest.raises(UserError, match=r"a\.txt is no longer here; upload it again"):
        ingest.embed_into(shelf, TextIngest(minilm, upload, TextOptions((6,)), Destination("x")), seen, quiet)
    with pytest.raises(UnreadableError):
        uploads.receive([("a.txt", b"")], LIMIT)


def test_a_collection_that_is_made_has_one_version(tmp_path: Path) -> None:
    shelf = CollectionRegistry(tmp_path)
    with shelf.making("mine") as made:
        for name in "ab":
            made.add([name], np.ones((1, 3), np.float32))
    found = shelf.get("mine")
    assert [(one.n_rows, len(found.history.versions())) for one in found.history.versions()] == [(2, 1)]
    assert found.get(["b", "a"]).vectors.tolist() == [[1.0] * 3] * 2
