"""`polysema measure …`: how good spaces and models are on benchmarks."""

from __future__ import annotations

from collections.abc import Sequence

import click

from polysema.app.cli.measure_bias import measure_bias
from polysema.app.cli.measure_labels import COMMANDS as LABEL_COMMANDS
from polysema.app.cli.measure_labels import label_option
from polysema.app.cli.model_options import on_option
from polysema.app.cli.output import (
    Row,
    format_option,
    model_option,
    progress_bar,
    show,
)
from polysema.app.cli.reports import print_report, report
from polysema.app.cli.space_options import METHODS, SpaceView, view_options
from polysema.core.errors import UserError

vocabulary_option = click.option(
    "--vocabulary",
    type=click.IntRange(0),
    default=300_000,
    show_default=True,
    help="Only the first so many words of the space; 0 for all.",
)


@click.command(short_help="Accuracy on analogy questions (Google, BATS).")
@click.argument("questions", type=click.Path())
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("3cosadd",),
    show_default=True,
    help=f"One of {', '.join(METHODS)}; may be given several times.",
)
@vocabulary_option
@click.option("--keep-case", is_flag=True, help="Don't put the questions in lower case.")
@click.option("--keep-inputs", is_flag=True, help="Don't leave the words of a question out of its answers.")
@click.option("--epsilon", type=float, default=1e-6, show_default=True, help="What 3CosMul adds to what it divides by.")
@view_options
@report
def analogies(
    questions: str,
    methods: tuple[str, ...],
    vocabulary: int,
    keep_case: bool,
    keep_inputs: bool,
    epsilon: float,
    view: SpaceView,
    form: str,
    output: str | None,
) -> None:
    """Print how many of QUESTIONS a space answers: a file like questions-words.txt (Google), or a folder of BATS.

    A question with a word that isn't in the vocabulary is dropped. 3cosavg and lrcos ask about each pair once, and
    learn from the other pairs of its category.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer.options import check_epsilon
    from polysema.core.measure.analogies import Protocol, read_analogies
    from polysema.core.space.analogy import check_method

    check_epsilon(epsilon)
    for method in methods:
        check_method(method)  # a wrong one is refused before anything is read
    categories = read_analogies(questions)
    opened = view.open()
    how = Protocol(vocabulary=vocabulary or None, lower=not keep_case, exclude=not keep_inputs, epsilon=epsilon)
    with progress_bar() as progress:
        found = shell_explorer().measures.analogies(categories, opened, methods, how, progress)
    rows: list[Row] = [
        {
            "category": one.category,
            "method": one.method,
            "questions": one.questions,
            "evaluated": one.evaluated,
            "correct": one.correct,
            "accuracy": _known(one.accuracy),
        }
        for one in found.rows
    ]
    means = [f"{method} {mean:.2f}" for method, mean in found.category_means.items()]
    print_report(form, output, rows, found, ["", f"mean of the categories: {', '.join(means)}", found.protocol])


@click.command(name="similarity", short_help="Correlation with human ratings (SimLex, WordSim).")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@vocabulary_option
@click.option("--keep-case", is_flag=True, help="Don't put the words in lower case.")
@view_options
@report
def measure_similarity(
    files: tuple[str, ...],
    vocabulary: int,
    keep_case: bool,
    view: SpaceView,
    form: str,
    output: str | None,
) -> None:
    """Print how well cosines agree with people's ratings: FILES like SimLex-999's or WordSim-353's, tab-separated."""
    from pathlib import Path

    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.core.measure.similarity import read_pairs

    sets = {Path(file).name: read_pairs(file) for file in files}
    opened = view.open()
    found = shell_explorer().measures.similarity(sets, opened, not keep_case, vocabulary or None)
    rows: list[Row] = [
        {
            "set": one.name,
            "pairs": one.pairs,
            "used": one.used,
            "spearman": _known(one.spearman),
            "pearson": _known(one.pearson),
            "missing words": one.n_missing,
        }
        for one in found.rows
    ]
    missing = [f"{name}: not in the space: {', '.join(words)}" for name, words in found.missing.items() if words]
    print_report(form, output, rows, found, ["", found.protocol, *missing])


def _known(value: float) -> float | None:
    return None if value != value else value


@click.command(short_help="Word-sense accuracy of each layer (leave-one-out).")
@click.argument("file", type=click.Path(), required=False)
@label_option
@click.option(
    "--model",
    "-m",
    "names",
    multiple=True,
    help="A model; may be given several times.  [default: all that are here]",
)
@on_option
@format_option
def senses(file: str | None, label: str | None, names: tuple[str, ...], on: str | None, form: str) -> None:
    """Print how often a word's nearest other occurrence has the same sense, for each layer (leave-one-out).

    FILE has the columns word, sense, text, and start and end (characters) or span; without one, the corpus is the one
    that ships with polysema. A static vector is the same for all occurrences of a word: its
    accuracy is that of choosing at random, and no static vector can beat the most frequent sense.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.core.model.catalog import models_here

    if file is not None:
        _own_senses(file, label, names or models_here(), on or "", form)
        return
    if on:
        raise UserError("--on is for a FILE: the corpus of senses is embedded once, here, and kept")
    with progress_bar() as progress:
        report = shell_explorer().measures.senses(names or models_here(), progress)
    rows = [
        {
            "model": r.model,
            "layer": "static" if r.layer is None else r.layer,
            "accuracy": round(r.accuracy, 4),
            "random pair": round(r.baseline, 4),
        }
        for r in report.rows
    ]
    note = (
        f"{report.occurrences:,} occurrences of {report.words} words in {report.senses} senses; always the most "
        f"frequent sense: {report.most_frequent:.3f}"
    )
    show(form, rows, report, ["", note, *report.notes])


def _own_senses(file: str, label: str | None, names: Sequence[str], on: str, form: str) -> None:
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.core.measure.annotations import read_annotations

    given = read_annotations(file, label)
    with progress_bar() as progress:
        found = shell_explorer().measures.annotated_senses(given, names, progress, on)
    rows: list[Row] = [
        {"model": one.model, "layer": one.layer, "accuracy": round(one.accuracy, 4)} for one in found.rows
    ]
    show(form, rows, found, ["", found.protocol])


@click.command(name="int8", short_help="Accuracy loss of the engine onnx-int8, by layer.")
@model_option
@format_option
def int8(model: str, form: str) -> None:
    """Print what the engine onnx-int8 costs: the cosine to float32 and the sense accuracy, layer by layer."""
    from polysema.app.cli.shell_explorer import shell_explorer

    with progress_bar() as progress:
        found = shell_explorer().measures.int8(model, progress)
    rows: list[Row] = [
        {
            "layer": row.layer,
            "mean cosine": round(row.mean_cosine, 4),
            "least cosine": round(row.least_cosine, 4),
            "accuracy float32": round(row.exact_accuracy, 4),
            "accuracy int8": round(row.accuracy, 4),
        }
        for row in found.rows
    ]
    show(form, rows, found)


@click.group(short_help="Evaluate spaces and models on benchmarks.")
def measure() -> None:
    """Measure how good a space is."""


for command in (senses, analogies, measure_similarity, int8, measure_bias, *LABEL_COMMANDS):
    measure.add_command(command)
