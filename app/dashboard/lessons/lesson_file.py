"""A lesson as a Markdown file: what it is made of in TOML between two lines of +++, and its prose in sections.

Nothing in the file is executed: it names a measurement and gives it parameters.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from pathlib import Path

from polysema.app.dashboard.addresses import PAGES
from polysema.app.dashboard.lessons.lesson import (
    CHOICES,
    MODEL,
    Lesson,
    LessonField,
    LetterField,
    NextStep,
)
from polysema.app.dashboard.lessons.measurements import MEASUREMENTS, Measurement
from polysema.app.dashboard.lessons.outcomes import Outcomes
from polysema.core.errors import UserError

MAX_FILE = 200_000  # bytes
HEAD_KEYS = ("name", "title", "chapter", "minutes", "number", "measurement", "wants", "outcomes", "works", "partly")
HEAD_TABLES = ("fields", "presets", "letter_presets", "ways")
FIELD_KEYS = tuple(one.name for one in fields_of(LessonField) if one.name != "key")
SECTIONS = ("Idea", "Question", "Options", "Claim", "How to read it", "Task", "Caveats")
MEASURED = "Measured"  # of a measurement that gives figures: what is said about them
_HEAD = re.compile(r"\A\s*\+\+\+\n(.*?)\n\+\+\+\n", re.DOTALL)
_SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

Table = Mapping[str, object]


def read_lesson(path: Path) -> Lesson:
    """The lesson of a file.

    Args:
        path: A Markdown file, UTF-8.

    Returns:
        The lesson.

    Raises:
        UserError: The file can't be read, lacks something, or names what there isn't: in one line, with its name.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise UserError(f"it has {path.stat().st_size:,} bytes; a lesson has at most {MAX_FILE:,}")
        return _lesson(path.stem, path.read_text(encoding="utf-8").replace("\r\n", "\n"))
    except UserError as error:
        raise UserError(f"the lesson {path.name} can't be used: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the lesson {path.name} can't be read as UTF-8 text: {error}") from None


def _lesson(stem: str, text: str) -> Lesson:
    head, sections = _parts(text)
    _only(head, (*HEAD_KEYS, *HEAD_TABLES), "it")
    name = _text(head, "name", stem.replace("_", "-").lower())
    if not _NAME.fullmatch(name):
        raise UserError(f"a name has small letters, digits and hyphens, at most 40; got {name[:60]!r}")
    measurement = _measurement(head)
    missing = [one for one in SECTIONS if not sections.get(one, "").strip()]
    if missing:
        raise UserError(f"it lacks the section{'s' * (len(missing) > 1)} {', '.join('## ' + one for one in missing)}")
    fields = _fields(head)
    keys = [one.key for one in fields]
    absent = [one for one in measurement.reads if one not in keys]
    if absent:
        raise UserError(
            f"the measurement {head['measurement']} reads the fields {', '.join(measurement.reads)}; "
            f"it lacks [fields.{absent[0]}]"
        )
    options = _items(sections["Options"])
    if len(options) < 2:
        raise UserError(f"a question needs at least two options, each a line that begins with “- ”; got {len(options)}")
    outcomes = None
    if measurement.figures:
        outcomes = Outcomes.read(head, sections.get(MEASURED, ""), measurement.figures, len(options))
    return Lesson(
        name=name,
        chapter=_text(head, "chapter", "Lessons of your own"),
        title=_text(head, "title"),
        idea=sections["Idea"],
        question=sections["Question"],
        options=options,
        claim=sections["Claim"],
        fields=fields,
        check=measurement.check if outcomes is None else outcomes.judged(measurement.check),
        draw=measurement.draw,
        reading=sections["How to read it"],
        task=sections["Task"],
        presets=_presets(head, "presets", keys),
        traps=_items(sections["Caveats"]),
        ways=_ways(head, keys),
        sources=_items(sections.get("Sources", "")),
        minutes=_number(head, "minutes", 3),
        number=_number(head, "number", 1000),
        wants=_text(head, "wants", ""),
        letters=_letters(head, sections, keys),
    )


def _parts(text: str) -> tuple[dict[str, object], dict[str, str]]:
    """What stands between the two lines of +++, and the sections by their headings."""
    found = _HEAD.match(text)
    if found is None:
        raise UserError("a lesson begins with its head, in TOML between two lines of +++")
    try:
        head = tomllib.loads(found[1])
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"what stands between the lines of +++ is no TOML: {error}") from None
    _, *rest = _SECTION.split(text[found.end() :])
    return head, {name.strip(): body.strip() for name, body in zip(rest[::2], rest[1::2], strict=True)}


