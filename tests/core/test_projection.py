import numpy as np
import pytest

from polysema.core.errors import UserError
from polysema.core.space.geometry import principal_plane
from polysema.core.space.projection import MapOptions, align, layered_maps


def clouds(seed: int = 0, n: int = 30) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(2, 16)) * 4
    return (centres[np.arange(n) % 2] + rng.normal(size=(n, 16))).astype(np.float32)


def test_the_plane_keeps_parallels_and_says_what_it_holds() -> None:
    a, b, c = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    vectors = np.stack([a, b, c, a - b + c])
    plane = principal_plane(vectors)
    p = plane.project(vectors)
    np.testing.assert_allclose(p[0] - p[1], p[3] - p[2], atol=1e-5)
    assert plane.explained.sum() == pytest.approx(1.0, abs=1e-5)  # a parallelogram lies in a plane


@pytest.mark.parametrize("vectors", [np.ones((3, 4)), np.eye(2), np.ones((2, 1))])
def test_planes_of_few_or_equal_points(vectors: np.ndarray) -> None:
    plane = principal_plane(vectors.astype(np.float32))
    assert np.isfinite(plane.project(vectors.astype(np.float32))).all()
    assert plane.axes.shape == (2, vectors.shape[1])


def test_align_turns_and_mirrors_but_does_not_stretch() -> None:
    points = np.random.default_rng(2).normal(size=(10, 2)).astype(np.float32)
    points -= points.mean(axis=0)
    turned = points @ np.array([[0, 1], [1, 0]], np.float32)
    np.testing.assert_allclose(align(turned * 2, points), points * 2, atol=1e-5)


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_layers_lie_on_one_plane(method: str) -> None:
    base = clouds()
    layers = [base, base + 0.05 * clouds(3), clouds(4)]
    maps = layered_maps(layers, method)
    assert [m.shape for m in maps] == [(30, 2)] * 3
    assert all(np.isfinite(m).all() for m in maps)
    # near layers look alike, and the two clouds are apart
    assert np.linalg.norm(maps[0] - maps[1], axis=1).mean() < 0.6
    gap = np.linalg.norm(maps[2][::2].mean(axis=0) - maps[2][1::2].mean(axis=0))
    assert gap > 1.0
    again = layered_maps(layers, method, MapOptions())
    assert all(a.tolist() == b.tolist() for a, b in zip(maps, again, strict=True))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_points_have_a_map(n: int) -> None:
    maps = layered_maps([clouds(n=n), clouds(1, n=n)], "umap")
    assert [m.shape for m in maps] == [(n, 2)] * 2
    assert np.isfinite(maps[0]).all()


def test_a_method_that_is_not_there() -> None:
    with pytest.raises(UserError, match="map method 'tsne' does not exist; choose one of pca, umap"):
        layered_maps([clouds()], "tsne")
