"""How values show themselves at a prompt and in a notebook: one line of text, a table of text, a table of HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TypeAlias

Record: TypeAlias = Mapping[str, object]

MAX_SHOWN_ROWS = 20
MAX_CELL_LETTERS = 60
MAX_TITLE_LETTERS = 120


class HtmlRepr:
    """Shows in a notebook what `repr` says, in one line."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"


def clip_text(text: str, letters: int = MAX_CELL_LETTERS) -> str:
    """A text as it is, of a longer one the beginning and an ellipsis: so many letters at most."""
    return text if len(text) <= letters else text[: letters - 1] + "…"


def clip_line(text: str, letters: int = MAX_CELL_LETTERS) -> str:
    """A text on one line, clipped where it is longer than so many letters."""
    return clip_text(" ".join(text.split()), letters)


def cell(value: object) -> str:
    """A value as a cell of a table: numbers with four digits behind the point, lists with commas, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, (list, tuple)):
        return clip_line(", ".join(cell(one) for one in value))
    return clip_line(str(value))


def hidden_rows_line(shown: int, n_rows: int) -> str:
    """The line that says how many rows a table leaves out, empty where it shows all."""
    hidden = n_rows - shown
    return f"… {hidden:,} more of {n_rows:,} rows; to_pandas() has all of them" if hidden > 0 else ""


def text_table(title: str, records: Sequence[Record], n_rows: int) -> str:
    """A title, a line for each record under the names of its columns, and a line for those that are not shown."""
    lines = [clip_line(title, MAX_TITLE_LETTERS)]
    if records:
        names = list(records[0])
        numeric = {name: all(isinstance(one[name], (int, float, type(None))) for one in records) for name in names}
        cells = [names, *([cell(one[name]) for name in names] for one in records)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            padded = (
                part.rjust(width) if numeric[name] else part.ljust(width)
                for part, width, name in zip(row, widths, names, strict=True)
            )
            lines.append("  ".join(padded).rstrip())
    return "\n".join(filter(None, [*lines, hidden_rows_line(len(records), n_rows)]))


def html_table(title: str, records: Sequence[Record], n_rows: int) -> str:
    """The same as a table of HTML; whatever stands in a cell is escaped."""
    parts = ["<table>", f"<caption>{escape(clip_line(title, MAX_TITLE_LETTERS))}</caption>"]
    if records:
        parts.append("<tr>" + "".join(f"<th>{escape(name)}</th>" for name in records[0]) + "</tr>")
    parts += [
        "<tr>" + "".join(f"<td>{escape(cell(value))}</td>" for value in one.values()) + "</tr>" for one in records
    ]
    more = hidden_rows_line(len(records), n_rows)
    return "".join([*parts, "</table>", f"<p>{escape(more)}</p>" if more else ""])
