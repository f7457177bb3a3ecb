"""The lens: what a model would say if it stopped at a layer."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import MLP, require_hooks
from polysema.core.inside.followed_tokens import FollowedTarget, forms_of, likelier
from polysema.core.inside.hooks import (
    EMBEDDING,
    HookedRun,
    Twin,
    Unit,
    check_points,
    read,
    tap_states,
    token_name,
    watch,
)
from polysema.core.inside.lens_scores import LOGITS, MASKED, STATIC, LensScores, Scorer, find_scorer
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import find_word
from polysema.core.space.space import Family, Floats, Ints

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["LOGITS", "MASKED", "STATIC", "Lens", "LensView", "LensWatcher", "lens", "place_among"]


@dataclass(frozen=True, slots=True)
class LensView:
    """How to look: at which `points` of a block (`before` attention, after `attention`, after `cross`-attention, after
    the `mlp`), for how many best tokens `k`, and with what. The kind `logits` is the model's own head, `static` the
    nearest rows of its input table by cosine; `auto` takes the head where there is one, and for an encoder without one
    the rows. `at` is the place (see `place_among`) whose answer decides between the forms of a word that is followed.
    """

    points: tuple[str, ...] = (MLP,)
    k: int = 5
    kind: str = "auto"
    at: "str | int | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """What the states of a text say, layer by layer.

    `steps` are the (layer, point) from below; `best` (n_steps, n_tokens, k) ids of tokens, best first, and `scores` as
    large: probabilities, or cosines of the kind `nearest static vectors`. `entropy` (n_steps, n_tokens) in bits is NaN
    there. For each of the words followed (`targets`) `ranks` (n_steps, n_tokens, n_targets) count from 1 and `followed`
    are its scores. `windows` is more than 1 where the text was longer than the model's window: each token was seen
    where it has most context.
    """

    kind: str
    steps: tuple[tuple[int, str], ...]
    tokens: tuple[Unit, ...]
    best: Ints
    scores: Floats
    entropy: Floats
    targets: tuple[FollowedTarget, ...]
    ranks: Ints
    followed: Floats
    names: dict[int, str]
    text: str
    windows: int = 1


def lens(
    model: LanguageModel,
    text: str | None,
    layers: Sequence[int] | None = None,
    words: Sequence[str] = (),
    source: str | None = None,
    view: LensView | None = None,
) -> Lens:
    """What each token's state at `layers` (0 to n, all when None) says, read by the model's own head (nostalgebraist
    2020).

    The final norm is applied anew at every layer, and at the last one once, so that the last row is what the model
    answers. Of a masked encoder it is its head with the transform; of an encoder without a head the nearest static
    vectors. Raises `UserError` for a layer or point that isn't there and for a model without a head.
    """
    require_hooks(model)
    readings = read(model, text, source)
    watcher = LensWatcher.of(model, readings, layers, words, view)
    watch(model, readings, [watcher])
    return watcher.result()


@dataclass(slots=True, eq=False)
class LensWatcher:
    """Reads the states of the passes over a text as they go by: of none more than its answer is kept."""

    model: LanguageModel
    readings: Sequence[HookedRun]
    points: tuple[str, ...]
    steps: tuple[tuple[int, str], ...]
    tokens: tuple[Unit, ...]
    forms: "list[tuple[FollowedTarget, ...]]"
    scorer: Scorer
    answer: LensScores
    decisive: int | None = None  # the token whose answer decides between the forms of a word
    _order: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _done: int = 0
    _said: "Tensor | None" = None

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        readings: Sequence[HookedRun],
        layers: Sequence[int] | None = None,
        words: Sequence[str] = (),
        view: LensView | None = None,
    ) -> "LensWatcher":
        """See `lens`, which raises the same."""
        view = view or LensView()
        chosen = model.check_layers(range(model.n_layers + 1) if layers is None else layers)
        points = check_points(model, view.points)
        scorer = find_scorer(model, view.kind)
        forms = [tuple(forms_of(model, word)) for word in words]
        k = _check_k(model, view.k)
        steps = [(layer, point) for layer in sorted(chosen) for point in ((EMBEDDING,) if layer == 0 else points)]
        fresh = [(unit, own) for of in readings for unit, own in zip(of.tokens, of.fresh, strict=True)]
        tokens = tuple(unit for unit, own in fresh if own)
        n_targets = sum(map(len, forms))
        decisive = None
        if n_targets > len(words) and scorer.kind != STATIC:
            with suppress(UserError):  # where nothing is predicted, no form is likelier
                decisive = _place(model, readings[0].text, tokens, scorer.kind, view.at)
        answer = LensScores.empty((len(steps), len(tokens)), k, n_targets)
        return cls(model, readings, points, tuple(steps), tokens, forms, scorer, answer, decisive)

    @property
    def targets(self) -> tuple[FollowedTarget, ...]:
        """Every form of every word that is followed."""
        return tuple(form for of in self.forms for form in of)

    def tap(self, twin: Twin) -> None:
        """Put its hooks on the twin."""
        tap_states(twin, sorted({layer for layer, _ in self.steps}), self.points, self._take)
        if self.decisive is not None:
            tap_states(twin, [self.model.n_layers], (MLP,), self._decide)

    def begin(self, reading: HookedRun) -> None:
        """Hear of the pass that comes."""
        self._order = np.flatnonzero(reading.fresh)

    def end(self, reading: HookedRun) -> None:
        """Hear that it is over."""
        self._done += len(self._order)

    def _take(self, layer: int, point: str, states: "Tensor") -> None:
        rows = slice(self._done, self._done + len(self._order))
        self.scorer.fill(self.answer, self.steps.index((layer, point)), rows, states[self._order], self.targets)

    def _decide(self, _layer: int, _point: str, states: "Tensor") -> None:
        if self.decisive is not None and self._done <= self.decisive < self._done + len(self._order):
            self._said = self.scorer.logits(states[self._order[self.decisive - self._done]][None])[0]

    def result(self) -> Lens:
        """What all passes said."""
        followed = [likelier(of, self._said) for of in self.forms]
        columns, answer = _columns(self.forms, followed), self.answer
        names = {int(i): token_name(self.model, int(i)) for i in np.unique(answer.best)}
        return Lens(
            self.scorer.kind,
            self.steps,
            self.tokens,
            answer.best,
            answer.scores,
            answer.entropy,
            tuple(followed),
            answer.ranks[..., columns],
            answer.followed[..., columns],
            names,
            self.readings[0].text,
            len(self.readings),
        )


def _columns(forms: Sequence[Sequence[FollowedTarget]], followed: Sequence[FollowedTarget]) -> list[int]:
    """Where each followed form stands among all forms."""
    found, before = [], 0
    for of, chosen in zip(forms, followed, strict=True):
        found.append(before + [form.id for form in of].index(chosen.id))
        before += len(of)
    return found


def place_among(model: LanguageModel, found: Lens, at: "str | int | None") -> int:
    """Which of the tokens of a lens is meant: a word's last one, that of a number (from 0, negative ones from the
    end), or where the next word, or the mask, is predicted. Raises `UserError` for one that isn't there.
    """
    return _place(model, found.text, found.tokens, found.kind, at)


def _place(model: LanguageModel, text: str, tokens: Sequence[Unit], kind: str, at: "str | int | None") -> int:
    if isinstance(at, str):
        span = find_word(text, at)
        places = [p for p, u in enumerate(tokens) if u.span and u.span.start < span.end and span.start < u.span.end]
        if not places:
            raise UserError(f"the tokenizer of {model.name} makes no token of {at!r}")
        return places[-1]
    if at is not None:
        if not -len(tokens) <= at < len(tokens):
            raise UserError(f"the text has the tokens 0 to {len(tokens) - 1}; got {at}")
        return at % len(tokens)
    if model.family is not Family.ENCODER and model.stack != "encoder":
        return len(tokens) - 1
    masks = [p for p, unit in enumerate(tokens) if unit.name == model.tokenizer.mask_token]
    if kind == STATIC or not masks:
        raise UserError(
            f"say at which word to look (--at): {model.name} predicts nothing here"
            + ("" if kind == STATIC else f", since the text has no {model.tokenizer.mask_token}")
        )
    return masks[0]


def _check_k(model: LanguageModel, k: int) -> int:
    most = len(model.input_table)
    if not 1 <= k <= most:
        raise UserError(f"k goes from 1 to the {most:,} tokens of {model.name}; got {k}")
    return k
