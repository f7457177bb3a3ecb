"""Contributions: what each part of a model adds to a score, up to the last digit.

A hidden state is a sum: the embedding, what every head and every MLP wrote, and biases. The norms on its way are the
only thing that is not linear in it. With the scale of each norm frozen at what it is in this pass (Elhage et al. 2021,
"direct logit attribution"), a score is the sum of what the parts add to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, MLP, SELF, SubLayer, anatomy, check_head, check_layers
from polysema.core.inside.followed_tokens import FollowedTarget, forms_of, likelier
from polysema.core.inside.head_names import zero_based_head
from polysema.core.inside.hooks import Twin, first_of, one_reading, place_in, positions_of, twin_of
from polysema.core.inside.output_head import OutputHead, checked_head, require_head
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import find_word
from polysema.core.space.space import Family, Floats, Keys, Space

SUM_TOLERANCE = 1e-3  # of the score, or of the largest part where the score is small
HALF_SUM_TOLERANCE = 0.05  # in float16 and bfloat16, whose sums are rounded at every layer


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


@dataclass(frozen=True, slots=True)
class Attribution:
    """What each part adds to a score at one position: the `parts` add up to `total`, the model's own answer is `score`.

    `measure` says what the score is: the logit of a word, the difference of two words' logits, or, for a stack without
    a head, the dot product of the last hidden state with a word's static vector.
    """

    json_properties: ClassVar[tuple[str, ...]] = ("total",)

    measure: str
    parts: tuple[Contribution, ...]
    score: float
    position: int
    token: str
    target: FollowedTarget
    against: FollowedTarget | None = None

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return float(np.sum([part.value for part in self.parts]))


def contributions(
    model: LanguageModel,
    text: str | None,
    word: str,
    against: str | None = None,
    source: str | None = None,
    at: "str | int | None" = None,
) -> Attribution:
    """What the embedding, each head, each MLP and each bias adds to the logit of `word` where `at` says (a word of the
    text, a token's number; by default where the next word, or the mask, is predicted).

    With `against` it is the difference of two words' logits. Scales of norms are frozen, and so is the gate of an
    activation in a head's transform (a masked encoder's): x times the ratio that it passes here. A value bias is part
    of its head's vector. Raises `UserError` for an architecture whose parts don't add up to its own answer.
    """
    forms = [forms_of(model, one) for one in (word, against) if one is not None]
    encoder = model.family is Family.ENCODER or model.stack == "encoder"
    head = checked_head(model) if encoder else require_head(model)
    reading = one_reading(model, text, source)
    position = place_in(model, reading, at)
    with twin_of(model) as twin:
        stream = _Stream(twin, position)
        twin.run(reading)
        names, vectors, state = stream.decomposed()
    target, *others = _chosen(model, head, state, forms)
    other = others[0] if others else None
    measure, names, values, score = _scored(model, head, names, vectors, state, target, other)
    lengths = np.full(len(values), np.nan)
    lengths[: len(vectors)] = np.linalg.norm(vectors, axis=1)
    parts = tuple(
        replace(name, value=float(value), length=float(length))
        for name, value, length in zip(names, values, lengths, strict=True)
    )
    found = Attribution(measure, parts, score, position, reading.tokens[position].name, target, other)
    slack = SUM_TOLERANCE if model.dtype == "float32" else HALF_SUM_TOLERANCE
    if abs(found.total - score) > slack * max(abs(score), float(np.abs(values).max())):
        raise UserError(
            f"the parts of {model.name} add up to {found.total:.4f}, its own score is {score:.4f}: it is built "
            "otherwise than "
            "it says, and what its parts add can't be told"
        )
    return found


def _chosen(
    model: LanguageModel, head: OutputHead | None, state: Any, forms: Sequence[tuple[FollowedTarget, ...]]
) -> list[FollowedTarget]:
    """The likelier form of each word by the last state; raises `UserError` where two words begin with the same
    token.
    """
    import torch

    said = None
    if head is not None and any(len(of) > 1 for of in forms):
        norm = anatomy(model).final_norm
        with torch.inference_mode():
            last = state.to(_dtype(head.unembed))[None]
            said = head.logits(norm.forward(last) if norm is not None else last)[0].float()
    found = [likelier(of, said) for of in forms]
    if len(found) > 1 and found[0].id == found[1].id:
        raise UserError(
            f"{found[0].word!r} and {found[1].word!r} begin with the same token {found[0].pieces[0]!r}; choose "
            "other words"
        )
    return found


class _Stream:
    """Hooks that record, at one position, all that is added to the residual stream and all that the norms do to it."""

    def __init__(self, twin: Twin, position: int):
        self.twin, self.position = twin, position
        self.seen: dict[tuple[int, str, str], Any] = {}
        parts = twin.parts
        twin.on_input(parts.blocks[0], self._keep(0, "", "embedding"))
        for layer, sublayers in enumerate(parts.sublayers, 1):
            for part in sublayers:
                twin.on_input(part.out, self._keep(layer, part.kind, "into"))
                twin.on_output(part.out, self._keep(layer, part.kind, "out"))
                if parts.post_norm:
                    twin.on_input(part.norm, self._keep(layer, part.kind, "norm"))
        twin.on_output(parts.blocks[-1], self._keep(0, "", "last"))

    def _keep(self, layer: int, kind: str, what: str) -> Any:
        def take(out: Any) -> None:
            self.seen[layer, kind, what] = first_of(out)[0, self.position].detach().double()

        return take

    def decomposed(self) -> tuple[list[Contribution], Floats, Any]:
        """The parts without values, their vectors as they stand in the state that the stack ends with, (n_parts, dim)
        float64, before a final norm; and that state.
        """
        import torch

        parts = self.twin.parts
        names = [Contribution("embedding", "embedding", 0, 0, 0.0)]
        vectors = [self.seen[0, "", "embedding"][None]]
        for layer, sublayers in enumerate(parts.sublayers, 1):
            for part in sublayers:
                for name, vector in self._written(layer, part):
                    names.append(name)
                    vectors.append(vector[None])
                if parts.post_norm:
                    frozen = FrozenLayer.at(part.norm, self.seen[layer, part.kind, "norm"])
                    vectors = [frozen.scaled(torch.cat(vectors))]
                    if frozen.bias is not None:
                        names.append(Contribution(f"layer {layer} {_norm_name(part.kind)}", "bias", layer, 0, 0.0))
                        vectors.append(frozen.bias[None])
        return names, torch.cat(vectors).cpu().numpy(), self.seen[0, "", "last"]

    def _written(self, layer: int, part: SubLayer) -> list[tuple[Contribution, Any]]:
        out = self.seen[layer, part.kind, "out"]
        bias = getattr(part.out, "bias", None)
        written = []
        if part.kind == MLP:
            whole = out if bias is None else out - bias.detach().double()
            written.append((Contribution(f"layer {layer} mlp", "mlp", layer, 0, 0.0), whole))
        else:
            kind = "cross head" if part.kind == CROSS else "head"
            for head, vector in enumerate(head_vectors(part, self.seen[layer, part.kind, "into"][None])[:, 0], 1):
                written.append((Contribution(f"layer {layer} {kind} {head}", kind, layer, head, 0.0), vector))
        if bias is not None:
            what = {SELF: "attention", CROSS: "cross-attention", MLP: "mlp"}[part.kind]
            written.append((Contribution(f"layer {layer} {what} bias", "bias", layer, 0, 0.0), bias.detach().double()))
        return written


def _norm_name(kind: str) -> str:
    return {SELF: "attention norm bias", CROSS: "cross-attention norm bias", MLP: "mlp norm bias"}[kind]


def out_matrix(part: SubLayer) -> Any:
    """What an attention writes with, (n_heads * width, dim): the transposed weight of a linear map, or GPT-2's
    Conv1D.
    """
    weight = part.out.weight.detach()
    return weight if type(part.out).__name__ == "Conv1D" else weight.T


def head_vectors(part: SubLayer, values: Any) -> Any:
    """(n, n_heads * width) of what the heads gathered to what each of them writes, (n_heads, n, dim) float64."""
    import torch

    width = values.shape[-1] // part.n_heads
    matrix = out_matrix(part).double().view(part.n_heads, width, -1)
    return torch.einsum("nhw,hwd->hnd", values.double().view(len(values), part.n_heads, width), matrix)


@dataclass(frozen=True, slots=True, eq=False)
class FrozenLayer:
    """A norm with its scale frozen at one state, which makes it linear: (x - mean(x)) or x, times `scale`, plus
    `bias`.
    """

    centered: bool
    scale: Any
    bias: Any

    @classmethod
    def at(cls, norm: Any, state: Any) -> "FrozenLayer":
        """The norm as it is for a state (dim,): a layer norm (Ba et al. 2016) or RMS norm (Zhang and Sennrich 2019)."""
        import torch

        if isinstance(norm, torch.nn.Identity):
            return cls(False, torch.ones_like(state), None)
        centered = isinstance(norm, torch.nn.LayerNorm)
        # a layer norm calls it eps, the RMS norms of the table variance_epsilon
        epsilon = float(norm.eps if hasattr(norm, "eps") else norm.variance_epsilon)
        middle = state - state.mean() if centered else state
        scale = norm.weight.detach().double() / torch.sqrt((middle * middle).mean() + epsilon)
        bias = getattr(norm, "bias", None)
        return cls(centered, scale, None if bias is None else bias.detach().double())

    def scaled(self, vectors: Any) -> Any:
        """What becomes of vectors (n, dim) without the bias."""
        return (vectors - vectors.mean(-1, keepdim=True) if self.centered else vectors) * self.scale


def _scored(
    model: LanguageModel,
    head: OutputHead | None,
    names: list[Contribution],
    vectors: Floats,
    state: Any,
    target: FollowedTarget,
    other: FollowedTarget | None,
) -> tuple[str, list[Contribution], Floats, float]:
    """What the score is, the parts with those of norm and head, what each adds, and the model's own score."""
    import torch

    rows = torch.from_numpy(vectors).to(state.device)
    names = list(names)

    def add(name: str, vector: Any) -> None:
        nonlocal rows
        names.append(Contribution(name, "bias", 0, 0, 0.0))
        rows = torch.cat([rows, vector[None]])

    norm = anatomy(model).final_norm
    with torch.inference_mode():
        own = norm.forward(state.to(_dtype(norm))[None])[0] if norm is not None else state
        if norm is not None:
            frozen = FrozenLayer.at(norm, state)
            rows = frozen.scaled(rows)
            if frozen.bias is not None:
                add("final norm bias", frozen.bias)
        ids = [target.id] if other is None else [target.id, other.id]
        signs = torch.tensor([1.0, -1.0][: len(ids)], dtype=torch.float64, device=state.device)
        if head is None:
            table = model.input_table[ids].double()
            difference = f" - static({other.word})" if other else ""
            measure = f"dot product of the last hidden state with static({target.word}){difference}"
            return measure, names, (rows @ (signs @ table)).cpu().numpy(), float(own.double() @ (signs @ table))
        through = own.double()
        if head.dense is not None:
            rows, through = _through_transform(head, rows, through, add_to=names)
        table = signs @ head.unembed.weight[ids].double()
        values = rows @ table * head.scale
        bias = sum(
            (b[ids].double() for b in (getattr(head.unembed, "bias", None), head.bias) if b is not None),
            start=torch.zeros(len(ids), dtype=torch.float64, device=state.device),
        )
        if getattr(head.unembed, "bias", None) is not None or head.bias is not None:
            names.append(Contribution("head bias", "bias", 0, 0, 0.0))
            values = torch.cat([values, (signs @ bias)[None]])
        score = head.logits(own.to(head.unembed.weight.dtype)[None])[0, ids].double() @ signs
    measure = f"logit of {target.pieces[0]!r}" + (f" less that of {other.pieces[0]!r}" if other else "")
    return measure, names, values.cpu().numpy(), float(score)


