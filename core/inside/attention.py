"""Attention: every head of every layer, at the level of words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, SELF, check_layers, n_key_heads, require_hooks
from polysema.core.inside.attention_modules import find_attentions
from polysema.core.inside.hooks import HookedRun, Unit, grouped, read, twin_of
from polysema.core.inside.proof import ATTENTION, CROSS_ATTENTION, require_identities
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Floats, Ints

KINDS = (SELF, CROSS)
SPECIAL_TOKENS = ("keep", "merge")
MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class AttentionView:
    """How attention is looked at.

    `kind` is `self` or `cross`; `unit` `words` or `tokens`; `special` tokens are kept, or merged: their rows and columns
    are dropped, and the weight that a row gave to them is shared among the rest in proportion.
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


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """Who looks at whom, for a text or one window of it.

    `weights` is (n_layers, n_heads, n_rows, n_columns) float32: how much row i looks at column j, each row adding up
    to 1. `forbidden` (n_rows, n_columns) is true where the model can't look: of a decoder what comes later, there the
    weight is 0. `folded` (n_layers, n_heads, n_rows) is what had gone to special tokens before they were folded away.
    Several query heads share the keys of one of `n_key_heads`. In cross-attention a row is the word that is written
    there, and the columns are the source's.
    """

    layers: tuple[int, ...]
    weights: Floats
    rows: tuple[Unit, ...]
    columns: tuple[Unit, ...]
    forbidden: "np.ndarray[Any, np.dtype[np.bool_]]"
    folded: Floats
    view: AttentionView
    n_key_heads: int
    text: str
    source: str = ""
    window: int = 1
    windows: int = 1

    def of(self, layer: int, head: int) -> Floats:
        """One head, (n_rows, n_columns); layers and heads count from 1."""
        if layer not in self.layers or not 1 <= head <= self.weights.shape[1]:
            raise UserError(
                f"there are the layers {', '.join(map(str, self.layers))} with heads 1 to "
                f"{self.weights.shape[1]}; got layer {layer}, "
                f"head {head}"
            )
        found: Floats = self.weights[self.layers.index(layer), head - 1]
        return found

    def key_head(self, head: int) -> int:
        """Which key head (from 1) a head (from 1) reads: its own number, unless several heads share one."""
        return (head - 1) * self.n_key_heads // self.weights.shape[1] + 1


@dataclass(slots=True)
class _Frame:
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

    def merged(self, weights: Any) -> tuple[Floats, Floats]:
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


def frame_of(reading: HookedRun, view: AttentionView) -> _Frame:
    """The units of a pass as they are looked at."""
    if view.kind == CROSS:
        assert reading.source is not None
        rows, row_of = grouped(reading, view.unit, writes=True)
        columns, column_of = grouped(reading.source, view.unit)
        return _Frame(view, rows, columns, row_of, column_of)
    rows, row_of = grouped(reading, view.unit)
    return _Frame(view, rows, rows, row_of, row_of)


def _forbidden(model: LanguageModel, frame: _Frame) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    if frame.view.kind == CROSS or not model.causal:
        return np.zeros((len(frame.kept_rows), len(frame.kept_columns)), bool)
    return frame.kept_columns[None, :] > frame.kept_rows[:, None]


def check_view(model: LanguageModel, view: AttentionView | None) -> AttentionView:
    """The view, checked; raises `UserError` for one that the model has nothing for."""
    view = (view or AttentionView()).checked()
    if view.kind == CROSS and not model.reads_two:
        raise UserError(
            f"{model.name} has no cross-attention as it is loaded: that is the decoder's of an encoder-decoder "
            "(stack decoder)"
        )
    return view


