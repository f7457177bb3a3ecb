"""What is given to a patching: two texts that stand position beside position, and what is done with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.hooks import HookedRun, Twin, place_in, positions_of, rows_of
from polysema.core.inside.patch_sites import RESIDUAL, first_block
from polysema.core.inside.steering import prompt
from polysema.core.model.load import LanguageModel

if TYPE_CHECKING:
    from torch import Tensor

DIRECTIONS = ("corrupted", "clean")


@dataclass(frozen=True, slots=True)
class Noise:
    """What Meng et al. (2022) take for a corrupted text: the clean one with Gaussian noise on the embeddings of a word.

    `strength` is the noise's standard deviation, in standard deviations of the text's embeddings; the mean of `samples`
    seeded draws is used.
    """

    word: str
    strength: float = 3.0
    samples: int = 5
    seed: int = 0

    def checked(self) -> "Noise":
        """The same; raises `UserError` for numbers out of range."""
        if not (np.isfinite(self.strength) and self.strength > 0):
            raise UserError(f"the strength of noise is a number above 0; got {self.strength}")
        if not 1 <= self.samples <= 100:
            raise UserError(f"noise is drawn 1 to 100 times; got {self.samples}")
        return self


@dataclass(frozen=True, slots=True)
class PatchOptions:
    """What is patched, and how.

    `part` is residual (the states behind a layer, 0 the embedding), attention, cross, mlp (what they write), head or
    cross-head (what a head has gathered). Of heads all are patched one by one, at all positions together, unless `head`
    (from 1) names one: then position by position. `layers` None are all, `at_words` None all positions. The clean pass
    is put `into` the corrupted one, or the other way. The answer is looked at where `place` says (see `place_in`). Of
    an encoder-decoder `sources` are its two sources, and `stack` where the part is. `noise` makes the corrupted text.
    `max_tokens` are read at most, in all passes together.
    """

    part: str = RESIDUAL
    layers: tuple[int, ...] | None = None
    head: int | None = None
    at_words: "tuple[str | int, ...] | None" = None
    into: str = "corrupted"
    place: "str | int | None" = None
    sources: tuple[str, str] | None = None
    stack: str = ""
    noise: Noise | None = None
    max_tokens: int = 500_000


def readings_of(
    model: LanguageModel, texts: tuple[str | None, str | None], options: PatchOptions
) -> tuple[HookedRun, HookedRun]:
    """The two passes, position beside position; raises `UserError` for texts that don't stand so."""
    if options.into not in DIRECTIONS:
        raise UserError(f"a pass is put into {' or '.join(DIRECTIONS)}; got {options.into!r}")
    first, second = options.sources or (None, None)
    clean = prompt(model, texts[0], first)
    if options.noise is not None:
        if texts[1] not in (None, texts[0]) or second not in (None, first):
            raise UserError("the corrupted text is given, or made by noise on the clean one, and not both")
        options.noise.checked()
        return clean, clean
    if texts[1] is None and second is None:
        raise UserError("give a corrupted text, or noise on a word of the clean one")
    corrupted = prompt(model, texts[1], second)
    if clean.ids == corrupted.ids and (clean.source is None or clean.source.ids == _ids(corrupted.source)):
        raise UserError("the clean and the corrupted text are the same, so there is nothing to bring back")
    check_aligned(clean, corrupted)
    if options.stack == "encoder" and clean.source is not None and corrupted.source is not None:
        check_aligned(clean.source, corrupted.source)
    return clean, corrupted


def _ids(reading: HookedRun | None) -> tuple[int, ...]:
    return () if reading is None else reading.ids


def check_aligned(clean: HookedRun, corrupted: HookedRun) -> None:
    """Raise `UserError` unless two texts have as many tokens, naming those where they differ."""
    if len(clean) == len(corrupted):
        return
    own, other = ([unit.name for unit in reading.tokens] for reading in (clean, corrupted))
    shorter = min(len(own), len(other))
    same = next((n for n in range(shorter) if own[n] != other[n]), shorter)
    end = next((n for n in range(shorter - same) if own[-1 - n] != other[-1 - n]), shorter - same)
    middles = [names[same : len(names) - end] for names in (own, other)]
    shown = [f"{'|'.join(names)[:60]!r} ({len(names)})" for names in middles]
    raise UserError(
        f"position is put into position, so both texts need as many tokens; the clean one has {len(own)}, the "
        f"corrupted one {len(other)}. They differ in {shown[0]} and {shown[1]}: choose words of as many tokens there"
    )


def place_of(model: LanguageModel, clean: HookedRun, corrupted: HookedRun, options: PatchOptions) -> int:
    """The position where the answer is predicted, the same in both."""
    place = place_in(model, clean, options.place)
    if not isinstance(options.place, str) and place_in(model, corrupted, options.place) != place:
        raise UserError("the mask stands at another token in the corrupted text; both need it at the same one")
    return place


def positions_in(model: LanguageModel, reading: HookedRun, words: "Sequence[str | int] | None") -> list[int]:
    """The positions of some words, or tokens' numbers, of a text in order (None: all)."""
    if words is None:
        return list(range(len(reading)))
    found: dict[int, None] = {}
    for word in words:
        places = positions_of(reading, word) if isinstance(word, str) else [place_in(model, reading, word)]
        found |= dict.fromkeys(places)
    if not found:
        raise UserError("name at least one word or token to patch")
    return sorted(found)


def draws_of(twin: Twin, clean: HookedRun, noise: Noise | None) -> "Iterator[tuple[list[int], Tensor] | None]":
    """For each draw the positions that are made noisy and what is added; one without noise where none is wanted."""
    import torch

    if noise is None:
        yield None
        return
    places = positions_of(clean if clean.source is None else clean.source, noise.word)
    seen: list[Tensor] = []
    twin.on_input(first_block(twin), lambda states: seen.append(rows_of(states).float()))
    twin.run(clean)
    twin.handles.pop().remove()
    spread = float(seen[0].std())
    generator = torch.Generator().manual_seed(noise.seed)
    for _ in range(noise.samples):
        draw = torch.randn((len(places), seen[0].shape[-1]), generator=generator)
        yield places, draw * (noise.strength * spread)
