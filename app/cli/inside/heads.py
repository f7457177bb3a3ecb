"""`polysema inside find-head` and `inside heads`: the heads ranked, and what each adds."""

from __future__ import annotations

from dataclasses import replace

import click

from polysema.app.cli.inside.options import (
    ModelChoice,
    attention_unit_option,
    cross_option,
    model_options,
    special_option,
    stack_option,
)
from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, k_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.core.errors import UserError
from polysema.core.inside.head_names import zero_based_head


def parse_pair(text: str) -> tuple[str, str]:
    """`blue -> water`."""
    first, arrow, second = text.partition("->")
    if not (arrow and first.strip() and second.strip()):
        raise UserError(f'a pair is written "blue -> water": the query word, and the key word; got {text!r}')
    return first.strip(), second.strip()


@click.command(name="find-head", cls=WordCommand, short_help="Rank the heads by their attention between two words.")
@click.argument("pairs", nargs=-1, required=True)
@click.option(
    "--text", "texts", multiple=True, required=True, help="A sentence to look in; may be given several times."
)
@click.option("--layers", help="Which layers, such as 1,6 or all.  [default: all]")
@model_options("minilm-l6")
@stack_option
@cross_option
@attention_unit_option
@special_option
@k_option
@format_option
def find_head(
    pairs: tuple[str, ...],
    texts: tuple[str, ...],
    layers: str | None,
    model: ModelChoice,
    stack: str | None,
    cross: bool,
    unit: str | None,
    special: str,
    k: int,
    form: str,
) -> None:
    """Print the heads in which the first word of each of PAIRS, "blue -> water", attends most to the second.

    Ranked by the mean over all the sentences that have both words: in one sentence some head fits by luck.
    """
    query = [parse_pair(pair) for pair in pairs]
    chosen = parse_layers(layers)
    if k < 1:
        raise UserError(f"k starts at 1; got {k}")
    how = AttentionOptions(model.target, stack or "", cross, unit or "", special)
    found = model.open().rank_heads(query, texts, chosen, how)
    rows: list[Row] = [
        {
            "rank": rank,
            "head": f"{score.layer}.{score.head}",
            "name": zero_based_head(score.layer, score.head),
            "mean": round(score.mean, 6),
            "first": round(score.first, 6),
            "rank at first": score.rank_at_first,
            "least": round(score.least, 6),
            "looks there most": round(score.top, 4),
        }
        for rank, score in enumerate(found.scores[:k], 1)
    ]
    many = len(found.places)
    notes = [
        "",
        f"{many} place{'s' * (many > 1)}; a head that attends to all words alike gives {found.chance:.3f}"
        + ("" if many > 1 else ". One place shows luck as well as habit: give more sentences (--text)"),
    ]
    show(form, rows, replace(found, scores=found.scores[:k]), notes)


@click.command(cls=WordCommand, short_help="Print the output of each head at a word.")
@click.argument("word")
@click.argument("texts", nargs=-1, required=True)
@model_options("minilm-l6")
@click.option("--layers", help="Which layers, such as 1,6 or all.  [default: all]")
@stack_option
@cross_option
@click.option("--to", "file", type=click.Path(), help="Write the vectors to this file, in the format of its ending.")
@format_option
def heads(
    word: str,
    texts: tuple[str, ...],
    model: ModelChoice,
    layers: str | None,
    stack: str | None,
    cross: bool,
    file: str | None,
    form: str,
) -> None:
    """Print what each head writes where WORD stands in TEXTS: how long, in which sub-space, and the heads most like it.

    With --to the vectors become a file like any other: `polysema neighbors "bank L2H4" --space FILE`.
    """
    how = AttentionOptions(model.target, stack or "", cross)
    internals = model.open().internals
    if file:
        from polysema.core.files.formats import write_vectors
        from polysema.core.files.writers import check_target

        check_target(file)
        if len(texts) > 1:
            raise UserError("a file has one row a head: give one text, or several files")
        space = internals.head_space(word, texts, parse_layers(layers), how)
        paths = write_vectors(space, file)
        click.echo(f"{len(space):,} heads, {space.dim} dimensions, in {' and '.join(map(str, paths))}")
        return
    found = internals.head_outputs(word, texts, parse_layers(layers), how)
    rows: list[Row] = [
        {
            "text": one.text + 1,
            "head": f"{one.layer}.{one.head}",
            "key head": one.key_head,
            "width": one.width,
            "rank": one.rank,
            "length": one.length,
            "most like": one.most_like,
            "cosine": one.cosine,
        }
        for one in found.heads
    ]
    show(form, rows, found)