def attention(
    model: LanguageModel,
    text: str | None,
    layers: Sequence[int] | None = None,
    source: str | None = None,
    view: AttentionView | None = None,
    most_bytes: int | None = None,
) -> tuple[Attention, ...]:
    """The attention of a text, at `layers` (counted from 1; all when None): only those are kept.

    There is one answer, or, where the text is longer than the model's window, one for each window. A decoder with
    cross-attention needs a `source`, and writes its text itself when `text` is None. Raises `UserError` for layers
    that aren't there, and for more than `most_bytes` of weights (None: a gigabyte).
    """
    view = check_view(model, view)
    chosen = check_layers(model, layers)
    readings = read(model, text, source)
    frames = [frame_of(reading, view) for reading in readings]
    _check_size(model, frames, chosen, MAX_BYTES if most_bytes is None else most_bytes)
    found = []
    require_rows(model, view.kind)
    modules = find_attentions(model)
    with twin_of(model) as twin:
        kept: dict[int, tuple[Floats, Floats]] = {}
        frame = frames[0]

        def taker(layer: int) -> Any:
            def take(weights: Any) -> None:
                kept[layer] = frame.merged(weights)

            return take

        for layer in chosen:
            modules.tap(twin, layer, view.kind, taker(layer))
        for reading, frame in zip(readings, frames, strict=True):
            kept.clear()
            twin.run(reading)
            found.append(
                Attention(
                    chosen,
                    np.stack([kept[layer][0] for layer in chosen]),
                    tuple(frame.rows[place] for place in frame.kept_rows),
                    tuple(frame.columns[place] for place in frame.kept_columns),
                    _forbidden(model, frame),
                    np.stack([kept[layer][1] for layer in chosen]),
                    view,
                    n_key_heads(model),
                    reading.text,
                    reading.source.text if reading.source else "",
                    reading.window,
                    reading.windows,
                )
            )
    return tuple(found)


def _check_size(model: LanguageModel, frames: Sequence[_Frame], layers: Sequence[int], most_bytes: int) -> None:
    numbers = sum(len(frame.kept_rows) * len(frame.kept_columns) for frame in frames)
    if not numbers:
        raise UserError("nothing is left of the text when its special tokens are folded away")
    size = 4 * numbers * model.n_heads * len(layers)
    if size > most_bytes:
        most = max(1, most_bytes // (4 * numbers * model.n_heads))
        raise UserError(
            f"the attention of {len(layers)} layers with {model.n_heads} heads over this text takes "
            f"{size / 1e9:.3g} GB; at most "
            f"{most_bytes / 1e9:.3g} GB are kept: ask for {most} layer{'s' * (most > 1)} or a shorter text"
        )


def require_rows(model: LanguageModel, kind: str) -> None:
    """Raise `UserError` for a model whose attention of that kind doesn't add up, or that gives none."""
    require_hooks(model)
    find_attentions(model)
    require_identities(model, CROSS_ATTENTION if kind == CROSS else ATTENTION)


def rollout(
    model: LanguageModel,
    text: str | None,
    layer: int = -1,
    source: str | None = None,
    view: AttentionView | None = None,
) -> tuple[Attention, ...]:
    """Attention rollout up to a layer (Abnar and Zuidema 2020): what flows from each word into each.

    At each layer the mean of the heads, half of it kept for the residual connection, times what came before; as
    `attention` with one layer and one head. A decoder's cross-attention has no part in it.
    """
    view = check_view(model, view)
    if view.kind == CROSS:
        raise UserError("rollout goes through the self-attention of one stack; choose the kind self")
    import torch

    (last,) = check_layers(model, [layer])
    found = []
    readings = read(model, text, source)
    frames = [frame_of(reading, view) for reading in readings]
    require_rows(model, SELF)
    modules = find_attentions(model)
    with twin_of(model) as twin:
        flow: list[Any] = []

        def take(weights: Any) -> None:
            mean = weights.float().mean(0)  # (n_positions, n_positions)
            step = 0.5 * mean + 0.5 * torch.eye(len(mean), device=mean.device)
            flow[:] = [step @ flow[0] if flow else step]

        for at in range(1, last + 1):
            modules.tap(twin, at, SELF, take)
        for reading, frame in zip(readings, frames, strict=True):
            flow.clear()
            twin.run(reading)
            weights, folded = frame.merged(flow[0][None])
            found.append(
                Attention(
                    (last,),
                    weights[None],
                    tuple(frame.rows[p] for p in frame.kept_rows),
                    tuple(frame.columns[p] for p in frame.kept_columns),
                    _forbidden(model, frame),
                    folded[None],
                    view,
                    1,
                    reading.text,
                    reading.source.text if reading.source else "",
                    reading.window,
                    reading.windows,
                )
            )
    return tuple(found)