def _through_transform(head: OutputHead, rows: Any, state: Any, add_to: list[Contribution]) -> tuple[Any, Any]:
    """The parts behind a head's transform: a linear map, an activation with its gate frozen, a norm with its scale
    frozen.
    """
    import torch

    def add(name: str, vector: Any) -> Any:
        add_to.append(Contribution(name, "bias", 0, 0, 0.0))
        return torch.cat([rows, vector[None]])

    weight, bias = head.dense.weight.double(), getattr(head.dense, "bias", None)
    rows, state = rows @ weight.T, state @ weight.T
    if bias is not None:
        rows, state = add("head transform bias", bias.double()), state + bias.double()
    assert head.activation is not None
    passed = head.activation(state)
    gate = torch.where(state.abs() > 1e-12, passed / torch.where(state.abs() > 1e-12, state, 1.0), 0.5)
    rows, state = rows * gate, passed
    frozen = FrozenLayer.at(head.norm, state)
    rows, state = frozen.scaled(rows), frozen.scaled(state[None])[0]
    if frozen.bias is not None:
        rows, state = add("head norm bias", frozen.bias), state + frozen.bias
    return rows, state


def _dtype(module: Any) -> Any:
    return next(module.parameters()).dtype


def head_outputs(
    model: LanguageModel,
    texts: Sequence[str],
    words: Sequence[str],
    layers: Sequence[int] | None = None,
    sources: Sequence[str] | None = None,
    kind: str = SELF,
) -> Space:
    """What each head writes where a word stands, as a space: a row for each text, layer and head, (n, dim).

    `words` are one for each text (its first occurrence; sub-words are averaged). A row is named by its word and
    its head in the notation of TransformerLens (`bank L2H4`, counted from 0); the columns, counted from 1, are text_id, word, start, end, layer, head, and `key_head`, whose keys it reads.
    """
    if len(texts) != len(words) or not texts:
        raise UserError(f"give as many words as texts; got {len(texts)} texts and {len(words)} words")
    if kind == CROSS and not model.reads_two:
        raise UserError(f"{model.name} has no cross-attention as it is loaded: that is the decoder's (stack decoder)")
    chosen = check_layers(model, layers)
    rows: list[dict[str, Any]] = []
    vectors: list[Floats] = []
    with twin_of(model) as twin:
        kept: dict[int, Any] = {}

        def taker(layer: int) -> Any:
            def take(out: Any) -> None:
                kept[layer] = first_of(out)[0]

            return take

        for layer in chosen:
            twin.on_input(twin.parts.attention(layer, kind).out, taker(layer))
        for number, (text, word) in enumerate(zip(texts, words, strict=True)):
            reading = one_reading(model, text, sources[number] if sources else None)
            span, places = find_word(reading.text, word), positions_of(reading, word)
            twin.run(reading)
            for layer in chosen:
                part = twin.parts.attention(layer, kind)
                written = head_vectors(part, kept[layer][places]).mean(1).float().cpu().numpy()  # (n_heads, dim)
                for head, vector in enumerate(written, 1):
                    vectors.append(vector)
                    rows.append(
                        {
                            "key": f"{reading.text[span.start : span.end]} {zero_based_head(layer, head)}",
                            "text_id": number,
                            "word": reading.text[span.start : span.end],
                            "start": span.start,
                            "end": span.end,
                            "layer": layer,
                            "head": head,
                            "key_head": (head - 1) * part.n_key_heads // part.n_heads + 1,
                        }
                    )
    origin = model.origin(None, f"what each {'cross ' if kind == CROSS else ''}head writes, mean of sub-words")
    table = pa.Table.from_pylist(rows)
    return Space(Keys(table.column("key")), np.stack(vectors), origin, table.drop_columns(["key"]))


