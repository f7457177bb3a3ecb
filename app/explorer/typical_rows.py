"""What sets some rows of a space apart from the rest: words, values of columns, and what is nearest to their mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from polysema.app.explorer.column_charts import column_charts
from polysema.app.explorer.results import Neighbor
from polysema.app.explorer.results.columns import TypicalRows, ValueShare, WordShare
from polysema.app.explorer.space_search import condition_table
from polysema.core.errors import UserError
from polysema.core.maps.region_names import words_of
from polysema.core.space.label_search import labels_of
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints, Space
from polysema.indexes.filters import parse

MAX_WORDS, MAX_VALUES = 15, 15
MAX_TEXTS = 20_000  # of the selection, and of the rest, evenly spread
MIN_SHARE = 0.02  # of the rows, from which on a word or a value is typical of them


def checked_rows(rows: Sequence[int], n: int) -> Ints:
    """Row numbers, ascending, each once; raises `UserError` for none, all, or one that isn't there."""
    chosen = np.unique(np.asarray(rows, np.int64))
    if not len(chosen) or len(chosen) >= n:
        raise UserError(f"some of the {n:,} rows can be compared with the rest; got {len(chosen):,}")
    if int(chosen[0]) < 0 or int(chosen[-1]) >= n:
        raise UserError(f"rows are from 0 to {n - 1:,}; got {int(chosen[0]):,} to {int(chosen[-1]):,}")
    return chosen


def typical_rows(space: Space, chosen: Ints, nearest: Sequence[Neighbor], mean: Floats) -> TypicalRows:
    """What sets `chosen` rows apart from the rest; `nearest` are the rows nearest to their `mean` (dim,)."""
    inside = np.zeros(len(space), np.bool_)
    inside[chosen] = True
    cosines = unit(space.vectors) @ unit(mean[None])[0]
    return TypicalRows(
        len(chosen),
        len(space),
        _words(space, inside),
        _values(space, inside),
        tuple(nearest),
        float(cosines[inside].mean()),
        float(cosines[~inside].mean()),
    )


def _words(space: Space, inside: np.typing.NDArray[np.bool_]) -> tuple[WordShare, ...]:
    """The words of the texts, or of what the rows are called, by how much they say of which side a row is on."""
    texts = labels_of(space)
    if space.columns is not None and "text" in space.columns.column_names:
        texts = space.columns.column("text").combine_chunks()
    counts, read = [], []
    for side in (inside, ~inside):
        rows = np.flatnonzero(side)
        rows = rows[:: max(1, -(-len(rows) // MAX_TEXTS))]
        counted: Counter[str] = Counter()
        for text in texts.take(pa.array(rows)).to_pylist():
            counted.update(set(words_of(str(text or ""))))
        counts.append(counted)
        read.append(max(1, len(rows)))
    shares = [
        WordShare(word, count / read[0], counts[1][word] / read[1])
        for word, count in counts[0].items()
        if count > 1 and count / read[0] >= MIN_SHARE and len(word) > 1
    ]
    return tuple(sorted(shares, key=lambda one: (-_weight(one.share, one.rest), one.word))[:MAX_WORDS])


def _weight(share: float, rest: float) -> float:
    """How much a property says: the share that has it times the log of how much more often than in the rest."""
    return share * float(np.log((share + 0.01) / (rest + 0.01)))


def _values(space: Space, inside: np.typing.NDArray[np.bool_]) -> tuple[ValueShare, ...]:
    table = condition_table(space)
    n, rest = int(inside.sum()), int((~inside).sum())
    found = []
    for chart in column_charts(space, None, "").charts:
        for bar in chart.bars:
            has = parse(bar.condition).mask_of(table)
            share, other = float((has & inside).sum()) / n, float((has & ~inside).sum()) / rest
            if share >= MIN_SHARE and share > other:
                value = bar.label if chart.kind in ("category", "boolean") else bar.condition
                found.append(ValueShare(chart.column, value, share, other, bar.condition))
    found.sort(key=lambda one: -_weight(one.share, one.rest))
    return tuple(found[:MAX_VALUES])
