"""Texts from every kind of file, and what is wrong with them."""

import gzip
import io
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.corpus import open_corpus
from polysema.core.errors import NotFoundError, UnreadableError, UserError

ROWS = [("a", 'The "bank", of\nthe river'), ("b", ""), ("c", "Zwölf 日本 😀")]


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_of(sign: str) -> bytes:
    text = f'name{sign}body\na{sign}"The ""bank"", of\nthe river"\nb{sign}\n\nc{sign}Zwölf 日本 😀\n'
    return text.encode()


JSON = '{"name": "a", "body": "The \\"bank\\", of\\nthe river"}\n{"name": "b", "body": null}\n\n{"body": "Zwölf 日本 😀", "name": "c"}'


def parquet(path: Path) -> Path:
    table = pa.table({"name": [n for n, _ in ROWS], "body": pa.array([t or None for _, t in ROWS]).dictionary_encode()})
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet", "t.CSV.gz", "t.ndjson.gz", "no_ending"])
def test_every_kind_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if "parquet" in name or name == "no_ending":
        parquet(path)  # known by its content
    else:
        content = JSON.encode() if "json" in name else csv_of("\t" if ".tsv" in name else ",")
        write(path, gzip.compress(content) if name.endswith(".gz") else content)
    corpus = open_corpus(path, "body", "name")
    assert list(corpus.rows()) == ROWS
    assert (corpus.lines, corpus.texts, list(corpus)) == (3, 2, [text for _, text in ROWS])
    assert [name for name, _ in open_corpus(path, "body").rows()] == ["0", "1", "2"]
    with pytest.raises(UserError, match=r"'zz'.*'name'.*'body'|'zz'.*'body'.*'name'|'zz'"):
        open_corpus(path, "zz")


def test_folders_globs_and_several_files_are_one_corpus(tmp_path: Path) -> None:
    (tmp_path / "deep" / ".hidden" / "none").mkdir(parents=True)
    write(tmp_path / "b.txt", "two\n")
    write(tmp_path / "a.txt.gz", gzip.compress(b"one\n"))
    write(tmp_path / "deep" / "c.csv", "text\nthree\n")
    write(tmp_path / "deep" / ".hidden" / "d.txt", "four\n")
    write(tmp_path / "picture.png", b"\x89PNG")
    assert list(open_corpus(tmp_path)) == ["one", "two", "three"]
    assert list(open_corpus(str(tmp_path / "*.txt*"))) == ["one", "two"]
    both = open_corpus([tmp_path / "b.txt", tmp_path / "a.txt.gz"])
    assert (list(both), both.name) == (["two", "one"], "b.txt, a.txt.gz")
    assert both.sha256 != open_corpus([tmp_path / "a.txt.gz", tmp_path / "b.txt"]).sha256
    with pytest.raises(NotFoundError, match="no file is named like"):
        open_corpus(str(tmp_path / "*.md"))
    with pytest.raises(NotFoundError, match="holds no file of texts"):
        open_corpus(tmp_path / "deep" / ".hidden" / "none")


def test_standard_input_is_kept_so_that_it_can_be_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"one\ntwo\n")))
    corpus = open_corpus("-")
    assert (list(corpus), list(corpus), corpus.name) == (["one", "two"], ["one", "two"], "standard input")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "a,b\n1,2\n", "say which column holds the texts; it has: 'a', 'b'"),
        ("t.csv", "", "its first line must name the columns"),
        ("t.csv", "text,n\nx\n", "line 2: 1 fields, but the first line names 2 columns"),
        ("t.csv", 'text\n"open', "line 2: unexpected end of data"),
        ("t.csv", b"text\nab\xff\n", "line 2: byte 3 is not UTF-8"),
        ("t.csv", "text\na\0b\n", "line 2: holds a NUL"),
        ("t.jsonl", '{"text": "a"}\n{"text"', "line 2: no JSON"),
        ("t.jsonl", '["a"]', "line 1: an object was expected"),
        ("t.jsonl", '{"text": 3}', "line 1: 'text' is no text but int"),
        ("t.jsonl", '{"text": "a\\ud800"}', "line 1: holds half of a surrogate pair"),
        ("t.jsonl", '{"text": "a\\u0000b"}', "line 1: holds a NUL"),
        ("t.txt", "x" * ((1 << 20) + 1), "line 1: longer than 1,048,576 bytes"),
        ("t.txt.gz", b"\x1f\x8b\x08garbage", "can't be read"),
        ("t.parquet", b"PAR1 no parquet", "can't be read as Parquet"),
        ("t.txt", " \n\n", "holds no text: 2 lines, all of them blank"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(name: str, content: bytes | str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as error:
        open_corpus(write(tmp_path / name, content))
    assert "\n" not in str(error.value)


def test_a_column_of_numbers_is_not_texts(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="the column 'text' holds int64, not texts"):
        open_corpus(tmp_path / "t.parquet")
    write(tmp_path / "t.jsonl", '{"text": "a", "id": null}')
    with pytest.raises(UnreadableError, match="line 1: has no id"):
        open_corpus(tmp_path / "t.jsonl", id_column="id")
