"""What public objects and answers show of themselves at a prompt and in a notebook."""

from pathlib import Path

import numpy as np
import pytest

import polysema
from polysema.core.display import clip_line, clip_text, html_table, text_table

SPACE = polysema.Space.from_vectors(["a<b", "river"], np.eye(2, dtype=np.float32), "mine")
INDEX = polysema.ExactIndex(SPACE.vectors)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (SPACE, "Space(2 x 2, mine, static)"),
        (SPACE.keys, "Keys(2: 'a<b', 'river')"),
        (SPACE.origin, "Origin(mine, static)"),
        (INDEX, "ExactIndex(2 x 2, cosine)"),
        (polysema.FaissIndex(SPACE.vectors), "FaissIndex(2 x 2, cosine, flat)"),
        (INDEX.search(SPACE.vectors, k=1), "Hits(2 x 1, recall 1.000, exact)"),
    ],
)
def test_an_object_shows_itself_in_one_line(value: object, line: str) -> None:
    assert repr(value) == line
    assert value._repr_html_() == f"<code>{line.replace('<', '&lt;').replace(chr(39), '&#x27;')}</code>"  # type: ignore[attr-defined]


def test_a_collection_and_what_it_finds_show_themselves(tmp_path: Path) -> None:
    collection = polysema.Collection.create(tmp_path / "c")
    assert repr(collection) == f"Collection('{tmp_path}/c', 0 rows, no space yet, version 1)"
    collection.add(["a", "b"], np.eye(2, dtype=np.float32))
    assert repr(collection) == f"Collection('{tmp_path}/c', 2 rows, vectors, version 2)"
    found = collection.search([[1.0, 0.0]], k=1)
    assert repr(found) == "Matches(1 x 1, vectors, version 2, recall 1.000)"
    assert "<code>Matches(" in found._repr_html_()


def test_a_model_shows_its_size() -> None:
    model = polysema.load_model("g2p-t5")
    assert repr(model).startswith("LanguageModel(g2p-t5, encoder-decoder, its encoder, 3 layers, 128 dimensions, ")


@pytest.mark.parametrize(
    ("text", "letters", "clipped", "line"),
    [
        ("a  river\nbank", 20, "a  river\nbank", "a river bank"),
        ("a  river\nbank", 12, "a  river\nba…", "a river bank"),
        ("a  river\nbank", 8, "a  rive…", "a river…"),
        ("", 8, "", ""),
    ],
)
def test_a_longer_text_is_clipped_to_so_many_letters(text: str, letters: int, clipped: str, line: str) -> None:
    assert (clip_text(text, letters), clip_line(text, letters)) == (clipped, line)
    assert len(clipped) <= letters


def test_a_table_says_how_many_rows_it_leaves_out() -> None:
    rows = [{"word": "bank", "cosine": 0.5, "row": 7}, {"word": "a\nvery long " * 9, "cosine": None, "row": 12}]
    lines = text_table("Answer(k=2)", rows, 1002).splitlines()
    assert lines[0] == "Answer(k=2)"
    assert [line.split() for line in lines[1:3]] == [["word", "cosine", "row"], ["bank", "0.5000", "7"]]
    assert lines[3].startswith("a very long a very long")
    assert lines[3].partition("…")[2].split() == ["12"]
    assert lines[4] == "… 1,000 more of 1,002 rows; to_pandas() has all of them"
    assert text_table("Answer()", [], 0) == "Answer()"


def test_a_table_of_html_escapes_what_it_shows() -> None:
    shown = html_table("of <script>", [{"<b>": "<i>&"}], 1)
    assert shown == (
        "<table><caption>of &lt;script&gt;</caption><tr><th>&lt;b&gt;</th></tr><tr><td>&lt;i&gt;&amp;</td></tr></table>"
    )
