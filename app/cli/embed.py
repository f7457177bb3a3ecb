"""`polysema embed`: the vectors of a few texts, printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.model_options import (
    bos_option,
    engine_option,
    final_norm_option,
    layers_option,
    model_and_layers,
    sentence_options,
    tell_engine,
    unit_option,
    window_description,
)
from polysema.app.cli.output import Row, format_option, model_option, progress_bar, show, tell_notes
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polysema.app.explorer.embedding import TextVectors
    from polysema.core.model.recipe import SentenceOptions
    from polysema.core.model.tokens import Span


@click.command(cls=WordCommand, short_help="Print the vectors of words, tokens or texts.")
@click.argument("texts", nargs=-1, required=True)
@model_option
@click.option("--word", help="Only this word, as a whole word in any case.  [default: every word]")
@click.option("--nth", default=1, show_default=True, help="Which occurrence of the word in each text.")
@click.option("--span", metavar="START:END", help="Only these characters of each text, counted from 0.")
@layers_option
@click.option(
    "--pooling", default="mean", show_default=True, help="How sub-words become a word: first, last, mean or max."
)
@unit_option
@sentence_options
@bos_option
@final_norm_option
@click.option("--stack", default="encoder", show_default=True, help="Of an encoder-decoder: encoder or decoder.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    help="Of a decoder beside an encoder: what the encoder reads, one for each text.",
)
@click.option(
    "--generate",
    is_flag=True,
    help="Of a decoder beside an encoder: TEXTS are what the encoder reads, the model writes the rest.",
)
@engine_option
@click.option("--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]")
@format_option
def embed(
    texts: tuple[str, ...],
    model: str,
    word: str | None,
    nth: int,
    span: str | None,
    layers: str | None,
    pooling: str,
    unit: str,
    bos: bool,
    final_norm: str,
    stack: str,
    sources: tuple[str, ...],
    generate: bool,
    engine: str,
    device: str | None,
    form: str,
    sentence: SentenceOptions,
) -> None:
    """Print the vectors of TEXTS: of every word, one word at its place, every token, or each whole text.

    The table shows a vector's length and first numbers; --format json and csv print it whole.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer import ModelOptions
    from polysema.app.explorer.embedding import EmbedOptions
    from polysema.core.model.recipe import check_unit

    name, query = model_and_layers(model, layers)
    at = parse_span(span)
    check_unit(sentence, unit)
    explorer = shell_explorer(device)
    how = ModelOptions(engine=engine, final_norm=final_norm, stack="decoder" if generate else stack, bos=bos)
    with progress_bar() as progress:
        handle = explorer.model(name, how, progress)
    tell_engine(handle, explorer, query)
    if generate:
        sources, texts = texts, tuple(handle.model.generate(texts))
        for text in texts:
            click.echo(f"written: {text}", err=True)
    options = EmbedOptions(sentence.prompt, sentence.prompt_name, sentence.dimensions, nth, at, tuple(sources))
    answer = handle.embed(texts, query, unit, word, pooling, options)
    for occurrence in answer.unseen:
        click.echo(f"note: the tokenizer makes no token of {occurrence.word!r} in text {occurrence.text + 1}", err=True)
    tell_notes(answer.origin)
    for number in answer.split:
        click.echo(f"note: text {number + 1} is longer than {window_description(answer.origin)}", err=True)
    if not len(answer):
        raise UserError("there is nothing to embed: no text holds a word")
    show(form, _vector_rows(answer, texts, form), answer.answer())


def _vector_rows(answer: TextVectors, texts: Sequence[str], form: str) -> list[Row]:
    """A row of the table for each vector: its place, and its numbers."""
    rows: list[Row] = []
    for place, vector in zip(answer.rows, answer.vectors, strict=True):
        number = int(place["text_id"])
        whole = {"word": "", "start": 0, "end": len(texts[number])}  # where a text has one vector
        row: Row = {"text": number + 1} | {name: place.get(name, value) for name, value in whole.items()}
        row["layer"] = place["layer"]
        numbers = [float(str(one)) for one in vector]
        if form == "table":
            shown = " ".join(f"{one:.3f}" for one in numbers[:4])
            row |= {"length": float((vector.astype("float64") ** 2).sum() ** 0.5), "vector": f"{shown} …"}
        else:
            row |= {"vector": " ".join(map(repr, numbers))}
        rows.append(row)
    return rows


def parse_span(text: str | None) -> Span | None:
    """`4:8`."""
    from polysema.core.model.tokens import Span

    if text is None:
        return None
    first, colon, second = text.partition(":")
    if not (colon and first.isdecimal() and second.isdecimal()):
        raise UserError(f"a span is START:END, such as 4:8; got {text!r}")
    return Span(int(first), int(second))
