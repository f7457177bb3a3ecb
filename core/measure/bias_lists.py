"""Lists of words whose bias is measured: read from a file, `first: rose, tulip`, or from JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polysema.core.errors import UnreadableError, UserError
from polysema.core.measure.analogies import read_lines

LIST_NAMES = ("first", "second", "toward", "away")
MIN_WORDS = 2


@dataclass(frozen=True, slots=True)
class BiasLists:
    """A test by its name: whether the `first` words lean more than the `second` `toward` some words than `away`."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    toward: tuple[str, ...]
    away: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in LIST_NAMES:
            if len(words := getattr(self, name)) < MIN_WORDS:
                raise UserError(f"test {self.name!r}: each list needs at least two words; {name} has {len(words)}")

    def lists(self) -> tuple[tuple[str, ...], ...]:
        """The four lists, in their order."""
        return self.first, self.second, self.toward, self.away


def read_bias_lists(path: Path | str) -> tuple[BiasLists, ...]:
    """The tests of a file.

    Either lines such as `first: rose, tulip`, also `second`, `toward` and `away`, where a line without a colon begins a
    test of that name; or JSON: an object of the four lists, or such objects by their names.

    Args:
        path: The file, in UTF-8.

    Raises:
        UserError: A list is missing or has fewer than two words, or a line is none of these.
    """
    path = Path(path)
    lines = read_lines(path)
    if path.suffix.lower() == ".json":
        return _from_json(path, "\n".join(lines))
    found: dict[str, dict[str, list[str]]] = {}
    name = path.stem
    for number, line in enumerate(lines, 1):
        head, colon, words = (part.strip() for part in line.partition(":"))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not colon:
            name = head
        elif head.lower() in LIST_NAMES:
            found.setdefault(name, {})[head.lower()] = split_words(words)
        else:
            expected = "first, second, toward or away, a colon and words"
            raise UnreadableError(f"{path}, line {number:,}: {expected} were expected; got {line[:60]!r}")
    if not found:
        raise UserError(f"{path} holds no lists: write first: rose, tulip and so on for second, toward and away")
    return tuple(bias_lists(name, lists) for name, lists in found.items())


def bias_lists(name: str, lists: dict[str, list[str]]) -> BiasLists:
    """A test of four lists by their names; raises `UserError` for one that is missing."""
    missing = [one for one in LIST_NAMES if one not in lists]
    if missing:
        raise UserError(f"test {name!r} has no list {', '.join(missing)}; it needs {', '.join(LIST_NAMES)}")
    return BiasLists(name, *(tuple(lists[one]) for one in LIST_NAMES))


def split_words(text: str) -> list[str]:
    """The words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def _from_json(path: Path, text: str) -> tuple[BiasLists, ...]:
    try:
        given = json.loads(text)
    except ValueError as error:
        raise UnreadableError(f"{path} is no JSON: {error}") from None
    tests = {path.stem: given} if isinstance(given, dict) and set(LIST_NAMES) & set(given) else given
    if not isinstance(tests, dict) or not tests:
        raise UnreadableError(f"{path}: an object with the lists {', '.join(LIST_NAMES)} was expected")
    return tuple(bias_lists(str(name), _checked(path, str(name), lists)) for name, lists in tests.items())


def _checked(path: Path, name: str, lists: object) -> dict[str, list[str]]:
    if not isinstance(lists, dict) or not all(_is_words(words) for words in lists.values()):
        raise UnreadableError(f"{path}: test {name!r} is no object of lists of words")
    return {str(key): list(words) for key, words in lists.items()}


def _is_words(words: object) -> bool:
    return isinstance(words, Sequence) and not isinstance(words, str) and all(isinstance(one, str) for one in words)
