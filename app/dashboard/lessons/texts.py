"""The words of the lessons: a Markdown file beside each measurement, read section by section."""

import re
from pathlib import Path
from typing import TypedDict

FOLDER = Path(__file__).parent
_SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)


class LessonTexts(TypedDict):
    """What a lesson says, by the names of the fields of `Lesson`."""

    title: str
    chapter: str
    minutes: int
    idea: str
    question: str
    options: tuple[str, ...]
    claim: str
    reading: str
    task: str
    traps: tuple[str, ...]
    sources: tuple[str, ...]


class LetterTexts(TypedDict):
    """What a lesson says with a model that reads letters."""

    question: str
    options: tuple[str, ...]
    task: str


def lesson_texts(file: str) -> LessonTexts:
    """The texts of `FILE.md`.

    Raises:
        KeyError: The file lacks a section.
    """
    title, head, sections = _sections(file)
    return LessonTexts(
        title=title,
        chapter=head["chapter"],
        minutes=int(head["minutes"]),
        idea=sections["Idea"],
        question=sections["Question"],
        options=_items(sections["Options"]),
        claim=sections["Claim"],
        reading=sections["How to read it"],
        task=sections["Task"],
        traps=_items(sections["Caveats"]),
        sources=_items(sections.get("Sources", "")),
    )


def letter_texts(file: str) -> LetterTexts:
    """The texts of `FILE.md` for a model that reads letters.

    Raises:
        KeyError: The file lacks a section.
    """
    _, _, sections = _sections(file)
    return LetterTexts(
        question=sections["Question (letters)"],
        options=_items(sections["Options (letters)"]),
        task=sections["Task (letters)"],
    )


def _sections(file: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """The title, the `name: value` lines under it, and the sections by their headings."""
    start, *rest = _SECTION.split((FOLDER / f"{file}.md").read_text(encoding="utf-8"))
    title, *lines = start.strip().splitlines()
    head = dict(line.split(": ", 1) for line in lines if line)
    return (
        title.removeprefix("# "),
        head,
        {name: text.strip() for name, text in zip(rest[::2], rest[1::2], strict=True)},
    )


def _items(text: str) -> tuple[str, ...]:
    """The items of a Markdown list."""
    return tuple(line.removeprefix("- ") for line in text.splitlines() if line)
