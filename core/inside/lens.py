"""The lens: what a model would say if it stopped at a layer."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import MLP, require_hooks
from polysema.core.inside.followed_tokens import FollowedTarget, forms_of, likelier
from polysema.core.inside.hooks import EMBEDDING, Unit, check_points, read, tap_states, token_name, twin_of
from polysema.core.inside.output_head import OutputHead, find_head, head_class_note, require_head
from polysema.core.inside.proof import LENS, STATES, require_identities
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import find_word
from polysema.core.space.space import Family, Floats, Ints

KINDS = ("auto", "logits", "static")
CHUNK_ROWS = 64  # positions scored at once: with 50,000 tokens in the vocabulary that is 13 MB
LOGITS, MASKED, STATIC = "logit lens", "masked-language-model head", "nearest static vectors"


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
    view = view or LensView()
    require_hooks(model)
    chosen = model.check_layers(range(model.n_layers + 1) if layers is None else layers)
    points = check_points(model, view.points)
    scorer = _scorer(model, view.kind)
    forms = [forms_of(model, word) for word in words]
    targets = tuple(form for of in forms for form in of)
    k = _check_k(model, view.k)
    steps = [(layer, point) for layer in sorted(chosen) for point in ((EMBEDDING,) if layer == 0 else points)]
    readings = read(model, text, source)
    tokens = [unit for reading in readings for unit, fresh in zip(reading.tokens, reading.fresh, strict=True) if fresh]
    decisive = None
    if len(targets) > len(words) and scorer.kind != STATIC:
        with suppress(UserError):  # where nothing is predicted, no form is likelier
            decisive = _place(model, readings[0].text, tokens, scorer.kind, view.at)
    answer = _Answer.empty((len(steps), len(tokens)), k, len(targets))
    done = 0
    said: Any = None
    with twin_of(model) as twin:
        order: Ints = np.empty(0, np.int64)

        def take(layer: int, point: str, states: Any) -> None:
            scorer.fill(answer, steps.index((layer, point)), slice(done, done + len(order)), states[order], targets)

        def decide(_layer: int, _point: str, states: Any) -> None:
            nonlocal said
            if decisive is not None and done <= decisive < done + len(order):
                said = scorer.logits(states[order[decisive - done]][None])[0]

        tap_states(twin, sorted(chosen), points, take)
        if decisive is not None:
            tap_states(twin, [model.n_layers], (MLP,), decide)
        for reading in readings:
            order = np.flatnonzero(reading.fresh)
            twin.run(reading)
            done += len(order)
    followed = [likelier(of, said) for of in forms]
    columns = _columns(forms, followed)
    names = {int(i): token_name(model, int(i)) for i in np.unique(answer.best)}
    return Lens(
        scorer.kind,
        tuple(steps),
        tuple(tokens),
        answer.best,
        answer.scores,
        answer.entropy,
        tuple(followed),
        answer.ranks[..., columns],
        answer.followed[..., columns],
        names,
        readings[0].text,
        len(readings),
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


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    best: Ints
    scores: Floats
    entropy: Floats
    ranks: Ints
    followed: Floats

    @classmethod
    def empty(cls, shape: tuple[int, int], k: int, n_targets: int) -> "_Answer":
        """Room for the answers of (n_steps, n_tokens) states."""
        return cls(
            np.empty((*shape, k), np.int64),
            np.empty((*shape, k), np.float32),
            np.full(shape, np.nan, np.float32),
            np.empty((*shape, n_targets), np.int64),
            np.empty((*shape, n_targets), np.float32),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """Scores every token for hidden states: by the head behind the final norm (`head`), or by cosine with `table`."""

    kind: str
    head: OutputHead | None = None
    final_norm: Any = None
    table: Any = None
    lengths: Any = None

    def logits(self, states: Any) -> Any:
        """(n, dim) to (n, vocabulary): logits, or cosines."""
        if self.head is not None:
            return self.head.logits(self.final_norm.forward(states) if self.final_norm is not None else states).float()
        states = states.float()
        return (states @ self.table.T) / (states.norm(dim=-1, keepdim=True).clamp_min(1e-12) * self.lengths)

    def fill(self, answer: _Answer, step: int, rows: slice, states: Any, targets: Sequence[FollowedTarget]) -> None:
        """Write what the states of some tokens say into one step of an answer."""
        for start in range(0, len(states), CHUNK_ROWS):
            scores = self.logits(states[start : start + CHUNK_ROWS])
            at = slice(rows.start + start, rows.start + start + len(scores))
            for place, target in enumerate(targets):
                own = scores[:, target.id, None]
                answer.ranks[step, at, place] = (scores > own).sum(-1).cpu().numpy() + 1
            if self.head is not None:
                logs = scores.log_softmax(-1)
                scores = logs.exp()
                bits = -(scores * logs.clamp_min(-1e4)).sum(-1) / np.log(2)
                answer.entropy[step, at] = bits.cpu().numpy()
            best = scores.topk(answer.best.shape[-1], dim=-1)
            answer.best[step, at], answer.scores[step, at] = best.indices.cpu().numpy(), best.values.cpu().numpy()
            for place, target in enumerate(targets):
                answer.followed[step, at, place] = scores[:, target.id].cpu().numpy()


def _scorer(model: LanguageModel, kind: str) -> Scorer:
    if kind not in KINDS:
        raise UserError(f"the kind of lens {kind!r} does not exist; choose one of {', '.join(KINDS)}")
    head = find_head(model)
    encoder = model.family is Family.ENCODER or model.stack == "encoder"
    if kind == "static" or (kind == "auto" and head is None and encoder):
        require_identities(model, STATES)
        table = model.input_table.float()
        if table.shape[1] != model.dim:
            raise UserError(
                f"the static vectors of {model.name} have {table.shape[1]} dimensions, its hidden states {model.dim}, "
                f"so no static vector is near a state, and it has no head that scores words{head_class_note(model)}"
            )
        return Scorer(STATIC, table=table, lengths=table.norm(dim=-1).clamp_min(1e-12))
    return head_scorer(model)


def head_scorer(model: LanguageModel) -> Scorer:
    """The model's own head, behind the final norm; raises `UserError` for a model without one."""
    from polysema.core.inside.architectures import anatomy

    head = require_head(model)
    require_identities(model, STATES, LENS)
    masked = model.family is Family.ENCODER
    return Scorer(MASKED if masked else LOGITS, head, anatomy(model).final_norm)
