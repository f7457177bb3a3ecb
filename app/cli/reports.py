"""The reports of `polysema measure`: their options, and how they are printed or written to a file."""

from __future__ import annotations

import click

from polysema.app.cli.output import (
    Row,
    show,
    write_report,
)
from polysema.app.cli.space_options import Command
from polysema.core.errors import UserError

report_options = (
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json", "csv", "parquet"]),
        default="table",
        show_default=True,
        help="How to report; parquet goes to a file.",
    ),
    click.option("--output", "-o", type=click.Path(), help="The file to write the report to."),
)


def report(command: Command) -> Command:
    """The options of a report."""
    for option in report_options:
        command = option(command)
    return command


def print_report(form: str, output: str | None, rows: list[Row], whole: object, notes: list[str]) -> None:
    """Print a report, or write it to a file: then only how many rows it has is printed, on standard error."""
    if output is not None:
        write_report(output, form, rows, whole)
        click.echo(f"{len(rows):,} rows in {output}", err=True)
    elif form == "parquet":
        raise UserError("a Parquet report goes to a file: give it with --output")
    else:
        show(form, rows, whole, notes)
