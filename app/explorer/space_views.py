"""A space centered, whitened or without directions, and the mean cosine of its random pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.measure.anisotropy import random_pair_cosine
from polysema.core.space.transform import Transform, fit, view
from polysema.core.space.transform import without as take_out

if TYPE_CHECKING:
    from polysema.app.explorer.word_space import WordSpace
    from polysema.core.space.space import Space


def changed_view(
    words: WordSpace,
    before: Transform | None,
    transform: str,
    removed: tuple[str, ...],
    hold: Callable[[Space, Transform], WordSpace],
) -> WordSpace:
    """A space by a transform, and then without some directions; `before` is what changed it already."""
    shown, done = words, before
    if transform.partition(":")[0] != "raw":
        change = fit(shown.space, transform)
        done = change if done is None else done.then(change)
        shown = hold(view(shown.space, change), done)
    if removed:
        axes = np.stack([shown.lookup.direction(axis) for axis in removed])
        change = take_out(axes, f"without {' and '.join(' '.join(axis.split()) for axis in removed)}")
        done = change if done is None else done.then(change)
        shown = hold(view(shown.space, change), done)
    return shown


def space_baseline(space: Space) -> float:
    """Mean cosine of random pairs of rows, of different texts where the rows are words in texts."""
    apart = space.columns is not None and "text_id" in space.columns.column_names
    return random_pair_cosine(space.vectors, space.column("text_id") if apart else np.arange(len(space)))
