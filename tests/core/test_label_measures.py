"""Measures on a user's own labels, against values that can be worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.measure.annotations import read_annotations, read_context_pairs
from polysema.core.measure.contextuality import contextuality, explained_variance
from polysema.core.measure.probing import probe
from polysema.core.measure.senses import load_senses
from polysema.core.measure.word_in_context import threshold_accuracy
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.tokens import Occurrence, Span
from polysema.core.space.space import Origin


def hidden_of(vectors: "np.typing.NDArray[np.float32]") -> HiddenBatch:
    """Texts of two words, `a b`, whose vectors are given as (texts, 2, dim)."""
    places = ((0, "a"), (2, "b"))
    occurrences = [Occurrence(text, word, Span(at, at + 1)) for text in range(len(vectors)) for at, word in places]
    flat = np.ascontiguousarray(vectors.reshape(1, -1, vectors.shape[2]), np.float32)
    return HiddenBatch(tuple(occurrences), (0,), flat, Origin("made"))


def test_static_vectors_are_not_contextual_at_all() -> None:
    found = contextuality(hidden_of(np.tile(np.eye(2, dtype=np.float32), (6, 1, 1)))).layers[0]
    assert found.self_similarity == pytest.approx(1)
    assert found.explained == 1
    assert found.intra_similarity == pytest.approx(np.sqrt(0.5))
    assert found.anisotropy == pytest.approx(0.5, abs=0.02)
    assert found.adjusted_self_similarity == pytest.approx(0.5, abs=0.02)


def test_the_first_words_are_left_out_where_they_are_outliers() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 2, 16)).astype(np.float32)
    vectors[:, 0] = 100  # one point whatever the text
    hidden = hidden_of(vectors)
    with_first, without = (contextuality(hidden, first).layers[0] for first in (True, False))
    assert with_first.anisotropy > 0.2
    assert without.anisotropy == pytest.approx(0, abs=0.05)
    assert without.self_similarity == pytest.approx(0, abs=0.05)
    with pytest.raises(UserError, match="no word stands in 41 of the 40 texts"):
        contextuality(hidden, min_contexts=41)


def test_trained_models_have_the_published_shape(explorer: Explorer) -> None:
    """Ethayarajh 2019: up to the layer before the last anisotropy grows, and what self-similarity is left beside it
    falls; in a model trained on whole texts the last layer is spread out again.
    """
    texts = list(load_senses().texts)[:50]
    rows = explorer.measures.contextuality(texts, ["minilm-l6", "gpt-tiny-en"], 5).rows
    encoder, decoder = (
        [one for one in rows if (one.model, one.first_words) == which]
        for which in (("minilm-l6", "with"), ("gpt-tiny-en", "without"))
    )
    for layers in (encoder[:-1], decoder):
        anisotropy = [one.anisotropy for one in layers]
        assert anisotropy == sorted(anisotropy)
        assert anisotropy[-1] > 3 * anisotropy[0]
        left = [one.adjusted_self_similarity for one in layers]
        assert left[0] == max(left)
        assert left[0] - min(left) > 0.25
        assert layers[0].self_similarity == max(one.self_similarity for one in layers)
        assert layers[0].adjusted_explained == max(one.adjusted_explained for one in layers)
    assert encoder[-1].anisotropy < 0.5 * encoder[-2].anisotropy
    assert encoder[-1].self_similarity == min(one.self_similarity for one in encoder)


def test_the_variance_along_one_direction_is_explained() -> None:
    rows = np.array([[1, 0], [-1, 0], [0, 0.5], [0, -0.5]], np.float32)
    assert explained_variance(rows) == pytest.approx(2 / 2.5)
    assert explained_variance(np.ones((3, 2), np.float32)) == 1


def test_a_threshold_tells_pairs_apart_and_a_static_vector_gets_half() -> None:
    same = [True] * 10 + [False] * 10
    assert threshold_accuracy([0.9] * 10 + [0.1] * 10, same) == 1
    assert threshold_accuracy(np.ones(20), same) == 0.5
    assert threshold_accuracy(np.ones(6), [True, True, False, False, True, False]) == 0.5
    with pytest.raises(UserError, match="at least 5 pairs"):
        threshold_accuracy([1.0], [True])


def test_a_probe_reads_what_is_there_and_not_the_control_task() -> None:
    rng = np.random.default_rng(0)
    labels = [str(value) for value in rng.integers(0, 2, 200)]
    vectors = rng.normal(size=(200, 8)).astype(np.float32)
    vectors[:, 0] += [4 * (label == "1") - 2 for label in labels]
    words = [f"w{place}" for place in range(200)]  # each once: nothing to memorize
    score = probe(vectors, labels, words, list(range(200)), 3)
    assert score.layer == 3
    assert score.accuracy > 0.95
    assert abs(score.control - 0.5) < 0.15
    assert score.selectivity == score.accuracy - score.control
    with pytest.raises(UserError, match="at least two labels; all rows have 'x'"):
        probe(vectors, ["x"] * 200, words, list(range(200)))


def test_annotations_are_read_with_spans_or_by_the_word(tmp_path: Path) -> None:
    rows = ["word,tag,text,span", "bank,NOUN,The bank of the bank.,16-20", "Bank,VERB,We bank here.,"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    found = read_annotations(tmp_path / "a.csv")
    assert (found.words, found.labels) == (("bank", "bank"), ("NOUN", "VERB"))
    assert [one.span for one in found.occurrences] == [Span(16, 20), Span(3, 7)]
    with pytest.raises(UserError, match=r"has no column 'nope'; it has: word, tag"):
        read_annotations(tmp_path / "a.csv", "nope")
    (tmp_path / "b.csv").write_text("word,sense,text,start,end\nbank,x,The bank.,4,400\n")
    with pytest.raises(UserError, match=r"row 1: the characters 4-400 are not of 'The bank\.'"):
        read_annotations(tmp_path / "b.csv")


def test_pairs_of_contexts_are_read_from_a_table_and_as_published(tmp_path: Path) -> None:
    row = {"word": "bank", "sentence1": "The bank.", "sentence2": "A bank.", "label": True, "start1": 4, "end1": 8}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "dev.data.txt").write_text("bank\tN\t1-1\tThe bank .\tA bank .\n")
    (tmp_path / "dev.gold.txt").write_text("F\n")
    (pair,), (official,) = (read_context_pairs(tmp_path / name) for name in ("a.jsonl", "dev.data.txt"))
    assert (pair.first_span, pair.second_span, pair.same) == ((4, 8), (2, 6), True)
    assert (official.first_span, official.second_span, official.same) == ((4, 8), (2, 6), False)
    (tmp_path / "c.csv").write_text("word,text\nbank,The bank.\n")
    with pytest.raises(UserError, match=r"c\.csv has no column sentence1; it has: word, text"):
        read_context_pairs(tmp_path / "c.csv")
