"""Attention: every head of every layer, at the level of words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, SELF, check_layers, n_key_heads, require_hooks
from polysema.core.inside.attention_frame import AttentionFrame, AttentionView, frame_of
from polysema.core.inside.attention_modules import AttentionModules, find_attentions
from polysema.core.inside.hooks import HookedRun, Twin, Unit, read, twin_of, watch
from polysema.core.inside.proof import ATTENTION, CROSS_ATTENTION, require_identities
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 1 << 30

__all__ = ["Attention", "AttentionView", "AttentionWatcher", "attention", "check_view", "require_rows", "rollout"]


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
        found: int = (head - 1) * self.n_key_heads // self.weights.shape[1] + 1
        return found


def _forbidden(model: LanguageModel, frame: AttentionFrame) -> "np.ndarray[Any, np.dtype[np.bool_]]":
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
    readings = read(model, text, source)
    watcher = AttentionWatcher.of(model, readings, layers, view, most_bytes)
    watch(model, readings, [watcher])
    return tuple(watcher.found)


@dataclass(slots=True, eq=False)
class AttentionWatcher:
    """Gathers the attention of the passes over a text: in `found` an answer for each that is over."""

    model: LanguageModel
    layers: tuple[int, ...]
    view: AttentionView
    frames: dict[int, AttentionFrame]  # by window
    modules: AttentionModules
    found: list[Attention] = field(default_factory=list)
    _kept: dict[int, tuple[Floats, Floats]] = field(default_factory=dict)
    _window: int = 1

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        readings: Sequence[HookedRun],
        layers: Sequence[int] | None = None,
        view: AttentionView | None = None,
        most_bytes: int | None = None,
    ) -> "AttentionWatcher":
        """See `attention`, which raises the same."""
        view = check_view(model, view)
        chosen = check_layers(model, layers)
        frames = {reading.window: frame_of(reading, view) for reading in readings}
        _check_size(model, list(frames.values()), chosen, MAX_BYTES if most_bytes is None else most_bytes)
        require_rows(model, view.kind)
        return cls(model, chosen, view, frames, find_attentions(model))

    def tap(self, twin: Twin) -> None:
        """Put its hooks on the twin."""

        def taker(layer: int) -> "Callable[[Tensor], None]":
            def take(weights: "Tensor") -> None:
                self._kept[layer] = self.frames[self._window].merged(weights)

            return take

        for layer in self.layers:
            self.modules.tap(twin, layer, self.view.kind, taker(layer))

    def begin(self, reading: HookedRun) -> None:
        """Hear of the pass that comes."""
        self._window = reading.window
        self._kept.clear()

    def end(self, reading: HookedRun) -> None:
        """Hear that it is over."""
        frame = self.frames[reading.window]
        weights, folded = (np.stack([self._kept[layer][part] for layer in self.layers]) for part in (0, 1))
        self.found.append(_answer(self.model, reading, frame, self.layers, (weights, folded)))


def _answer(
    model: LanguageModel,
    reading: HookedRun,
    frame: AttentionFrame,
    layers: tuple[int, ...],
    merged: tuple[Floats, Floats],
    n_key: int | None = None,
) -> Attention:
    return Attention(
        layers,
        merged[0],
        tuple(frame.rows[place] for place in frame.kept_rows),
        tuple(frame.columns[place] for place in frame.kept_columns),
        _forbidden(model, frame),
        merged[1],
        frame.view,
        n_key_heads(model) if n_key is None else n_key,
        reading.text,
        reading.source.text if reading.source else "",
        reading.window,
        reading.windows,
    )


def _check_size(model: LanguageModel, frames: Sequence[AttentionFrame], layers: Sequence[int], most_bytes: int) -> None:
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
        flow: list[Tensor] = []

        def take(weights: "Tensor") -> None:
            mean = weights.float().mean(0)  # (n_positions, n_positions)
            step = 0.5 * mean + 0.5 * torch.eye(len(mean), device=mean.device)
            flow[:] = [step @ flow[0] if flow else step]

        for at in range(1, last + 1):
            modules.tap(twin, at, SELF, take)
        for reading, frame in zip(readings, frames, strict=True):
            flow.clear()
            twin.run(reading)
            weights, folded = frame.merged(flow[0][None])
            found.append(_answer(model, reading, frame, (last,), (weights[None], folded[None]), 1))
    return tuple(found)
