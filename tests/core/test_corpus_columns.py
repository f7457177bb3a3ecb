"""Every column of a user's file goes along with its texts, in the type that its values have."""

import datetime
import json
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from polysema.core.corpus import open_corpus, open_records
from polysema.core.corpus.corpus import Corpus
from polysema.core.errors import UnreadableError, UserError
from polysema.core.files.cell_types import parse_cells, type_of_cells

TEXTS = ["The river bank was muddy.", "She sat there quietly and waited."]
DAY = datetime.date(2024, 1, 2)
KEPT = [
    {"year": 2001, "score": 1.5, "ok": True, "day": DAY, "tags": ["a", "b"], "topic": "<b>nature</b>"},
    {"year": 1999, "score": None, "ok": False, "day": datetime.date(2024, 2, 3), "tags": [], "topic": "مرحبا"},
]
TYPES = {"year": pa.int64(), "score": pa.float64(), "ok": pa.bool_(), "day": pa.date32(), "tags": pa.list_(pa.string())}


def columns_of(corpus: Corpus) -> list[dict[str, object]]:
    return [one.batch.to_pylist()[one.place] for one in corpus.records()]


def write_csv(path: Path, separator: str = ",", encoding: str = "utf-8") -> None:
    tags = {",": '"[""a"",""b""]"', "\t": '["a","b"]', ";": '"[""a"",""b""]"'}[separator]
    rows = [
        ["id", "text", "year", "score", "ok", "day", "tags", "topic"],
        ["x1", TEXTS[0], "2001", "1.5" if separator != ";" else "1,5", "true", "2024-01-02", tags, "<b>nature</b>"],
        ["x2", TEXTS[1], "1999", "", "FALSE", "2024-02-03", "[]", "مرحبا"],
    ]
    path.write_bytes("\r\n".join(separator.join(row) for row in rows).encode(encoding))


def write_table(path: Path) -> pa.Table:
    rows = [{"id": f"x{place + 1}", "text": text, **KEPT[place]} for place, text in enumerate(TEXTS)]
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    return table


def write_excel(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["id", "text", "year", "score", "ok", "day", "tags", "topic"])
    for place, row in enumerate(KEPT):
        values = [*row.values()]
        values[4] = json.dumps(values[4])
        sheet.append([f"x{place + 1}", TEXTS[place], *values])
    book.save(path)


def write_json(path: Path) -> None:
    rows = [
        {"id": f"x{place + 1}", "text": text, **KEPT[place], "day": str(KEPT[place]["day"])}
        for place, text in enumerate(TEXTS)
    ]
    path.write_text(
        "\n".join(json.dumps(row) for row in rows) if path.suffix == ".jsonl" else json.dumps(rows), encoding="utf-8"
    )


