"""The compiled passes of the exact index: they may only ever leave out rows that can't be among the best."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polysema.core.space.analogy import Scoring, by_cosine
from polysema.indexes import ExactIndex, int8_candidates
from polysema.indexes.int8_candidates import CodeOptions
from polysema.indexes.int8_codes import Codes


def vectors_of(kind: str, n: int, dim: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, dim), dtype=np.float32)
    if kind == "outliers":
        vectors[:, 0] *= 3000
    elif kind == "doubles":
        vectors[n // 2 :] = vectors[: n - n // 2]
    elif kind == "zeros":
        vectors[:: max(1, n // 7)] = 0
    elif kind == "sizes":
        vectors *= np.float32(10) ** rng.integers(-30, 15, (n, 1)).astype(np.float32)
    return vectors


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["plain", "outliers", "doubles", "zeros", "sizes"]),
    st.integers(1, 900),
    st.integers(1, 70),
    st.integers(1, 12),
    st.integers(0, 2**31),
)
def test_the_candidates_hold_the_best(kind, n, dim, k, seed):
    vectors, k = vectors_of(kind, n, dim, seed), min(k, n)
    rng = np.random.default_rng(seed)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    factor = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)
    codes = Codes(vectors, factor)
    queries = rng.standard_normal((3, dim)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    cosines = (queries.astype(np.float64) @ vectors.T.astype(np.float64)) * factor
    mul = (1 + cosines[0]) * (1 + cosines[1]) / 2 / (1 + cosines[2] + 2e-6)
    for scores, rows in (
        (cosines[0], codes.best(queries[0], k)),
        (7 * cosines[0], codes.best(7 * queries[0], k)),
        (mul, codes.best_mul(queries, 1e-6, k)),
    ):
        assert (np.diff(rows) > 0).all()
        assert scores[rows].size >= k
        # every row left out scores no more than the k-th best; rounding apart, since factor itself is float32
        least = np.sort(scores)[-k]
        out = np.setdiff1d(np.arange(n), rows)
        assert not len(out) or scores[out].max() <= least * (1 + 1e-5) + 1e-6


@pytest.fixture
def rng():
    return np.random.default_rng(0)


OFTEN = CodeOptions(after=0, min_numbers=0)


@pytest.mark.parametrize("metric", ["cosine", "inner_product"])
def test_an_index_asked_often_answers_the_same(metric, rng):
    vectors = rng.standard_normal((20_000, 30)).astype(np.float32)
    ours, plain = ExactIndex(vectors, metric, codes=OFTEN), ExactIndex(vectors, metric)
    for row in range(40):
        mine, theirs = (index.search(vectors[[row]] * 3, 7, exclude=[row]) for index in (ours, plain))
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.scores, theirs.scores)
    assert ours._codes is not None
    assert plain._codes is None


def test_each_question_is_counted_once(monkeypatch, rng):
    """The compiled pass takes over after as many questions as it says, whichever way they come."""
    compiled = []
    monkeypatch.setattr("polysema.indexes.int8_codes.three_cos_mul", lambda *given: compiled.append(1) or np.zeros(50))
    vectors = rng.standard_normal((50, 8)).astype(np.float32)
    scoring = Scoring(
        "3CosMul",
        vectors[:3] / np.linalg.norm(vectors[:3], axis=1, keepdims=True),
        lambda cosines: cosines[0],
        is_mul=True,
    )
    for ask in (lambda index: index.search_scored(scoring, 3), lambda index: index.scores(scoring)):
        index = ExactIndex(vectors, codes=CodeOptions(min_numbers=0))
        index.search(vectors[:1], 3)
        for _ in range(CodeOptions().after - 1):
            ask(index)
        assert not compiled
        ask(index)
        assert compiled.pop()


def test_a_process_that_counts_its_memory_searches_small_spaces_plainly(rng, monkeypatch, tmp_path):
    monkeypatch.setattr(int8_candidates, "_default", int8_candidates.default_codes())
    int8_candidates.spare_memory(100_000 * 50 + 1)
    vectors, path = rng.standard_normal((100_000, 50)).astype(np.float32), tmp_path / "vectors.npy"
    np.save(path, vectors)
    plain, coded = ExactIndex(np.load(path, mmap_mode="r")), ExactIndex(vectors, codes=OFTEN)
    for row in range(CodeOptions().after + 2):
        scoring = by_cosine("neighbors", vectors[row] / np.linalg.norm(vectors[row]))
        ours, theirs = (index.search_scored(scoring, 3) for index in (plain, coded))
        np.testing.assert_array_equal(ours.rows, theirs.rows)
        np.testing.assert_array_equal(ours.scores, theirs.scores)
    assert plain._codes is None
    assert coded._codes is not None
    plain.cosines(scoring.queries)
    assert resident_of(path) < 4 << 20


def test_codes_that_rule_out_nothing_are_given_up(rng):
    vectors = rng.standard_normal((5_000, 40)).astype(np.float32)
    vectors[:, 0] += 300  # 8 bits for a number this big leave none for the others
    index = ExactIndex(vectors, codes=OFTEN)
    query = vectors[3] / np.linalg.norm(vectors[3])
    for _ in range(OFTEN.max_misses + 1):
        assert index.search_scored(by_cosine("neighbors", query), 3).rows[0, 0] == 3
    assert index._codes is None
    assert index._misses == OFTEN.max_misses


def test_the_codes_of_a_mapped_file_leave_it_unloaded(tmp_path, rng):
    path = tmp_path / "vectors.npy"
    np.save(path, rng.standard_normal((200_000, 50)).astype(np.float32))
    mapped = np.load(path, mmap_mode="r")
    resident = resident_of(path)
    Codes(mapped, np.ones(len(mapped), np.float32))
    assert resident_of(path) - resident < 8 << 20
    changed = np.load(path, mmap_mode="c")  # what is changed in memory alone must not be given back
    changed[5] = 7
    Codes(changed, np.ones(len(changed), np.float32))
    assert (changed[5] == 7).all()


def resident_of(path) -> int:
    """Bytes of a mapped file that this process holds in memory."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            inside = str(path) in line
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) << 10
    return total


def test_a_score_that_only_looks_linear_takes_the_full_pass(rng):
    vectors = rng.standard_normal((3_000, 20)).astype(np.float32)
    index = ExactIndex(vectors, codes=OFTEN)
    query = (vectors[0] / np.linalg.norm(vectors[0]))[None]
    furthest = index.search_scored(Scoring("furthest", query, lambda cosines: -cosines[0]), 1)
    assert furthest.scores[0, 0] == pytest.approx(float((-(vectors @ query[0]) * index._norms).max()))
