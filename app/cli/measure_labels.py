"""`polysema measure contextuality`, `wic` and `probe`: models on a user's own texts and labels, layer by layer."""

from __future__ import annotations

import click

from polysema.app.cli.model_options import on_option
from polysema.app.cli.output import Row, progress_bar
from polysema.app.cli.reports import print_report, report

models_option = click.option(
    "--model",
    "-m",
    "names",
    multiple=True,
    help="A model; may be given several times.  [default: minilm-l6]",
)
label_option = click.option(
    "--label-column", "label", help="The column of the labels.  [default: sense, label, tag, …]"
)
MEASURES = ("anisotropy", "self_similarity", "intra_similarity", "explained")
ADJUSTED = ("adjusted_self_similarity", "adjusted_intra_similarity", "adjusted_explained")


@click.command(name="contextuality", short_help="Anisotropy and self-similarity of each layer.")
@click.argument("file", type=click.Path())
@models_option
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Take the first texts only.")
@click.option(
    "--min-contexts", type=click.IntRange(2), default=5, show_default=True, help="In how many texts a word must stand."
)
@on_option
@report
def measure_contextuality(
    file: str, names: tuple[str, ...], limit: int, min_contexts: int, on: str | None, form: str, output: str | None
) -> None:
    """Print how contextual the vectors of each layer are, over the texts of FILE (Ethayarajh 2019).

    Anisotropy is the mean cosine of words taken at random; self-similarity that of a word with itself in other texts,
    intra-similarity that of a text's words with their mean, explained the share of a word's vectors that one static
    vector could stand for. The adjusted ones are less what vectors taken at random have. Each with the first word of
    every text, which is an outlier in GPT-like models, and without it.
    """
    from itertools import islice

    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer.options import DEFAULT_MODEL
    from polysema.core.corpus import open_corpus

    texts = list(islice((text for text in open_corpus(file) if text.strip()), limit))
    with progress_bar() as progress:
        found = shell_explorer().measures.contextuality(
            texts, names or (DEFAULT_MODEL,), min_contexts, progress, on or ""
        )
    rows: list[Row] = [
        {"model": one.model, "first words": one.first_words, "layer": one.layer}
        | {name: round(float(getattr(one, name)), 4) for name in (*MEASURES, *ADJUSTED)}
        for one in found.rows
    ]
    print_report(form, output, rows, found, ["", found.protocol])


@click.command(name="wic", short_help="Word in context: the same sense in two texts or not.")
@click.argument("file", type=click.Path())
@models_option
@on_option
@report
def measure_wic(file: str, names: tuple[str, ...], on: str | None, form: str, output: str | None) -> None:
    """Print how often the cosine of a word's vectors in two texts tells whether it means the same there.

    FILE has the columns word, sentence1, sentence2 and label, or is WiC's `.data.txt` with its `.gold.txt` beside it.
    The threshold is learned on four fifths of the pairs and tried on the fifth. A static vector, the row `static`, has
    the accuracy of the more frequent answer.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer.options import DEFAULT_MODEL
    from polysema.core.measure.annotations import read_context_pairs

    pairs = read_context_pairs(file)
    with progress_bar() as progress:
        found = shell_explorer().measures.word_in_context(pairs, names or (DEFAULT_MODEL,), progress, on or "")
    rows: list[Row] = [
        {"model": one.model, "layer": "static" if one.layer is None else one.layer, "accuracy": round(one.accuracy, 4)}
        for one in found.rows
    ]
    print_report(form, output, rows, found, ["", found.protocol])


@click.command(name="probe", short_help="Linear probe of each layer, with a control task.")
@click.argument("file", type=click.Path())
@models_option
@label_option
@on_option
@report
def measure_probe(
    file: str, names: tuple[str, ...], label: str | None, on: str | None, form: str, output: str | None
) -> None:
    """Print how well the labels of words in texts are read off the vectors of each layer by a linear probe.

    FILE has the columns word, text, a label, and start and end (characters) or span; five folds by text. In the control
    task each word has one random label wherever it stands (Hewitt and Liang 2019): the selectivity is the accuracy
    less that of the control task.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer.options import DEFAULT_MODEL
    from polysema.core.measure.annotations import read_annotations

    given = read_annotations(file, label)
    with progress_bar() as progress:
        found = shell_explorer().measures.probe(given, names or (DEFAULT_MODEL,), progress, on or "")
    rows: list[Row] = [
        {
            "model": one.model,
            "layer": one.layer,
            "accuracy": round(one.accuracy, 4),
            "control": round(one.control, 4),
            "selectivity": round(one.selectivity, 4),
        }
        for one in found.rows
    ]
    print_report(form, output, rows, found, ["", found.protocol])


COMMANDS = (measure_contextuality, measure_wic, measure_probe)
