"""`polysema measure …`: how good spaces and models are on benchmarks."""

from __future__ import annotations

from typing import Any

import click

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
    from polysema.core.measure.analogies import Protocol, measure_analogies, read_analogies
    from polysema.core.space.analogy import check_method

    if not 0 < epsilon <= 1:
        raise UserError(f"epsilon is above 0 and at most 1; got {epsilon}")
    methods = tuple(dict.fromkeys(check_method(method) for method in methods))
    categories = read_analogies(questions)
    opened = view.open()
    scores = []
    with progress_bar() as progress:
        for method in methods:
            protocol = Protocol(method, vocabulary or None, not keep_case, not keep_inputs, epsilon)
            scores += measure_analogies(opened.space, categories, protocol, progress)
    rows: list[Row] = [
        {
            "category": s.category,
            "method": s.method,
            "questions": s.questions,
            "evaluated": s.evaluated,
            "correct": s.correct,
            "accuracy": _share(s.accuracy),
        }
        for s in scores
    ]
    words = min(vocabulary or len(opened), len(opened))
    message = (
        f"{opened.origin.card()}; the first {words:,} of {len(opened):,} words; questions "
        f"{'as written' if keep_case else 'in lower case'}; words of a question "
        f"{'kept in' if keep_inputs else 'left out of'} "
        f"its answers; questions with an unknown word dropped; accuracy in per cent"
        + (f"; epsilon {epsilon:g}" if "3cosmul" in methods else "")
    )
    print_report(
        form, output, rows, {"protocol": message, "origin": opened.origin.to_json(), "rows": rows}, ["", message]
    )


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

    from polysema.core.measure import similarity as module

    sets = [(Path(file).name, module.read_pairs(file)) for file in files]
    opened = view.open()
    results = [
        module.measure_similarity(opened.space, pairs, name, not keep_case, vocabulary or None) for name, pairs in sets
    ]
    rows: list[Row] = [
        {
            "set": r.name,
            "pairs": r.pairs,
            "used": r.used,
            "spearman": _share(r.spearman),
            "pearson": _share(r.pearson),
            "missing words": len(r.missing),
        }
        for r in results
    ]
    message = (
        f"{opened.origin.card()}; the first {min(vocabulary or len(opened), len(opened)):,} of {len(opened):,} "
        f"words; words {'as written' if keep_case else 'in lower case'}; pairs with an unknown word dropped; "
        "correlations x 100"
    )
    missing = [f"{r.name}: not in the space: {', '.join(r.missing)}" for r in results if r.missing]
    whole = {
        "protocol": message,
        "origin": opened.origin.to_json(),
        "rows": rows,
        "missing": {r.name: r.missing for r in results},
    }
    print_report(form, output, rows, whole, ["", message, *missing])


def _share(value: float) -> float | None:
    return None if value != value else round(100 * value, 2)


@click.command(short_help="Word-sense accuracy of each layer (leave-one-out).")
@click.option(
    "--model",
    "-m",
    "names",
    multiple=True,
    help="A model; may be given several times.  [default: all that are here]",
)
@format_option
def senses(names: tuple[str, ...], form: str) -> None:
    """Print how often a word's nearest other occurrence has the same sense, for each layer (leave-one-out).

    The corpus is the one that ships with polysema. A static vector is the same for all occurrences of a word: its
    accuracy is that of choosing at random, and no static vector can beat the most frequent sense.
    """
    from polysema.app.explorer import Explorer
    from polysema.app.explorer.sense_report import sense_report
    from polysema.core.model.catalog import models_here

    with progress_bar() as progress:
        report = sense_report(Explorer(), names or models_here(), progress)
    rows = [
        {
            "model": r.model,
            "layer": "static" if r.layer is None else r.layer,
            "accuracy": round(r.accuracy, 4),
            "random pair": round(r.baseline, 4),
        }
        for r in report.rows
    ]
    note = f"{report.occurrences:,} occurrences of {report.words} words in {report.senses} senses; always the most frequent sense: {report.most_frequent:.3f}"
    show(form, rows, report, ["", note, *report.notes])


@click.command(name="int8", short_help="Accuracy loss of the engine onnx-int8, by layer.")
@model_option
@format_option
def int8(model: str, form: str) -> None:
    """Print what the engine onnx-int8 costs: the cosine to float32 and the sense accuracy, layer by layer."""
    from polysema.core.measure.int8 import int8_difference
    from polysema.core.model.load import load_model

    loaded = load_model(model, "cpu", "onnx-int8")
    with progress_bar() as progress:
        rows: list[dict[str, Any]] = [
            {
                "layer": row.layer,
                "mean cosine": round(row.mean_cosine, 4),
                "least cosine": round(row.least_cosine, 4),
                "accuracy float32": round(row.exact_accuracy, 4),
                "accuracy int8": round(row.accuracy, 4),
            }
            for row in int8_difference(loaded, progress)
        ]
    show(form, rows)


@click.group(short_help="Evaluate spaces and models on benchmarks.")
def measure() -> None:
    """Measure how good a space is."""


for command in (senses, analogies, measure_similarity, int8):
    measure.add_command(command)
