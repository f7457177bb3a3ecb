"""One head, step by step: its queries, keys and values as the model makes them, and all that is done with them.

Nothing is computed after a recipe of our own: what an attention multiplies, adds and normalizes is watched while the
model does it. So rotary and relative positions, a cap on the scores or a window are in it exactly as that architecture
has them; and the steps are put together again and compared with the attention that the model itself returns.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import (
    CROSS,
    SELF,
    SubLayer,
    check_head,
    check_layers,
    require_hooks,
    require_plan,
)
from polysema.core.inside.attention_modules import find_attentions
from polysema.core.inside.attention_trace import AttentionTrace, traced
from polysema.core.inside.decomposition import out_matrix
from polysema.core.inside.hooks import HookedRun, Twin, Unit, as_floats, one_reading, twin_of
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

MAX_POSITIONS = 512  # five tables of positions by positions
WEIGHT_TOLERANCE = 1e-5
HALF_WEIGHT_TOLERANCE = 0.02  # in float16 and bfloat16
MASKED_BELOW = -1e4  # no score of a trained model is so low, every mask's is lower
BIAS_SLACK = 1e-4  # what rounding leaves between the scores and the scaled products, where no bias was added


@dataclass(frozen=True, slots=True, eq=False)
class HeadComputation:
    """What one head does with a text, step by step; layers and heads count from 1.

    `query` (n_rows, width), `key` and `value` (n_columns, width) are as they meet: with rotary positions turned, with
    the head's norm where it has one. `dot_products` (n_rows, n_columns) are those of query and key; times `scale` (and
    bent by `cap` * tanh(x / cap) where there is one), plus `bias` (relative positions; 0 where there are none) they are
    the `scores`. Where `masked` is true a row can't look: there the score is -inf (NaN here), and the weight 0. Softmax
    makes `weights`, with `sink` the score of a place that takes a share and gives nothing. `mixed` (n_rows, width) is
    weights times value, `written` (n_rows, dim) what the output projection makes of it: it is added to the stream.
    `difference` is the largest between these weights and those the model itself returns.
    """

    json_properties: ClassVar[tuple[str, ...]] = ("positions",)

    model: str
    kind: str
    layer: int
    head: int
    key_head: int
    rows: tuple[Unit, ...]
    columns: tuple[Unit, ...]
    query: Floats
    key: Floats
    value: Floats
    dot_products: Floats
    scale: float
    bias: Floats
    scores: Floats
    masked: "np.ndarray[Any, np.dtype[np.bool_]]"
    weights: Floats
    mixed: Floats
    written: Floats
    difference: float
    rotary: bool = False
    cap: float | None = None
    sink: float | None = None

    @property
    def positions(self) -> str:
        """How this head learns who stands where."""
        if self.rotary:
            return "rotary: query and key are turned by an angle for each position before they meet"
        if np.any(self.bias):
            return "relative: a number for each distance is added to the scores"
        return "none here: positions are in the embeddings, or in nothing but the mask"


def head_computation(
    model: LanguageModel, text: str | None, layer: int, head: int, kind: str = SELF, source: str | None = None
) -> HeadComputation:
    """Follow one head through a text: query, key and value, their products, scale, mask, softmax and output.

    Args:
        model: Any that can be looked into.
        text: What it reads; of an encoder-decoder's decoder what that has written (None: it writes itself).
        layer: From 1, or negative from the end.
        head: From 1.
        kind: `self` or `cross`.
        source: What the encoder beside a decoder reads.

    Returns:
        Every step.

    Raises:
        UserError: There is no such layer, head or kind, the text is too long, or the steps that were seen don't make
            the attention that the model returns.
    """
    if kind not in (SELF, CROSS):
        raise UserError(f"attention {kind!r} does not exist; choose one of {SELF}, {CROSS}")
    if kind == CROSS and not model.reads_two:
        raise UserError(f"{model.name} has no cross-attention as it is loaded: that is the decoder's (stack decoder)")
    (layer,), head = check_layers(model, [layer]), check_head(model, head)
    require_hooks(model)
    require_plan(model)
    reading = one_reading(model, text, source)
    _check_length(reading)
    with twin_of(model) as twin:
        trace, own = _traced(twin, reading, layer, kind)
        part = twin.parts.attention(layer, kind)
        rotary = _rotary(find_attentions(model).module(twin, layer, kind), twin.root, kind)
    steps = steps_of(trace, head)
    difference = float(np.abs(steps["weights"] - as_floats(own[head - 1])).max())
    if not difference <= (WEIGHT_TOLERANCE if model.dtype == "float32" else HALF_WEIGHT_TOLERANCE):
        raise UserError(
            f"the steps that were seen in layer {layer}, head {head} of {model.name} don't make the attention that it "
            f"returns (they differ by up to {difference:.3g}), so they can't be shown; ask for its weights alone "
            "(attention)"
        )
    masked = steps.pop("masked")
    beside = reading.source if kind == CROSS and reading.source is not None else reading
    return HeadComputation(
        model=model.name,
        kind=kind,
        layer=layer,
        head=head,
        key_head=(head - 1) * part.n_key_heads // part.n_heads + 1,
        rows=reading.tokens,
        columns=beside.tokens,
        scale=trace.scale,
        cap=trace.cap,
        sink=steps.pop("sink"),
        masked=masked,
        rotary=rotary,
        written=_written(part, head, steps["mixed"]).astype(np.float32),
        difference=difference,
        **{name: table.astype(np.float32) for name, table in steps.items()},
    )


def _check_length(reading: HookedRun) -> None:
    longest = max(len(reading), len(reading.source) if reading.source is not None else 0)
    if longest > MAX_POSITIONS:
        raise UserError(
            f"the text has {longest} tokens; a head is followed step by step through at most {MAX_POSITIONS}, since "
            f"every step is a table of all by all ({longest * longest:,} numbers): give a shorter text"
        )


def _traced(twin: Twin, reading: HookedRun, layer: int, kind: str) -> "tuple[AttentionTrace, Tensor]":
    """One pass, with what the attention of a layer did and the weights that it returned."""
    modules = find_attentions(twin.model)
    core = modules.module(twin, layer, kind)
    beside = reading.source if kind == CROSS and reading.source is not None else reading
    trace = AttentionTrace((len(reading), len(beside)))
    weights: list[Tensor] = []
    modules.tap(twin, layer, kind, weights.append)
    with traced(core, trace):
        twin.run(reading)
    if not trace.complete:
        raise UserError(
            f"the attention of {twin.model.name} multiplies its queries and keys in a way that can't be followed step "
            "by step; ask for its weights alone (attention)"
        )
    return trace, weights[0]


def steps_of(trace: AttentionTrace, head: int) -> dict[str, Any]:
    """The steps of one head (from 1) in float64, from what was seen."""
    query, key, value, scores = (
        as_floats(of.reshape(-1, *of.shape[-2:])[head - 1]).astype(np.float64) for of in trace.tables()
    )
    products = query @ key.T  # (n_rows, n_columns)
    scaled = products * trace.scale
    if trace.cap is not None:
        scaled = trace.cap * np.tanh(scaled / trace.cap)
    masked = ~(scores > MASKED_BELOW)
    bias = np.where(masked, 0.0, scores - scaled)
    if np.abs(bias).max() <= BIAS_SLACK * max(1.0, float(np.abs(scaled).max())):
        bias[:] = 0.0
    scores = np.where(masked, -np.inf, scaled + bias)
    sink = None if trace.sink is None else float(trace.sink.reshape(-1, len(query), 1)[head - 1, 0, 0])
    highest = np.maximum(scores.max(-1, keepdims=True), -np.inf if sink is None else sink)
    highest[~np.isfinite(highest)] = 0.0  # a row that may look nowhere
    powers = np.exp(scores - highest)
    total = powers.sum(-1, keepdims=True) + (0.0 if sink is None else np.exp(sink - highest))
    weights = powers / np.maximum(total, np.finfo(np.float64).tiny)
    return {
        "query": query,
        "key": key,
        "value": value,
        "dot_products": products,
        "bias": bias,
        "scores": np.where(masked, np.nan, scores),
        "masked": masked,
        "weights": weights,
        "mixed": weights @ value,
        "sink": sink,
    }


def _written(part: SubLayer, head: int, mixed: Floats) -> Floats:
    """What the output projection makes of what one head gathered, (n_rows, dim), without its bias."""
    matrix = as_floats(out_matrix(part))
    width = len(matrix) // part.n_heads
    found: Floats = mixed @ matrix[(head - 1) * width : head * width].astype(np.float64)
    return found


def _rotary(core: "Module", stack: "Module", kind: str) -> bool:
    """Whether query and key are turned before they meet; a few models leave it out in some layers."""
    turns = any("Rotary" in type(module).__name__ for module in stack.modules())
    return kind == SELF and turns and bool(getattr(core, "use_rope", True))
