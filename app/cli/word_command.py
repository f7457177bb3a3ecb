"""A command whose arguments are words, expressions or texts, which may start with a minus: `polysema analogy "-king +
queen"`.
"""

from __future__ import annotations

import re

import click

from polysema.app.cli.former_names import CurrentCommand

QUOTED_MARK = "\0"  # what no argument of a process can hold
_SUM = re.compile(r"\s[+\-−–](?=[\s\w(\"])|->")


class WordCommand(CurrentCommand):
    """Takes an argument that starts with a minus as it is where it can be no option; else the message says how."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments parsed; raises `click.UsageError`."""
        end = args.index("--") if "--" in args else len(args)
        marked = [QUOTED_MARK + one if self._is_written(one) else one for one in args[:end]] + args[end:]
        try:
            rest = super().parse_args(ctx, marked)
        except click.UsageError as error:
            first = next((one for one in args[:end] if re.match(r"-[^-]\S", one)), None)
            if first is not None:
                where = f"(an argument that starts with - goes behind --: -- {first!r:.60})"
                raise click.UsageError(f"{error.format_message()} {where}", ctx) from None
            raise
        ctx.params = {name: _unmarked(value) for name, value in ctx.params.items()}
        return [one.removeprefix(QUOTED_MARK) for one in rest]

    def _is_written(self, argument: str) -> bool:
        """Whether an argument with a minus in front is words: a sum, or several words that begin as no option does."""
        if not re.match(r"-[^-]", argument) or not re.search(r"\s", argument):
            return False
        options = {name for one in self.params for name in one.opts if isinstance(one, click.Option)}
        return argument[:2] not in options or _SUM.search(argument) is not None


def _unmarked(value: object) -> object:
    if isinstance(value, str):
        return value.removeprefix(QUOTED_MARK)
    return tuple(map(_unmarked, value)) if isinstance(value, tuple) else value
