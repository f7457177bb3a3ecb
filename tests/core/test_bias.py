"""WEAT against numbers worked out by hand and by the slow definition."""

from itertools import combinations

import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.measure.bias import weat

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
