"""The best rows of one version of a collection: of its large segments, and of its small ones together."""

from dataclasses import replace

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import check_k, checked, of_width
from polysema.indexes.filters import parse
from polysema.indexes.store.matches import Matches, Search
from polysema.indexes.store.segment_search import SegmentMatches, is_small, search_segment, search_small_segments
from polysema.indexes.store.view import CollectionView


def search_view(view: CollectionView, queries: Floats, how: Search) -> Matches:
    """The best rows for each query (n_queries, dim). See `Collection.search`."""
    check_k(how.k)
    if how.recall is not None and not 0 < how.recall <= 1:
        raise UserError(f"recall is a share of the true best, above 0 and at most 1; got {how.recall}")
    if not view.manifest.spaces and how.space is None:
        return _nothing(view, len(checked(queries, None, "queries")), how)
    name = view.name(how.space)
    card, segments = view.manifest.spaces[name], view.segments[name]
    # whether they are finite the index looks, too, where there is one
    queries = (checked if how.where is not None else of_width)(queries, card.dim, "queries")
    n_live = sum(segment.n_live for segment in segments)
    if not n_live:
        checked(queries, card.dim, "queries")
        return _nothing(view, len(queries), replace(how, space=name))
    if how.k > n_live:
        how = replace(how, k=n_live)
    masks = view.masks(name, how.where) if how.where is not None else None
    parts = [
        search_segment(place, segment, queries, how, masks[place] if masks else None)
        for place, segment in enumerate(segments)
        if segment.n_live and not is_small(segment, view.limits)
    ]
    tail = view.small_segments.of(name)
    if tail is not None:
        parts.append(search_small_segments(tail, queries, how.k, masks))
    return _merged(view, parts, queries, how.k, name)


def _nothing(view: CollectionView, n_queries: int, how: Search) -> Matches:
    """The answer where there are no rows: nothing, for each query. The condition is checked as far as columns are
    known.
    """
    if how.where is not None:
        condition = parse(how.where) if isinstance(how.where, str) else how.where
        if view.manifest.columns.names:
            condition.check(view.schema)
    none = np.empty((n_queries, 0), np.int64)
    return Matches([[]] * n_queries, none.astype(np.float32), how.space or "", 1.0, view, none, none)


def _merged(view: CollectionView, parts: list[SegmentMatches], queries: Floats, k: int, name: str) -> Matches:
    if len(parts) == 1 and parts[0].rows.shape[1] == k:
        best = parts[0]
        places, rows, scores = best.places, best.rows, best.scores
    else:
        places, rows = (np.concatenate([getattr(part, what) for part in parts], axis=1) for what in ("places", "rows"))
        scores = np.concatenate([part.scores for part in parts], axis=1)
        order = np.lexsort((rows, places, -scores))[:, :k]
        places, rows = (np.take_along_axis(what, order, axis=1) for what in (places, rows))
        scores = np.take_along_axis(scores, order, axis=1)
    if scores.shape[1] < k:
        short = ((0, 0), (0, k - scores.shape[1]))
        places, rows = (np.pad(what, short, constant_values=-1) for what in (places, rows))
        scores = np.pad(scores, short, constant_values=-np.inf)
    recall: float | None = None
    if all(part.recall is not None for part in parts):
        looked = sum(part.n for part in parts)
        recall = sum((part.recall or 0) * part.n for part in parts) / looked if looked else 1.0
    ids = _ids(view, name, places, rows)
    return Matches(ids, scores.astype(np.float32), name, recall, view, places, rows)


def _ids(view: CollectionView, name: str, places: Ints, rows: Ints) -> list[list[str]]:
    segments = view.segments[name]
    found = []
    for line_places, line_rows in zip(places, rows, strict=True):
        if len(segments) == 1:
            found.append(segments[0].stored.table.keys.take(line_rows[line_rows >= 0]))
            continue
        line = zip(line_places.tolist(), line_rows.tolist(), strict=True)
        found.append([segments[place].stored.table.keys[row] for place, row in line if row >= 0])
    return found
