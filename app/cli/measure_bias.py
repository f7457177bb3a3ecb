"""`polysema measure bias`: how words lean to attributes, in static spaces and at every layer of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import SPACE, Row, progress_bar
from polysema.app.cli.reports import print_report, report
from polysema.app.cli.space_options import Command, with_options
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.core.measure.bias_lists import BiasLists


def list_options(command: Command) -> Command:
    """The options of the four lists."""
    return with_options(
        command,
        click.option("--away", metavar="WORDS", help="The words of the other side."),
        click.option("--toward", metavar="WORDS", help="The words of the one side."),
        click.option("--second", metavar="WORDS", help="The words that may lean away."),
        click.option("--first", metavar="WORDS", help="The words that may lean toward; commas between."),
    )


def source_options(command: Command) -> Command:
    """The options of where bias is measured, and how words are read by a model."""
    return with_options(
        command,
        click.option(
            "--template",
            "templates",
            multiple=True,
            metavar="TEXT",
            help="A text in which words stand for a model, such as 'This is {}.'; may be given several times.",
        ),
        click.option(
            "--unit", default="words", show_default=True, help="Of a model: words in templates, or whole sentences."
        ),
        click.option("--model", "-m", "models", multiple=True, help="A model, at every layer; may be given again."),
        click.option(
            "--space",
            "-s",
            "spaces",
            multiple=True,
            help=f"A static space; may be given again.  [default: {SPACE} where no model is given]",
        ),
    )


@click.command(name="bias", short_help="WEAT and RIPA, in spaces and layers.")
@click.argument("file", type=click.Path(), required=False)
@list_options
@source_options
@report
def measure_bias(
    file: str | None,
    spaces: tuple[str, ...],
    models: tuple[str, ...],
    unit: str,
    templates: tuple[str, ...],
    form: str,
    output: str | None,
    **lists: str | None,
) -> None:
    """Print how some words lean to some attributes rather than to others (WEAT and RIPA).

    The four lists are given as options, or stand in FILE: lines such as "first: rose, tulip", also second, toward and
    away, below a line with the name of the test; or JSON. WEAT's p is exact where at most 20,000 partitions of the
    words exist, else of as many drawn (Caliskan et al. 2017); RIPA is the mean inner product with the direction
    between the attributes (Ethayarajh et al. 2019). In a model, words stand in templates.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer.bias_measure import TEMPLATES, BiasOptions

    tests = _tests(file, lists)
    options = BiasOptions(unit, templates or TEMPLATES)
    chosen = spaces or (() if models else (SPACE,))
    with progress_bar() as progress:
        found = shell_explorer().measures.bias(tests, chosen, models, options, progress)
    rows: list[Row] = [
        {
            "test": one.test,
            "source": one.source,
            "layer": "static" if one.layer is None else one.layer,
            "effect": round(one.effect, 4),
            "p": round(one.p, 5),
            "partitions": f"{'all' if one.exact else 'drawn'} {one.n_partitions:,}",
            "RIPA first": round(one.ripa_first, 4),
            "RIPA second": round(one.ripa_second, 4),
        }
        for one in found.rows
    ]
    print_report(form, output, rows, found, ["", found.protocol, *found.notes])


def _tests(file: str | None, lists: dict[str, str | None]) -> tuple[BiasLists, ...]:
    from polysema.core.measure.bias_lists import bias_lists, read_bias_lists, split_words

    given = {name: split_words(text) for name, text in lists.items() if text is not None}
    if file is not None and given:
        raise UserError("give the lists as options or in a file, not both")
    if file is not None:
        return read_bias_lists(file)
    if not given:
        raise UserError("give a file with lists, or --first, --second, --toward and --away")
    return (bias_lists("lists", given),)
