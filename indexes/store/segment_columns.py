"""The ids and columns of a segment, read from its Parquet file as they are wanted."""

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polysema.core.space.space import Ints, Keys
from polysema.indexes.store.column_types import cast
from polysema.indexes.store.sealed_file import SealedFile, Stream

MAX_KEPT_ROWS = 65_536  # rows of a streamed segment up to which a column that was read stays in memory


class SegmentColumns:
    """The ids and columns of `n_rows` rows. With `streams` those of a large segment are read again and again."""

    def __init__(self, data: SealedFile, n_rows: int):
        self.streams = False
        self._data, self._n_rows = data, n_rows
        self._columns: dict[str, pa.Array] = {}
        self._making = threading.RLock()

    def parquet(self) -> pq.ParquetFile:
        """The truth, open."""
        return pq.ParquetFile(pa.PythonFile(Stream(self._data), mode="r"))

    def columns(self, names: Sequence[str], schema: pa.Schema) -> dict[str, pa.Array]:
        """These columns, each read once; nulls for one that came later than the segment. `id` is one of them."""
        with self._making:
            missing = [name for name in names if name not in self._columns]
            if missing:
                file = self.parquet()
                there = set(file.schema_arrow.names)
                table = file.read([name for name in missing if name in there], use_threads=False)
                for name in missing:
                    if name in there:
                        column = table.column(name)
                        self._columns[name] = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
                    else:
                        self._columns[name] = pa.nulls(self._n_rows, schema.field(name).type)
            for name in names:  # a column that was widened after the segment was written
                if name in schema.names and self._columns[name].type != schema.field(name).type:
                    self._columns[name] = cast(self._columns[name], schema.field(name).type, as_text=True)
            return {name: self._columns[name] for name in names}

    def column_blocks(self, names: Sequence[str], schema: pa.Schema) -> Iterator[pa.Table]:
        """These columns of all rows, a row group at a time, of which none stays in memory; as they are, where they are
        in memory already.
        """
        if all(name in self._columns for name in names):
            yield pa.table(self.columns(names, schema))
            return
        file = self.parquet()
        for group in range(file.num_row_groups):
            yield _columns_of(file, group, names, schema)

    def rows_of(self, names: Sequence[str], rows: Ints, schema: pa.Schema) -> pa.Table:
        """These columns of some rows. Of a segment that is to `stream` only their row groups are read."""
        if not self.streams or self._n_rows <= MAX_KEPT_ROWS:
            return pa.table(self.columns(names, schema)).take(pa.array(rows))
        file = self.parquet()
        starts = np.cumsum([0, *(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))])
        groups, found, order = np.searchsorted(starts, rows, side="right") - 1, [], []
        for group in np.unique(groups):
            mine = np.flatnonzero(groups == group)
            block = _columns_of(file, int(group), names, schema)
            found.append(block.take(pa.array(rows[mine] - starts[group])))
            order.append(mine)
        if not found:
            return pa.schema([schema.field(name) for name in names]).empty_table()
        return pa.concat_tables(found).take(pa.array(np.argsort(np.concatenate(order), kind="stable")))

    @cached_property
    def keys(self) -> Keys:
        """The ids, by row."""
        return Keys(self.columns(["id"], pa.schema([]))["id"])

    def find(self, ids: pa.Array) -> Ints:
        """The row of each id, -1 where it isn't here: (n,). Without a table of all ids: one pass over them."""
        if len(ids) <= 8:
            return np.array([self.keys.row(name) for name in ids.to_pylist()], np.int64)
        found = np.full(len(ids), -1, np.int64)
        places = pc.index_in(self.keys.array, value_set=ids).fill_null(-1).to_numpy()
        rows = np.flatnonzero(places >= 0)
        found[places[rows]] = rows
        return found


def _columns_of(file: pq.ParquetFile, group: int, names: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Columns of one row group by the schema of the collection: nulls for one that came later, others cast."""
    there = set(file.schema_arrow.names)
    table = file.read_row_group(group, [name for name in names if name in there], use_threads=False)
    fields = [schema.field(name) for name in names]
    n_rows = file.metadata.row_group(group).num_rows
    arrays = [
        cast(table.column(one.name).combine_chunks(), one.type, as_text=True)
        if one.name in there
        else pa.nulls(n_rows, one.type)
        for one in fields
    ]
    return pa.table(arrays, schema=pa.schema(fields))
