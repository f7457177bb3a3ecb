"""Texts from every kind of file, and what is wrong with them."""

import gzip
import io
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.corpus import CorpusLimits, Dialect, open_corpus
from polysema.core.corpus.encoding import guess_encoding
from polysema.core.corpus.findings import CorpusNotes
from polysema.core.corpus.json_rows import read_json
from polysema.core.corpus.lines import TextFile
from polysema.core.errors import NotFoundError, UnreadableError, UserError

ROWS = [("a", 'The "bank", of\nthe river'), ("b", ""), ("c", "Zwölf 日本 😀")]


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_of(sign: str) -> bytes:
    text = f'name{sign}body\na{sign}"The ""bank"", of\nthe river"\nb{sign}\n\nc{sign}Zwölf 日本 😀\n'
    return text.encode()


JSON = (
    '{"name": "a", "body": "The \\"bank\\", of\\nthe river"}\n{"name": "b", "body": null}\n\n{"body": "Zwölf 日本 '
    '😀", "name": "c"}'
)


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
    write(tmp_path / "meta.json", "{}")
    folder = open_corpus(tmp_path)
    assert list(folder) == ["one", "two", "three"]
    assert folder.notes == (
        f"2 files of {tmp_path} were left out: meta.json, picture.png; name a file to have it read",
    )
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
        ("t.csv", 'id,text\n1,"open, wide', "line 2: its quotes don't close"),
        ("t.csv", b"text\n" + b"plain\n" * 90_000 + b"ab\xff\n", "line 90002: byte 3 is not UTF-8"),
        ("t.json", b'{"data": ["' + b"x" * 5_000_000 + b'"], "n": 1}', "line 1: a text longer than 1,048,576 bytes"),
        ("t.json", b'{"n": [' + b"1," * 3_000_000 + b"1]}", "it is an object with the keys 'n'"),
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


def test_a_folder_of_json_alone_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.json", '["one"]')
    write(tmp_path / "b.json", '["two"]')
    assert list(open_corpus(tmp_path)) == ["one", "two"]


def test_one_note_of_many_files_names_the_first(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.csv", f"id;text\n1;The river {name}.\n")
    write(tmp_path / "d.csv", "id,text\n1,The bank.\n")
    assert open_corpus(tmp_path).notes == ("a.csv and 2 more: separated by semicolons",)


def test_another_encoding_is_found_late_and_rows_count_once(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", b"id;text\n" + b"1;plain text here\n" * 30_000 + "2;Die Bänke\n".encode("cp1252"))
    corpus = open_corpus(path, most=CorpusLimits(30_001, 10**9))
    assert (corpus.lines, corpus.texts, list(corpus)[-1]) == (30_001, 30_001, "Die Bänke")
    assert [note.partition(",")[0] for note in corpus.notes] == ["not UTF-8: read as cp1252", "separated by semicolons"]


def test_quotes_of_a_spreadsheet_are_found_late(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "id\ttext\n" + "1\tplain text here\n" * 30_000 + '2\t"two\nlines"\n')
    corpus = open_corpus(path)
    assert (corpus.lines, list(corpus)[-1], corpus.notes) == (
        30_001,
        "two\nlines",
        ("cells in quotes are unquoted, as spreadsheets write them",),
    )


@pytest.mark.parametrize("kind", ["json", "csv", "wrapped"])
def test_a_large_file_is_streamed(kind: str, tmp_path: Path) -> None:
    rows = [f"The bank number {number} of the river" for number in range(100_000)]
    if kind == "csv":
        path = write(tmp_path / "t.csv", "id;text\n" + "".join(f'{n};"{row}"\n' for n, row in enumerate(rows)))
    else:
        body = ",\n".join(f'{{"id": {n}, "text": "{row}"}}' for n, row in enumerate(rows))
        path = write(
            tmp_path / "t.json", f"[{body}]" if kind == "json" else f'{{"version": 1, "data": [{body}], "n": 3}}'
        )
    size = path.stat().st_size
    tracemalloc.start()
    try:
        if kind == "wrapped":  # an object of up to so many characters is read as one row
            found = read_json(TextFile(path), CorpusNotes(), max_row_characters=1 << 17)
            lines = sum(isinstance(row, dict) and row["text"] == rows[number] for number, (_, row) in enumerate(found))
        else:
            lines = open_corpus(path).lines
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines == 100_000
    assert next(iter(open_corpus(path))) == rows[0]
    assert size > 4_200_000
    assert peak < 3_300_000  # of a file, a sample and a row


def test_many_broken_quotes_take_no_time(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", "id,text\n" + "".join(f'{n},"bank" of the river\n' for n in range(20_000)) + '7,"open\n' * 9
    )
    corpus = open_corpus(path)
    assert corpus.lines == 20_009
    assert corpus.notes == (
        "20,009 rows (the first: line 2): quotes that CSV doesn't allow there are read as part of the text",
    )


def test_what_is_said_is_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "Flüsse#1\nBänke#2\n".encode("cp850"))
    corpus = open_corpus(path, "1", dialect=Dialect("#", False, "cp850"))
    assert (list(corpus), corpus.notes, corpus.dialect.said()) == (
        ["Flüsse", "Bänke"],
        (),
        {"separator": "#", "header": False, "encoding": "cp850"},
    )


LETTERS = {
    "cp1252": [
        "Le café était fermé.",
        "café",
        "He said “hello” — it’s fine.",
        "La niña comió piñas.",
        "Åen løb.",
        "kostet 5 €",
    ],
    "cp1250": ["Brzeg rzeki był błotnisty, a źródło zimne.", "Břeh řeky byl příliš žluťoučký."],
    "iso8859_2": ["Brzeg rzeki był błotnisty, a źródło zimne."],
    "cp1251": ["Берег реки был грязным, и банк закрыт.", "банк", "БАНК"],
    "koi8_r": ["Берег реки был грязным, и банк закрыт."],
    "cp1253": ["Η όχθη του ποταμού ήταν λασπωμένη."],
    "cp1254": ["Irmağın kıyısı çamurluydu, şişe."],
    "cp1255": ["גדת הנהר הייתה בוצית"],
    "cp1256": ["ضفة النهر كانت موحلة"],
    "cp1257": ["Šaltas vanduo, ėjo žmogus į mišką."],
    "cp874": ["แมวนั่งบนฝั่งแม่น้ำ"],
    "cp850": ["Die Bänke am Fluß waren müde."],
    "mac_roman": ["Die Bänke am Fluß waren müde."],
    "shift_jis": ["川岸は泥だらけだった。銀行は閉まっている。"],
    "euc_jp": ["川岸は泥だらけだった。銀行は閉まっている。"],
    "gb18030": ["我去银行取钱，河岸很泥泞。"],
    "big5": ["我去銀行取錢，河岸很泥濘。"],
    "cp949": ["강둑은 진흙투성이였다."],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in LETTERS.items() for text in texts])
def test_an_encoding_is_known_by_its_letters(name: str, text: str) -> None:
    found = guess_encoding(f"{text}\n".encode(name))
    assert found is not None
    assert f"{text}\n".encode(name).decode(found) == f"{text}\n", found


@pytest.mark.parametrize("content", [b"ab\xff", b"\x01\xe9"])
def test_what_is_no_text_has_no_encoding(content: bytes) -> None:
    assert guess_encoding(content) is None
