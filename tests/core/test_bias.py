"""WEAT against numbers worked out by hand and by the slow definition."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.measure.bias import ripa, weat
from polysema.core.measure.bias_lists import read_bias_lists

WORK = ["executive", "management", "professional", "corporation", "salary", "office", "business", "career"]
HOME = ["home", "parents", "children", "family", "cousins", "marriage", "wedding", "relatives"]
HE = ["john", "paul", "mike", "kevin", "steve", "greg", "jeff", "bill"]
SHE = ["amy", "joan", "lisa", "sarah", "diana", "kate", "ann", "donna"]


def lean(word: np.ndarray, toward: np.ndarray, away: np.ndarray) -> float:
    def cos(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    return float(np.mean([cos(word, a) for a in toward]) - np.mean([cos(word, b) for b in away]))


def test_it_is_the_definition() -> None:
    rng = np.random.default_rng(3)
    x, y, a, b = (rng.normal(size=(n, 6)).astype(np.float32) for n in (3, 4, 5, 2))
    found = weat(x, y, a, b)
    leans = np.array([lean(w, a, b) for w in (*x, *y)])
    assert np.allclose([*found.first, *found.second], leans, atol=1e-6)
    assert found.effect == pytest.approx((leans[:3].mean() - leans[3:].mean()) / leans.std(ddof=1), abs=1e-6)
    ways = [leans[list(rows)].sum() for rows in combinations(range(7), 3)]
    assert found.n_partitions == len(ways) == 35
    assert found.p == pytest.approx(np.mean(np.array(ways) >= leans[:3].sum() - 1e-9))


def test_two_clear_sides_have_the_least_p_there_is() -> None:
    right, left = np.eye(4, dtype=np.float32)[:2], np.eye(4, dtype=np.float32)[2:]
    x = np.array([[1, 0.9, 0, 0], [0.9, 1, 0.1, 0], [1, 1, 0, 0.2]], np.float32)
    found = weat(x, x[:, ::-1].copy(), right, left)
    assert found.p == 1 / 20
    assert found.effect > 1.7
    turned = weat(x[:, ::-1].copy(), x, right, left)
    assert (turned.effect, turned.p) == (pytest.approx(-found.effect), 1.0)


def test_many_words_are_dealt_at_random_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    lists = [rng.normal(size=(20, 8)).astype(np.float32) for _ in range(4)]
    one, two = weat(*lists), weat(*lists)
    assert one.n_partitions == 20_000
    assert one.p == two.p
    assert 0 < one.p < 1


def test_of_partitions_that_are_drawn_none_makes_p_zero() -> None:
    rng = np.random.default_rng(1)
    right, left = np.eye(4, dtype=np.float32)[:2], np.eye(4, dtype=np.float32)[2:]
    one = np.eye(4, dtype=np.float32)[0] + rng.random((12, 4)).astype(np.float32) / 10
    found = weat(one, one[:, ::-1].copy(), right, left)
    assert (found.n_partitions, found.p) == (20_000, 1 / 20_001)  # as drawn no partition parts them so
    turned = weat(one[:, ::-1].copy(), one, right, left)
    assert turned.p == 1.0
    few = weat(one[:8], one[:8, ::-1].copy(), right, left)  # all 12,870: exact
    assert (few.n_partitions, few.p) == (12_870, 1 / 12_870)


def test_glove_has_the_association_of_the_paper(explorer: Explorer) -> None:
    found = explorer.space().association(WORK, HOME, HE, SHE)
    assert found.effect == pytest.approx(1.666, abs=0.001)
    assert found.p < 0.001
    with pytest.raises(UserError, match="a list needs at least two words of glove-6b-50d"):
        explorer.space().association(WORK, HOME[:1], HE, SHE)


def test_what_can_not_be_measured() -> None:
    some = np.eye(3, dtype=np.float32)
    with pytest.raises(UserError, match="the second attributes have 1"):
        weat(some, some, some, some[:1])
    same = np.ones((3, 3), np.float32)
    with pytest.raises(UserError, match="all target words lean alike"):
        weat(same, same, some[:2], some[1:])


def test_ripa_is_the_inner_product_with_the_direction_of_the_pairs() -> None:
    toward, away = np.array([[2, 0, 1], [4, 1, 0]], np.float32), np.array([[0, 0, 1], [1, 1, 0]], np.float32)
    words = np.array([[3, 5, 7], [-2, 1, 0]], np.float32)
    assert ripa(words, toward, away).tolist() == pytest.approx([3, -2])  # all pairs differ along the first axis
    assert ripa(words, away, toward).tolist() == pytest.approx([-3, 2])
    assert ripa(words, toward, away[:1]).tolist() == pytest.approx((words @ [3, 0.5, -0.5] / 9.5**0.5).tolist())
    with pytest.raises(UserError, match="nothing lies between them"):
        ripa(words, toward, toward)


def test_lists_are_read_from_lines_and_from_json(tmp_path: Path) -> None:
    lists = {"first": ["a", "b"], "second": ["c", "d"], "toward": ["e", "f g"], "away": ["h", "i"]}
    lines = [f"{name}: {', '.join(words)}" for name, words in lists.items()]
    (tmp_path / "two.txt").write_text("\n".join(["# mine", "one", *lines, "", "other", *lines]))
    (tmp_path / "two.json").write_text(json.dumps({"one": lists, "other": lists}))
    (tmp_path / "own.json").write_text(json.dumps(lists))
    found = read_bias_lists(tmp_path / "two.txt")
    assert [one.name for one in found] == ["one", "other"]
    assert found[0].toward == ("e", "f g")
    assert read_bias_lists(tmp_path / "two.json") == found
    assert read_bias_lists(tmp_path / "own.json")[0].name == "own"
    for text, message in (
        ("first: a, b\nthird: c", r"line 2: first, second, toward or away, a colon and words"),
        ("first: a, b", "test 'bad' has no list second, toward, away"),
        ("", "holds no lists"),
        ("\n".join(lines).replace("a, b", "a"), "each list needs at least two words; first has 1"),
    ):
        (tmp_path / "bad.txt").write_text(text)
        with pytest.raises(UserError, match=message):
            read_bias_lists(tmp_path / "bad.txt")
