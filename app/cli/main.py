"""The command line. A command is parsing and one call; heavy imports wait inside the command that needs them."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import click

from polysema.app.cli import maps, relations, serve, words
from polysema.app.cli.analogy import analogy
from polysema.app.cli.collection import collection_group
from polysema.app.cli.compare import compare
from polysema.app.cli.concordance import concordance
from polysema.app.cli.contexts import contexts
from polysema.app.cli.convert import convert
from polysema.app.cli.embed import embed
from polysema.app.cli.export import export
from polysema.app.cli.former_names import CurrentGroup
from polysema.app.cli.generate import generate, generate_group
from polysema.app.cli.inside import inside
from polysema.app.cli.lessons import lessons_group
from polysema.app.cli.measure import measure
from polysema.app.cli.models import models, spaces
from polysema.app.cli.occurrences import occurrences
from polysema.app.cli.output import progress_bar
from polysema.app.cli.static_table import table
from polysema.app.cli.text_arguments import require_unicode
from polysema.core.environment import wait_without_spinning
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
    wait_without_spinning()
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


@cli.command(short_help="Open the dashboard.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="The port to listen on.")
@click.option("--address", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--browser/--no-browser", default=None, help="Open a browser.  [default: where there is a screen]")
@click.option("--set-up/--no-set-up", default=True, show_default=True, help="First bring what the lessons need.")
@click.option("--lessons", type=click.Path(file_okay=False, exists=True), help="A folder of lessons of your own.")
def app(port: int, address: str, browser: bool | None, set_up: bool, lessons: str | None) -> None:
    """Open the dashboard.

    What its lessons need and is not here, smollm2-135m, is brought first; without network one line says so.
    """
    from polysema.app.config.ports import check_port
    from polysema.app.config.settings import LESSONS_VARIABLE
    from polysema.app.dashboard.launch import launch, missing

    check_port(port, address)
    if lessons is not None:
        os.environ[LESSONS_VARIABLE] = str(Path(lessons).resolve())
    if set_up:
        with progress_bar() as progress:
            problem = missing(progress)
        if problem:
            click.echo(f"polysema: {problem}", err=True)
    launch(port, address, browser)


for command in (
    *words.COMMANDS,
    *relations.COMMANDS,
    analogy,
    collection_group,
    compare,
    concordance,
    contexts,
    convert,
    embed,
    export,
    generate_group,
    inside,
    lessons_group,
    measure,
    models,
    occurrences,
    spaces,
    table,
):
    cli.add_command(command)
inside.add_command(generate, "generate")  # where it was first
maps.add_to(cli)
serve.add_to(cli)
require_unicode(cli)
