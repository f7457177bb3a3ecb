"""`polysema embed`: the vectors of a few texts, printed."""

from __future__ import annotations

from dataclasses import replace
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
from polysema.app.cli.output import Row, format_option, model_option, show, tell_notes
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polysema.core.model.contextual import HiddenBatch
    from polysema.core.model.recipe import SentenceOptions
    from polysema.core.model.sentences import Sentences
    from polysema.core.model.tokens import Span
    from polysema.core.space.space import Floats


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
    from polysema.app.explorer.embedding import occurrence_rows, sentence_rows
    from polysema.core.model.contextual import embed as run
    from polysema.core.model.load import load_model
    from polysema.core.model.recipe import check_unit
    from polysema.core.model.sentences import embed_sentences
    from polysema.core.model.tokens import occurrence_at
    from polysema.core.space.spelling import spelling_note

    name, query = model_and_layers(model, layers)
    at = parse_span(span)
    check_unit(sentence, unit)
    side = "decoder" if generate else stack
    loaded = load_model(name, device, engine, "float32", final_norm, side, patient=False, bos=bos)
    which = range(loaded.n_layers + 1) if query is None else query
    tell_engine(loaded, which)
    beside = tuple(sources) or None
    if generate:
        beside, texts = texts, tuple(loaded.generate(texts))
        for text in texts:
            click.echo(f"written: {text}", err=True)
    only = None
    if unit == "sentences":
        found = embed_sentences(loaded, texts, which, pooling, sentence)
        answer, rows = sentence_rows(found), _sentence_table(found, texts, form)
    else:
        if word is not None or at is not None:
            only = [occurrence_at(text, number, word, nth, at) for number, text in enumerate(texts)]
        hidden = run(loaded, texts, which, pooling, only, beside, unit)
        answer, rows = occurrence_rows(hidden), _occurrence_table(hidden, form)
    if only is not None and word is not None:
        notes = (spelling_note(word, occurrence.word) for occurrence in only)
        answer = replace(answer, origin=answer.origin.with_notes(*notes))
    tell_notes(answer.origin)
    for number in answer.split:
        window = window_description(answer.origin.to_json())
        click.echo(f"note: text {number + 1} is longer than {window}", err=True)
    if not rows:
        raise UserError("there is nothing to embed: no text holds a word")
    show(form, rows, answer.answer())


def _sentence_table(found: Sentences, texts: Sequence[str], form: str) -> list[Row]:
    """A row for each layer of each text."""
    return [
        _vector_row((number, text, 0, len(text), layer), found.vectors[place, number], form)
        for place, layer in enumerate(found.layers)
        for number, text in enumerate(texts)
    ]


def _occurrence_table(hidden: HiddenBatch, form: str) -> list[Row]:
    """A row for each layer of each occurrence; those without a token are reported on standard error."""
    for occurrence in hidden.unseen:
        click.echo(f"note: the tokenizer makes no token of {occurrence.word!r} in text {occurrence.text + 1}", err=True)
    return [
        _vector_row((o.text, o.word, o.span.start, o.span.end, layer), hidden.vectors[place, row], form)
        for place, layer in enumerate(hidden.layers)
        for row, o in enumerate(hidden.occurrences)
    ]


def parse_span(text: str | None) -> Span | None:
    """`4:8`."""
    from polysema.core.model.tokens import Span

    if text is None:
        return None
    first, colon, second = text.partition(":")
    if not (colon and first.isdecimal() and second.isdecimal()):
        raise UserError(f"a span is START:END, such as 4:8; got {text!r}")
    return Span(int(first), int(second))


def _vector_row(place: tuple[int, str, int, int, int], vector: Floats, form: str) -> Row:
    """A row of the table: the place of a vector (text, word, start, end, layer), and its numbers."""
    text, word, start, end, layer = place
    row: Row = {"text": text + 1, "word": word, "start": start, "end": end, "layer": layer}
    numbers = [float(str(number)) for number in vector]
    if form == "table":
        shown = " ".join(f"{number:.3f}" for number in numbers[:4])
        return row | {"length": float((vector.astype("float64") ** 2).sum() ** 0.5), "vector": f"{shown} …"}
    return row | {"vector": " ".join(map(repr, numbers))}
