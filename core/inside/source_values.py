"""What each token gives that is attended to: weight times value, through the output projection, on an axis."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.inside.architectures import CROSS, MLP
from polysema.core.inside.attention_modules import find_attentions
from polysema.core.inside.attention_trace import AttentionTrace, traced
from polysema.core.inside.decomposition import FrozenLayer, ResidualStream, out_matrix
from polysema.core.inside.hooks import grouped
from polysema.core.inside.move_parts import final_norm
from polysema.core.space.array_types import Doubles
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from torch import Tensor

    from polysema.core.inside.architectures import SubLayer
    from polysema.core.inside.hooks import HookedRun, Twin, Unit


SOURCE_TOLERANCE = 1e-3  # what the words give a head against what it wrote, of the largest head's
CROSS_HEAD = "cross head"
NOT_FOLLOWED = (
    "which word gave a head what it wrote is not told: the attention of layer {layer} multiplies its weights and "
    "values in a way that can't be followed"
)


class AttendedValues:
    """The attention weights and values of every attention up to a layer at some positions, as one pass makes them."""

    def __init__(self, twin: "Twin", positions: Sequence[int], layer: int):
        self._twin, self._positions, self._layer = twin, list(positions), layer
        self.seen: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}

    @contextmanager
    def watched(self, reading: "HookedRun") -> "Iterator[None]":
        """While open, a pass over the reading is recorded."""
        modules = find_attentions(self._twin.model)
        with ExitStack() as stack:
            for layer, kind in modules.names:
                if layer > self._layer:
                    continue
                beside = reading.source if kind == CROSS and reading.source is not None else reading
                trace = AttentionTrace((len(reading), len(beside)))
                core = modules.module(self._twin, layer, kind)
                stack.enter_context(traced(core, trace))
                self._twin.on_output(core, self._taker(layer, kind, trace))
            yield

    def _taker(self, layer: int, kind: str, trace: AttentionTrace) -> "Callable[[object], None]":
        def take(_out: object) -> None:
            if trace.value is not None and trace.mixing is not None:
                weights = trace.mixing.reshape(-1, *trace.mixing.shape[-2:])[:, self._positions]
                self.seen[layer, kind] = (weights.double(), trace.value.reshape(-1, *trace.value.shape[-2:]).double())
            trace.clear()

        return take

    def on_axis(self, layer: int, part: "SubLayer", place: int, axis: "Tensor") -> "Tensor | None":
        """What each head gives from each token that it attends to, (n_heads, n_tokens), as far as it lies on an axis
        (dim,) of what the attention adds; None where its values weren't seen.
        """
        import torch

        if (layer, part.kind) not in self.seen:
            return None
        weights, values = self.seen[layer, part.kind]
        if values.shape[0] != part.n_heads:
            return None
        on_values = out_matrix(part).double().reshape(part.n_heads, -1, len(axis)) @ axis  # (n_heads, width)
        if on_values.shape[1] != values.shape[2]:
            return None
        return torch.einsum("hkw,hw,hk->hk", values, on_values, weights[:, place])


@dataclass(frozen=True, slots=True, eq=False)
class SourceTable:
    """What each head takes from each word on an axis, `values` (n_heads_in_all, n_units) float64; `heads` are (kind,
    layer, head), `units` (self or cross, word). Nothing, with a `note`, where an attention can't be followed so far.
    """

    values: Doubles
    heads: tuple[tuple[str, int, int], ...]
    units: "tuple[tuple[str, Unit], ...]"
    note: str = ""


def source_table(
    stream: ResidualStream, attended: AttendedValues, reading: "HookedRun", axis: Floats | Doubles
) -> SourceTable:
    """What every head takes from every word of the text (and of the source), as it stands on the axis in the end.

    The axis is taken back through the norms that lie behind an attention, so that what is given there counts as it
    does in the state. The mean over the positions of the word.
    """
    import torch

    sides = [("self", reading)] + ([(CROSS, reading.source)] if reading.source is not None else [])
    groups = {kind: grouped(of, "words") for kind, of in sides}
    starts = dict(zip(groups, np.cumsum([0, *(len(units) for units, _ in groups.values())]).tolist(), strict=False))
    units = tuple((kind, unit) for kind, (own, _) in groups.items() for unit in own)
    rows: dict[tuple[str, int, int], Doubles] = {}
    n_places = len(stream.positions)
    with torch.inference_mode():
        for place in range(n_places):
            behind = torch.from_numpy(np.asarray(axis, np.float64)).to(stream.embedded().device)
            last = final_norm(stream)
            if last is not None:
                behind = FrozenLayer.at(last, stream.last(place)).pulled_back(behind)
            for step in reversed(list(stream.steps(place))):
                behind = behind if step.norm is None else step.norm.pulled_back(behind)
                if step.part.kind == MLP:
                    continue
                own = behind if step.after is None else step.after.pulled_back(behind)
                found = attended.on_axis(step.layer, step.part, place, own)
                written = torch.stack([vector for name, vector in step.written if name.head]) @ behind
                if found is None or not _same(found.sum(1), written):
                    return SourceTable(np.zeros((0, 0)), (), (), NOT_FOLLOWED.format(layer=step.layer))
                kind = step.part.kind
                for head, given in enumerate(found.cpu().numpy(), 1):
                    name = (CROSS_HEAD if kind == CROSS else "head", step.layer, head)
                    row = rows.setdefault(name, np.zeros(len(units)))
                    np.add.at(row, starts[kind] + groups[kind][1], given / n_places)
    heads = tuple(sorted(rows, key=lambda one: (one[1], one[0] == CROSS_HEAD, one[2])))
    table = np.stack([rows[head] for head in heads]) if heads else np.zeros((0, len(units)))
    return SourceTable(table, heads, units if heads else ())


def _same(given: "Tensor", written: "Tensor") -> bool:
    return bool((given - written).abs().max() <= SOURCE_TOLERANCE * max(float(written.abs().max()), 1e-6))
