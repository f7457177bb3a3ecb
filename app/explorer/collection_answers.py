"""Answers about a collection, the same for the command line and the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from polysema.app.explorer.embedding import TextVectors
from polysema.app.explorer.lazy_rows import LazyRows
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
    from polysema.indexes.engines.protocol import VectorCollection, View
    from polysema.indexes.store.matches import Matches


MAX_READ_HITS = 4096  # rows found whose columns are read at once


def info_of(name: str, collection: VectorCollection) -> CollectionInfo:
    """What a collection holds: its spaces with their provenance, rows, columns and version."""
    view = collection.view()
    manifest = view.manifest
    spaces = {
        space: CollectionSpace(
            view.n_rows(space), card.dim, card.metric, card.origin, len(view.parts(space)), indexes_of(view, space)
        )
        for space, card in manifest.spaces.items()
    }
    columns = {one.name: str(one.type) for one in manifest.columns}
    snapshots = tuple(collection.history.snapshots())
    return CollectionInfo(name, manifest.n_rows, manifest.version, manifest.what, snapshots, columns, spaces)


def indexes_of(view: View, space: str) -> str:
    """Which index how many of the rows of a space have."""
    kinds: dict[str, int] = {}
    for part in view.parts(space):
        kind = part.card["recipe"]["kind"] if part.card else "exact"
        kinds[kind] = kinds.get(kind, 0) + part.rows
    return ", ".join(f"{kind} {count:,}" for kind, count in kinds.items() if count) or "-"


def search_answer(matches: Matches, columns: Sequence[str] | None = None) -> SearchAnswer:
    """What a search found, with the columns of its rows (all, or those named)."""
    return search_answers(matches, (len(matches),), columns)[0]


def search_answers(
    matches: Matches, counts: Sequence[int], columns: Sequence[str] | None = None
) -> tuple[SearchAnswer, ...]:
    """What a search for several questions at once found, one answer for each: the first for the first `counts[0]`
    queries, and so on. The rows of a large answer are read from the collection when they are looked at.
    """
    lines: Sequence[Sequence[dict[str, object]]]
    if matches.rows.size > MAX_READ_HITS:
        lines = [MatchedHits(matches, query, columns) for query in range(len(matches))]
        _hits(matches.part(0, 0, 0), columns)  # a column that isn't there is told now
    else:
        lines = [tuple(line) for line in _hits(matches, columns)]
    answers, start = [], 0
    for count in counts:
        some = cast("tuple[tuple[dict[str, object], ...], ...]", tuple(lines[start : start + count]))
        answers.append(SearchAnswer(some, matches.version, matches.recall, matches.space))
        start += count
    return tuple(answers)


class MatchedHits(LazyRows):
    """The rows that were found for one of many queries.

    Args:
        matches: What a search found.
        query: Which of its queries, from 0.
        columns: Those of the rows (None: all).
    """

    def __init__(self, matches: Matches, query: int, columns: Sequence[str] | None):
        self._matches, self._query, self._columns = matches, query, columns

    def __len__(self) -> int:
        return len(self._matches.ids[self._query])

    def read(self, start: int, stop: int) -> list[dict[str, object]]:
        """The rows from one rank (from 0) to before another."""
        return _hits(self._matches.part(self._query, start, stop), self._columns, start)[0]


def _hits(matches: Matches, columns: Sequence[str] | None, before: int = 0) -> list[list[dict[str, object]]]:
    """The rows found for each query, of which `before` better ones were left out."""
    names = matches.view.schema.names if columns is None else columns
    if matches.space and set(names) <= {"id"}:  # no column but the id, which is there already
        return [
            [
                {"rank": rank, "score": score, "id": name}
                for rank, (name, score) in enumerate(zip(ids, scores, strict=False), before + 1)
            ]
            for ids, scores in zip(matches.ids, matches.scores.tolist(), strict=True)
        ]
    lines: list[list[dict[str, object]]] = [[] for _ in range(len(matches))]
    for row in matches.table(columns).to_pylist():
        row["rank"] += before
        lines[row.pop("query")].append(row)
    return lines


def versions_of(collection: VectorCollection) -> CollectionVersions:
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


def recall_of(collection: VectorCollection, space: str | None = None) -> RecallAnswer:
    """What each index of a space was measured to find, and how fast; nothing where every answer is exact."""
    view = collection.view()
    name = view.name(space)
    points = tuple(
        RecallPoint(
            part.built,
            part.card["recipe"]["kind"],
            point["setting"],
            point["recall"],
            point["recall_100"],
            point["single"],
            point["batch"],
        )
        for part in view.parts(name)
        if part.card
        for point in part.card["curve"]["points"]
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
