"""Which column of a table is what: the one that names its rows, those that hold the vectors, and all others.

One rule for Parquet, CSV and Arrow tables, whether they are read as a space (whose keys are words) or go into a
collection (whose rows have ids). What is guessed is noted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.display import clip_text
from polysema.core.errors import UnreadableError
from polysema.core.space.space import Floats

PANDAS_INDEX = "__index_level_0__"
_WORDS = ("word", "words", "key", "token", "term", "label", "name")
_IDS = ("id", "ids", "_id", PANDAS_INDEX, "index")
_DOCUMENT_IDS = ("uuid", "guid", "doc_id", "docid", "document_id", "chunk_id", "passage_id", "pid", "item_id", "row_id")
_TEXTS = ("text", "texts", "sentence", "title", "content")
WORD_NAMES = (*_WORDS, *_IDS, *_DOCUMENT_IDS, *_TEXTS)  # what the column of a space's words is called, best first
ID_NAMES = (*_IDS, *_WORDS, *_DOCUMENT_IDS, *_TEXTS)  # the same of a collection's ids
ID_ONLY_NAMES = (*_IDS, *_DOCUMENT_IDS, "word", "words", "key", "token", "term")  # whose values are ids and no more
VECTOR_NAMES = ("vector", "vectors", "embedding", "embeddings", "emb", "vec")
SHOWN_COLUMNS = 5
MIN_WIDE = 8  # numbered columns of numbers that are vectors although lists of whole numbers stand beside them
_NUMBERED = re.compile(r"(.*?)(\d{1,6})")
_LIST_TESTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


@dataclass(frozen=True, slots=True)
class TableColumns:
    """What the columns of a table are.

    `name` is the column whose values name the rows ("" where none does: then their numbers do), `vectors` one column of
    lists or a column of numbers for each dimension, `others` all that are left, and `notes` what was guessed.
    """

    name: str
    vectors: tuple[str, ...]
    others: tuple[str, ...]
    notes: tuple[str, ...] = ()


def choose_columns(
    schema: pa.Schema,
    names: Sequence[str] = WORD_NAMES,
    name_column: str | None = None,
    vector_column: str | None = None,
) -> TableColumns:
    """What the columns of a table of this schema are.

    Args:
        schema: the columns' names and types.
        names: what the column that names the rows may be called, best first: `WORD_NAMES` or `ID_NAMES`.
        name_column: the column that names the rows, where the user says which.
        vector_column: the column that holds the vectors, or the beginning of the names of numbered ones (`emb_` of
            `emb_0`, `emb_1`, ...), where the user says which.

    Raises `UnreadableError` that lists the columns where there are no vectors, two columns of one name, or no column of
    a name that was given.
    """
    if len(set(schema.names)) < len(schema.names):
        double = next(name for name in schema.names if schema.names.count(name) > 1)
        raise UnreadableError(f"two columns are called {double!r}; rename one")
    if name_column is not None and name_column not in schema.names:
        raise UnreadableError(f"there is no column {name_column!r}; it has: {describe(schema)}")
    notes: list[str] = []
    vectors = _vector_columns(schema, name_column, vector_column, notes)
    name = name_column if name_column is not None else _name_column(schema, vectors, names, notes)
    taken = {*vectors, name}
    others = tuple(field.name for field in schema if field.name not in taken)
    return TableColumns(name, vectors, others, tuple(notes))


def _vector_columns(
    schema: pa.Schema, name_column: str | None, vector_column: str | None, notes: list[str]
) -> tuple[str, ...]:
    lists = [field.name for field in schema if is_vector_type(field.type)]
    numbers = [field for field in schema if _is_number(field.type) and field.name != name_column]
    if vector_column is not None:
        stem = _numbered([field.name for field in numbers if field.name.startswith(vector_column)])
        if vector_column not in lists and stem:
            return stem
        if vector_column not in schema.names:
            raise UnreadableError(f"there is no column {vector_column!r}; it has: {describe(schema)}")
        if vector_column not in lists:
            raise UnreadableError(
                f"the column {vector_column!r} holds {schema.field(vector_column).type}, not lists of numbers"
            )
        return (vector_column,)
    numbered = _numbered([field.name for field in numbers])
    of_integers = not any(pa.types.is_floating(_plain(schema.field(name).type).value_type) for name in lists)
    if of_integers and not find_column(lists, VECTOR_NAMES) and len(numbered) >= MIN_WIDE:
        return numbered
    if lists:
        of_floats = [name for name in lists if pa.types.is_floating(_plain(schema.field(name).type).value_type)]
        chosen = find_column(lists, VECTOR_NAMES) or (of_floats or lists)[0]
        if len(lists) > 1:
            left = ", ".join(repr(name) for name in lists if name != chosen)
            notes.append(f"several columns hold lists of numbers: {chosen!r} is taken as the vectors, not {left}")
        return (chosen,)
    if numbered:
        return numbered
    floats = tuple(
        field.name for field in numbers if pa.types.is_floating(field.type) and field.name.lower() not in _IDS
    )
    if not floats:
        raise UnreadableError(f"a column of lists of numbers named vector is needed; it has: {describe(schema)}")
    notes.append(f"no column holds lists: the {len(floats):,} columns of numbers are the vectors ({_few(floats)})")
    return floats


def _name_column(schema: pa.Schema, vectors: tuple[str, ...], names: Sequence[str], notes: list[str]) -> str:
    taken = set(vectors)
    left = [field for field in schema if field.name not in taken and not pa.types.is_null(field.type)]
    unnamed = {field.name for field in left if field.name == PANDAS_INDEX and not is_string_type(field.type)}
    plain = [field.name for field in left if not pa.types.is_nested(_plain(field.type)) and field.name not in unnamed]
    if found := find_column(plain, names):
        return found
    strings = [field.name for field in left if is_string_type(field.type)]
    if not strings and unnamed:  # the numbers of rows that pandas had before some were left out
        return PANDAS_INDEX
    if not strings:
        notes.append("no column holds words or ids: the rows are named by their numbers, from 0")
        return ""
    if len(strings) > 1:
        notes.append(f"no column is called word or id: the rows are named by {strings[0]!r}, the first one of strings")
    answer: str = strings[0]
    return answer


def find_column(columns: Sequence[str], names: Sequence[str]) -> str:
    """The first of these names that a column has, as it is written or in another case."""
    lowered = {column.lower(): column for column in reversed(columns)}
    return next(
        (column for name in names for column in (name if name in columns else lowered.get(name),) if column), ""
    )


def _numbered(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns `v0`, `v1`, … of the most common stem, in the order of their numbers, where none is missing."""
    stems: dict[str, dict[int, str]] = {}
    for column in columns:
        if found := _NUMBERED.fullmatch(column):
            stems.setdefault(found[1], {})[int(found[2])] = column
    places = max(stems.values(), key=len, default={})
    first = min(places, default=0)
    whole = len(places) > 1 and first in (0, 1) and max(places) == first + len(places) - 1
    return tuple(places[place] for place in sorted(places)) if whole else ()


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type without its wrapping: of an extension type (a tensor of fixed shape, say) what it is stored as."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def is_vector_type(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists of numbers."""
    kind = _plain(kind)
    return any(test(kind) for test in _LIST_TESTS) and _is_number(kind.value_type)


