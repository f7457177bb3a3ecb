import numpy as np
import pytest

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.measure.sense_clusters import WordContexts, sense_clusters

TEXTS = ["They sat on the bank of the river"] * 8 + ["The bank lends money"] * 6 + ["A bank of fog"]
LABELS = ["river"] * 8 + ["money"] * 6 + [""]


def occurrences() -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = np.zeros((3, 24), np.float32)
    centers[0, 0] = centers[1, 1] = 1
    centers[2, :2] = -0.7, -0.7
    return (centers[[0] * 8 + [1] * 6 + [2]] + rng.normal(scale=0.03, size=(15, 24))).astype(np.float32)


def test_clusters_are_the_senses_and_named_by_their_contexts() -> None:
    found = sense_clusters(occurrences(), WordContexts(TEXTS, "bank", LABELS), 5)
    assert [cluster.rows for cluster in found.clusters] == [tuple(range(8)), tuple(range(8, 14))]
    assert found.assigned.tolist() == [0] * 8 + [1] * 6 + [-1]
    assert [set(cluster.name.split(", ")) for cluster in found.clusters] == [{"river", "sat"}, {"lends", "money"}]
    assert set(found.clusters[1].typical) <= set(range(8, 14))
    assert (found.adjusted_rand, found.v_measure) == (1.0, 1.0)


def test_labels_decide_nothing_and_may_be_missing() -> None:
    without = sense_clusters(occurrences(), WordContexts(TEXTS, "bank"), 5)
    assert np.isnan(without.adjusted_rand)
    turned = sense_clusters(occurrences(), WordContexts(TEXTS, "bank", LABELS[::-1]), 5)
    assert turned.assigned.tolist() == without.assigned.tolist()
    assert turned.adjusted_rand < 0.7


def test_equal_vectors_are_one_cluster() -> None:
    assert sense_clusters(np.ones((4, 3), np.float32), WordContexts(TEXTS[:4])).assigned.tolist() == [0] * 4


def test_what_can_not_be_clustered() -> None:
    with pytest.raises(UserError, match="two or more occurrences with finite vectors; got 1"):
        sense_clusters(occurrences()[:1], WordContexts(TEXTS[:1]))
    with pytest.raises(IncompatibleError, match="15 vectors, 3 texts and 15 labels"):
        sense_clusters(occurrences(), WordContexts(TEXTS[:3]))
    with pytest.raises(UserError, match="min_cluster_size must be from 2 to 15, the occurrences; got 1"):
        sense_clusters(occurrences(), WordContexts(TEXTS), min_cluster_size=1)


def test_words_of_like_meaning_count_for_each_other_in_names() -> None:
    """Each context has its own words; with vectors the ones that a cluster is about come before the odd ones."""
    river = ["water", "flood", "otter", "mud", "mill", "current", "willow", "boat"]
    money = ["loan", "dollar", "savings", "cheque", "credit", "interest"]
    odd = [
        "aardvark",
        "abacus",
        "abbey",
        "abbot",
        "acorn",
        "actor",
        "adder",
        "alarm",
        "album",
        "alder",
        "alley",
        "alloy",
        "almond",
        "altar",
    ]
    texts = [f"{o} bank {w}" for o, w in zip(odd, river + money, strict=True)]
    rng = np.random.default_rng(1)
    axes = dict.fromkeys(river, 0) | dict.fromkeys(money, 1)

    def vectors(words: list) -> np.ndarray:
        rows = rng.normal(scale=0.15, size=(len(words), 30)).astype(np.float32)
        for at, word in enumerate(words):
            rows[at, axes.get(word, 2 + odd.index(word) if word in odd else 29)] += 1
        return rows

    found = sense_clusters(occurrences()[:14], WordContexts(texts, "bank"), 5, word_vectors=vectors)
    assert [len(cluster.rows) for cluster in found.clusters] == [8, 6]
    assert set(found.clusters[0].name.split(", ")) <= set(river)
    assert set(found.clusters[1].name.split(", ")) <= set(money)
    without = sense_clusters(occurrences()[:14], WordContexts(texts, "bank"), 5)
    assert not set(without.clusters[0].name.split(", ")) <= set(river)


def test_names_leave_the_word_and_its_forms_out() -> None:
    texts = ["The banks and banking of the bank by the river"] * 8 + ["Banker banks bank money"] * 6
    found = sense_clusters(occurrences()[:14], WordContexts(texts, "bank"), 5)
    assert [cluster.name for cluster in found.clusters] == ["river", "money"]
    assert found.starts[0] == texts[0].index("bank ")
    assert found.clusters[1].central in found.clusters[1].rows