def _only(table: Table, known: Sequence[str], what: str) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise UserError(f"{what} has {unknown[0]!r}, which is none of {', '.join(known)}")


def _text(table: Table, key: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise UserError(f"{key} is a text between quotes; got {'none' if value is None else repr(value)[:60]}")
    return value


def _number(table: Table, key: str, default: int) -> int:
    value = table.get(key, default)
    if type(value) is not int or not 0 <= value <= 1_000_000:
        raise UserError(f"{key} is a whole number from 0; got {value!r}")
    return value


def _measurement(head: Table) -> Measurement:
    name = _text(head, "measurement")
    if name not in MEASUREMENTS:
        raise UserError(f"there is no measurement {name[:40]!r}; there are {', '.join(sorted(MEASUREMENTS))}")
    return MEASUREMENTS[name]


def _tables(head: Table, key: str) -> Mapping[str, Table]:
    """A table of tables, such as the fields."""
    found = head.get(key, {})
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise UserError(f"{key} are tables, each under a line such as [{key}.NAME]")
    return found


def _fields(head: Table) -> tuple[LessonField, ...]:
    found = []
    for key, table in _tables(head, "fields").items():
        _only(table, FIELD_KEYS, f"the field {key}")
        choices = _text(table, "choices", "")
        if choices and choices not in CHOICES:
            raise UserError(f"the field {key} has choices of {choices!r}; there are those of {', '.join(CHOICES)}")
        if key == MODEL and not choices:
            raise UserError(f"the field {MODEL} needs choices: one of {', '.join(CHOICES)}")
        flags = {name: table.get(name, False) is True for name in ("lines", "optional")}
        start = _text(table, "start", "")
        if not choices and not start and not flags["optional"]:
            raise UserError(f"the field {key} needs a start, which it holds at first (or optional = true)")
        found.append(
            LessonField(
                key,
                _text(table, "label"),
                _text(table, "explains", ""),
                start,
                _text(table, "letters", ""),
                **flags,
                choices=CHOICES[choices] if choices else None,
            )
        )
    return tuple(found)


def _presets(head: Table, key: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, values in _tables(head, key).items():
        _only(values, keys, f"the example {name!r}")
        found[name] = {one: _text(values, one) for one in values}
    return found


def _ways(head: Table, keys: Sequence[str]) -> tuple[NextStep, ...]:
    ways = head.get("ways", [])
    if not isinstance(ways, list) or not all(isinstance(one, dict) for one in ways):
        raise UserError("ways on are tables, each under a line [[ways]]")
    pages = [one.name for one in PAGES]
    found = []
    for one in ways:
        _only(one, ("page", "label", "query"), "a way on")
        page, query = _text(one, "page"), one.get("query", {})
        if page not in pages:
            raise UserError(f"there is no page {page[:40]!r}; there are {', '.join(pages)}")
        if not isinstance(query, dict) or not all(isinstance(value, str) for value in query.values()):
            raise UserError('the query of a way on is a table of texts, such as { q = "{word}" }')
        for value in query.values():
            _only(dict.fromkeys(re.findall(r"\{(\w+)\}", value)), keys, "the query of a way on")
        found.append(NextStep(page, _text(one, "label"), query))
    return tuple(found)


def _letters(head: Table, sections: Mapping[str, str], keys: Sequence[str]) -> LetterField | None:
    """How the lesson asks with a model that reads the letters of a word; None where its file says nothing of it."""
    if "Question (letters)" not in sections:
        return None
    try:
        return LetterField(
            question=sections["Question (letters)"],
            options=_items(sections["Options (letters)"]),
            task=sections["Task (letters)"],
            presets=_presets(head, "letter_presets", keys),
        )
    except KeyError as error:
        raise UserError(f"with “## Question (letters)” it needs “## {error.args[0]}” as well") from None


def _items(text: str) -> tuple[str, ...]:
    """The items of a Markdown list; a line that begins none goes on with the one before."""
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith("- "):
            found.append(line[2:].strip())
        elif line.strip() and found:
            found[-1] += f" {line.strip()}"
    return tuple(found)
