"""A collection copied from one engine to another, a part at a time, every row compared with what was written."""

import numpy as np
import pyarrow as pa

from polysema.core.errors import CorruptError, NotFoundError
from polysema.core.progress import Progress, no_progress
from polysema.indexes.collection import Collection
from polysema.indexes.engines.address import is_address
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.store import copy as store_copy
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.columns import fitting


def copy_collection(source: str, target: str, progress: Progress = no_progress) -> int:
    """Copy the rows of a collection to a new one, each of them a folder or an address; how many rows.

    From folder to folder every byte is compared. Else the rows go part by part into the target, where an earlier copy
    that was stopped goes on (its rows are replaced by the same), are read back, and compared. Indexes are built by
    `compact`. Raises `ConflictError` when another collection is in the target, `CorruptError` where a row came back
    otherwise.
    """
    if not is_address(source) and not is_address(target):
        return store_copy.copy(source, target, progress)
    given = Collection.open(source)
    made = _target(given, target)
    view, done = given.view(), 0
    for name, card in view.manifest.spaces.items():
        made.spaces.create(name, card.dim, card.metric, card.origin)
        for batch in view.batches(name):
            made.upsert(batch.ids, batch.vectors, batch.columns, name, card.origin)
            _compare(batch, made, name, view.manifest.columns)
            done += len(batch)
            progress("rows", done, 0)
    return done


def _target(given: VectorCollection, target: str) -> VectorCollection:
    """The collection to copy into: a new one, or one whose spaces are all the source's, as a stopped copy leaves it."""
    try:
        made = Collection.open(target)
    except NotFoundError:
        return Collection.create(target)
    if set(made.spaces.names()) - set(given.spaces.names()) or made.view().manifest.n_rows > len(given):
        return Collection.create(target)  # which is refused: something else is there
    return made


def _compare(batch: Batch, made: VectorCollection, name: str, columns: pa.Schema) -> None:
    """Raise `CorruptError` where rows that were written come back otherwise."""
    back = made.get(batch.ids.to_pylist(), name)
    given = pa.table(fitting(batch.columns, len(batch), columns), schema=columns).to_pydict()
    there = back.columns.to_pydict() if back.columns is not None else {name: [None] * len(batch) for name in given}
    same = all(repr(values) == repr(there[name]) for name, values in given.items())  # NaN is NaN
    if not same or not np.array_equal(back.vectors, batch.vectors):
        raise CorruptError(f"{made.root}: rows of {name} came back otherwise than they were written; copy it again")
