"""A concordance: lines that mean alike stand together, or the nearest to one come first."""

from pathlib import Path

import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.measure.annotations import read_annotations
from polysema.core.measure.cluster_annotations import annotation_lines, cluster_annotations
from polysema.core.measure.concordance import order_by_meaning
from polysema.core.measure.sense_clusters import SenseCluster, SenseClusters

TEXTS = ("The river bank was muddy.", "My bank lends money.", "We sat on the bank of the river.", "A bank keeps money.")


def test_rows_that_are_alike_stand_together() -> None:
    angles = np.radians([0, 90, 5, 95, 200, 10])
    rows = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    order = order_by_meaning(rows).tolist()
    assert sorted(order) == list(range(6))
    places = [order.index(row) for row in (0, 2, 5)]
    assert max(places) - min(places) == 2
    assert abs(order.index(1) - order.index(3)) == 1
    assert order.index(0) < 3
    assert order_by_meaning(rows[:2]).tolist() == [0, 1]


def test_the_lines_of_a_word(explorer: Explorer) -> None:
    senses = explorer.model("minilm-l6").senses
    found = senses.concordance("bank", TEXTS, 6)
    order = [line.number for line in found.lines]
    assert abs(order.index(1) - order.index(3)) == abs(order.index(2) - order.index(4)) == 1
    assert np.isnan(found.lines[0].cosine)
    assert all(line.text[line.start : line.end].lower() == "bank" for line in found.lines)
    like = senses.concordance("bank", TEXTS, 6, 4)
    assert [line.number for line in like.lines][:2] == [4, 2]
    assert like.lines[1].cosine > like.lines[2].cosine > like.lines[3].cosine
    any_word = senses.concordance("blanket", layer=2)
    assert any("picnic" in line.text or "blanket" in line.text for line in any_word.lines)
    assert {line.sense for line in senses.concordance("bank").lines} >= {"river", "money"}
    with pytest.raises(UserError, match=r"like is the number of a line, 1 to 4; got 5"):
        senses.concordance("bank", TEXTS, 6, 5)
    with pytest.raises(UserError, match="'xyzzy' stands nowhere in the corpus of senses"):
        senses.concordance("xyzzy")


def test_clusters_are_named_merged_corrected_and_read_again(tmp_path: Path) -> None:
    clusters = (SenseCluster("a", (0, 1), (0,)), SenseCluster("b", (2,), (2,)))
    found = SenseClusters(clusters, np.array([0, 0, 1, -1]), texts=TEXTS, starts=(10, 3, 14, 2))
    assert [row.label for row in cluster_annotations("bank", found)] == ["a", "a", "b"]
    merged = cluster_annotations("bank", found, {0: "river", 1: "river"}, {1: "money", 3: "money", 0: ""})
    assert [(row.label, row.text[row.start : row.end]) for row in merged] == [
        ("money", "bank"),
        ("river", "bank"),
        ("money", "bank"),
    ]
    (tmp_path / "own.jsonl").write_text(annotation_lines(merged), encoding="utf-8")
    assert read_annotations(tmp_path / "own.jsonl").rows() == merged
    with pytest.raises(UserError, match="there is no cluster 2: they are numbered 0 to 1"):
        cluster_annotations("bank", found, {2: "x"})
