"""The options that choose a space, a view of it, the look-up of words and the search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import (
    progress_bar,
    space_option,
    tell_notes,
)

if TYPE_CHECKING:
    from polysema.app.explorer import WordSpace


METHODS = ("3cosadd", "3cosmul", "pairdirection", "3cosavg", "lrcos", "only-b", "ignore-a")

Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class SpaceView:
    """The space of a command, how it is transformed, and the directions that are taken out of it."""

    name: str
    transform: str = "raw"
    removed: tuple[str, ...] = ()
    limit: int | None = None

    def open(self) -> WordSpace:
        """The view of the space; what was passed over in its file is printed on standard error."""
        from polysema.app.cli.shell_explorer import shell_explorer

        with progress_bar() as progress:
            opened = shell_explorer().space(self.name, progress, self.limit)
        tell_notes(opened.space.origin)
        return opened if (self.transform, self.removed) == ("raw", ()) else opened.view(self.transform, self.removed)


def view_options(command: Command) -> Command:
    """The options that choose a space and a view of it; the command gets them as `view`, a `SpaceView`."""

    @wraps(command)
    def with_view(
        *arguments: object,
        space: str,
        transform: str,
        removed: tuple[str, ...],
        limit: int | None,
        **rest: object,
    ) -> None:
        command(*arguments, view=SpaceView(space, transform, removed, limit), **rest)

    return with_options(
        with_view,
        click.option("--limit", type=int, metavar="N", help="Open only the first N words of the space."),
        click.option(
            "--without",
            "removed",
            multiple=True,
            metavar="AXIS",
            help='Take a direction out of every vector, such as "man -> woman"; may be given several times.',
        ),
        click.option(
            "--transform",
            default="raw",
            show_default=True,
            help="raw, centered, all-but-the-top (or all-but-the-top:3) or whitened.",
        ),
        space_option,
    )


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """The command with these options, the last one first in its help."""
    for option in options:
        command = option(command)
    return command


def policy_options(command: Command) -> Command:
    """The options of the look-up of words; the command gets them as `policy`, a `Policy`."""

    @wraps(command)
    def with_policy(*arguments: object, case: str, phrases: str, unknown: str, **rest: object) -> None:
        from polysema.core.space.lookup import Policy

        command(*arguments, policy=Policy.of(case, phrases, unknown), **rest)

    return with_options(
        with_policy,
        click.option("--unknown", default="refuse", show_default=True, help="Words that aren't there: refuse or skip."),
        click.option("--phrases", default="join", show_default=True, help="Phrases: exact, join (new_york) or mean."),
        click.option(
            "--case",
            default="fallback",
            show_default=True,
            help="Spelling: exact, lower, fallback (as written, else in lower case) or ignore.",
        ),
    )


restrict_option = click.option(
    "--restrict-vocab",
    type=int,
    metavar="N",
    help="Only the first N words of the space (in files the most frequent ones) are answers.",
)


def search_options(command: Command) -> Command:
    """The options of a search: what may be an answer, and which index is used; given as `search`, `SearchOptions`."""

    @wraps(command)
    def with_search(
        *arguments: object, where: str, index: str, recall: float | None, restrict_vocab: int | None, **rest: object
    ) -> None:
        from polysema.app.explorer import SearchOptions

        command(*arguments, search=SearchOptions(where, index, recall, restrict_vocab), **rest)

    return with_options(
        with_search,
        restrict_option,
        click.option(
            "--recall", type=float, help="The recall@10 that the index must have been measured to reach, such as 0.95."
        ),
        click.option(
            "--index",
            default="",
            metavar="KIND",
            help="Look by an index made for it: flat, hnsw, hnsw-sq8, ivf, ivf-sq8, ivf-pq, pq-fastscan or auto, "
            "with parameters as in hnsw:M=16.  [default: a collection's own, else exactly]",
        ),
        click.option(
            "--where",
            default="",
            metavar="FILTER",
            help="Only rows that pass, such as \"layer >= 6 and not word in ('bank', 'shore')\".",
        ),
    )
