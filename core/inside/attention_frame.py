"""How attention is looked at, and the words or tokens that the weights of one pass become."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, SELF
from polysema.core.inside.hooks import HookedRun, Unit, grouped
from polysema.core.space.space import Floats, Ints

if TYPE_CHECKING:
    from torch import Tensor

KINDS = (SELF, CROSS)
SPECIAL_TOKENS = ("keep", "merge")


@dataclass(frozen=True, slots=True)
class AttentionView:
    """How attention is looked at.

    `kind` is `self` or `cross`; `unit` `words` or `tokens`; `special` tokens are kept, or merged: their rows and
    columns are dropped, and the weight that a row gave to them is shared among the rest in proportion.
    """

    kind: str = SELF
    unit: str = "words"
    special: str = "keep"

    def checked(self) -> "AttentionView":
        """The same; raises `UserError` for what doesn't exist."""
        for what, given, allowed in (("attention", self.kind, KINDS), ("special tokens", self.special, SPECIAL_TOKENS)):
            if given not in allowed:
                raise UserError(f"{what} {given!r} does not exist; choose one of {', '.join(allowed)}")
        return self


@dataclass(slots=True)
class AttentionFrame:
    """The units of one pass, and what its weights become."""

    view: AttentionView
    rows: tuple[Unit, ...]
    columns: tuple[Unit, ...]
    row_of: Ints
    column_of: Ints
    kept_rows: Ints = field(init=False)
    kept_columns: Ints = field(init=False)

    def __post_init__(self) -> None:
        fold = self.view.special == "merge"
        self.kept_rows, self.kept_columns = (
            np.array([place for place, unit in enumerate(units) if not (fold and unit.special)], np.int64)
            for units in (self.rows, self.columns)
        )

    def merged(self, weights: "Tensor") -> tuple[Floats, Floats]:
        """A tensor (n_heads, n_queries, n_keys) of tokens to units: summed over keys, averaged over queries; and what
        was folded away of each row.
        """
        import torch

        rows, columns = (torch.from_numpy(of).to(weights.device) for of in (self.row_of, self.column_of))
        weights = weights.float()
        by_key = weights.new_zeros(*weights.shape[:2], len(self.columns)).index_add_(2, columns, weights)
        whole = weights.new_zeros(len(weights), len(self.rows), len(self.columns)).index_add_(1, rows, by_key)
        whole /= torch.bincount(rows, minlength=len(self.rows))[:, None]
        shown = whole.cpu().numpy()[:, self.kept_rows][:, :, self.kept_columns]
        if len(self.kept_columns) == len(self.columns):
            return shown, np.zeros(shown.shape[:2], np.float32)
        left = shown.sum(-1, dtype=np.float64)
        folded = np.clip(1 - left, 0, 1).astype(np.float32)
        return (shown / np.maximum(left, np.finfo(np.float32).tiny)[..., None]).astype(np.float32), folded


def frame_of(reading: HookedRun, view: AttentionView) -> AttentionFrame:
    """The units of a pass as they are looked at."""
    if view.kind == CROSS:
        assert reading.source is not None
        rows, row_of = grouped(reading, view.unit, writes=True)
        columns, column_of = grouped(reading.source, view.unit)
        return AttentionFrame(view, rows, columns, row_of, column_of)
    rows, row_of = grouped(reading, view.unit)
    return AttentionFrame(view, rows, rows, row_of, row_of)