@dataclass(frozen=True, slots=True, eq=False)
class Subspace:
    """Where a head writes: `basis` (rank, dim), orthonormal, spans all that it can write; it reads from its keys' head
    (`key_head`) through `width` numbers, so its rank is at most that.
    """

    layer: int
    head: int
    width: int
    rank: int
    key_head: int
    basis: Floats

    def share(self, vector: Floats) -> float:
        """Which part of a vector's squared length lies in the sub-space, 0 to 1; chance is rank / dim."""
        length = float(vector.astype(np.float64) @ vector)
        if not np.isfinite(length) or length == 0:
            raise UserError("the share of a vector needs one of finite length other than 0")
        return float(((self.basis.astype(np.float64) @ vector) ** 2).sum() / length)


def head_subspace(model: LanguageModel, layer: int, head: int, kind: str = SELF) -> Subspace:
    """The sub-space of the hidden states that a head can write into; layers and heads count from 1."""
    (layer,), head = check_layers(model, [layer]), check_head(model, head)
    if kind == CROSS and not model.reads_two:
        raise UserError(f"{model.name} has no cross-attention as it is loaded: that is the decoder's (stack decoder)")
    part = anatomy(model).attention(layer, kind)
    matrix = out_matrix(part).float().cpu().numpy()
    width = len(matrix) // part.n_heads
    _, sizes, basis = np.linalg.svd(matrix[(head - 1) * width : head * width].astype(np.float64), full_matrices=False)
    rank = int((sizes > sizes[0] * max(matrix.shape) * np.finfo(np.float32).eps).sum()) if sizes[0] > 0 else 0
    key_head = (head - 1) * part.n_key_heads // part.n_heads + 1
    return Subspace(layer, head, width, rank, key_head, basis[:rank].astype(np.float32))
