"""The commands of the service: serve, mcp, settings, key."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import format_option, show
from polysema.app.cli.text_arguments import UnicodeText
from polysema.core.errors import UnavailableError

if TYPE_CHECKING:
    from polysema.app.config.settings import Value


class SettingsCommand(click.Command):
    """A command with a flag for each setting, added when it is looked into: `polysema --help` needs none of them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own options after the file of settings and a flag for each setting."""
        return [*_settings_options(), *super().get_params(ctx)]


@cache
def _settings_options() -> tuple[click.Option, ...]:
    from polysema.app.config.settings import Settings

    options = [click.Option(["--settings", "file"], type=click.Path(), help="A TOML file of settings.")]
    for name, field in Settings.model_fields.items():
        flag, default = f"--{name.replace('_', '-')}", field.default
        if isinstance(default, bool):
            option = click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help=f"{field.description}.")
        elif isinstance(default, tuple):
            what = f"{field.description}; may be given several times."
            option = click.Option([flag, flag.rstrip("s"), name], multiple=True, type=UnicodeText(), help=what)
        else:
            shown = f"  [default: {default}]" if default != "" else ""
            kind = UnicodeText() if isinstance(default, str) else type(default)
            option = click.Option([flag, name], type=kind, help=f"{field.description}.{shown}")
        options.append(option)
    return tuple(options)


def _flags(given: dict[str, Value | None]) -> dict[str, Value | None]:
    return {name: (value or None if isinstance(value, tuple) else value) for name, value in given.items()}


@click.command(cls=SettingsCommand, short_help="Serve the HTTP API (OpenAI-compatible embeddings).")
def serve(file: str | None, **given: Value | None) -> None:
    """Answer over HTTP: embeddings in OpenAI's protocol, neighbors, analogies, comparisons, collections."""
    from polysema.app.config.loading import load_settings
    from polysema.app.config.ports import check_port
    from polysema.app.explorer import Explorer

    settings = load_settings(_flags(given), file=file).settings
    try:
        from polysema.app.service.log import line
        from polysema.app.service.processes import serve_processes
        from polysema.app.service.server import serve as run
    except ImportError:
        raise UnavailableError(
            "the service needs fastapi and uvicorn; install them with pip install 'polysema[serve]'"
        ) from None
    check_port(settings.port, settings.address.strip("[]"))
    # as every line of the log: JSON
    first = line("listening", url=f"http://{settings.address}:{settings.port}/v1/", stop="Ctrl+C")
    explorer = Explorer(models=settings.own_models)
    if settings.processes > 1:
        serve_processes(settings, first)
    else:
        run(explorer, settings, first)


@click.command(short_help="Serve the tools of the Model Context Protocol on stdin and stdout.")
@click.option("--settings", "file", type=click.Path(), help="A TOML file of settings: its models of one's own.")
def mcp(file: str | None) -> None:
    """Let a language model ask: neighbors, analogy, compare, search of collections, lens and explain, as tools of the
    Model Context Protocol. A client starts this command and speaks with it over stdin and stdout; no tool writes.
    """
    from polysema.app.config.loading import load_settings
    from polysema.app.explorer import Explorer

    settings = load_settings({}, file=file).settings
    try:
        from polysema.app.service.tools import create_server
    except ImportError:
        raise UnavailableError("the tools need the mcp package; install it with pip install 'polysema[mcp]'") from None
    create_server(Explorer(models=settings.own_models)).run("stdio")


@click.command(name="settings", cls=SettingsCommand, short_help="Print the settings of the service and their origin.")
@format_option
def settings_command(file: str | None, form: str, **given: Value | None) -> None:
    """Print the settings of the service as they are read: their values (keys masked), where each comes from, what it
    means.
    """
    from polysema.app.config.loading import load_settings

    loaded = load_settings(_flags(given), file=file)
    rows = [row | {"value": str(row["value"])} for row in loaded.rows()] if form != "json" else loaded.rows()
    show(form, rows)


@click.command(short_help="Make an API key for NAME.")
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
    for command in (serve, mcp, settings_command, key):
        cli.add_command(command)
