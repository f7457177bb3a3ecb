"""A hidden state as a sum of what every part wrote, with the scale of each norm frozen at what it is in the pass."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, MLP, SELF, SubLayer
from polysema.core.inside.hooks import ModuleOutput, Twin, rows_of
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

NORM_TOLERANCE = 1e-3  # of the largest number that a norm returns
HALF_NORM_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one part adds: `kind` is embedding, head, cross head, mlp or bias; `layer` and `head` count from 1, 0 where
    there is none. `length` is that of the vector it wrote.
    """

    name: str
    kind: str
    layer: int
    head: int
    value: float
    length: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class SubLayerStep:
    """What one sub-layer wrote at a position, behind a norm of its own (`after`) where it has one, and the `norm` that
    all that stands in the stream goes through then (None of a pre-norm block).
    """

    layer: int
    part: SubLayer
    written: "list[tuple[Contribution, Tensor]]"
    after: "FrozenLayer | None"
    norm: "FrozenLayer | None"

    @property
    def norm_bias_name(self) -> str:
        """What the bias of its norm is called."""
        return f"layer {self.layer} {_norm_name(self.part.kind)}"


class ResidualStream:
    """Hooks that record, at some positions, all that is added to the residual stream up to a layer and all that the
    norms do to it.
    """

    def __init__(self, twin: Twin, positions: Sequence[int], layer: int | None = None):
        self.twin, self.positions = twin, list(positions)
        self.seen: dict[tuple[int, str, str], Tensor] = {}
        parts = twin.parts
        self.layer = len(parts.blocks) if layer is None else layer
        twin.on_input(parts.blocks[0], self._keep(0, "", "embedding"))
        for number, sublayers in enumerate(parts.sublayers[: self.layer], 1):
            for part in sublayers:
                twin.on_input(part.out, self._keep(number, part.kind, "into"))
                twin.on_output(part.out, self._keep(number, part.kind, "out"))
                if parts.post_norm:
                    twin.on_input(part.norm, self._keep(number, part.kind, "norm"))
        if self.layer:
            twin.on_output(parts.blocks[self.layer - 1], self._keep(0, "", "last"))

    def _keep(self, layer: int, kind: str, what: str) -> Callable[[ModuleOutput], None]:
        def take(out: ModuleOutput) -> None:
            self.seen[layer, kind, what] = rows_of(out)[self.positions].detach().double()

        return take

    def embedded(self, place: int = 0) -> "Tensor":
        """What the first block reads at one of the positions, (dim,) float64."""
        return self.seen[0, "", "embedding"][place]

    def last(self, place: int = 0) -> "Tensor":
        """The state (dim,) that the last of the layers returns at one of the positions, float64."""
        return self.seen[0, "", "last"][place] if self.layer else self.embedded(place)

    def steps(self, place: int = 0) -> "Iterator[SubLayerStep]":
        """What each sub-layer wrote at one of the positions, in order, and the norms as they are there."""
        parts = self.twin.parts
        for layer, sublayers in enumerate(parts.sublayers[: self.layer], 1):
            for part in sublayers:
                out = self.seen[layer, part.kind, "out"][place]
                after = None if part.after is None else FrozenLayer.at(part.after, out)
                norm = None
                if parts.post_norm:
                    norm = FrozenLayer.at(part.norm, self.seen[layer, part.kind, "norm"][place])
                yield SubLayerStep(layer, part, self._written(layer, part, place, after), after, norm)

    def decomposed(self) -> "tuple[list[Contribution], Floats, Tensor]":
        """The parts at the first position without values, their vectors as they stand in the state that the stack ends
        with, (n_parts, dim) float64, before a final norm; and that state.
        """
        import torch

        names = [Contribution("embedding", "embedding", 0, 0, 0.0)]
        vectors = [self.embedded()[None]]
        for step in self.steps():
            for name, vector in step.written:
                names.append(name)
                vectors.append(vector[None])
            if step.norm is not None:
                vectors = [step.norm.scaled(torch.cat(vectors))]
                if step.norm.bias is not None:
                    names.append(Contribution(step.norm_bias_name, "bias", step.layer, 0, 0.0))
                    vectors.append(step.norm.bias[None])
        return names, torch.cat(vectors).cpu().numpy(), self.last()

    def _written(
        self, layer: int, part: SubLayer, place: int, after: "FrozenLayer | None"
    ) -> "list[tuple[Contribution, Tensor]]":
        out = self.seen[layer, part.kind, "out"][place]
        bias = getattr(part.out, "bias", None)
        written = []
        if part.kind == MLP:
            whole = out if bias is None else out - bias.detach().double()
            written.append((Contribution(f"layer {layer} mlp", "mlp", layer, 0, 0.0), whole))
        else:
            kind = "cross head" if part.kind == CROSS else "head"
            for head, vector in enumerate(
                head_vectors(part, self.seen[layer, part.kind, "into"][place][None])[:, 0], 1
            ):
                written.append((Contribution(f"layer {layer} {kind} {head}", kind, layer, head, 0.0), vector))
        what = {SELF: "attention", CROSS: "cross-attention", MLP: "mlp"}[part.kind]
        if bias is not None:
            written.append((Contribution(f"layer {layer} {what} bias", "bias", layer, 0, 0.0), bias.detach().double()))
        if after is None:
            return written
        written = [(name, after.scaled(vector[None])[0]) for name, vector in written]
        if after.bias is not None:
            written.append((Contribution(f"layer {layer} {_norm_name(part.kind)}", "bias", layer, 0, 0.0), after.bias))
        return written


