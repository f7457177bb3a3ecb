"""The passes that test a model's identities: one plain, one hooked, and one of the engine."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, MLP, SELF, find_plan, kind_of
from polysema.core.inside.attention_modules import find_attentions
from polysema.core.inside.attribution import HALF_SUM_TOLERANCE, SUM_TOLERANCE, scored
from polysema.core.inside.decomposition import ResidualStream
from polysema.core.inside.followed_tokens import FollowedTarget
from polysema.core.inside.hooks import HookedRun, Twin, as_floats, forget_hooks, read, tap_states, twin_of
from polysema.core.inside.output_head import OutputHead, find_head, head_class_note, logits_of
from polysema.core.inside.proof import (
    ATTENTION,
    CROSS_ATTENTION,
    LENS,
    MEANINGS,
    PADDING,
    PARTS,
    STATES,
    WEIGHTS,
    IdentityCheck,
    Proof,
)
from polysema.core.model.config_check import first_words
from polysema.core.model.engine import hidden_states
from polysema.core.model.finite_weights import bad_weights
from polysema.core.model.load import LanguageModel, on_torch
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from torch import Tensor

TEXT = "The white swan glides over the blue water of the river, and the bank lends its money to the king."
TARGET = "bank swan"
STAGE = "test what is seen inside"
N_TOKENS = 12  # of a pass, at most
TOLERANCES = {STATES: 1e-4, PADDING: 1e-4, ATTENTION: 1e-4, CROSS_ATTENTION: 1e-4, LENS: 1e-3, PARTS: SUM_TOLERANCE}
HALF_TOLERANCES = {
    STATES: 0.05,
    PADDING: 0.05,
    ATTENTION: 0.02,
    CROSS_ATTENTION: 0.02,
    LENS: 0.05,
    PARTS: HALF_SUM_TOLERANCE,
}

# what a pass raises of a family that is built in a way of its own
OTHER_FAULTS = (LookupError, AttributeError, TypeError, ValueError, RuntimeError)


def prove(model: LanguageModel, progress: Progress = no_progress) -> Proof:
    """Test every identity of a model: three passes of a dozen tokens, one padded, and a look at every weight.
    `progress` is told of each.
    """

    def tested(identity: str, test: Callable[[], tuple[float, str]]) -> IdentityCheck:
        progress(STAGE, list(MEANINGS).index(identity), len(MEANINGS))
        return _tested(model, identity, test)

    progress(STAGE, 0, len(MEANINGS))
    bad = bad_weights(model)
    if bad:
        checks = [IdentityCheck(WEIGHTS, MEANINGS[WEIGHTS], False, None, 0.0, note=bad)]
        checks += [_missing(name, "its weights are no numbers") for name in MEANINGS if name != WEIGHTS]
        return _proof(model, checks)
    reading = trial_reading(model)
    checks = [IdentityCheck(WEIGHTS, MEANINGS[WEIGHTS], True, 0.0, 0.0)]
    try:
        plain = plain_answer(model, reading)
    except OTHER_FAULTS as error:
        return _proof(model, checks + _rest(model, checks, error))
    checks.append(tested(PADDING, lambda: _padding(model, reading, plain)))
    try:
        trial = _Trial.of(model, reading, plain)
    except UserError as error:  # nothing to hook: its vectors are right all the same
        return _proof(
            model, [*checks, *(_missing(name, str(error)) for name in MEANINGS if name not in (WEIGHTS, PADDING))]
        )
    except OTHER_FAULTS as error:
        return _proof(model, checks + _rest(model, checks, error))
    checks += [
        tested(STATES, trial.states),
        tested(ATTENTION, lambda: trial.attention(SELF)),
        tested(CROSS_ATTENTION, lambda: trial.attention(CROSS))
        if model.reads_two
        else _missing(CROSS_ATTENTION, "only the decoder of an encoder-decoder has any"),
        tested(LENS, trial.lens)
        if trial.head is not None
        else _missing(LENS, f"no head scores words{head_class_note(model)}"),
        tested(PARTS, trial.parts)
        if find_plan(model) is not None
        else _missing(PARTS, f"the table of parts has no row for {kind_of(model)}"),
    ]
    return _proof(model, checks)


def _proof(model: LanguageModel, checks: list[IdentityCheck]) -> Proof:
    return Proof(model.name, kind_of(model), model.stack, model.dtype, tuple(checks))


def _missing(identity: str, note: str) -> IdentityCheck:
    return IdentityCheck(identity, MEANINGS[identity], False, None, 0.0, applies=False, note=note)


def _failed(model: LanguageModel, identity: str, note: str) -> IdentityCheck:
    return IdentityCheck(identity, MEANINGS[identity], False, None, _tolerance(model, identity), note=note)


def _rest(model: LanguageModel, checks: list[IdentityCheck], error: Exception) -> list[IdentityCheck]:
    """The identities that can't be tested since a pass itself fails."""
    done = {check.identity for check in checks}
    return [_failed(model, name, _laid_out(error)) for name in MEANINGS if name not in done]


