"""Steering: a vector added to the hidden states on their way, and what the model says then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.directions import Direction
from polysema.core.inside.followed_tokens import FollowedTarget, forms_of, likelier
from polysema.core.inside.hooks import ModuleOutput, Twin, first_of, replaced, states_of, twin_of
from polysema.core.inside.lens_scores import Scorer, head_scorer
from polysema.core.inside.logit_processing import end_tokens
from polysema.core.inside.readings import HookedRun, one_reading, place_in, positions_of, read, token_name
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Family, Floats

if TYPE_CHECKING:
    from torch import Tensor

ALL_POSITIONS = "everywhere"
MAX_NEW_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Steer:
    """How it is done: `strength` in lengths of a typical hidden state (the median over the places it is added to), or,
    not `relative`, in lengths of the vector; `at` everywhere, at a word, or at the token of that number.
    """

    strength: float = 1.0
    at: "str | int" = ALL_POSITIONS
    relative: bool = True

    def checked(self) -> "Steer":
        """The same; raises `UserError` for a strength that is no number."""
        if not np.isfinite(self.strength):
            raise UserError(f"the strength has to be a number; got {self.strength}")
        return self


@dataclass(frozen=True, slots=True)
class Statement:
    """What to report: the `k` most probable next tokens, the `words` to follow, and `new` tokens of greedy
    continuation (none of a masked encoder). `target` is what a decoder beside an encoder has written so far.
    """

    k: int = 10
    words: tuple[str, ...] = ()
    new: int = 12
    target: str | None = None


@dataclass(frozen=True, slots=True)
class FollowedToken:
    """A word's probability and rank (from 1) before and after a change."""

    target: FollowedTarget
    before: float
    after: float
    rank_before: int
    rank_after: int


@dataclass(frozen=True, slots=True)
class SteeredToken:
    """The next-word distribution before and after something was changed inside.

    `before` and `after` are the most probable tokens with their probability; `divergence` is the Kullback-Leibler
    divergence of the two, in bits. The continuations are greedy. `length` is that of the vector added, if one was.
    """

    before: tuple[tuple[str, float], ...]
    after: tuple[tuple[str, float], ...]
    followed: tuple[FollowedToken, ...]
    divergence: float
    continued_before: str = ""
    continued_after: str = ""
    length: float = 0.0


def prompt(model: LanguageModel, text: str | None, source: str | None) -> HookedRun:
    """What is read before the next word is said: a text, or of a decoder beside an encoder its start and perhaps a
    text.
    """
    if not model.reads_two or (text is not None and text.strip()):
        return one_reading(model, text, source)
    (reading,) = read(model, None, source)
    return replace(reading, text="", ids=reading.ids[:1], tokens=reading.tokens[:1], fresh=reading.fresh[:1])


def steer(
    model: LanguageModel,
    text: str | None,
    direction: Direction,
    how: Steer | None = None,
    say: Statement | None = None,
    source: str | None = None,
) -> SteeredToken:
    """Add a direction to the hidden states at its layer, and see what the model says before and after.

    Layer 0 is the embedding output, layer n what the last block returns. Raises `UserError` for a model without a head,
    a vector of another width, with NaN or infinite numbers, and a word that the text doesn't have.
    """
    how, say = (how or Steer()).checked(), say or Statement()
    (layer,) = model.check_layers([direction.layer])
    vector = np.asarray(direction.vector, np.float32)
    if vector.shape != (model.dim,) or not np.isfinite(vector).all() or not vector.any():
        raise UserError(
            f"{model.name} is steered by a vector of {model.dim} finite numbers, not all 0; got {vector.shape} "
            f"{'with NaN or infinite numbers' if not np.isfinite(vector).all() else ''}".rstrip()
        )
    reading = prompt(model, say.target if text is None else text, source)
    speaker = Speaker.of(model, reading, say)
    places = None if how.at == ALL_POSITIONS else _places(model, reading, how.at)
    with twin_of(model) as twin:
        before = speaker.speak(twin)
        size = how.strength
        if how.relative:
            states = states_of(twin, reading, [layer])[layer]
            states = states if places is None else states[places]
            size *= float(states.float().norm(dim=-1).median()) / float(np.linalg.norm(vector))
        add_vector(twin, layer, vector * np.float32(size), places)
        after = speaker.speak(twin)
    return changed(model, speaker, before, after, abs(size) * float(np.linalg.norm(vector)))


def _places(model: LanguageModel, reading: HookedRun, at: "str | int") -> list[int]:
    return positions_of(reading, at) if isinstance(at, str) else [place_in(model, reading, at)]


