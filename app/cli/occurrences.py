"""`polysema occurrences`: the uses of words nearest to a word in a text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import Row, format_option, k_option, model_option, progress_bar, show, tell_notes
from polysema.app.cli.space_options import search_options
from polysema.app.cli.word_command import WordCommand

if TYPE_CHECKING:
    from polysema.app.explorer import SearchOptions


@click.command(cls=WordCommand, short_help="Print the occurrences nearest to WORD in TEXT.")
@click.argument("word")
@click.argument("text")
@model_option
@click.option("--layer", type=int, default=-1, show_default=True, help="The layer, from 0 (embeddings); -1: the last.")
@click.option("--nth", type=int, default=1, show_default=True, help="Which occurrence of the word in the text.")
@search_options
@k_option
@format_option
def occurrences(
    word: str, text: str, model: str, layer: int, nth: int, search: SearchOptions, k: int, form: str
) -> None:
    """Print the occurrences in the corpus of senses that are nearest to WORD as it stands in TEXT.

    Beside the layer's random-pair baseline, and the nearest rows to the word's static vector.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer import OccurrenceOptions

    options = OccurrenceOptions(**asdict(search), nth=nth)
    with progress_bar() as progress:
        answer = shell_explorer().model(model).occurrences(word, text, layer, k, options, progress)
    tell_notes(answer.origin)
    rows: list[Row] = [
        {"rank": hit.rank, "word": hit.word, "cosine": hit.score, "sense": hit.sense, "text": hit.text}
        for hit in answer.hits
    ]
    static = ", ".join(f"{near.key} {near.score:.3f}" for near in answer.static)
    notes = [f"random pairs of words at this layer: {answer.baseline:.3f}", f"nearest to the static vector: {static}"]
    if answer.split:
        notes.append("the text is longer than the model's window and was read in overlapping windows")
    show(form, rows, answer, ["", *notes])
