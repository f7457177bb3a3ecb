"""`polysema inside patch`: which layers and tokens carry what makes the answers of two texts differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from polysema.app.cli.inside.options import (
    DEFAULT_DECODER,
    ModelChoice,
    at_option,
    model_options,
    parse_place,
    tell_forms,
)
from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, progress_bar, show
from polysema.app.cli.word_command import WordCommand

if TYPE_CHECKING:
    from polysema.core.inside.patch_inputs import PatchOptions
    from polysema.core.inside.patching import Patching


@dataclass(frozen=True)
class PatchArguments:
    """What is typed after the two texts and the answers, beside the model."""

    part: str
    layers: str | None
    head: int | None
    words: tuple[str, ...]
    into: str
    at: str | None
    stack: str
    noise: str | None
    strength: float
    samples: int
    seed: int

    def options(self) -> PatchOptions:
        """As `patch` takes them."""
        from polysema.core.inside.patch_inputs import Noise, PatchOptions

        noise = None if self.noise is None else Noise(self.noise, self.strength, self.samples, self.seed)
        words = tuple(place for word in self.words if (place := parse_place(word)) is not None)
        layers = None if self.layers is None else parse_layers(self.layers)
        return PatchOptions(
            part=self.part,
            layers=None if layers is None else tuple(layers),
            head=self.head,
            at_words=words or None,
            into=self.into,
            place=parse_place(self.at),
            stack=self.stack,
            noise=noise,
        )


@click.command(cls=WordCommand, short_help="Activation patching: where a prediction comes from.")
@click.argument("clean")
@click.argument("corrupted", required=False)
@click.option("--answer", required=True, help="The word whose score is followed.")
@click.option("--against", help="Another word: the score is then the difference of their logits.")
@click.option(
    "--part",
    default="residual",
    show_default=True,
    help="What is patched: residual (the hidden states), attention, cross, mlp, head or cross-head.",
)
@click.option("--layers", help="Which layers, such as 1,6 or all.  [default: all]")
@click.option("--head", type=int, help="One head (from 1), token by token.  [default: each head at all tokens]")
@click.option(
    "--word", "words", multiple=True, help="Only the tokens of this word, or of this number; may be repeated."
)
@click.option(
    "--into", default="corrupted", show_default=True, help="Patch the clean pass into the corrupted one, or into clean."
)
@click.option("--stack", default="", help="Of an encoder-decoder: where the part is.  [default: decoder]")
@click.option("--noise", help="Instead of CORRUPTED: Gaussian noise on the embeddings of this word of CLEAN.")
@click.option("--strength", type=float, default=3.0, show_default=True, help="Of noise: its standard deviations.")
@click.option("--samples", type=int, default=5, show_default=True, help="Of noise: how many draws are averaged.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of noise: the seed of the draws.")
@at_option
@model_options(DEFAULT_DECODER)
@format_option
def patch(
    clean: str,
    corrupted: str | None,
    answer: str,
    against: str | None,
    part: str,
    layers: str | None,
    head: int | None,
    words: tuple[str, ...],
    into: str,
    at: str | None,
    stack: str,
    noise: str | None,
    strength: float,
    samples: int,
    seed: int,
    model: ModelChoice,
    form: str,
) -> None:
    """Put each activation of the pass over CLEAN into the pass over CORRUPTED, and print what becomes of the answer.

    The effect is the share of the way from one text's score to the other's: 0 nothing happened, 1 the answer is back.
    Both texts need as many tokens. A place with a large effect carries the difference; that is not yet a proof that
    the model needs it: patch the other way as well (--into clean).
    """
    arguments = PatchArguments(part, layers, head, words, into, at, stack, noise, strength, samples, seed)
    circuits = model.open().circuits
    with progress_bar(hidden=form != "table") as progress:
        found = circuits.patch((clean, corrupted), answer, against, arguments.options(), model.target, progress)
    tell_forms(found.answer, found.against)
    notes = [
        "",
        f"{found.measure}: clean {found.clean_score:.3f}, corrupted {found.corrupted_score:.3f}; in the "
        f"table the effect of each {'head' if not found.positions else 'token'} of the {found.part}, 0 to 1 "
        f"({found.n_passes} passes)",
        "largest: "
        + "; ".join(f"layer {layer}, {name.strip()!r} {effect:.3f}" for layer, name, effect in found.best(3)),
    ]
    show(form, _long_rows(found) if form == "csv" else _matrix(found), found, notes)


def _matrix(found: Patching) -> list[Row]:
    names = [f"{number}:{name.strip()}" for number, name in zip(found.positions, found.columns, strict=False)]
    names = names or list(found.columns)
    return [
        {"layer": layer} | {name: float(value) for name, value in zip(names, row, strict=True)}
        for layer, row in zip(found.layers, found.effects, strict=True)
    ]


def _long_rows(found: Patching) -> list[Row]:
    places = found.positions or range(1, len(found.columns) + 1)
    return [
        {
            "layer": layer,
            "place": place,
            "name": name,
            "score": float(found.scores[row, column]),
            "effect": float(found.effects[row, column]),
        }
        for row, layer in enumerate(found.layers)
        for column, (place, name) in enumerate(zip(places, found.columns, strict=True))
    ]
