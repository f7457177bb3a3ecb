"""Answers are sequences of their rows, with a table as `repr`, in notebooks and as data frames."""

import json

import numpy as np
import pytest

from polysema import Explorer, Space
from polysema.app.explorer import results
from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.results import Comparison, LayerComparison, Neighbor
from polysema.core.space.space import Origin

WORDS = ["king", "queen", "<man>", "woman"]
SPACE = Space.from_vectors(WORDS, [[1, 0.1], [0.8, 0.6], [1, -0.3], [0.7, 0.7]], "mine")


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer()


def test_every_answer_is_a_table() -> None:
    answers = [
        kind
        for name in dir(results)
        if name.endswith(("Answer", "Answers", "Map", "Maps", "Report"))
        and isinstance(kind := getattr(results, name), type)
        and kind.__module__.startswith("polysema.app")
    ]
    assert len(answers) >= 10
    assert [kind.__name__ for kind in answers if not issubclass(kind, AnswerTable)] == []


def test_neighbors_are_a_sequence_and_a_table(explorer: Explorer) -> None:
    answer = explorer.space(SPACE).neighbors("king", k=3)
    assert (len(answer), answer[0], answer[-1], list(answer)) == (
        3,
        answer.neighbors[0],
        answer.neighbors[2],
        [*answer.neighbors],
    )
    assert answer[:2] == answer.neighbors[:2]
    assert isinstance(answer[0], Neighbor)
    with pytest.raises(IndexError):
        answer[3]
    title, header, *lines = repr(answer).splitlines()
    assert title.startswith("NeighborAnswer(query=king, word=king, origin=mine, static, how=as written")
    assert header.split() == ["rank", "key", "score", "row"]  # no column of texts, which are all empty
    assert lines[0].split() == ["1", "<man>", f"{answer[0].score:.4f}", "2"]
    assert "<td>&lt;man&gt;</td>" in answer._repr_html_()
    assert "<man>" not in answer._repr_html_()
    frame = answer.to_pandas()
    assert frame["key"].tolist() == [one.key for one in answer]
    assert frame["score"].tolist() == [one.score for one in answer]  # every digit
    assert json.loads(json.dumps(answer.to_dict()))["origin"]["source"] == "mine"


def test_an_answer_without_rows_is_there_and_one_of_a_single_value_is_one_row(explorer: Explorer) -> None:
    closer = explorer.space(SPACE).closer_than("king", "<man>")
    assert (len(closer), bool(closer), list(closer)) == (0, True, [])
    similarity = explorer.space(SPACE).similarity(["king"], ["queen"])
    assert (len(similarity), similarity[0]["cosine"], similarity.to_pandas()["cosine"].tolist()) == (
        1,
        similarity.cosine,
        [similarity.cosine],
    )
    assert repr(similarity).splitlines()[1].split() == ["first", "second", "cosine", "rank", "origin"]


def test_tuples_axes_and_steps_have_named_columns(explorer: Explorer) -> None:
    odd = explorer.space(SPACE).odd_one_out(WORDS)
    assert odd.to_pandas().columns.tolist() == ["word", "cosine"]
    placed = explorer.space(SPACE).project(["king", "woman"], ["<man> -> woman"])
    assert placed.to_pandas().columns.tolist() == ["word", "<man> -> woman"]
    assert "<th>&lt;man&gt; -&gt; woman</th>" in placed._repr_html_()
    travel = explorer.space(SPACE).travel("king", "<man> -> woman", steps=1, k=2)
    assert [*travel.to_pandas()["neighbors"]] == [tuple(n.key for n in step.neighbors) for step in travel.steps]


def test_a_comparison_names_its_pairs() -> None:
    layer = LayerComparison(3, (0.5,), (0.25, 0.75), 0.125)
    answer = Comparison("bank", ("a bank", "the bank"), (layer,), 1, (), Origin("minilm-l6"))
    assert answer.to_pandas().to_dict("records") == [
        {"layer": 3, "1-2": 0.5, "1-static": 0.25, "2-static": 0.75, "random pairs": 0.125}
    ]


def test_a_long_answer_says_how_many_rows_it_leaves_out(explorer: Explorer) -> None:
    space = Space.from_vectors([f"w{n}" for n in range(30)], np.random.default_rng(0).normal(size=(30, 4)))
    answer = explorer.space(space).neighbors("w0", k=25)
    assert repr(answer).splitlines()[-1] == "… 5 more of 25 rows; to_pandas() has all of them"
    assert "<p>… 5 more of 25 rows; to_pandas() has all of them</p>" in answer._repr_html_()
    assert len(repr(answer).splitlines()) == 23
    assert len(answer.to_pandas()) == 25


def test_a_map_has_a_row_for_each_point(explorer: Explorer) -> None:
    space = Space.from_vectors([f"w{n}" for n in range(30)], np.random.default_rng(0).normal(size=(30, 4)))
    made = explorer.maps.map(space, method="pca")
    assert (len(made), made[7]["word"], sorted(made[7])) == (30, "w7", ["kept", "word", "x", "y"])
    assert made[7]["x"] == float(made.map.positions[7, 0])