def _norm_name(kind: str) -> str:
    return {SELF: "attention norm bias", CROSS: "cross-attention norm bias", MLP: "mlp norm bias"}[kind]


def out_matrix(part: SubLayer) -> "Tensor":
    """What an attention writes with, (n_heads * width, dim): the transposed weight of a linear map, or GPT-2's
    Conv1D.
    """
    weight: Tensor = part.out.get_parameter("weight").detach()
    return weight if type(part.out).__name__ == "Conv1D" else weight.T


def head_vectors(part: SubLayer, values: "Tensor") -> "Tensor":
    """(n, n_heads * width) of what the heads gathered to what each of them writes, (n_heads, n, dim) float64."""
    import torch

    width = values.shape[-1] // part.n_heads
    matrix = out_matrix(part).double().reshape(part.n_heads, width, -1)
    return torch.einsum("nhw,hwd->hnd", values.double().view(len(values), part.n_heads, width), matrix)


@dataclass(frozen=True, slots=True, eq=False)
class FrozenLayer:
    """A norm with its scale frozen at one state, which makes it linear: (x - mean(x)) or x, times `scale`, plus
    `bias`.
    """

    centered: bool
    scale: "Tensor"
    bias: "Tensor | None"

    @classmethod
    def at(cls, norm: "Module", state: "Tensor") -> "FrozenLayer":
        """The norm as it is for a state (dim,): a layer norm (Ba et al. 2016) or an RMS norm (Zhang and Sennrich
        2019), with its weight or 1 more than it (Gemma). Which of them it is is told by what it gives; raises
        `UserError` for any other norm.
        """
        import torch

        if isinstance(norm, torch.nn.Identity):
            return cls(False, torch.ones_like(state), None)
        kept = next(norm.parameters(), None)
        own = norm.forward(state.to(kept.dtype if kept is not None else torch.float32)[None])[0].detach().double()
        bias = getattr(norm, "bias", None)
        bias = None if bias is None else bias.detach().double()
        weight = torch.ones_like(state) if kept is None else kept.detach().double()
        epsilon = float(next(getattr(norm, name) for name in ("eps", "variance_epsilon") if hasattr(norm, name)))
        slack = (HALF_NORM_TOLERANCE if kept is not None and kept.dtype != torch.float32 else NORM_TOLERANCE) * float(
            own.abs().max().clamp_min(1e-6)
        )
        for centered in (isinstance(norm, torch.nn.LayerNorm), not isinstance(norm, torch.nn.LayerNorm)):
            middle = state - state.mean() if centered else state
            unit = 1 / torch.sqrt((middle * middle).mean() + epsilon)
            for scale in (weight * unit, (1 + weight) * unit):
                given = middle * scale if bias is None else middle * scale + bias
                if float((given - own).abs().max()) <= slack:
                    return cls(centered, scale, bias)
        raise UserError(
            f"a {type(norm).__name__} is neither a layer norm nor an RMS norm, so what becomes of the parts in it "
            "can't be told"
        )

    def scaled(self, vectors: "Tensor") -> "Tensor":
        """What becomes of vectors (n, dim) without the bias."""
        return (vectors - vectors.mean(-1, keepdim=True) if self.centered else vectors) * self.scale

    def pulled_back(self, axis: "Tensor") -> "Tensor":
        """The axis (dim,) in front of the norm: its product with a vector there is that of `axis` behind it."""
        scaled = axis * self.scale
        return scaled - scaled.mean() if self.centered else scaled