def has_vectors(schema: pa.Schema) -> bool:
    """Whether a table holds vectors: lists of numbers with a point, or of a name or a type that only vectors have, or
    a wide table of numbered columns.
    """
    for field in schema:
        kind = _plain(field.type)
        if is_vector_type(kind) and (
            pa.types.is_floating(kind.value_type)
            or pa.types.is_fixed_size_list(kind)
            or field.name.casefold() in VECTOR_NAMES
        ):
            return True
    return len(_numbered([field.name for field in schema if _is_number(field.type)])) >= MIN_WIDE


def is_string_type(kind: pa.DataType) -> bool:
    """Whether a column of this type holds strings, however they are encoded."""
    if pa.types.is_dictionary(kind):
        return is_string_type(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def describe(schema: pa.Schema) -> str:
    """The first columns of a table with their types."""
    return _few([f"{field.name} {field.type}" for field in schema]) or "none"


def _few(parts: Sequence[str]) -> str:
    shown = ", ".join(clip_text(part, 240) for part in parts[:SHOWN_COLUMNS])
    return shown + (f" and {len(parts) - SHOWN_COLUMNS:,} more" if len(parts) > SHOWN_COLUMNS else "")


def names_of(column: "pa.Array | pa.ChunkedArray") -> pa.Array:
    """The values of a column as large strings, null where there is none: 1.0 is `1`, and NaN is no name."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # too large for one chunk of its type
        column = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in column.chunks])
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    names = column.cast(pa.large_string())
    names.validate(full=True)
    return names


def vectors_of(batch: "pa.RecordBatch | pa.Table", columns: Sequence[str]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The vectors of a batch, (m, dim) float32, and which of its rows have one, (n,), of which m are true.

    Raises `UnreadableError` when they do not all have one dimension.
    """
    if len(columns) > 1 or not is_vector_type(batch.schema.field(columns[0]).type):
        parts = [np.asarray(batch.column(name).cast(pa.float32(), safe=False)) for name in columns]
        return np.ascontiguousarray(np.stack(parts, axis=1), np.float32), np.ones(batch.num_rows, bool)
    column = batch.column(columns[0])
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    there = column.is_valid().to_numpy(zero_copy_only=False)
    if column.null_count:
        column = column.drop_null()
    if not len(column):
        return np.empty((0, 0), np.float32), there
    widths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(widths) != 1:
        raise UnreadableError(f"the vectors do not all have one dimension: {', '.join(map(str, sorted(widths)[:5]))}")
    flat = column.flatten().cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    vectors: Floats = np.asarray(flat, np.float32).reshape(len(column), int(widths[0]))
    return vectors, there