def _laid_out(error: Exception) -> str:
    """What is said of a family whose layers give something else than states in rows of tokens."""
    if "memory" in str(error):  # which is no matter of the family, and no proof that is kept
        raise error
    return f"its layers are laid out otherwise ({type(error).__name__}: {first_words(error)})"


def _tolerance(model: LanguageModel, identity: str) -> float:
    return (TOLERANCES if model.dtype == "float32" else HALF_TOLERANCES)[identity]


def _tested(model: LanguageModel, identity: str, test: Callable[[], tuple[float, str]]) -> IdentityCheck:
    tolerance = _tolerance(model, identity)
    try:
        difference, note = test()
    except UserError as error:  # what is said to who asks for it is what the table says
        return _failed(model, identity, str(error))
    except OTHER_FAULTS as error:
        return _failed(model, identity, _laid_out(error))
    # NaN fails as well
    return IdentityCheck(identity, MEANINGS[identity], difference <= tolerance, difference, tolerance, note=note)


@dataclass(frozen=True, slots=True, eq=False)
class _Plain:
    """What transformers itself answers: states (n_tokens, dim) of layers 0 to n, and logits (n_tokens, vocabulary)."""

    states: "tuple[Tensor, ...]"
    logits: "Tensor | None"


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """One text through a plain copy of the model, and through a twin with all its hooks."""

    model: LanguageModel
    reading: HookedRun
    plain: _Plain
    head: OutputHead | None
    hooked: "dict[int, Tensor]"
    sums: "dict[str, list[Tensor]]"
    stream: ResidualStream | None
    final: Any
    no_attention: str

    @classmethod
    def of(cls, model: LanguageModel, reading: HookedRun, plain: _Plain) -> "_Trial":
        hooked: dict[int, Tensor] = {}
        sums: dict[str, list[Tensor]] = {SELF: [], CROSS: []}
        no_attention = ""
        with twin_of(model) as twin:
            tap_states(twin, range(model.n_layers + 1), (MLP,), lambda layer, _, states: hooked.update({layer: states}))
            try:
                _tap_sums(twin, sums)
            except UserError as error:
                no_attention = str(error)
            stream = ResidualStream(twin, [len(reading) - 1]) if find_plan(model) is not None else None
            twin.run(reading)
            return cls(
                model,
                reading,
                plain,
                find_head(model),
                hooked,
                sums,
                stream,
                twin.parts.final_norm,
                no_attention,
            )

    def _ended(self) -> "Tensor":
        """The last layer's states as the head is given them."""
        import torch

        last = self.hooked[self.model.n_layers]
        with torch.inference_mode():
            return last if self.final is None else self.final.forward(last)

    def states(self) -> tuple[float, str]:
        ours = [self.hooked[layer] for layer in range(self.model.n_layers)] + [self._ended()]
        return max(_apart(a, b) for a, b in zip(ours, self.plain.states, strict=True)), ""

    def attention(self, kind: str) -> tuple[float, str]:
        if self.no_attention:
            raise UserError(self.no_attention)
        least = min(float(sums.min()) for sums in self.sums[kind])
        most = max(float(sums.max()) for sums in self.sums[kind])
        if any(name.endswith(".sinks") for name, _ in self.model.module.named_parameters()):
            note = f"rows add up to {least:.2g} to {most:.2g}: the rest goes to the attention sink, which is no token"
            return max(most - 1, -least, 0.0), note
        return max(most - 1, 1 - least), ""

    def lens(self) -> tuple[float, str]:
        assert self.head is not None
        assert self.plain.logits is not None
        return _apart(self.head.logits(self._ended()), self.plain.logits), ""

    def parts(self) -> tuple[float, str]:
        assert self.stream is not None
        logits = self.plain.logits
        best = int(logits[-1].argmax()) if logits is not None else self.reading.ids[-1]
        found = scored(self.model, self.head, self.stream, [FollowedTarget("", best, ("",))])
        own = float(logits[-1, best]) if logits is not None else found.score
        return max(abs(found.total - own), abs(found.total - found.score)) / found.size, ""


