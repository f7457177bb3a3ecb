"""`polysema lessons`: which lessons there are, and one of them as a file that is handed out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import Row, format_option, progress_bar, show

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = click.option(
    "--lessons", "folder", type=click.Path(file_okay=False, exists=True), help="A folder of lessons of your own."
)


@click.group(name="lessons", short_help="List the lessons, hand one out as a file.")
def lessons_group() -> None:
    """The lessons of the dashboard: polysema's, and those of a folder of your own."""


@lessons_group.command(name="list", short_help="List the lessons.")
@FOLDER
@format_option
def list_lessons(folder: str | None, form: str) -> None:
    """Print the lessons in their order, and on standard error a line for each file that can't be used."""
    _take(folder)
    _be_quiet()
    from polysema.app.dashboard.lessons.course import lessons, own_lessons

    rows: list[Row] = [
        {
            "number": number,
            "name": lesson.name,
            "title": lesson.title,
            "chapter": lesson.chapter,
            "minutes": lesson.minutes,
            "needs": lesson.wants,
        }
        for number, lesson in enumerate(lessons(), 1)
    ]
    show(form, rows)
    _tell_problems(own_lessons()[1])


@lessons_group.command(name="page", short_help="Write a lesson as one HTML file.")
@click.argument("name")
@click.option("--out", type=click.Path(dir_okay=False), help="The file.  [default: NAME.html]")
@FOLDER
def lesson_page(name: str, out: str | None, folder: str | None) -> None:
    """Measure the lesson NAME and write it as one HTML file, which opens without a network and without Python.

    It holds the idea and the question, what was measured with its picture and numbers, the card, the Python lines that
    give the same, and what could fool you.
    """
    _take(folder)
    _be_quiet()
    from polysema.app.dashboard.lessons.course import lesson_of, own_lessons
    from polysema.app.dashboard.lessons.lesson_page import lesson_page as made
    from polysema.core.atomic import atomic_write

    if lesson_of(name) is None:  # its file may be one of those that can't be used
        _tell_problems(own_lessons()[1])
    with progress_bar() as progress:
        content = made(name, progress)
    path = Path(out or f"{name}.html")
    atomic_write(path, content.encode())
    click.echo(f"{path}: {path.stat().st_size / 1e3:,.0f} kB")


def _be_quiet() -> None:
    """Streamlit warns of whatever is run outside its server."""
    from streamlit import config, logger

    config.set_option("logger.level", "error")  # Streamlit takes the level from here whenever an option is set
    logger.set_log_level("ERROR")


def _tell_problems(problems: Iterable[str]) -> None:
    for problem in problems:
        click.echo(f"polysema: {problem}", err=True)


def _take(folder: str | None) -> None:
    """The lessons of a folder stand among polysema's from here on."""
    from polysema.app.config.settings import LESSONS_VARIABLE

    if folder is not None:
        os.environ[LESSONS_VARIABLE] = str(Path(folder).resolve())
