"""The corpus of senses and what is measured on it."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from polysema.app.explorer.sense_report import sense_report
from polysema.core.errors import UserError
from polysema.core.measure.anisotropy import random_pair_cosine
from polysema.core.measure.senses import load_senses, most_frequent_sense, nearest_sense_accuracy
from polysema.core.model.tokens import words_of
from tests.endurance import ENDURE


def test_the_corpus_is_as_large_as_it_says() -> None:
    corpus = load_senses()
    senses = defaultdict(Counter)
    for s in corpus.senses:
        senses[s.word][s.sense] += 1
    assert len(senses) >= 48
    assert all(2 <= len(counts) <= 4 for counts in senses.values())
    assert min(n for counts in senses.values() for n in counts.values()) >= 8
    assert len(corpus.texts) >= 950
    assert len(set(corpus.texts)) == len(corpus.texts)


def test_every_annotation_is_the_word_at_its_place() -> None:
    corpus = load_senses()
    for s in corpus.senses:
        text = corpus.texts[s.text_id]
        assert text[s.start : s.end].lower() == s.word
        assert any((w.start, w.end) == (s.start, s.end) for w in words_of(text))
    assert len({(s.text_id, s.start) for s in corpus.senses}) == len(corpus.senses)


def test_some_words_stand_twice_in_different_senses() -> None:
    twice = defaultdict(set)
    for s in load_senses().senses:
        twice[(s.text_id, s.word)].add(s.sense)
    assert sum(len(senses) > 1 for senses in twice.values()) >= 20


def test_the_sentences_follow_no_formula() -> None:
    """No two sentences are the same but for a word, and the word stands in varied places."""
    corpus = load_senses()
    frames = Counter()
    for text in corpus.texts:
        words = text.lower().split()
        frames.update({" ".join([*words[:i], "_", *words[i + 1 :]]) for i in range(len(words))})
    assert frames.most_common(1)[0][1] == 1
    starts = Counter(" ".join(text.lower().split()[:3]) for text in corpus.texts)
    assert starts.most_common(1)[0][1] <= 6
    places = [s.start / len(corpus.texts[s.text_id]) for s in corpus.senses]
    assert min(np.histogram(places, bins=4, range=(0, 1))[0]) > len(places) * 0.08


def test_an_unannotated_word() -> None:
    with pytest.raises(UserError, match="the corpus of senses has no 'zebra'; it has: "):
        load_senses().of("zebra")


def test_a_part_of_the_corpus_has_its_words_and_their_texts_alone() -> None:
    whole = load_senses()
    part = whole.only(["bank", "bat"])
    assert part.words == ("bank", "bat")
    assert [s.sense for s in part.of("bat")] == [s.sense for s in whole.of("bat")]
    assert {s.text_id for s in part.senses} == set(range(len(part.texts)))
    assert [o.word.lower() for o in part.occurrences()] == [s.word for s in part.senses]
    with pytest.raises(UserError, match="no 'zebra'"):
        whole.only(["zebra"])


def test_the_measures_by_hand() -> None:
    words = ["a"] * 4 + ["b"] * 2
    senses = ["x", "x", "y", "y", "z", "z"]
    apart = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 1], [1, 1]], np.float32)
    assert nearest_sense_accuracy(words, senses, apart) == 1.0
    mixed = apart[[0, 2, 1, 3, 4, 5]]
    assert nearest_sense_accuracy(words, senses, mixed) == pytest.approx(2 / 6)
    static = np.ones((6, 2), np.float32)  # every other occurrence is equally near: 1 of 3, and 1 of 1
    assert nearest_sense_accuracy(words, senses, static) == pytest.approx((4 * (1 / 3) + 2) / 6)
    assert most_frequent_sense(words, senses) == pytest.approx(4 / 6)


def test_the_baseline_takes_pairs_of_different_texts() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    assert random_pair_cosine(vectors, [0, 0, 1, 1]) == 0.0
    assert random_pair_cosine(vectors, [0, 1, 2, 3]) == pytest.approx(1 / 3, abs=0.03)
    assert np.isnan(random_pair_cosine(vectors, [5, 5, 5, 5]))


def test_layers_tell_senses_apart_and_the_static_vector_does_not(explorer) -> None:  # type: ignore[no-untyped-def]
    report = sense_report(explorer, ["minilm-l6"])
    static, *layers = report.rows
    assert (static.layer, [r.layer for r in layers]) == (None, list(range(7)))
    assert static.accuracy <= report.most_frequent < 0.6
    assert max(r.accuracy for r in layers) > 0.7
    assert layers[0].accuracy < layers[4].accuracy


@pytest.mark.smollm
def test_the_decoder_tells_senses_apart_too(smollm, explorer) -> None:  # type: ignore[no-untyped-def]
    corpus = load_senses()
    report = sense_report(
        explorer, ["smollm2-135m"], corpus=corpus if ENDURE else corpus.only(["bank", "bat", *corpus.words[4::9]])
    )
    assert len(report.rows) == 32
    assert report.rows[0].accuracy <= report.most_frequent
    # before attention a decoder with rotary positions has only the static vector
    assert report.rows[1].accuracy == pytest.approx(report.rows[0].accuracy, abs=0.03)
    assert max(r.accuracy for r in report.rows[1:]) > 0.6
