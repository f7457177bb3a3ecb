"""The README's block of commands, made from the commands themselves."""

from pathlib import Path

import click

from polysema.app.cli import cli

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


def block(readme: str) -> str:
    return readme.partition(START)[2].partition(END)[0]


if __name__ == "__main__":
    text = README.read_text()
    README.write_text(text.replace(START + block(text) + END, START + help_text() + END))
