"""The README's block of commands, made from the commands themselves."""

from dataclasses import fields
from pathlib import Path

import click

from polysema.app.cli import cli
from polysema.app.settings import Settings

README = Path(__file__).parent.parent / "README.md"
START = "<!-- help: written by `python tests/help_text.py`, held against the commands by tests/test_docs.py -->\n"
END = "<!-- end of help -->"


def help_text() -> str:
    lines = ["| command | what it does |", "|---|---|"]
    for name, command in _commands(cli, "polysema"):
        command_help = command.help
        if name.endswith(" export run"):  # what `export` does without a command of its own
            name, command_help = name.removesuffix(" run"), cli.commands["export"].help
        usage = " ".join(
            f"{p.make_metavar(click.Context(command))}" for p in command.params if isinstance(p, click.Argument)
        )
        options = ", ".join(f"`{max(p.opts, key=len)}`" for p in command.params if isinstance(p, click.Option))
        what = (command_help or "").strip().split("\n\n")[0].replace("\n", " ")
        shown = f"`{name} {usage}".rstrip() + "`"
        lines.append(f"| {shown} | {what} " + (f"({options}) |" if options else "|"))
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, name: str) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for child, command in sorted(group.commands.items()):
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found.append((f"{name} {child}", command))
        if isinstance(command, click.Group):
            found += _commands(command, f"{name} {child}")
    return found


SETTINGS = (
    "<!-- settings: written by `python tests/help_text.py`, held against the settings by tests/test_docs.py -->\n"
)
SETTINGS_END = "<!-- end of settings -->"


def settings_text() -> str:
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for one in fields(Settings):
        shown = f"`{one.default}`" if one.default not in ("", ()) else ""
        lines.append(f"| `{one.name}` | {shown} | {one.metadata['what']} |")
    return "\n".join(lines) + "\n"


def block(readme: str, start: str = START, end: str = END) -> str:
    return readme.partition(start)[2].partition(end)[0]


if __name__ == "__main__":
    text = README.read_text()
    text = text.replace(START + block(text) + END, START + help_text() + END)
    old = block(text, SETTINGS, SETTINGS_END)
    README.write_text(text.replace(SETTINGS + old + SETTINGS_END, SETTINGS + settings_text() + SETTINGS_END))
