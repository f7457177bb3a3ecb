"""`polysema concordance`: a word in its contexts, sorted by meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.contexts import texts_options
from polysema.app.cli.output import Row, model_option, tell_notes
from polysema.app.cli.reports import print_report, report
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.context_cloud import SpaceTexts

MAX_READ_TEXTS = 2000  # with the word


@click.command(cls=WordCommand, short_help="A word in its contexts, sorted by meaning.")
@click.argument("word")
@click.argument("file", type=click.Path(), required=False)
@model_option
@click.option("--layer", type=int, default=-1, show_default=True, help="The layer, from 0 (embeddings); -1: the last.")
@click.option("--like", type=int, metavar="NUMBER", help="The nearest to the line of this number come first.")
@click.option("--width", type=click.IntRange(5, 1000), default=40, show_default=True, help="Characters on each side.")
@texts_options
@report
def concordance(
    word: str,
    file: str | None,
    model: str,
    layer: int,
    like: int | None,
    width: int,
    texts: SpaceTexts | None,
    form: str,
    output: str | None,
) -> None:
    """Print WORD in its contexts (keyword in context), sorted by what it means there at a layer of a model.

    The texts are those of FILE, of any form that texts are read from, of which the first 2,000 with the word are taken;
    or those of a collection (--space); else the corpus of senses that ships with polysema. Lines that mean alike stand
    together, and the cosine is that with the line before.
    """
    from polysema.app.cli.shell_explorer import shell_explorer

    if file is not None and texts is not None:
        raise UserError("give either a FILE or --space: where the word is looked for")
    given = texts or ([] if file is None else _texts_with(word, file))
    found = shell_explorer().model(model).senses.concordance(word, given, layer, like)
    tell_notes(found.origin)
    rows: list[Row] = []
    for line in found.lines:
        before, keyword, behind = (part.replace("\n", " ") for part in line.parts)
        row: Row = {"number": line.number, "before": before[-width:].rjust(width), "word": keyword}
        rows.append(row | {"behind": behind[:width].ljust(width), "cosine": line.cosine, "sense": line.sense})
    print_report(form, output, rows, found, ["", f"random pairs of words at this layer: {found.baseline:.3f}"])


def _texts_with(word: str, file: str) -> list[str]:
    """The first texts of a file in which the word stands."""
    from itertools import islice

    from polysema.core.corpus import open_corpus
    from polysema.core.model.tokens import find_words

    found = list(islice((text for text in open_corpus(file) if find_words(text, word)), MAX_READ_TEXTS))
    if not found:
        raise UserError(f"{word!r} stands nowhere in {file}")
    return found
