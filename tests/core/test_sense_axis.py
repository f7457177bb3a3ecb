"""The axis between two groups, against means that are taken without each row one by one."""

import numpy as np
import pytest

from polysema.core.errors import UserError
from polysema.core.measure.sense_axis import sense_axis
from polysema.core.space.metric import unit

LABELS = ["a"] * 12 + ["b"] * 9 + ["c"] * 3 + [""]


def slowly(vectors: "np.typing.NDArray[np.float32]") -> list[float]:
    directions, places = unit(vectors).astype(np.float64), []
    for row, own in enumerate(directions):
        one, two = (
            np.mean([directions[at] for at, name in enumerate(LABELS) if name == end and at != row], axis=0)
            for end in ("a", "b")
        )
        between = two - one
        places.append(2 * float((own - (one + two) / 2) @ between) / float(between @ between))
    return places


def test_every_row_is_held_out_of_the_means_it_is_measured_by() -> None:
    vectors = np.random.default_rng(1).normal(size=(25, 64)).astype(np.float32)
    found = sense_axis(vectors, LABELS, ("a", "b"))
    np.testing.assert_allclose(found.values, slowly(vectors), atol=1e-5)
    assert found.counts == (12, 9)
    # noise of more dimensions than rows is told apart by any axis that was made of it; on rows left out it is not
    assert found.accuracy < 0.75
    assert found.p_value > 0.05
    assert found.shuffled == pytest.approx(0.5, abs=0.1)


def test_groups_that_differ_are_told_apart() -> None:
    vectors = np.random.default_rng(1).normal(size=(25, 16)).astype(np.float32)
    vectors[:12, 0] -= 6
    vectors[12:21, 0] += 6
    found = sense_axis(vectors, LABELS, ("a", "b"))
    assert found.accuracy == 1
    assert found.p_value < 0.01
    assert (found.values[:12] < 0).all()
    assert (found.values[12:21] > 0).all()


def test_an_end_with_one_row_is_refused() -> None:
    with pytest.raises(UserError, match=r"one is left out; '' has 1 \(the groups: a, b, c\)"):
        sense_axis(np.eye(25, dtype=np.float32), LABELS, ("a", ""))
    with pytest.raises(UserError, match="two different ends; got 'a' twice"):
        sense_axis(np.eye(25, dtype=np.float32), LABELS, ("a", "a"))
