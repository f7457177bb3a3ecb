"""The type of the command line's text parameters: Unicode, with an error of one line where it is not."""

from __future__ import annotations

from pathlib import Path

import click
from click.types import StringParamType

from polysema.app.cli.word_command import QUOTED_MARK
from polysema.core.errors import UserError


class UnicodeText(StringParamType):
    """A text in which every byte is of a character; a name of a file that is there may hold any."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value as text; raises `click.BadParameter` for bytes that aren't UTF-8."""
        text: str = super().convert(value, param, ctx)
        if not text.isascii():
            try:
                from polysema.core.space.spelling import encoded

                encoded(text.removeprefix(QUOTED_MARK), "it")
            except UserError as error:
                if not Path(text).exists():
                    self.fail(str(error), param, ctx)
        return text


def require_unicode(command: click.Command) -> None:
    """Give every text parameter of a command, and of those below it, this type."""
    for param in command.params:
        if type(param.type) is StringParamType:
            param.type = UnicodeText()
    if isinstance(command, click.Group):
        for below in command.commands.values():
            require_unicode(below)
