"""How texts are compared by their letters: by a part, a pattern, or a regular expression, whatever the case or not."""

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.display import clip_text
from polysema.core.errors import PolysemaError
from polysema.indexes.filters.conditions import Condition

MAX_PATTERN = 1_000  # characters of a regular expression


def _like(array: pa.Array, pattern: str, ignore_case: bool) -> pa.Array:
    return pc.match_like(array, pattern, ignore_case=ignore_case)


def _matches(array: pa.Array, pattern: str, ignore_case: bool) -> pa.Array:
    return pc.match_substring_regex(array, pattern, ignore_case=ignore_case)


def _contains(array: pa.Array, pattern: str, ignore_case: bool) -> pa.Array:
    return pc.match_substring(array, pattern, ignore_case=ignore_case)


def _starts_with(array: pa.Array, pattern: str, ignore_case: bool) -> pa.Array:
    return pc.starts_with(array, pattern, ignore_case=ignore_case)


def _ends_with(array: pa.Array, pattern: str, ignore_case: bool) -> pa.Array:
    return pc.ends_with(array, pattern, ignore_case=ignore_case)


_PLAIN: dict[str, Callable[[object, str, bool], object]] = {
    "contains": _contains,
    "starts with": _starts_with,
    "ends with": _ends_with,
    "like": _like,
    "matches": _matches,
}
TEXT_OPERATORS = (*_PLAIN, *(f"i{name}" for name in _PLAIN))
"""The operators of texts; with an i before them they take capitals and small letters for the same."""


def match_text(test: Condition, array: pa.Array) -> pa.Array:
    """Whether each text has, begins or ends with, or is like what is written: a Boolean array, null where the text is.

    `like` has % for any letters and _ for one, `matches` is a regular expression (RE2) found anywhere.
    """
    pattern, ignore_case = str(test.values[0]), test.op not in _PLAIN
    plain = test.op.removeprefix("i") if ignore_case else test.op
    if plain == "matches":
        _check_expression(test, pattern)
    if not pa.types.is_large_string(array.type) and not pa.types.is_string(array.type):
        array = array.cast(pa.large_string())
    return _PLAIN[plain](array, pattern, ignore_case)


def equal_text(test: Condition, array: pa.Array) -> pa.Array:
    """Whether each text is what is written, whatever its case."""
    wanted = re.escape(str(test.values[0]))
    return pc.match_substring_regex(array.cast(pa.large_string()), f"^(?s:{wanted})$", ignore_case=True)


def _check_expression(test: Condition, pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise PolysemaError(f"a regular expression has at most {MAX_PATTERN:,} characters; got {len(pattern):,}")
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        raise PolysemaError(
            f"the regular expression {clip_text(pattern)!r} of column {test.column!r} can't be read: "
            f"{clip_text(reason)}"
        ) from None
