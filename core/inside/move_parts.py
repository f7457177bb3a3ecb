"""A word's hidden state less its static vector as a sum of vectors: one for each head, MLP, norm and bias."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.decomposition import Contribution, FrozenLayer, ResidualStream
from polysema.core.inside.embedding_path import EmbeddingPath, LinearMap, state_vector
from polysema.core.model.static import static_vector
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from polysema.core.model.load import LanguageModel

EMBEDDING, NORM, BIAS = "embedding", "norm", "bias"
TOLERANCE = 1e-4  # of the largest number of the move
HALF_TOLERANCE = 0.05  # in float16 and bfloat16, whose sums are rounded at every layer


@dataclass(frozen=True, slots=True, eq=False)
class MoveParts:
    """A move before it is projected: the names of its parts and their vectors (n_parts, dim), which add up to `hidden`
    less `static`; all float64.
    """

    names: list[Contribution]
    vectors: Floats
    static: Floats
    hidden: Floats

    @property
    def move(self) -> Floats:
        """The whole of it, (dim,)."""
        found: Floats = self.hidden - self.static
        return found

    @property
    def difference(self) -> float:
        """How far the sum of the parts is from the move, of its largest number."""
        return float(np.abs(self.vectors.sum(0) - self.move).max() / max(float(np.abs(self.move).max()), 1e-12))


def move_parts(model: "LanguageModel", stream: ResidualStream, path: EmbeddingPath, word: str) -> MoveParts:
    """The parts of the move of a word, the mean over its tokens. Raises `UserError` where they don't add up to it."""
    import torch

    static = torch.from_numpy(static_vector(model, word)[0]).double().to(stream.embedded().device)
    with torch.inference_mode():
        found = [_parts_at(model, stream, path, static, place) for place in range(len(stream.positions))]
    parts = MoveParts(
        found[0][0],
        np.mean([vectors.cpu().numpy() for _, vectors, _ in found], axis=0),
        state_vector(model, word).astype(np.float64),
        np.mean([hidden.cpu().numpy() for _, _, hidden in found], axis=0),
    )
    if not parts.difference <= (TOLERANCE if model.dtype == "float32" else HALF_TOLERANCE):
        raise UserError(
            f"the parts of {model.name} miss the move of {word!r} by {parts.difference:.2g} of it: it is built "
            "otherwise than it says, and what its parts add can't be told"
        )
    return parts


def final_norm(stream: ResidualStream) -> "Module | None":
    """The norm behind the stack where the layer meant is the last one, None otherwise."""
    parts = stream.twin.parts
    return parts.final_norm if stream.layer == len(parts.blocks) else None


def _parts_at(
    model: "LanguageModel", stream: ResidualStream, path: EmbeddingPath, static: "Tensor", place: int
) -> "tuple[list[Contribution], Tensor, Tensor]":
    """Names and vectors (n_parts, dim) of the parts at one token, and the state there."""
    import torch

    sums = _MovingSum(static)
    before = path.steps(stream.positions[place], stream.embedded(place))
    state = before[0].before if before else stream.embedded(place)
    if len(state) != len(static):
        raise UserError(
            f"the embeddings of {model.name} don't lead from its static vectors ({len(static)} dimensions) to its "
            f"states ({model.dim}) by a norm and a projection, so what its parts add can't be told"
        )
    sums.add(Contribution("embedding: all but the word's row", EMBEDDING, 0, 0, 0.0), state - static)
    for one in before:
        if isinstance(one.map, LinearMap):
            sums.projected(one.map, one.name)
        else:
            sums.through(one.map, 0, one.name)
    for step in stream.steps(place):
        for name, vector in step.written:
            sums.add(name, vector)
        if step.norm is not None:
            sums.through(step.norm, step.layer, step.norm_bias_name.removesuffix(" bias"))
    hidden, last = stream.last(place), final_norm(stream)
    if last is not None:
        frozen = FrozenLayer.at(last, hidden)
        kept = next(iter(last.parameters()), None)
        hidden = last(hidden.to(torch.float32 if kept is None else kept.dtype)[None])[0].double()
        sums.through(frozen, stream.layer + 1, "final norm")
    names, vectors = sums.all()
    return names, vectors, hidden


class _MovingSum:
    """A sum that goes through norms: a word's static vector, and what was added to it.

    What a norm makes of the static vector is a part of its own, that of the norm; whatever else stands in the sum is
    scaled by it.
    """

    def __init__(self, static: "Tensor"):
        self._static = static
        self._names: list[Contribution] = []
        self._vectors: list[Tensor] = []  # (n, dim) each
        self._norms: list[tuple[Contribution, Tensor]] = []

    def add(self, name: Contribution, vector: "Tensor") -> None:
        self._names.append(name)
        self._vectors.append(vector[None])

    def through(self, norm: FrozenLayer, layer: int, name: str) -> None:
        import torch

        self._vectors = [norm.scaled(torch.cat(self._vectors))]
        static = norm.scaled(self._static[None])[0]
        self._norms.append((Contribution(name, NORM, layer, 0, 0.0), static - self._static))
        self._static = static
        if norm.bias is not None:
            self.add(Contribution(f"{name} bias", BIAS, layer, 0, 0.0), norm.bias)

    def projected(self, map_: LinearMap, name: str) -> None:
        """Into another width: all that stands in the sum, what the norms made of the static vector, and itself."""
        import torch

        self._vectors = [map_.scaled(torch.cat(self._vectors))]
        self._norms = [(of, map_.scaled(vector[None])[0]) for of, vector in self._norms]
        self._static = map_.scaled(self._static[None])[0]
        if map_.bias is not None:
            self.add(Contribution(f"{name} bias", BIAS, 0, 0, 0.0), map_.bias)

    def all(self) -> "tuple[list[Contribution], Tensor]":
        import torch

        names = [*self._names, *(name for name, _ in self._norms)]
        return names, torch.cat([*self._vectors, *(vector[None] for _, vector in self._norms)])
