"""Where one pass can be put into another, and the passes that are run for it: nothing below a patch is run twice."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, MLP, SELF, Anatomy, anatomy, check_head, check_layers
from polysema.core.inside.hooks import (
    ATTENTION,
    HookedRun,
    ModuleOutput,
    Take,
    Twin,
    first_of,
    replaced,
    rows_of,
    states_of,
)
from polysema.core.model.load import on_torch

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

RESIDUAL, HEAD, CROSS_HEAD = "residual", "head", "cross-head"
PARTS = (RESIDUAL, ATTENTION, CROSS, MLP, HEAD, CROSS_HEAD)
KINDS = {ATTENTION: SELF, CROSS: CROSS, MLP: MLP, HEAD: SELF, CROSS_HEAD: CROSS}  # of the sub-layer that a part is of


@dataclass(frozen=True, slots=True)
class PatchSite:
    """One place: a layer (from 1; 0 is the embedding output), some positions, and perhaps a head (from 1)."""

    layer: int
    positions: tuple[int, ...]
    head: int | None = None


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """The places that are patched one after the other: a row for each layer, a column for each position or head."""

    layers: tuple[int, ...]
    positions: tuple[int, ...]
    heads: tuple[int, ...] = ()

    @property
    def n_sites(self) -> int:
        """How many places there are."""
        return len(self.layers) * self.n_columns

    @property
    def n_columns(self) -> int:
        """How many there are at each layer."""
        return len(self.heads) if len(self.heads) > 1 else len(self.positions)

    def sites(self) -> Iterator[tuple[int, int, PatchSite]]:
        """Each place with its row and column. With one head the columns are positions; several are patched at all of
        the positions at once.
        """
        for row, layer in enumerate(self.layers):
            if len(self.heads) > 1:
                for column, head in enumerate(self.heads):
                    yield row, column, PatchSite(layer, self.positions, head)
            else:
                only = self.heads[0] if self.heads else None
                for column, position in enumerate(self.positions):
                    yield row, column, PatchSite(layer, (position,), only)


@dataclass(slots=True)
class RecordedPass:
    """What one pass left behind: the whole output of each block and of the encoder beside a decoder, and the
    activations (n_positions, width) that can be put into another pass, by layer.
    """

    reading: HookedRun
    noise: "tuple[Sequence[int], Tensor] | None" = None
    blocks: dict[int, ModuleOutput] = field(default_factory=dict)
    encoder: object = None
    activations: "dict[int, Tensor]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PatchBench:
    """A twin whose passes are recorded and patched, at one `part` of one of its stacks."""

    twin: Twin
    parts: Anatomy
    part: str
    beside: bool  # whether the part is of the encoder beside the model's own stack

    @classmethod
    def of(cls, twin: Twin, part: str, stack: str) -> "PatchBench":
        """Raises `UserError` for a part or a stack that isn't there."""
        model = twin.model
        if part not in PARTS:
            raise UserError(f"there is no part {part!r} to patch; choose one of {', '.join(PARTS)}")
        beside = stack == "encoder" and model.stack != "encoder"
        if stack not in ("", model.stack) and not (beside and model.reads_two):
            raise UserError(
                f"{model.name} is patched in the encoder or the decoder of an encoder-decoder; got the stack {stack!r}"
                if model.reads_two
                else f"{model.name} has one stack, so there is no {stack!r} to choose"
            )
        if KINDS.get(part) == CROSS and (beside or not model.reads_two):
            raise UserError(
                f"{model.name} has no cross-attention there: that is the decoder's of an encoder-decoder (stack "
                "decoder)"
            )
        parts = anatomy(on_torch(model, "encoder"), twin.root.get_encoder()) if beside else twin.parts
        return cls(twin, parts, part, beside)

    @property
    def first_layer(self) -> int:
        """The lowest layer with such a part."""
        return 0 if self.part == RESIDUAL else 1

    def grid(self, layers: Sequence[int] | None, head: int | None, positions: Sequence[int]) -> PatchGrid:
        """The places at some layers (None: all) and positions."""
        model = on_torch(self.twin.model, "encoder") if self.beside else self.twin.model
        if self.part == RESIDUAL:
            chosen = model.check_layers(range(model.n_layers + 1) if layers is None else layers)
        else:
            chosen = check_layers(model, layers)
        if self.part not in (HEAD, CROSS_HEAD):
            if head is not None:
                raise UserError(f"the part {self.part} has no heads; choose head or cross-head")
            return PatchGrid(chosen, tuple(positions))
        heads = range(1, model.n_heads + 1) if head is None else [check_head(model, head)]
        return PatchGrid(chosen, tuple(positions), tuple(heads))

    def record(self, passed: RecordedPass, layers: Sequence[int]) -> "Tensor":
        """Run a pass and record it; returns its last hidden states (n_positions, dim)."""
        twin = self.twin
        with _hooks_of(twin):
            self._add_noise(passed)
            for number, block in enumerate(self.parts.blocks):
                # it returns None, so that nothing is changed
                twin.on_output(block, partial(passed.blocks.__setitem__, number))
            if self.twin.model.reads_two and not self.beside:
                twin.on_output(twin.root.get_encoder(), lambda out: setattr(passed, "encoder", out))

            for layer in layers:

                def take(out: ModuleOutput, layer: int = layer) -> None:
                    passed.activations[layer] = rows_of(out)

                self._at(layer, take)
            return self._last(passed.reading)

    def patched(self, base: RecordedPass, site: PatchSite, donor: RecordedPass) -> "Tensor":
        """The last hidden states (n_positions, dim) of a recorded pass with another's activations at one place."""
        given = donor.activations[site.layer]
        columns = slice(None)
        if site.head is not None:
            each = given.shape[-1] // self.parts.attention(site.layer, KINDS[self.part]).n_heads
            columns = slice((site.head - 1) * each, site.head * each)
        positions = list(site.positions)

        def put(out: ModuleOutput) -> ModuleOutput:
            states = first_of(out).clone()
            rows_of(states)[positions, columns] = given[positions, columns]
            return replaced(out, states)

        n_skipped = site.layer if self.part == RESIDUAL else site.layer - 1
        skipped: list[tuple[Module, object]] = [
            (self.parts.blocks[number], base.blocks[number]) for number in range(n_skipped)
        ]
        if base.encoder is not None:
            skipped.append((self.twin.root.get_encoder(), base.encoder))
        with _skipped(skipped), _hooks_of(self.twin):
            self._add_noise(base)
            self._at(site.layer, put)
            return self._last(base.reading)

    def _at(self, layer: int, take: Take) -> None:
        """Have `take` called with the part's activations at a layer."""
        if self.part == RESIDUAL and layer == 0:
            self.twin.on_input(self.parts.blocks[0], take)
        elif self.part == RESIDUAL:
            self.twin.on_output(self.parts.blocks[layer - 1], take)
        else:
            sublayer = self.parts.attention(layer, KINDS[self.part])
            (self.twin.on_input if self.part in (HEAD, CROSS_HEAD) else self.twin.on_output)(sublayer.out, take)

    def _add_noise(self, passed: RecordedPass) -> None:
        if passed.noise is None:
            return
        places, noise = passed.noise

        def add(out: ModuleOutput) -> "Tensor":
            states = first_of(out).clone()
            states[0, list(places)] += noise.to(states)
            return states

        self.twin.on_input(first_block(self.twin), add)

    def _last(self, reading: HookedRun) -> "Tensor":
        n_layers = self.twin.model.n_layers
        return states_of(self.twin, reading, [n_layers])[n_layers]


def first_block(twin: Twin) -> "Module":
    """The block that the embeddings of what is read go into: of two stacks the encoder's."""
    model = twin.model
    if not model.reads_two:
        return twin.parts.blocks[0]
    return anatomy(on_torch(model, "encoder"), twin.root.get_encoder()).blocks[0]


@contextmanager
def _hooks_of(twin: Twin) -> Iterator[None]:
    """Hooks that are set within are gone afterwards."""
    n_before = len(twin.handles)
    try:
        yield
    finally:
        while len(twin.handles) > n_before:
            twin.handles.pop().remove()


@contextmanager
def _skipped(modules: "Sequence[tuple[Module, object]]") -> Iterator[None]:
    """Modules of a twin that return what is known already instead of computing it."""
    try:
        for module, out in modules:
            module.forward = lambda *_args, _out=out, **_given: _out
        yield
    finally:
        for module, _ in modules:
            module.__dict__.pop("forward", None)
