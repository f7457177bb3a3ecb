"""Files of vectors that are tables with columns of names: which column is what, and all rows as they stand there.

Unlike a space, whose keys are words that stand there once, a table keeps every row.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from polysema.core.files.delimited import delimited_table
from polysema.core.files.json_lines import open_json_lines
from polysema.core.files.readers import Block, Notes, VectorSource
from polysema.core.files.recognition import find_fitting_metadata, layout_of
from polysema.core.files.tensorboard_reader import count_rows, read_tensorboard
from polysema.core.files.typed_tables import Batches, TypedTable, open_typed_table, typed_kind
from polysema.core.files.unpacking import open_text
from polysema.core.files.vocabulary import find_metadata, read_metadata

Note = Callable[[str], None]


def open_vector_table(path: Path, note: Note) -> TypedTable | None:
    """The table in a file or folder, None where it is none: words and vectors without columns, or arrays.

    What was found out of it is noted. Raises what reading it raises.
    """
    if typed_kind(path):
        return open_typed_table(path)
    form, encoding = layout_of(path)
    if form == "jsonl":
        return open_json_lines(path, lambda: open_text(path, encoding))
    if form not in ("csv", "tensorboard"):
        return None
    companion = (find_metadata(path) or find_fitting_metadata(path)) if form == "tensorboard" else None
    notes = Notes("row")
    source = VectorSource(path, lambda: open_text(path, encoding), notes, companion)
    table = delimited_table(source) if companion is None else _of_pair(source)
    for line in notes.lines():
        note(line)
    return table


def _of_pair(source: VectorSource) -> TypedTable:
    """TensorBoard's pair: the columns of the metadata, and the vectors beside them."""
    metadata = read_metadata(source, count_rows(source))
    quiet = VectorSource(source.path, source.opened, Notes("row"), source.companion)  # said once is enough
    names = [metadata.name, *([] if metadata.columns is None else metadata.columns.schema.names)]
    vector = next(name for name in ("vector", "vectors", "vector of the row") if name not in names)

    def batch_of(block: Block) -> pa.RecordBatch:
        numbers = pa.array(block.vectors.reshape(-1))
        lists = pa.FixedSizeListArray.from_arrays(numbers, block.vectors.shape[1])
        others = [] if block.columns is None else block.columns.columns
        return pa.record_batch([block.words, *others, lists], names=[*names, vector])

    def read(columns: Sequence[str], rows: int) -> Batches:
        for block in read_tensorboard(quiet):
            batch = batch_of(block)
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows).select(list(columns))

    schema = batch_of(next(read_tensorboard(quiet))).schema
    return TypedTable(source.path, "a TensorBoard pair", schema, None, read)
