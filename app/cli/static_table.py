"""`polysema table`: a table of static vectors, made from a model."""

from __future__ import annotations

import click

from polysema.app.cli.former_names import CurrentCommand, RenamedOption
from polysema.app.cli.model_options import column_option, dialect_options, on_option, tell_corpus
from polysema.app.cli.output import model_option, progress_bar, tell_notes
from polysema.core.errors import UserError


@click.command(cls=CurrentCommand, short_help="Write a table of static vectors made from MODEL.")
@click.argument("target", type=click.Path())
@model_option
@click.option("--words", type=click.Path(), help="A file of the words wanted, one a line.")
@click.option(
    "--corpus", "inputs", multiple=True, help="Texts to take each word's mean over; may be given several times."
)
@column_option
@dialect_options
@click.option("--layer", default=-1, show_default=True, help="With --corpus: the layer.")
@click.option(
    "--min-count",
    cls=RenamedOption,
    former_name="--at-least",
    default=1,
    show_default=True,
    help="With --corpus: leave out words that occur less often.",
)
@click.option(
    "--max-contexts",
    cls=RenamedOption,
    former_name="--most",
    type=int,
    help="With --corpus: read no more occurrences of a word than this.",
)
@click.option("--keep-case", is_flag=True, help="With --corpus: Bank and bank are two words.")
@click.option("--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]")
@on_option
def table(
    target: str,
    model: str,
    words: str | None,
    inputs: tuple[str, ...],
    column: str | None,
    separator: str | None,
    header: bool | None,
    encoding: str | None,
    layer: int,
    min_count: int,
    max_contexts: int | None,
    keep_case: bool,
    device: str | None,
    on: str | None,
) -> None:
    """Write a static table of MODEL to TARGET, in the format of its ending.

    With --words alone: each word's input embedding, the mean of its sub-words. With --corpus: each word's mean hidden
    state over its occurrences in the texts (Bommasani et al. 2020).
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer import ModelOptions
    from polysema.core.corpus import Dialect, open_corpus
    from polysema.core.files.writers import check_target
    from polysema.core.model.distill import TableOptions

    if not words and not inputs:
        raise UserError("give --words (a file of words), --corpus (texts), or both")
    check_target(target)
    chosen = _listed(words) if words else None
    explorer, corpus = shell_explorer(device), None
    if inputs:
        corpus = open_corpus(inputs, column, dialect=Dialect(separator, header, encoding))
        tell_corpus(corpus.notes)
    how = TableOptions(layer, not keep_case, min_count, max_contexts)
    with progress_bar() as progress:
        made = explorer.exports.static_table(
            explorer.model(model, ModelOptions(patient=True)), chosen, corpus, how, progress, on or ""
        )
    found = explorer.exports.write(made, target)
    tell_notes(found.origin)
    click.echo(f"{found.rows:,} words, {found.dim} dimensions, in {' and '.join(found.paths)}")


def _listed(path: str) -> list[str]:
    """The words of a file, one a line."""
    from polysema.core.corpus import open_corpus

    corpus = open_corpus(path)
    tell_corpus(corpus.notes)
    return [word for word in map(str.strip, corpus) if word]
