"""Compactions: a space's rows written anew as one segment with its index, while others read and write."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.errors import BusyError, ConflictError
from polysema.core.progress import Progress
from polysema.indexes.engines.protocol import View
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.manifest import COMPACTING, SEGMENTS, SegmentRef, SpaceCard
from polysema.indexes.store.new_file import discard, locked, writing
from polysema.indexes.store.segment import Segment, StoredRows
from polysema.indexes.store.segment_files import SegmentLayout, write_dead, write_segment
from polysema.indexes.store.view import CollectionView

if TYPE_CHECKING:
    from polysema.indexes.index_spec import IndexSpec


def compacting(disk: Disk, root: Path) -> bool:
    """Whether a compaction is under way."""
    try:
        with locked(root / COMPACTING, 0, "compacted"):
            return False
    except BusyError:
        return True


def planned(
    view: View,
    name: str,
    index: "IndexSpec | str | None",
    memory_bytes: int | None = None,
    recall: float | None = None,
) -> "tuple[IndexSpec | None, str]":
    """The recipe of the index that a compaction builds, and why that one."""
    from polysema.indexes.index_spec import IndexSpec, choose

    card = view.manifest.spaces[name]
    if index is None and card.index is not None:
        if card.index["kind"] == "none":
            return None, "the exact search, as before"
        before = IndexSpec.from_json(card.index)
        return before, f"{before.kind}, as before"
    if isinstance(index, IndexSpec):
        return index, f"{index.kind}, as requested"
    if index in ("none", "flat"):
        return None, "the exact search, as requested"
    if index is None or index == "auto":
        recipe, reason = choose(max(1, view.n_rows(name)), card.dim, memory_bytes, recall, card.metric)
        return None if recipe.kind == "flat" else recipe, reason
    return IndexSpec.parse(index), f"{index}, as requested"


def compacted(
    disk: Disk, root: Path, view: CollectionView, name: str, recipe: "IndexSpec | None", progress: Progress
) -> tuple[SegmentRef | None, list[Segment]]:
    """The rows of a space as one new segment with its index (`recipe` of it, None for none), and the segments it is
    made of. Nothing is published; bounded memory but for what the index itself needs."""
    sources = list(view.segments[name])
    card = view.manifest.spaces[name]
    rows = sum(segment.n_live for segment in sources)
    if not rows:
        return None, sources

    def batches() -> Iterator[Batch]:
        done = 0
        for segment in sources:
            start = 0
            for block in segment.stored.blocks():
                live = np.flatnonzero(segment.live[start : start + len(block)])
                start += len(block)
                if len(live):
                    yield block if len(live) == len(block) else block.take(live)
                done += len(live)
                progress("rows", done, rows)

    if recipe is not None:
        progress(f"index {recipe.kind} takes {recipe.cost(rows, card.dim)}", 0, rows)
    ref = write_segment(disk, root, SegmentLayout(name, card, rows, view.manifest.columns), batches())
    if recipe is None:
        return ref, sources
    try:
        return indexed(disk, root, ref, card, recipe, progress), sources
    except BaseException:  # stopped: nothing refers to what was written
        for file in ref.files():
            discard(disk, root / SEGMENTS / file.name)
        raise


def indexed(
    disk: Disk, root: Path, ref: SegmentRef, card: SpaceCard, recipe: "IndexSpec", progress: Progress
) -> SegmentRef:
    """The segment with a new index of that recipe beside it."""
    from polysema.indexes.faiss_index import FaissIndex

    vectors = StoredRows(disk, root, replace(ref, index=None, card=None), card).vectors
    index = FaissIndex(vectors, card.metric, recipe, progress=progress)
    path = root / SEGMENTS / f"{ref.name}.{uuid.uuid4().hex[:12]}.faiss"
    with writing(disk, path) as file:
        index.write(file.write)
    return replace(ref, index=file.ref, card=index.card())


def carried_over(
    disk: Disk, root: Path, new: SegmentRef | None, sources: list[Segment], view: CollectionView
) -> tuple[SegmentRef, ...]:
    """The segments of the newest version (`view`) with `new` in the place of the `sources` that it was made of.

    Rows that were deleted, replaced or moved since they were read are dead in `new`. Raises `ConflictError` when one is
    there that was dead (the collection was taken back to an earlier version meanwhile).
    """
    now = {segment.ref.name: segment for segments in view.segments.values() for segment in segments}
    gone = []
    for source in sources:
        there = now.get(source.ref.name)
        live = there.live if there is not None else np.zeros(source.ref.rows, bool)
        if (live & ~source.live).any():
            raise ConflictError(f"{root} was taken back while it was compacted, and nothing was compacted; try again")
        gone.append(~live[source.live])
    names = {source.ref.name for source in sources}
    kept = tuple(ref for ref in view.manifest.segments if ref.name not in names)
    dead = np.concatenate(gone) if gone else np.empty(0, bool)
    if new is None or dead.all():
        return kept
    if dead.any():
        new = replace(new, dead=write_dead(disk, root, new.name, dead), n_dead=int(dead.sum()))
    return (new, *kept)
