import numpy as np
import pyarrow as pa
import pytest

from polysema.core.errors import IncompatibleError, UnknownWordError, UserError
from polysema.core.space import Family, Keys, Origin, Space
from polysema.core.space.analogy import target
from polysema.core.space.expression import parse
from polysema.core.space.metric import Metric, cosine, unit


def space(words: list[str], vectors: np.ndarray | None = None, columns: pa.Table | None = None) -> Space:
    if vectors is None:
        vectors = np.eye(len(words), dtype=np.float32)
    return Space(Keys(words), vectors.astype(np.float32), Origin("test"), columns)


def test_keys_find_the_first_row_of_a_name_one_by_one_and_in_a_batch() -> None:
    keys = Keys([f"w{i % 50}" for i in range(100)])
    assert [keys.row("w7"), keys.row("nope")] == [7, -1]
    assert keys.rows(["w49", "nope", "w0"]).tolist() == [49, -1, 0]
    many = [f"w{i}" for i in range(60)]
    assert keys.rows(many).tolist() == [i if i < 50 else -1 for i in range(60)]
    assert keys.all_rows("w7").tolist() == [7, 57]
    assert ("w3" in keys, "x" in keys, 3 in keys) == (True, False, False)


def test_a_space_is_read_only_and_not_copied() -> None:
    vectors = np.ones((2, 3), np.float32)
    opened = Space(Keys(["a", "b"]), vectors, Origin("test"))
    assert np.shares_memory(opened.vectors, vectors)
    with pytest.raises(ValueError, match="read-only"):
        opened.vectors[0, 0] = 2


def test_parts_of_different_length_are_refused() -> None:
    with pytest.raises(IncompatibleError, match="3 names for 2 vectors"):
        space(["a", "b", "c"], np.eye(2))
    with pytest.raises(IncompatibleError, match="a table of 1 rows for 2 vectors"):
        space(["a", "b"], columns=pa.table({"x": [1]}))
    with pytest.raises(IncompatibleError, match=r"float64 of shape \(2, 2\)"):
        Space(Keys(["a", "b"]), np.eye(2), Origin("test"))  # type: ignore[arg-type]


def test_an_unknown_word_gets_the_nearest_spellings() -> None:
    opened = space(["queen", "king", "queens", "banana"])
    assert opened.resolve("Queen") == 0
    with pytest.raises(
        UnknownWordError, match="'qeen' is not among the 4 words of test; nearest spellings: queen, queens"
    ) as error:
        opened.resolve("qeen")
    assert error.value.suggestions == ("queen", "queens")


def test_an_unknown_word_of_any_length_makes_one_short_line() -> None:
    with pytest.raises(UnknownWordError) as error:
        space(["a"]).resolve("x" * 5000)
    assert len(str(error.value)) < 200


def test_take_keeps_rows_together() -> None:
    opened = space(["a", "b", "c"], columns=pa.table({"n": [1, 2, 3]})).take([2, 0])
    assert (list(opened.keys), opened.column("n"), opened.vectors.argmax(axis=1).tolist()) == (
        ["c", "a"],
        [3, 1],
        [2, 0],
    )
    with pytest.raises(UserError, match="no column 'sense'; it has: n"):
        opened.column("sense")


@pytest.mark.parametrize(
    "change",
    [{"source": "other"}, {"layer": 4}, {"pooling": "last"}, {"transform": "centered"}, {"weights_sha256": "ab"}],
)
def test_spaces_that_do_not_belong_together_are_refused_with_both_cards(change: dict[str, object]) -> None:
    from dataclasses import replace

    origin = Origin("minilm", Family.ENCODER, layer=3, pooling="mean")
    other = replace(origin, **change)  # type: ignore[arg-type]
    origin.require_same(replace(origin, versions=(("torch", "9"),)))
    with pytest.raises(IncompatibleError, match=r"\[minilm, encoder, layer 3, mean of sub-words\] and \[.*\]"):
        origin.require_same(other)
    assert Origin.from_json(other.to_json()) == other


def test_the_target_is_the_sum_of_unit_vectors() -> None:
    current = space(["a", "b", "c"], np.array([[3, 0, 0], [0, 5, 0], [0, 0, 0.1]]))
    found = target(current, parse("a - 2*b + C"))
    assert found.vector.tolist() == [1, -2, 1]
    assert (found.rows.tolist(), found.words, found.weights) == ([0, 1, 2], ("a", "b", "c"), (1, -2, 1))
    with pytest.raises(UserError, match="adds up to nothing"):
        target(current, parse("a - a"))


def test_a_zero_row_has_cosine_zero() -> None:
    assert unit(np.array([[3, 4], [0, 0]], np.float32)).tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0]]
    assert cosine(np.zeros(2, np.float32), np.ones(2, np.float32)) == 0.0
    with pytest.raises(
        UserError, match="metric 'manhattan' does not exist; choose one of cosine, inner_product, euclidean"
    ):
        Metric.parse("manhattan")


def test_parallel_share_counts_random_differences() -> None:
    from polysema.core.space.axes import parallel_share

    vectors = np.random.default_rng(1).normal(size=(500, 40)).astype(np.float32)
    assert parallel_share(-1.01, vectors) == 1.0
    assert parallel_share(0.0, vectors) == pytest.approx(0.5, abs=0.04)
    assert parallel_share(0.9, vectors) == 0.0
    with pytest.raises(UserError, match="at least 4 rows; got 3"):
        parallel_share(0.5, vectors[:3])
