"""The commands of the service: serve, settings, key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from polysema.app.cli.output import format_option, show
from polysema.app.config.settings import Settings, load_settings
from polysema.core.errors import UnavailableError

Command = Callable[..., None]


def settings_options(command: Command) -> Command:
    """A flag for each setting, and the file of settings."""
    for one in reversed(fields(Settings)):
        name = f"--{one.name.replace('_', '-')}"
        what = one.metadata["what"]
        if isinstance(one.default, bool):
            option = click.option(f"{name}/--no-{name[2:]}", one.name, default=None, help=f"{what}.")
        elif isinstance(one.default, tuple):
            option = click.option(
                name.rstrip("s"), one.name, multiple=True, help=f"{what}; may be given several times."
            )
        else:
            shown = f"  [default: {one.default}]" if one.default != "" else ""
            option = click.option(name, one.name, type=type(one.default), help=f"{what}.{shown}")
        command = option(command)
    return click.option("--settings", "file", type=click.Path(), help="A TOML file of settings.")(command)


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    return {name: (value or None if isinstance(value, tuple) else value) for name, value in given.items()}


@click.command()
@settings_options
def serve(file: str | None, **given: Any) -> None:
    """Answer over HTTP: embeddings in OpenAI's protocol, neighbors, analogies, comparisons, collections."""
    settings = load_settings(_flags(given), file=file).settings
    from polysema.app.config.ports import check_port
    from polysema.app.explorer import Explorer

    try:
        from polysema.app.service.log import line
        from polysema.app.service.server import serve as run
    except ImportError:
        raise UnavailableError(
            "the service needs fastapi and uvicorn; install them with pip install 'polysema[serve]'"
        ) from None
    check_port(settings.port, settings.address.strip("[]"))
    # as every line of the log: JSON
    click.echo(line("listening", url=f"http://{settings.address}:{settings.port}/v1/", stop="Ctrl+C"))
    run(Explorer(), settings)


@click.command(name="settings")
@settings_options
@format_option
def settings_command(file: str | None, form: str, **given: Any) -> None:
    """Print the settings of the service as they are read: their values (keys masked), where each comes from, what it
    means.
    """
    loaded = load_settings(_flags(given), file=file)
    rows = [row | {"value": str(row["value"])} for row in loaded.rows()] if form != "json" else loaded.rows()
    show(form, rows)


@click.command()
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(["read", "write"]), default="read", show_default=True, help="What it allows."
)
@format_option
def key(name: str, scope: str, form: str) -> None:
    """Make an API key for NAME: the key itself, shown once, and the line of settings with its hash."""
    from polysema.app.config.api_keys import make_key

    made, line = make_key(name, scope)
    if form == "table":
        click.echo(
            f"key (give it to {name}; it is kept nowhere):\n  {made}\nsetting (in the list `keys`, or in "
            f"POLYSEMA_KEYS):\n  {line}"
        )
    else:
        show(form, [{"name": name, "scope": scope, "key": made, "setting": line}])


def add_to(cli: click.Group) -> None:
    """Put the commands under the root command."""
    for command in (serve, settings_command, key):
        cli.add_command(command)
