"""Renamed commands and options: the former names still work, and a line on standard error gives the new ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import click


class OptionAttributes(TypedDict, total=False):
    """What an option has beside its former name, as `click.Option` takes it."""

    type: click.ParamType[Any] | type | None
    default: object
    show_default: bool | str | None
    help: str | None


class GroupAttributes(TypedDict, total=False):
    """What a group has beside its former names, as `click.Group` takes it."""

    name: str | None
    callback: Callable[..., object] | None
    params: list[click.Parameter] | None
    help: str | None
    short_help: str | None
    context_settings: dict[str, object] | None


class RenamedOption(click.Option):
    """An option that had another name, and perhaps values of other names."""

    def __init__(
        self,
        param_decls: Sequence[str],
        former_name: str = "",
        former_values: Mapping[str, str] | None = None,
        **attributes: Unpack[OptionAttributes],
    ):
        super().__init__(param_decls, **attributes)
        self.former_name = former_name
        self.former_values = dict(former_values or {})

    def current_arguments(self, argument: str, value: str | None) -> list[str]:
        """The argument, and its value where it stands beside it, under their names of today; says what was renamed."""
        name, equals, joined = argument.partition("=")
        if name == self.former_name:
            _tell_renamed(name, self.opts[0])
            name = self.opts[0]
        elif name not in self.opts:
            return [argument] if value is None else [argument, value]
        given = joined if equals else value
        if given in self.former_values:
            _tell_renamed(f"{name} {given}", f"{name} {self.former_values[given]}")
            given = self.former_values[given]
        return [name] if given is None else [name, given]

    def takes(self, argument: str) -> bool:
        """Whether an argument is this option, under its former name or its name of today."""
        return argument.partition("=")[0] in (self.former_name, *self.opts)


class CurrentCommand(click.Command):
    """A command that also reads its options by their former names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments parsed; raises `click.UsageError`."""
        renamed = [option for option in self.params if isinstance(option, RenamedOption)]
        return super().parse_args(ctx, _current(args, renamed) if renamed else args)


class CurrentGroup(click.Group):
    """A group that also reads its commands by their former names."""

    def __init__(self, *, former_names: Mapping[str, str] | None = None, **attributes: Unpack[GroupAttributes]):
        super().__init__(**attributes)
        self.former_names = dict(former_names or {})

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; a former name is said to be one."""
        if args and (name := self.former_names.get(args[0])) is not None:
            _tell_renamed(f"{ctx.command_path} {args[0]}", f"{ctx.command_path} {name}")
            args = [name, *args[1:]]
        return super().resolve_command(ctx, args)


def _current(args: Sequence[str], renamed: Sequence[RenamedOption]) -> list[str]:
    """The arguments with every former name replaced, up to `--`."""
    end = args.index("--") if "--" in args else len(args)
    rest, current = list(args[:end]), []
    while rest:
        argument = rest.pop(0)
        option = next((one for one in renamed if one.takes(argument)), None)
        if option is None:
            current.append(argument)
        else:
            current += option.current_arguments(argument, rest.pop(0) if "=" not in argument and rest else None)
    return [*current, *args[end:]]


def _tell_renamed(former: str, name: str) -> None:
    click.echo(f"note: {former} is now called {name}; the former name still works in this version", err=True)
