import numpy as np
import pyarrow as pa
import pytest

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.maps.distance import MapMetric, map_points
from polysema.core.maps.neighbors import Neighbors, nearest_others, search_neighbors
from polysema.core.maps.overlap import changed_most, shared_neighbors, shifts
from polysema.core.maps.row_matching import choose, matching
from polysema.core.progress import no_progress
from polysema.core.space.space import Keys, Origin, Space


def words(*names: str) -> Space:
    return Space(Keys(names), np.eye(len(names), 4, dtype=np.float32), Origin("words"))


def places(rows: list[tuple[int, int, int, str]], texts: list[str] | None = None) -> Space:
    ids, starts, ends, names = zip(*rows, strict=True)
    table = pa.table({"text_id": ids, "start": starts, "end": ends})
    if texts is not None:
        table = table.append_column("text", pa.array([texts[i] for i in ids]).dictionary_encode())
    return Space(Keys(names), np.ones((len(rows), 3), np.float32), Origin("places", layer=1), table)


def test_words_match_by_name_in_the_order_of_the_first() -> None:
    found = matching([words("a", "b", "c", "b"), words("c", "x", "b", "a", "a")])
    assert [rows.tolist() for rows in found.rows] == [[0, 1, 2], [3, 2, 0]]
    assert (found.by, found.left_out) == ("word", (1, 2))
    three = matching([words("a", "b", "c"), words("b", "c"), words("c", "a", "b")])
    assert [rows.tolist() for rows in three.rows] == [[1, 2], [0, 1], [2, 0]]


def test_occurrences_match_by_place_and_text() -> None:
    a = places([(0, 0, 3, "the"), (0, 4, 8, "bank"), (1, 0, 3, "the")], ["the bank", "the end"])
    b = places([(1, 4, 8, "bank"), (1, 0, 3, "the"), (0, 0, 3, "the")], ["the end", "the bank"])
    assert [rows.tolist() for rows in matching([a, b]).rows] == [[0, 1, 2], [1, 0, 2]]
    without = places([(0, 0, 3, "the"), (0, 4, 8, "bank")])
    found = matching(
        [without, b]
    )  # by number where one has no texts: 0 is another text there, but the word is the same
    assert [rows.tolist() for rows in found.rows] == [[0], [2]]
    other = places([(0, 0, 3, "the")], ["the fog"])
    with pytest.raises(IncompatibleError, match=r"share no row \(matched by text, start and end\): \[places"):
        matching([a, other])


def test_spaces_that_can_not_be_matched() -> None:
    with pytest.raises(IncompatibleError, match="occurrences and static vectors can't be matched row by row"):
        matching([words("the"), places([(0, 0, 3, "the")])])
    with pytest.raises(IncompatibleError, match=r"share no row \(matched by word\)"):
        matching([words("a"), words("b")])


def test_the_rule_of_what_is_shown_is_told() -> None:
    rows, rule = choose(10, 3, placed=False)
    assert (rows.tolist(), rule) == ([0, 1, 2], "the first 3 of 10 words that match")
    rows, rule = choose(9, 3, placed=True)
    assert (rows.tolist(), rule) == ([0, 4, 8], "3 of 9 occurrences that match, spread evenly over the texts")
    assert choose(4, 9, placed=True)[1] == choose(4, None, placed=False)[1] == "all 4 rows that match"


def test_what_two_neighborhoods_share() -> None:
    a = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    b = np.array([[3, 2, 1], [2, 3, 4], [4, 5, 0], [0, 1, 2]])
    near = [Neighbors(rows, np.zeros(rows.shape, np.float32)) for rows in (a, b)]
    np.testing.assert_allclose(shared_neighbors(*near, 3), [1, 2 / 3, 1 / 3, 1])
    np.testing.assert_allclose(shared_neighbors(*near, 1), [0, 0, 0, 1])
    # rows 0 and 3 share all three: row 0's nearest differ, so it comes first
    assert changed_most(*near, 3).tolist() == [2, 1, 0, 3]
    with pytest.raises(UserError, match="with k from 1 to 3; got 4"):
        shared_neighbors(*near, 4)
    with pytest.raises(IncompatibleError, match="of 4 rows in one space and of 3"):
        shared_neighbors(near[0], Neighbors(b[:3], np.zeros((3, 3), np.float32)), 2)


def test_shifts_are_the_ranks_of_an_exact_search() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40, 6)).astype(np.float32)
    near = [nearest_others(vectors, 39).rows for vectors in (a, b)]
    assert [shift.row for shift in shifts(a, b, 0, np.array([3]))] == [3]
    for shift in shifts(a, b, 7, np.array([0, 12, 39])):
        assert near[0][7, shift.rank_a - 1] == shift.row
        assert near[1][7, shift.rank_b - 1] == shift.row
        cosine = a[7] @ a[shift.row] / np.linalg.norm(a[7]) / np.linalg.norm(a[shift.row])
        assert shift.cosine_a == pytest.approx(cosine, abs=1e-6)
    for metric in MapMetric:
        ordered = [search_neighbors(map_points(vectors, metric), 39, no_progress, metric).rows for vectors in (a, b)]
        for shift in shifts(a, b, 7, np.array([0, 12, 39]), metric):
            assert (ordered[0][7, shift.rank_a - 1], ordered[1][7, shift.rank_b - 1]) == (shift.row, shift.row)
    with pytest.raises(UserError, match="row must be from 0 to 39; got 40"):
        shifts(a, b, 40, np.array([0]))