def _tap_sums(twin: Twin, sums: "dict[str, list[Tensor]]") -> None:
    modules = find_attentions(twin.model)

    def taker(kind: str) -> "Callable[[Tensor], None]":
        return lambda weights: sums[kind].append(weights.float().sum(-1))

    for layer, kind in modules.names:
        modules.tap(twin, layer, kind, taker(kind))


def _apart(ours: "Tensor", theirs: "Tensor") -> float:
    """The largest difference, in lengths of the largest number."""
    return float((ours.float() - theirs.float()).abs().max() / theirs.float().abs().max().clamp_min(1e-12))


def trial_reading(model: LanguageModel) -> HookedRun:
    """The first tokens of a text, as a pass reads them."""
    if not model.reads_two:
        return _first(model, read(model, TEXT)[0])
    (reading,) = read(model, TARGET, TARGET)
    return replace(_first(model, reading), source=_first(model, read(on_torch(model, "encoder"), TEXT)[0]))


def _first(model: LanguageModel, reading: HookedRun) -> HookedRun:
    n = min(N_TOKENS, model.window // 2)
    return replace(reading, ids=reading.ids[:n], tokens=reading.tokens[:n], fresh=reading.fresh[:n])


def plain_answer(model: LanguageModel, reading: HookedRun) -> _Plain:
    """One pass of the whole model as it is, without any hook of ours."""
    import torch

    # a copy around the same weights: what transformers hooks into it to gather states is nowhere else
    shared: dict[int, Any] = {id(one): one for one in (*model.whole.parameters(), *model.whole.buffers())}
    whole = copy.deepcopy(model.whole, shared)
    for module in whole.modules():
        forget_hooks(module)
    device = model.whole.device
    ids = torch.tensor([reading.ids], device=device)
    given: dict[str, Any] = {"input_ids": ids}
    if reading.source is not None:
        given = {"input_ids": torch.tensor([reading.source.ids], device=device), "decoder_input_ids": ids}
        given["decoder_attention_mask"] = torch.ones_like(ids)
    elif model.stack == "encoder":  # the decoder is given something to read
        given["decoder_input_ids"] = ids[:, :1]
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    with torch.inference_mode():
        answer = whole(**given, output_hidden_states=True, return_dict=True)
    states = getattr(answer, f"{model.stack}_hidden_states" if model.stack else "hidden_states")
    scores = None if model.stack == "encoder" or whole.get_output_embeddings() is None else logits_of(answer)[0]
    return _Plain(tuple(state[0] for state in states), scores)


def _padding(model: LanguageModel, reading: HookedRun, plain: _Plain) -> tuple[float, str]:
    """How far a text's states are in a batch, padded beside a text twice as long, from those that it has alone."""
    import numpy as np

    loaded = on_torch(model)
    layers = range(model.n_layers + (loaded.final_norm != "before"))  # the plain ones are behind the final norm
    rows = [reading.ids, reading.ids * 2]
    sources = None if reading.source is None else [reading.source.ids, reading.source.ids * 2]
    beside = hidden_states(loaded.engine, rows, layers, sources)[0]
    alone = np.stack([as_floats(plain.states[layer]) for layer in layers])
    return float(np.abs(alone - beside).max() / max(float(np.abs(alone).max()), 1e-12)), ""
