"""Which column of a table names its rows, which holds the vectors, and what becomes of the others."""

import numpy as np
import pyarrow as pa
import pytest

from polysema.core.errors import UnreadableError
from polysema.core.files.table_columns import ID_NAMES, WORD_NAMES, choose_columns, names_of, vectors_of

LISTS = pa.list_(pa.float32())
INTEGERS = pa.list_(pa.int64())


def schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


@pytest.mark.parametrize(
    ("columns", "word", "identity", "vectors", "others"),
    [
        (
            {"id": pa.string(), "text": pa.string(), "year": pa.int64(), "embedding": LISTS},
            "id",
            "id",
            ("embedding",),
            ("text", "year"),
        ),
        ({"text": pa.string(), "anything": LISTS}, "text", "text", ("anything",), ()),
        ({"id": pa.int64(), "word": pa.string(), "vector": LISTS}, "word", "id", ("vector",), None),
        ({"ID": pa.int64(), "Embedding": LISTS}, "ID", "ID", ("Embedding",), ()),
        ({"word": pa.string(), "freq": pa.float64(), "vector": LISTS}, "word", "word", ("vector",), ("freq",)),
        (
            {"word": pa.string(), "freq": pa.float64(), "v0": pa.float64(), "v1": pa.float64()},
            "word",
            "word",
            ("v0", "v1"),
            ("freq",),
        ),
        ({"w": pa.string(), "v1": pa.int8(), "v10": pa.int8(), "v2": pa.int8()}, "w", "w", None, None),
        ({"w": pa.dictionary(pa.int8(), pa.string()), "2": pa.int8(), "1": pa.int8()}, "w", "w", ("1", "2"), ()),
        ({"word": pa.string_view(), "vector": pa.list_view(pa.int16())}, "word", "word", ("vector",), ()),
        ({"n": pa.int64(), "vector": LISTS}, "", "", ("vector",), ("n",)),
        ({"text": pa.string(), "vector": LISTS, "__index_level_0__": pa.int64()}, "text", "text", ("vector",), None),
        ({"vector": LISTS, "__index_level_0__": pa.int64()}, "__index_level_0__", "__index_level_0__", ("vector",), ()),
        (
            {"__index_level_0__": pa.string(), "text": pa.string(), "v": LISTS},
            "__index_level_0__",
            "__index_level_0__",
            ("v",),
            ("text",),
        ),
        ({"id": pa.null(), "name": pa.string(), "vector": LISTS}, "name", "name", ("vector",), ("id",)),
        ({"id": pa.float64(), "x": pa.float64(), "y": pa.float64()}, "id", "id", ("x", "y"), ()),
        ({"id": pa.string(), "tokens": INTEGERS, "states": LISTS}, "id", "id", ("states",), ("tokens",)),
        ({"id": pa.string(), "states": LISTS, "vector": LISTS}, "id", "id", ("vector",), ("states",)),
        ({"word": pa.string(), "many": pa.list_(LISTS), "vector": LISTS}, "word", "word", ("vector",), ("many",)),
    ],
)
def test_every_column_has_one_part(
    columns: dict[str, pa.DataType],
    word: str,
    identity: str,
    vectors: tuple[str, ...] | None,
    others: tuple[str, ...] | None,
) -> None:
    if vectors is None:
        with pytest.raises(
            UnreadableError, match="a column of lists of numbers named vector is needed; it has: w string"
        ):
            choose_columns(schema(**columns))
        return
    as_space, as_rows = choose_columns(schema(**columns), WORD_NAMES), choose_columns(schema(**columns), ID_NAMES)
    assert (as_space.name, as_rows.name) == (word, identity)
    assert as_space.vectors == as_rows.vectors == vectors
    for found in (as_space, as_rows):
        assert sorted([found.name, *found.vectors, *found.others]) == sorted({*columns, found.name})
        if others is not None:
            assert found.others == others


def test_what_is_guessed_is_noted() -> None:
    two = choose_columns(schema(id=pa.string(), a=LISTS, b=LISTS))
    assert two.notes == ("several columns hold lists of numbers: 'a' is taken as the vectors, not 'b'",)
    assert choose_columns(schema(id=pa.string(), a=LISTS, b=LISTS), vector_column="b").vectors == ("b",)
    assert "named by their numbers" in choose_columns(schema(a=LISTS)).notes[0]
    assert "named by 'p', the first one" in choose_columns(schema(p=pa.string(), q=pa.string(), a=LISTS)).notes[0]
    assert choose_columns(schema(word=pa.string(), a=LISTS)).notes == ()


def test_what_was_asked_for_must_be_there() -> None:
    for given in ({"name_column": "nope"}, {"vector_column": "nope"}):
        with pytest.raises(UnreadableError, match="there is no column 'nope'; it has: id string, a list"):
            choose_columns(schema(id=pa.string(), a=LISTS), **given)
    with pytest.raises(UnreadableError, match="'id' holds string, not lists of numbers"):
        choose_columns(schema(id=pa.string(), a=LISTS), vector_column="id")
    with pytest.raises(UnreadableError, match="two columns are called 'a'"):
        choose_columns(pa.schema([("a", LISTS), ("a", LISTS)]))


def test_names_of_any_type() -> None:
    assert names_of(pa.array([1, None])).to_pylist() == ["1", None]
    assert names_of(pa.array([1.0, float("nan"), 2.5])).to_pylist() == ["1", None, "2.5"]
    assert names_of(pa.array(["a", None, "a"]).dictionary_encode()).to_pylist() == ["a", None, "a"]
    assert names_of(pa.chunked_array([["a"], ["b"]], pa.string_view())).to_pylist() == ["a", "b"]


def test_vectors_of_any_type() -> None:
    lists = pa.array([[1, 2], None, [3, 4]], INTEGERS)
    tensors = pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.float16(), [2]), pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float16(), 2))
    )
    for column in (
        lists,
        pa.array(lists.to_pylist(), pa.list_(pa.float64(), 2)),
        pa.array(lists.to_pylist(), pa.list_view(pa.int64())),
        tensors,
    ):
        for batch in (pa.record_batch({"v": column}), pa.table({"v": column})):
            vectors, there = vectors_of(batch, ["v"])
            assert (vectors.dtype, vectors.tolist()) == (np.float32, [[1, 2], [3, 4]])
            assert there.tolist() == [True, False, True]
    wide = pa.table({"v0": [1, 2], "v1": [0.5, None]})
    np.testing.assert_array_equal(vectors_of(wide, ["v0", "v1"])[0], [[1, 0.5], [2, np.nan]])
    with pytest.raises(UnreadableError, match="not all have one dimension: 1, 2"):
        vectors_of(pa.table({"v": [[1.0], [1.0, 2.0]]}), ["v"])
