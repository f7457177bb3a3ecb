"""`polysema contexts …`: any word of any texts, as the page Contexts shows it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import Row, format_option, model_option, progress_bar, show, tell_notes
from polysema.app.cli.reports import print_report, report
from polysema.app.cli.word_command import WordCommand

if TYPE_CHECKING:
    from polysema.app.explorer.context_cloud import SpaceTexts

Command = Callable[..., None]
layer_option = click.option(
    "--layer", type=int, default=-1, show_default=True, help="A kept layer, from 0 (embeddings); -1: the last."
)
by_option = click.option(
    "--by",
    type=click.Choice(["labels", "clusters"]),
    default="labels",
    show_default=True,
    help="Senses (or the values of --label), or clusters of the vectors at the layer.",
)


def texts_options(command: Command) -> Command:
    """The options that say where a word is looked for; the command gets them as `texts`, a `SpaceTexts` or None."""

    @wraps(command)
    def with_texts(*arguments: object, space: str | None, label: str, limit: int, **rest: object) -> None:
        from polysema.app.explorer.context_cloud import SpaceTexts

        texts = None if space is None else SpaceTexts(space, label, limit)
        command(*arguments, texts=texts, **rest)

    for option in (
        click.option("--limit", type=int, default=400, show_default=True, help="Occurrences that are read at most."),
        click.option("--label", default="", help="A column of it whose values are the senses."),
        click.option(
            "--space", "-s", help="A collection with texts, by name or folder.  [default: the corpus of senses]"
        ),
    ):
        with_texts = option(with_texts)
    return with_texts


@click.group(short_help="Any word of your own texts in its contexts.")
def contexts() -> None:
    """Any word in its contexts: in the texts of a collection, or in the corpus of senses."""


@contexts.command(cls=WordCommand, short_help="The words of SPACE's texts, with their counts.")
@click.argument("space")
@click.option("--prefix", default="", help="How they begin, in any case.")
@click.option("-k", "k", type=int, default=20, show_default=True, help="How many, most frequent first.")
@format_option
def words(space: str, prefix: str, k: int, form: str) -> None:
    """Print the most frequent words in the texts of SPACE, such as a collection, with how often they stand there."""
    from polysema.app.cli.shell_explorer import shell_explorer

    with progress_bar() as progress:
        found = shell_explorer().space(space, progress).contexts.words(prefix, k, progress)
    rows: list[Row] = [{"word": one.word, "count": one.count} for one in found.words]
    show(form, rows, found, ["", f"{len(rows):,} of {found.matched:,} words, of {found.total:,} in all"])


@contexts.command(cls=WordCommand, short_help="The rows of SPACE in which WORD stands.")
@click.argument("word")
@click.argument("space")
@click.option("--label", default="", help="A column whose value is printed beside each.")
@click.option("-k", "k", type=int, default=400, show_default=True, help="At most so many, spread evenly.")
@report
def occurrences(word: str, space: str, label: str, k: int, form: str, output: str | None) -> None:
    """Print the rows of SPACE in which WORD stands, with their texts; as JSON with their vectors."""
    from polysema.app.cli.shell_explorer import shell_explorer

    with progress_bar() as progress:
        found = shell_explorer().space(space, progress).contexts.occurrences(word, k, label)
    rows: list[Row] = [
        {"id": one.id, "start": one.start, "end": one.end, "label": one.label, "text": one.text}
        for one in found.occurrences
    ]
    print_report(form, output, rows, found, ["", f"{len(rows):,} of {found.found:,} occurrences"])


@contexts.command(cls=WordCommand, short_help="What own SENTENCES with WORD are like.")
@click.argument("word")
@click.argument("sentences", nargs=-1, required=True)
@model_option
@layer_option
@click.option("-k", "k", type=int, default=5, show_default=True, help="How many of the nearest decide.")
@by_option
@texts_options
@format_option
def verdicts(
    word: str,
    sentences: tuple[str, ...],
    model: str,
    layer: int,
    k: int,
    by: str,
    texts: SpaceTexts | None,
    form: str,
) -> None:
    """Print for each of SENTENCES what WORD is like there, by the occurrences nearest to it, and these.

    A name may stand before a sentence: 'mine | They sat on the bank.'
    """
    from polysema.app.cli.shell_explorer import shell_explorer

    found = shell_explorer().model(model).senses.contexts.verdicts(word, list(sentences), layer, k, by, texts)
    tell_notes(found.origin)
    rows: list[Row] = [
        {"sentence": one.name, "verdict": one.sentence, "cosine": near.score, "label": near.label, "text": near.text}
        for one in found.sentences
        for near in one.neighbors
    ]
    show(form, rows, found, ["", f"random pairs of words at this layer: {found.baseline:.3f}"])


@contexts.command(cls=WordCommand, short_help="The occurrences of WORD between two of its senses.")
@click.argument("word")
@click.option("--ends", nargs=2, metavar="A B", help="Two labels.  [default: the two most frequent]")
@model_option
@layer_option
@by_option
@texts_options
@report
def axis(
    word: str,
    ends: tuple[str, str] | None,
    model: str,
    layer: int,
    by: str,
    texts: SpaceTexts | None,
    form: str,
    output: str | None,
) -> None:
    """Print where each occurrence of WORD lies on the axis between two senses: -1 is the mean of one, 1 of the other.

    Each is left out of the means that it is measured by; labels at random show what chance separates.
    """
    from polysema.app.cli.shell_explorer import shell_explorer

    found = shell_explorer().model(model).senses.contexts.axis(word, ends, layer, by, texts)
    tell_notes(found.origin)
    rows: list[Row] = [
        {"value": one.value, "label": one.label, "text": one.text}
        for one in sorted(found.places, key=lambda one: one.value)
    ]
    notes = [
        f"{found.ends[0]} ({found.counts[0]}) against {found.ends[1]} ({found.counts[1]}): {found.accuracy:.1%} on "
        f"their own side, each left out; labels at random {found.shuffled:.1%} (p = {found.p_value:.3f})"
    ]
    if found.made_of_vectors:
        notes.append("the groups are clusters of these very vectors, so they lie apart by construction")
    print_report(form, output, rows, found, ["", *notes])


@contexts.command(name="map", cls=WordCommand, short_help="Lay the occurrences of WORD out, layer by layer.")
@click.argument("word")
@model_option
@click.option("--method", default="umap", show_default=True, help="pca, umap, densmap, umap-learn or tsne.")
@texts_options
@report
def map_word(word: str, model: str, method: str, texts: SpaceTexts | None, form: str, output: str | None) -> None:
    """Print where each occurrence of WORD lies at each layer, on one plane with its static vector."""
    from polysema.app.cli.shell_explorer import shell_explorer

    with progress_bar() as progress:
        found = shell_explorer().maps.word_map(word, model, method, progress=progress, texts=texts)
    tell_notes(found.origin)
    rows: list[Row] = [
        {"layer": layer, "x": float(x), "y": float(y), "sense": sense, "text": text}
        for layer, positions in zip(found.layers, found.positions, strict=True)
        for (x, y), sense, text in zip(
            positions, (*found.senses, "static vector"), (*found.texts, found.word), strict=True
        )
    ]
    print_report(form, output, rows, found, ["", f"{len(found.texts):,} of {found.found:,} occurrences"])
