import numpy as np
import pytest

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.measure.clusters import sense_clusters

TEXTS = ["They sat on the bank of the river"] * 8 + ["The bank lends money"] * 6 + ["A bank of fog"]
LABELS = ["river"] * 8 + ["money"] * 6 + [""]


def occurrences() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.zeros((3, 24), np.float32)
    centres[0, 0] = centres[1, 1] = 1
    centres[2, :2] = -0.7, -0.7
    return (centres[[0] * 8 + [1] * 6 + [2]] + rng.normal(scale=0.03, size=(15, 24))).astype(np.float32)


def test_clusters_are_the_senses_and_named_by_their_contexts() -> None:
    found = sense_clusters(occurrences(), TEXTS, "bank", LABELS, 5)
    assert [cluster.rows for cluster in found.clusters] == [tuple(range(8)), tuple(range(8, 14))]
    assert found.assigned.tolist() == [0] * 8 + [1] * 6 + [-1]
    assert [set(cluster.name.split(", ")) for cluster in found.clusters] == [{"river", "sat"}, {"lends", "money"}]
    assert set(found.clusters[1].typical) <= set(range(8, 14))
    assert (found.adjusted_rand, found.v_measure) == (1.0, 1.0)


def test_labels_decide_nothing_and_may_be_missing() -> None:
    without = sense_clusters(occurrences(), TEXTS, "bank", None, 5)
    assert np.isnan(without.adjusted_rand)
    turned = sense_clusters(occurrences(), TEXTS, "bank", LABELS[::-1], 5)
    assert turned.assigned.tolist() == without.assigned.tolist()
    assert turned.adjusted_rand < 0.7


def test_equal_vectors_are_one_cluster() -> None:
    assert sense_clusters(np.ones((4, 3), np.float32), TEXTS[:4]).assigned.tolist() == [0] * 4


def test_what_can_not_be_clustered() -> None:
    with pytest.raises(UserError, match="two or more occurrences with finite vectors; got 1"):
        sense_clusters(occurrences()[:1], TEXTS[:1])
    with pytest.raises(IncompatibleError, match="15 vectors, 3 texts and 15 labels"):
        sense_clusters(occurrences(), TEXTS[:3])
    with pytest.raises(UserError, match="min_cluster_size must be from 2 to 15, the occurrences; got 1"):
        sense_clusters(occurrences(), TEXTS, min_cluster_size=1)
