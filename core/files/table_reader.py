"""Tables of named columns as vectors: Parquet, Arrow, datasets, JSON Lines, and delimited text."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from polysema.core.errors import UnreadableError
from polysema.core.files.json_lines import open_json_lines
from polysema.core.files.readers import Block, VectorSource, check_dim, row_names
from polysema.core.files.table_columns import TableColumns, choose_columns, names_of, vectors_of
from polysema.core.files.typed_tables import open_typed_table

BATCH_ROWS = 8192
# a damaged file is met in many ways: names that are not UTF-8, kinds that don't exist, pages that don't unpack
TABLE_FAULTS = (pa.ArrowException, OSError, ValueError, LookupError, MemoryError)


def read_typed(source: VectorSource) -> Iterator[Block]:
    """Parquet, Arrow and Feather files and saved datasets: the vectors as lists in one column or as a column of numbers
    each, a column of words or ids, others kept.
    """
    table = open_typed_table(source.path)
    yield from table_blocks(source, table.batches(), columns_of(source, table.schema))


def read_json_lines(source: VectorSource) -> Iterator[Block]:
    """JSON Lines: the vectors as a list in each object, a key of words or ids, others kept."""
    table = open_json_lines(source.path, source.opened)
    yield from table_blocks(source, table.batches(), columns_of(source, table.schema))


def columns_of(source: VectorSource, schema: pa.Schema) -> TableColumns:
    """What the columns of a table are, with what was guessed in the source's notes."""
    try:
        columns = choose_columns(schema)
    except UnreadableError as error:
        raise source.fail(str(error)) from None
    for note in columns.notes:
        source.notes.say(note)
    return columns


def table_blocks(source: VectorSource, batches: Iterator[pa.RecordBatch], columns: TableColumns) -> Iterator[Block]:
    """The blocks of a table's batches. Rows without a vector or a name are left out, and noted."""
    row, dim = 0, 0
    for batch in batches:
        places = np.arange(row + 1, row + 1 + batch.num_rows, dtype=np.int64)
        names = names_of(batch.column(columns.name)) if columns.name else row_names(row, batch.num_rows)
        row += batch.num_rows
        try:
            vectors, filled = vectors_of(batch, columns.vectors)
        except UnreadableError as error:
            raise source.fail(f"up to row {row:,} {error}") from None
        if not len(vectors):
            source.notes.found("empty", places)
            continue
        check_dim(source, vectors.shape[1])
        if dim and vectors.shape[1] != dim:
            raise source.fail(f"up to row {row:,} the vectors do not all have one dimension: {dim}, {vectors.shape[1]}")
        dim = vectors.shape[1]
        named = names.is_valid().to_numpy(zero_copy_only=False)
        source.notes.found("empty", places[~filled], _shown(names, ~filled))
        source.notes.found("nameless", places[filled & ~named])
        kept = filled & named
        others = _others(batch, columns)
        yield Block(
            names.filter(pa.array(kept)),
            vectors[named[filled]],
            places[kept],
            None if others is None else others.filter(pa.array(kept)),
        )


def _shown(names: pa.Array, rows: "np.typing.NDArray[np.bool_]") -> list[str]:
    return [word or "" for word in names.filter(pa.array(rows))[:5].to_pylist()]


def _others(batch: pa.RecordBatch, columns: TableColumns) -> pa.RecordBatch | None:
    """The columns that are neither names nor vectors, without dictionaries, which may differ from batch to batch."""
    if not columns.others:
        return None
    arrays = [batch.column(name) for name in columns.others]
    plain = [array.dictionary_decode() if pa.types.is_dictionary(array.type) else array for array in arrays]
    return pa.record_batch(plain, names=list(columns.others))
