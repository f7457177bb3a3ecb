"""The three families side by side: one sentence through an encoder, a decoder and an encoder-decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, SELF
from polysema.core.inside.attention import AttentionView, attention
from polysema.core.inside.hooks import ATTENTION, Unit, first_of, one_reading, tap_states, twin_of
from polysema.core.inside.lens import LensView, lens
from polysema.core.inside.output_head import find_head
from polysema.core.model.load import LanguageModel, on_torch
from polysema.core.space.space import Family, Floats

N_BEST = 5
COMPARED_MODELS = ("bert-tiny-en", "gpt-tiny-en", "marian-en-fr", "g2p-t5")  # of each architecture one that ships


@dataclass(frozen=True, slots=True, eq=False)
class VisibleTokens:
    """Who may look at whom: `open` (n_rows, n_columns) is true where some head of some layer gives any weight at
    all.
    """

    json_properties: ClassVar[tuple[str, ...]] = ("describe",)

    name: str
    rows: tuple[Unit, ...]
    columns: tuple[Unit, ...]
    open: "np.ndarray[Any, np.dtype[np.bool_]]"

    @property
    def describe(self) -> str:
        """It in a word: everything, only what came before, or how much."""
        if self.open.all():
            return "every token sees every token" if self.rows == self.columns else "every token sees the whole source"
        if len(self.rows) == len(self.columns) and (self.open == np.tri(len(self.rows), dtype=bool)).all():
            return "a token sees itself and those before it"
        return f"{self.open.mean():.0%} of the pairs are seen"


@dataclass(frozen=True, slots=True)
class FamilyTrace:
    """What the cross-attention brings to one written token: the source's tokens it looks at (mean of all heads and
    layers, the end token's share included), best first, and the length of what is added, in lengths of the state.
    """

    written: str
    looks_at: tuple[tuple[str, float], ...]
    share: float


@dataclass(frozen=True, slots=True)
class FamilyRun:
    """One model's way through a sentence.

    `sights` are its masks as they are met; `ends` says what its last state is turned into, `says` the best of that
    with probabilities, or cosines of static vectors where there is no head; `carried` is of the cross-attention.
    """

    model: str
    family: Family
    n_layers: tuple[int, ...]
    n_heads: int
    dim: int
    text: str
    written: str
    sights: tuple[VisibleTokens, ...]
    ends: str
    says: tuple[tuple[str, float], ...]
    says_at: str
    carried: tuple[FamilyTrace, ...] = ()


def compare_families(models: Sequence[LanguageModel], texts: Sequence[str]) -> tuple[FamilyRun, ...]:
    """Trace each model through its text: an encoder, a decoder, a decoder beside an encoder (which reads the text
    and writes its own). Raises `UserError` when there are not as many texts as models.
    """
    if len(models) != len(texts) or not models:
        raise UserError(f"give a text for each model; got {len(models)} models and {len(texts)} texts")
    return tuple(family_run(model, text) for model, text in zip(models, texts, strict=True))


def family_run(model: LanguageModel, text: str) -> FamilyRun:
    """One model's way through a text; an encoder-decoder is given as its decoder (stack decoder)."""
    if model.stack == "encoder":
        raise UserError(f"{model.name} has two stacks; load its decoder (stack decoder), the encoder comes with it")
    if not model.reads_two:
        one_reading(model, text)
        names = {Family.ENCODER: "encoder", Family.DECODER: "decoder"}
        sights: tuple[VisibleTokens, ...] = (_sight(model, text, None, SELF, names[model.family]),)
        ends, says, at = _end(model, text, None)
        return FamilyRun(
            model.name, model.family, (model.n_layers,), model.n_heads, model.dim, text, "", sights, ends, says, at
        )
    written = one_reading(model, None, text).text
    encoder = on_torch(model, "encoder")
    sights = (
        _sight(encoder, text, None, SELF, "encoder"),
        _sight(model, written, text, SELF, "decoder"),
        _sight(model, written, text, CROSS, "cross-attention"),
    )
    ends, says, at = _end(model, written, text)
    return FamilyRun(
        model.name,
        model.family,
        (encoder.n_layers, model.n_layers),
        model.n_heads,
        model.dim,
        text,
        written,
        sights,
        ends,
        says,
        at,
        _carried(model, written, text),
    )


def _sight(model: LanguageModel, text: str, source: str | None, kind: str, name: str) -> VisibleTokens:
    seen: Floats | None = None
    for layer in range(1, model.n_layers + 1):  # a layer at a time: no more than one is kept
        (found,) = attention(model, text, [layer], source, AttentionView(kind, "tokens"))
        most = found.weights.max((0, 1))
        seen = most if seen is None else np.maximum(seen, most)
    assert seen is not None
    return VisibleTokens(name, found.rows, found.columns, seen > 0)


def _end(model: LanguageModel, text: str, source: str | None) -> tuple[str, tuple[tuple[str, float], ...], str]:
    """The kind of output, the best predictions, and the token at which they are read."""
    head = find_head(model)
    if head is None and model.family is not Family.ENCODER:
        return "a hidden state for each token: the folder holds no head", (), ""
    found = lens(model, text, [model.n_layers], (), source, LensView(k=N_BEST))
    place = len(found.tokens) - 1
    if model.family is Family.ENCODER:
        masks = [p for p, unit in enumerate(found.tokens) if unit.name == model.tokenizer.mask_token]
        own = [p for p, unit in enumerate(found.tokens) if not unit.special]
        place = masks[0] if masks and head is not None else own[-1]
        ends = (
            "a score for every word at every token (it fills masks)"
            if head is not None
            else "a hidden state for each token; there is no head, so its nearest static vectors are shown"
        )
    elif source is None:
        ends = "a score for every next word, at every token"
    else:
        ends = "a score for every next token to write, until it writes the end"
    best = zip(found.best[0, place].tolist(), found.scores[0, place].tolist(), strict=True)
    return ends, tuple((found.names[number], float(score)) for number, score in best), found.tokens[place].name


def _carried(model: LanguageModel, text: str, source: str) -> tuple[FamilyTrace, ...]:
    (found,) = attention(model, text, None, source, AttentionView(CROSS, "tokens"))
    mean = found.weights.mean((0, 1), dtype=np.float64)  # (n_rows, n_columns)
    added: list[Any] = []
    before: list[Any] = []
    layers = range(1, model.n_layers + 1)
    with twin_of(model) as twin:
        for layer in layers:
            twin.on_output(
                twin.parts.attention(layer, CROSS).out, lambda out: added.append(first_of(out)[0].float().norm(dim=-1))
            )
        tap_states(twin, layers, (ATTENTION,), lambda _l, _p, state: before.append(state.float().norm(dim=-1)))
        twin.run(one_reading(model, text, source))
    shares = np.mean([(a / b.clamp_min(1e-12)).cpu().numpy() for a, b in zip(added, before, strict=True)], axis=0)
    rows = []
    for place, unit in enumerate(found.rows):
        order = np.argsort(-mean[place], kind="stable")[:N_BEST].tolist()
        looks = tuple((found.columns[column].name, float(mean[place, column])) for column in order)
        rows.append(FamilyTrace(unit.name, looks, float(shares[place])))
    return tuple(rows)
