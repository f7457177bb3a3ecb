import numpy as np
import pytest

from polysema.core.errors import UserError
from polysema.core.maps.neighbors import nearest_others
from polysema.core.space.metric import unit
from polysema.indexes import ExactIndex
from polysema.indexes.knn_graph import neighbors_of_all


def vectors(n: int, dim: int = 24) -> np.ndarray:
    """In groups, each of 24 dimensions, turned into as many as requested."""
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(40, 24))[rng.integers(0, 40, n)] + rng.normal(scale=0.6, size=(n, 24))
    return (flat @ rng.normal(size=(24, dim)) if dim > 24 else flat).astype(np.float32)


def test_an_index_gives_each_row_its_nearest_others() -> None:
    some = vectors(300)
    some[7] = some[3]  # equal rows are each other's, and not their own
    some[9] = 0
    by_index, exactly = neighbors_of_all(some, 8, ExactIndex(some)), nearest_others(some, 8)
    rest = np.arange(300) != 9
    np.testing.assert_allclose(by_index.distances[rest], exactly.distances[rest], atol=1e-5)
    assert not (by_index.rows == np.arange(300)[:, None]).any()
    assert (by_index.rows[3, 0], by_index.rows[7, 0]) == (7, 3)
    assert (by_index.distances[9] == 1).all()


def test_pairs_are_compared_exactly() -> None:
    some = vectors(5000)
    some[7] = some[3]
    some[9] = 0
    found, exactly = neighbors_of_all(some, 8), nearest_others(some, 8)
    np.testing.assert_allclose(found.distances, exactly.distances, atol=1e-5)
    assert np.mean(found.rows == exactly.rows) > 0.99
    assert not (found.rows == np.arange(5000)[:, None]).any()


def test_of_equal_cosines_the_earlier_rows_are_the_neighbors() -> None:
    some = np.tile(vectors(200), (4, 1))  # each row four times, far apart
    found = neighbors_of_all(some, 5)
    for row, near in enumerate(found.rows.tolist()):
        twins = [other for other in range(row % 200, 800, 200) if other != row]
        assert near[:3] == twins
        assert near[3] < 200
        assert near[4] == near[3] + 200


@pytest.mark.parametrize("dim", [24, 200])
def test_cells_find_nearly_all(dim: int) -> None:
    some = vectors(4000, dim)
    exactly = nearest_others(some, 10).rows.tolist()
    seen: list[tuple[str, int, int]] = []
    found = neighbors_of_all(some, 10, progress=lambda *event: seen.append(event), exact_rows=100)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exactly, found.rows.tolist(), strict=True)])
    assert recall > 0.9
    assert seen[-1] == ("find neighbors", 4000, 4000)
    assert (np.diff(found.distances, axis=1) >= -1e-6).all()
    assert not (found.rows == np.arange(4000)[:, None]).any()
    cosines = np.einsum("nd,nkd->nk", unit(some), unit(some)[found.rows])
    np.testing.assert_allclose(found.distances, 1 - cosines, atol=1e-5)


def test_the_search_in_cells_may_be_ended_while_they_are_made() -> None:
    seen: list[int] = []

    def progress(stage: str, done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        neighbors_of_all(vectors(6000), 10, progress=progress, exact_rows=100)
    assert seen == [0, 0, 0]  # no row has been searched


def test_more_neighbors_than_there_are() -> None:
    with pytest.raises(UserError, match="each of 5 vectors has from 1 to 4 neighbors; got 5"):
        neighbors_of_all(vectors(5), 5)