def add_vector(twin: Twin, layer: int, vector: Floats, places: Sequence[int] | None) -> None:
    """Have every pass of the twin add a vector to the hidden states of a layer, at some positions or (None) at all."""
    import torch

    def add(out: ModuleOutput) -> ModuleOutput:
        states = first_of(out).clone()
        added = torch.from_numpy(vector).to(states)
        if places is None:
            states += added
        else:
            states[:, list(places)] += added
        return replaced(out, states)

    if layer == 0:
        twin.on_input(twin.parts.blocks[0], add)
    else:
        twin.on_output(twin.parts.blocks[layer - 1], add)


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """Log-probabilities (vocabulary,) at the chosen position, and the ids of the continuation."""

    logs: "Tensor"
    continued: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """Asks a twin for its next word and its greedy continuation."""

    model: LanguageModel
    reading: HookedRun
    position: int
    scorer: Scorer
    say: Statement
    forms: tuple[tuple[FollowedTarget, ...], ...]

    @classmethod
    def of(cls, model: LanguageModel, reading: HookedRun, say: Statement, at: "str | int | None" = None) -> "Speaker":
        """Raises `UserError` for a model without a head, and for numbers out of range."""
        if not 1 <= say.k <= len(model.input_table):
            raise UserError(f"k goes from 1 to the {len(model.input_table):,} tokens of {model.name}; got {say.k}")
        if not 0 <= say.new <= MAX_NEW_TOKENS:
            raise UserError(f"a continuation has 0 to {MAX_NEW_TOKENS} tokens; got {say.new}")
        scorer = head_scorer(model)
        forms = tuple(forms_of(model, word) for word in say.words)
        return cls(model, reading, place_in(model, reading, at), scorer, say, forms)

    def speak(self, twin: Twin) -> Utterance:
        """One pass for the next word, and one for each token of the continuation."""
        reading = self.reading
        logs = self._logs(twin, reading, self.position)
        new: list[int] = []
        ends = end_tokens(self.model)
        if self.model.family is not Family.ENCODER:
            while len(new) < self.say.new and len(reading) < self.model.window:
                scores = logs if not new and self.position == len(reading) - 1 else self._logs(twin, reading, -1)
                best = int(scores.argmax())
                if best in ends:
                    break
                new.append(best)
                reading = replace(reading, ids=(*reading.ids, best))
        return Utterance(logs, tuple(new))

    def _logs(self, twin: Twin, reading: HookedRun, position: int) -> "Tensor":
        import torch

        last = self.model.n_layers
        state = states_of(twin, reading, [last])[last][position]
        with torch.inference_mode():
            return self.scorer.logits(state[None])[0].log_softmax(-1)


def changed(
    model: LanguageModel, speaker: Speaker, before: Utterance, after: Utterance, length: float = 0.0
) -> SteeredToken:
    """Two answers side by side."""

    def best(logs: "Tensor") -> tuple[tuple[str, float], ...]:
        top = logs.exp().topk(speaker.say.k)
        return tuple(
            (token_name(model, number), float(p))
            for number, p in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        )

    followed = tuple(
        FollowedToken(
            target,
            float(before.logs[target.id].exp()),
            float(after.logs[target.id].exp()),
            int((before.logs > before.logs[target.id]).sum()) + 1,
            int((after.logs > after.logs[target.id]).sum()) + 1,
        )
        for target in (likelier(forms, before.logs) for forms in speaker.forms)
    )
    apart = before.logs.exp() * (before.logs.clamp_min(-1e4) - after.logs.clamp_min(-1e4))
    return SteeredToken(
        best(before.logs),
        best(after.logs),
        followed,
        max(0.0, float(apart.sum()) / float(np.log(2))),
        _text(model, before.continued),
        _text(model, after.continued),
        length,
    )


def _text(model: LanguageModel, ids: Sequence[int]) -> str:
    return str(model.tokenizer.decode(list(ids), skip_special_tokens=True))


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One setting of a sweep: the best next token with its probability, each followed word's, and the divergence in
    bits.

    `targets` are the tokens by which the words are followed.
    """

    layer: int
    strength: float
    best: str
    probability: float
    followed: tuple[float, ...]
    divergence: float
    targets: tuple[FollowedTarget, ...] = ()


def sweep(
    model: LanguageModel,
    text: str | None,
    directions: Sequence[Direction],
    strengths: Sequence[float],
    say: Statement | None = None,
    source: str | None = None,
) -> tuple[SweepRow, ...]:
    """The next word for every direction (one a layer) and every strength, everywhere and relative as `Steer` has it."""
    if not directions or not strengths:
        raise UserError("a sweep needs at least one layer and one strength")
    say = replace(say or Statement(), new=0)
    rows = []
    for direction in directions:
        for strength in strengths:
            found = steer(model, text, direction, Steer(float(strength)), say, source)
            name, probability = found.after[0]
            rows.append(
                SweepRow(
                    direction.layer,
                    float(strength),
                    name,
                    probability,
                    tuple(f.after for f in found.followed),
                    found.divergence,
                    tuple(f.target for f in found.followed),
                )
            )
    return tuple(rows)
