"""`polysema compare`: occurrences of a word, layer by layer."""

from __future__ import annotations

import click

from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, model_option, pooling_option, progress_bar, show, tell_notes
from polysema.app.cli.word_command import WordCommand


@click.command(cls=WordCommand, short_help="Compare occurrences of WORD in TEXTS, layer by layer.")
@click.argument("word")
@click.argument("texts", nargs=-1, required=True)
@model_option
@click.option("--layers", help="Which layers, such as 0,3,6 or all.  [default: all]")
@pooling_option
@format_option
def compare(word: str, texts: tuple[str, ...], model: str, layers: str | None, pooling: str, form: str) -> None:
    """Compare WORD's first occurrence in each of TEXTS, layer by layer.

    Printed are the cosine of every two occurrences, of each to the word's static vector, and, as a baseline, the mean
    cosine of random pairs of words at that layer.
    """
    from polysema.app.cli.shell_explorer import shell_explorer

    with progress_bar() as progress:
        answer = shell_explorer().model(model).compare(word, texts, parse_layers(layers), pooling, progress)
    tell_notes(answer.origin)
    pairs = [(i, j) for i in range(len(texts)) for j in range(i + 1, len(texts))]
    rows: list[Row] = []
    for layer in answer.layers:
        row: Row = {"layer": layer.layer}
        row |= {f"{i + 1}~{j + 1}": round(value, 6) for (i, j), value in zip(pairs, layer.pairs, strict=True)}
        row |= {f"{number}~static": round(value, 6) for number, value in enumerate(layer.static, 1)}
        rows.append(row | {"random pair": round(layer.baseline, 6)})
    notes = [""] + [f"{number}: {text}" for number, text in enumerate(answer.texts, 1)]
    if answer.pieces > 1:
        notes.append(f"{word} is {answer.pieces} sub-words in {model}; its static vector is their mean")
    notes += [
        f"text {number + 1} is longer than the model's window and was read in overlapping windows"
        for number in answer.split
    ]
    show(form, rows, answer, notes)