WRITERS = {
    "a.csv": write_csv,
    "a.tsv": lambda path: write_csv(path, "\t"),
    "semicolon.csv": lambda path: write_csv(path, ";"),
    "utf16.csv": lambda path: write_csv(path, ",", "utf-16"),
    "bom.csv": lambda path: write_csv(path, ",", "utf-8-sig"),
    "a.xlsx": write_excel,
    "a.jsonl": write_json,
    "a.json": write_json,
    "a.parquet": write_table,
    "a.feather": write_table,
    "a.arrow": write_table,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_column_of_every_kind_of_file_goes_along_with_its_type(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    corpus = open_records(tmp_path / name)
    assert list(corpus.rows()) == [("x1", TEXTS[0]), ("x2", TEXTS[1])]
    assert [(one.id, one.text) for one in corpus.records()] == list(corpus.rows())
    assert columns_of(corpus) == KEPT
    kinds = {field.name: field.type for field in corpus.schema}
    assert {name: kind for name, kind in kinds.items() if name not in ("topic", "tags")} == {
        name: kind for name, kind in TYPES.items() if name != "tags"
    }


def test_the_folder_of_a_dataset_has_its_columns_and_nothing_else(tmp_path: Path) -> None:
    table = write_table(tmp_path / "data-00000-of-00001.arrow")
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (tmp_path / "dataset_info.json").write_text("{}")
    write_table(tmp_path / "cache-1.arrow")
    corpus = open_records(tmp_path)
    assert (corpus.lines, columns_of(corpus)) == (2, KEPT)
    assert corpus.schema.names == [name for name in table.schema.names if name not in ("id", "text")]
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../a.arrow"}]}))
    with pytest.raises(UnreadableError, match=r"names the file '../a.arrow', which is not there"):
        open_records(tmp_path)


def test_columns_are_chosen_and_a_wrong_name_lists_them(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv")
    assert open_corpus(tmp_path / "a.csv").schema.names == []
    assert open_corpus(tmp_path / "a.csv", columns=["year", "topic"]).schema.names == ["year", "topic"]
    assert open_records(tmp_path / "a.csv", columns=[]).schema.names == []
    with pytest.raises(UserError, match=r"a\.csv has no column 'Jahr'; it has: 'day'.*'year'"):
        open_corpus(tmp_path / "a.csv", columns=["Jahr"])


def test_ids_that_repeat_stay_a_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,one text here\n1,another text here\n")
    corpus = open_records(tmp_path / "a.csv")
    assert [name for name, _ in corpus.rows()] == ["0", "1"]
    assert columns_of(corpus) == [{"id": 1}, {"id": 1}]
    assert "'id' don't tell rows apart" in corpus.notes[-1]


def test_keys_of_json_that_come_late_and_values_of_several_types_are_kept(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": f"the text number {place}", "n": place} for place in range(1500)]
    rows[1200] |= {"late": True, "n": 0.5, "odd": {"deep": 1}}
    rows[1201] |= {"odd": {"deep": "two"}}
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    corpus = open_records(tmp_path / "a.jsonl")
    found = columns_of(corpus)
    assert (found[1200], found[1201]["odd.deep"]) == ({"n": 0.5, "late": True, "odd.deep": "1"}, "two")
    assert corpus.schema.field("n").type == pa.float64()


def test_columns_of_several_files_are_joined_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,n,only\nsome text here,1,x\n")
    (tmp_path / "b.csv").write_text("text,n\nother text there,words\n")
    corpus = open_records([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert columns_of(corpus) == [{"n": "1", "only": "x"}, {"n": "words", "only": None}]


def test_five_hundred_columns_and_one_without_values(tmp_path: Path) -> None:
    names = ["text", *(f"c{place}" for place in range(500))]
    (tmp_path / "a.csv").write_text(",".join(names) + "\nsome text here" + ",1" * 499 + ",\n")
    corpus = open_records(tmp_path / "a.csv")
    assert len(corpus.schema) == 500
    assert (columns_of(corpus)[0]["c0"], columns_of(corpus)[0]["c499"]) == (1, None)


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["007", "12"], None, ["007", "12"]),
        (["+4912", "1"], None, ["+4912", "1"]),
        (["03/04/2024"], None, ["03/04/2024"]),
        (["2024-13-01"], None, ["2024-13-01"]),
        (["NA", "2"], pa.int64(), [None, 2]),
        (["NA", "yes"], None, ["NA", "yes"]),
        (["1.02.2024"], pa.date32(), [datetime.date(2024, 2, 1)]),
        (["2024-01-02 10:30"], pa.timestamp("us"), [datetime.datetime(2024, 1, 2, 10, 30)]),
        (["[1, 2.5]", "[]"], pa.list_(pa.float64()), [[1.0, 2.5], []]),
        (["['a']"], pa.list_(pa.string()), [["a"]]),
        (["[1", "2]"], None, ["[1", "2]"]),
        (["", ""], None, [None, None]),
    ],
)
def test_a_column_of_cells_has_a_type_only_where_every_cell_has_its_form(
    cells: list[str], kind: pa.DataType | None, values: list[object]
) -> None:
    array = pa.array(cells, pa.large_string())
    found = type_of_cells([array])
    assert (None if found is None else found.kind) == kind
    assert parse_cells(array, found).to_pylist() == values


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    good = "".join(f"{place},some text here\n" for place in range(2000))
    (tmp_path / "a.csv").write_text(f"n,text\n{good}1,two,three\n{good}")
    with pytest.raises(UnreadableError, match=r"a\.csv, line 2002: 3 fields, but the first line names 2"):
        open_records(tmp_path / "a.csv")
