"""Ablation: heads and MLPs set to nothing, or to their mean, and what becomes of a word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, MLP, SELF, SubLayer, check_head, check_layers, require_plan
from polysema.core.inside.head_names import head_name
from polysema.core.inside.hooks import HookedRun, ModuleOutput, Twin, first_of, one_reading, replaced, rows_of, twin_of
from polysema.core.inside.proof import PARTS, require_identities
from polysema.core.inside.steering import Speaker, Statement, SteeredToken, changed, prompt
from polysema.core.model.load import LanguageModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

REPLACEMENTS = ("zero", "mean")


@dataclass(frozen=True, slots=True)
class Ablation:
    """What is taken out: a head of a layer (both from 1) of the attention `kind`, or, with the kind `mlp`, the MLP."""

    layer: int
    head: int | None = None
    kind: str = SELF

    def checked(self, model: LanguageModel) -> "Ablation":
        """The same with the layer from 1; raises `UserError` for a place that isn't there."""
        if self.kind not in (SELF, CROSS, MLP):
            raise UserError(f"there is no part {self.kind!r}; choose one of {SELF}, {CROSS}, {MLP}")
        if self.kind == CROSS and not model.reads_two:
            raise UserError(
                f"{model.name} has no cross-attention as it is loaded: that is the decoder's (stack decoder)"
            )
        (layer,) = check_layers(model, [self.layer])
        if (self.head is None) != (self.kind == MLP):
            raise UserError("a head has a number; an MLP has none")
        return Ablation(layer, None if self.head is None else check_head(model, self.head), self.kind)

    def __str__(self) -> str:
        if self.kind == MLP:
            return f"layer {self.layer} mlp"
        assert self.head is not None
        return f"{'cross ' if self.kind == CROSS else ''}head {head_name(self.layer, self.head)}"


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a part is set to: `zero`, or its `mean` over all tokens of the texts `over` (none: of the text itself)."""

    how: str = "zero"
    over: tuple[str, ...] = ()


ZERO = Replacement()


def ablate(
    model: LanguageModel,
    text: str | None,
    cuts: Sequence[Ablation],
    replacement: Replacement = ZERO,
    say: Statement | None = None,
    source: str | None = None,
) -> SteeredToken:
    """What the model says with some heads or MLPs set to zero or to their mean, at every position.

    What is replaced is what a head gathered, before the map that writes it, and all that an MLP adds. Of a decoder with
    cross-attention the texts of the mean are sources. Raises `UserError` for a part that isn't there and a model
    without a head.
    """
    how, over = replacement.how, replacement.over
    if how not in REPLACEMENTS:
        raise UserError(f"a part is set to {' or '.join(REPLACEMENTS)}; got {how!r}")
    if not cuts:
        raise UserError("say what to take out: at least one head or MLP")
    require_plan(model)
    checked = [cut.checked(model) for cut in cuts]
    say = say or Statement()
    reading = prompt(model, say.target if text is None else text, source)
    speaker = Speaker.of(model, reading, say)
    require_identities(model, PARTS)  # a part that doesn't add up isn't the part
    with twin_of(model) as twin:
        before = speaker.speak(twin)
        passes = (
            [reading]
            if not over
            else [one_reading(model, None if model.reads_two else t, t if model.reads_two else None) for t in over]
        )
        means = _means(twin, checked, passes) if how == "mean" else [None] * len(checked)
        for cut, mean in zip(checked, means, strict=True):
            _take_out(twin, cut, mean)
        after = speaker.speak(twin)
    return changed(model, speaker, before, after)


def _part(twin: Twin, cut: Ablation) -> SubLayer:
    return twin.parts.attention(cut.layer, cut.kind)


def _slice(part: SubLayer, cut: Ablation, width: int) -> slice:
    each = width // part.n_heads
    assert cut.head is not None
    return slice((cut.head - 1) * each, cut.head * each)


def _means(twin: Twin, cuts: Sequence[Ablation], readings: Sequence[HookedRun]) -> "list[Tensor]":
    """For each cut the mean over all positions of all passes of what will be replaced."""
    import torch

    sums: dict[int, Tensor] = {}

    def taker(place: int) -> "Callable[[ModuleOutput], None]":
        def take(out: ModuleOutput) -> None:
            states = rows_of(out).double()
            if cuts[place].kind != MLP:
                states = states[:, _slice(_part(twin, cuts[place]), cuts[place], states.shape[-1])]
            sums[place] = sums[place] + states.sum(0) if place in sums else states.sum(0)

        return take

    n_before = len(twin.handles)
    for place, cut in enumerate(cuts):
        part = _part(twin, cut)
        (twin.on_output if cut.kind == MLP else twin.on_input)(part.out, taker(place))
    for reading in readings:
        twin.run(reading)
    while len(twin.handles) > n_before:
        twin.handles.pop().remove()
    total = sum(len(reading) for reading in readings)
    with torch.inference_mode():
        return [sums[place] / total for place in range(len(cuts))]


def _take_out(twin: Twin, cut: Ablation, mean: "Tensor | None") -> None:
    part = _part(twin, cut)

    def replace_all(out: ModuleOutput) -> ModuleOutput:
        states = first_of(out).clone()
        states[:] = 0 if mean is None else mean.to(states)
        return replaced(out, states)

    def replace_head(out: ModuleOutput) -> "Tensor":
        states = first_of(out).clone()
        states[..., _slice(part, cut, states.shape[-1])] = 0 if mean is None else mean.to(states)
        return states

    if cut.kind == MLP:
        twin.on_output(part.out, replace_all)
    else:
        twin.on_input(part.out, replace_head)
