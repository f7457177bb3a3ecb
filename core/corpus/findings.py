"""What a reader notices on its way through a file, counted, so that it can be told in a line."""

from polysema.core.corpus.columns import Value
from polysema.core.errors import UnreadableError

MAX_IDS = 4_000_000  # whose hashes are compared: 32 MB


class CorpusNotes:
    """Counts of what was mended or is strange in the rows of one file, with the line where each begins."""

    def __init__(self) -> None:
        self._found: dict[str, list[int]] = {}

    def add(self, what: str, line: int) -> None:
        """Count `what` in a row; the first line is remembered."""
        self._found.setdefault(what, [0, line])[0] += 1

    def notes(self) -> tuple[str, ...]:
        """A line for each kind of finding."""
        return tuple(
            f"{count:,} {'row' if count == 1 else 'rows'} ({'' if count == 1 else 'the first: '}line {line:,}): {what}"
            for what, (count, line) in self._found.items()
        )


def id_of(value: Value, where: str, line: int, findings: CorpusNotes) -> str:
    """An id as a text. Raises `UnreadableError` for what is none: nothing, NaN, true or false, a list."""
    if (
        value is None
        or (isinstance(value, str) and not value.strip())
        or isinstance(value, (dict, list))
        or value != value
    ):
        given = "is not a number" if isinstance(value, float) else "is empty"
        raise UnreadableError(f"{where} {line}: has no id (it {given}); fill the column, or leave out the ids")
    if isinstance(value, bool) or value in (float("inf"), float("-inf")):
        raise UnreadableError(f"{where} {line}: the id {value} is neither a text nor a whole number")
    if isinstance(value, float):
        findings.add("ids are numbers with a point and stay as they are written, such as 1.0", line)
    return str(value)
