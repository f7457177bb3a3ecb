"""A page or a lesson as one HTML file that opens without a network and without Python: texts, pictures, numbers, card
and recipe.
"""

import base64
import csv
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version

from polysema.app.dashboard.components import assets
from polysema.app.dashboard.sharing.offline_page import OfflinePage
from polysema.app.dashboard.sharing.page_record import PageRecord, RecordedPart

MAX_SHOWN = 60  # rows of a table; its file has all
MAX_ROWS = 20_000  # of a file of numbers


def page_file(record: PageRecord, address: str = "") -> str:
    """The file's content.

    Args:
        record: What the page shows.
        address: The link to the page where it was made; left out where it is empty.

    Returns:
        HTML that holds everything itself: drawings as SVG, numbers as tables and as CSV to save, the Python lines that
        give the same, the cards of models and vectors.
    """
    heading = record.title or "Polysema"
    parts = "".join(_part(one) for one in record.parts.values())
    link = f"<p>Made at {escape(address)}</p>" if address.startswith("http") else ""
    body = (
        f"<main>\n<h1>{escape(heading)}</h1>\n{parts}</main>\n"
        f"<footer>{link}<p>Made with polysema {escape(version('polysema'))}. Nothing in this file is loaded from "
        "elsewhere.</p></footer>"
    )
    return OfflinePage(heading, body, assets.asset("offline/document.css")).html()


def _part(part: RecordedPart) -> str:
    made = part.make()
    if part.kind == "text":
        return markdown(made)
    if part.kind == "picture":
        return f'<figure role="img" aria-label="{escape(part.note or part.name)}">{made}</figure>\n'
    if part.kind == "numbers":
        return _numbers(part.name, made)
    return (
        f"<details open><summary>Recipe</summary><pre>{escape(made)}</pre>{markdown(part.note)}</details>\n"
        if made
        else markdown(part.note)
    )


def markdown(text: str) -> str:
    """Markdown as HTML; HTML in it stays text."""
    from markdown_it import MarkdownIt

    rendered: str = MarkdownIt("commonmark", {"html": False}).disable("image").render(text)
    return rendered


def _numbers(name: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a table, folded, and as a file to save."""
    rows = rows[:MAX_ROWS]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[row.get(column) for column in columns] for row in rows]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([columns, *cells])
    data = base64.b64encode(out.getvalue().encode()).decode()
    head = "".join(f'<th scope="col">{escape(str(one))}</th>' for one in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>\n" for row in cells[:MAX_SHOWN])
    more = f"<p>The first {MAX_SHOWN} of {len(rows):,} rows; the file has all.</p>" if len(rows) > MAX_SHOWN else ""
    return (
        f"<details><summary>Numbers: {escape(name)} ({len(rows):,} rows)</summary>"
        f'<div class="table" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'
        f'{more}<p><a download="{escape(name)}.csv" href="data:text/csv;charset=utf-8;base64,{data}">Save as CSV</a>'
        "</p></details>\n"
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="number">{value:.4g}</td>' if math.isfinite(value) else "<td></td>"
    number = ' class="number"' if isinstance(value, int) and not isinstance(value, bool) else ""
    return f"<td{number}>{'' if value is None else escape(str(value))}</td>"
