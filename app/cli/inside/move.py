"""`polysema inside move`: what carries a word from its static vector to its hidden state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.inside.options import ModelChoice, model_options, stack_option
from polysema.app.cli.output import MODEL, Row, format_option, k_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.results.inside import MoveAnswer
    from polysema.core.inside.explained_move import MoveSource

N_NAMED = 3  # heads and words in the lines below the table


@click.command(cls=WordCommand, short_help="What moved a word: heads, MLPs, norms and the words behind them.")
@click.argument("word")
@click.argument("text")
@click.option("--axis", help='The two ends of the axis, such as "money -> river".  [default: the move itself]')
@click.option("--toward", multiple=True, help="Instead: a text of the end that the axis leads to; several times.")
@click.option("--away", multiple=True, help="A text of the end that it comes from; several times.")
@click.option("--layer", type=int, default=-1, show_default=True, help="At which layer the move ends; 0: embeddings.")
@click.option("--nth", type=int, default=1, show_default=True, help="Which occurrence of the word in the text.")
@click.option(
    "--by",
    type=click.Choice(["layers", "parts", "words"]),
    default="layers",
    show_default=True,
    help="What the table has a row for; of the parts the k largest.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random axes and the shuffled texts.")
@click.option("--shuffles", type=int, default=5, show_default=True, help="How many texts are shuffled.")
@model_options(MODEL)
@stack_option
@k_option
@format_option
def move(
    word: str,
    text: str,
    axis: str | None,
    toward: tuple[str, ...],
    away: tuple[str, ...],
    layer: int,
    nth: int,
    by: str,
    seed: int,
    shuffles: int,
    model: ModelChoice,
    stack: str | None,
    k: int,
    form: str,
) -> None:
    """Print what carries WORD of TEXT from its static vector to its hidden state, layer by layer.

    Hidden state less static vector is a sum: what each head, each MLP, each norm and each bias adds. On an axis each
    part is a number, and that of a head a sum over the words that it took it from. Beside it stand random axes and the
    same words in another order: what is no larger there means nothing.
    """
    from polysema.app.explorer.inside_options import AttentionOptions
    from polysema.core.inside.explained_move import MoveOptions
    from polysema.core.inside.move_axis import AxisChoice

    if k < 1:
        raise UserError(f"k starts at 1; got {k}")
    options, reads = MoveOptions(nth, seed=seed, shuffles=shuffles), AttentionOptions(model.target, stack or "")
    chosen = AxisChoice(axis, toward, away)
    found = model.open().circuits.explain_move(word, text, chosen, layer, options, reads)
    show(form, _rows(found, by, k if form == "table" else len(found)), found, ["", *_notes(found)])


def _rows(found: MoveAnswer, by: str, k: int) -> list[Row]:
    if by == "words":
        return [
            {"word": one.name, "of": one.kind, "gave": one.value, "most through": one.head, "of it": one.head_value}
            for one in found.sources
        ]
    if by == "parts":
        return [
            {"part": one.name, "adds": one.value, "length": one.length, "word": one.mover, "gave": one.mover_value}
            for one in found.largest(k)
        ]
    return [
        {
            "layer": one.layer,
            "adds": one.value,
            "reached": one.reached,
            "heads": one.heads,
            "mlp": one.mlp,
            "rest": one.rest,
            "most": f"{one.largest} {one.largest_value:+.3f}",
        }
        for one in found.layers
    ]


def _notes(found: MoveAnswer) -> list[str]:
    lines = [
        f"{found.word!r} at layer {found.layer} of {found.model}, on the axis {found.axis}: from {found.start:.3f} to "
        f"{found.end:.3f}; the {len(found.parts)} parts add up to {found.total:.4f}, the move is {found.moved:.4f}",
        f"the whole move is {found.length:.3f} long, its cosine with the axis {found.cosine:.3f}",
    ]
    heads = found.largest(N_NAMED, ("head", "cross head"))
    if heads:
        lines.append("heads: " + "; ".join(f"{one.name} {one.value:+.3f} (mostly by {one.mover!r})" for one in heads))
    words: list[MoveSource] = sorted(found.sources, key=lambda one: -abs(one.value))[:N_NAMED]
    if words:
        lines.append("words: " + "; ".join(f"{one.name!r} {one.value:+.3f}" for one in words))
    lines += [
        f"{one.name} ({one.n}): typically {one.spread:.3f}, as large as here in {one.share:.0%}"
        for one in found.controls
    ]
    return lines + ([f"note: {found.note}"] if found.note else [])
