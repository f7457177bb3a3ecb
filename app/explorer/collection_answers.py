"""Answers about a collection, the same for the command line and the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polysema.app.explorer.embedding import TextVectors
from polysema.app.explorer.results.collection import (
    CollectionInfo,
    CollectionSpace,
    CollectionVersion,
    CollectionVersions,
    RecallAnswer,
    RecallPoint,
    SearchAnswer,
)

if TYPE_CHECKING:
    from polysema.core.space.space import Space
    from polysema.indexes.collection import Collection
    from polysema.indexes.store.matches import Matches
    from polysema.indexes.store.view import CollectionView


def info_of(name: str, collection: Collection) -> CollectionInfo:
    """What a collection holds: its spaces with their provenance, rows, columns and version."""
    view = collection.view()
    manifest = view.manifest
    spaces = {
        space: CollectionSpace(
            view.n_rows(space), card.dim, card.metric, card.origin, len(view.segments[space]), indexes_of(view, space)
        )
        for space, card in manifest.spaces.items()
    }
    columns = {one.name: str(one.type) for one in manifest.columns}
    snapshots = tuple(collection.history.snapshots())
    return CollectionInfo(name, manifest.n_rows, manifest.version, manifest.what, snapshots, columns, spaces)


def indexes_of(view: CollectionView, space: str) -> str:
    """Which index how many of the rows of a space have."""
    kinds: dict[str, int] = {}
    for segment in view.segments[space]:
        kind = segment.ref.card["recipe"]["kind"] if segment.ref.card else "exact"
        kinds[kind] = kinds.get(kind, 0) + segment.n_live
    return ", ".join(f"{kind} {count:,}" for kind, count in kinds.items() if count) or "-"


def search_answer(matches: Matches, columns: Sequence[str] | None = None) -> SearchAnswer:
    """What a search found, with the columns of its rows (all, or those named)."""
    answers: list[list[dict[str, Any]]] = [[] for _ in range(len(matches))]
    for row in matches.table(columns).to_pylist():
        answers[row.pop("query")].append(row)
    return SearchAnswer(tuple(map(tuple, answers)), matches.version, matches.recall, matches.space)


def versions_of(collection: Collection) -> CollectionVersions:
    """The versions that one can go back to, oldest first, with the names of those that have one."""
    snapshots = collection.history.snapshots()
    named = {found.version: name for name, found in snapshots.items()}
    kept = {found.version: found for found in (*snapshots.values(), *collection.history.versions())}
    return CollectionVersions(
        tuple(
            CollectionVersion(number, kept[number].made, kept[number].n_rows, kept[number].what, named.get(number))
            for number in sorted(kept)
        )
    )


def recall_of(collection: Collection, space: str | None = None) -> RecallAnswer:
    """What each index of a space was measured to find, and how fast; nothing where every answer is exact."""
    view = collection.view()
    name = view.name(space)
    points = tuple(
        RecallPoint(
            segment.ref.rows,
            segment.ref.card["recipe"]["kind"],
            point["setting"],
            point["recall"],
            point["recall_100"],
            point["single"],
            point["batch"],
        )
        for segment in view.segments[name]
        if segment.ref.card
        for point in segment.ref.card["curve"]["points"]
    )
    return RecallAnswer(name, points)


def rows_of(space: Space) -> TextVectors:
    """Rows of a collection, with their ids first among their columns."""
    import pyarrow as pa

    table = pa.table({"id": space.keys.array})
    columns = space.columns if space.columns is not None else pa.table({})
    for name in columns.column_names:
        table = table.append_column(name, columns.column(name))
    return TextVectors(table, space.vectors, space.origin)
