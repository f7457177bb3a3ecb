"""What is shown, as files: the numbers as CSV, bars and charts as pictures."""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray
from pyarrow.csv import WriteOptions, write_csv

from polysema.app.dashboard.components.plot_options import PlotMarks, PlotOptions, PlotSearchBox
from polysema.app.dashboard.components.points import Points
from polysema.app.dashboard.components.whole_plot import whole_plot
from polysema.app.dashboard.share_menu import FileOffer, offer
from polysema.app.dashboard.sharing import page_record
from polysema.app.dashboard.sharing.map_page import plot_page
from polysema.app.dashboard.sharing.points_svg import points_svg
from polysema.app.explorer.results import OccurrenceHit

if TYPE_CHECKING:
    import altair as alt

MAX_LABELS = 40
INK, TRACK, FILL, MARK = "#1b2733", "#e4e9ee", "#0d9488", "#b45309"


def numbers(
    rows: "Sequence[Mapping[str, object]] | Callable[[], Sequence[Mapping[str, object]]]",
    name: str,
    label: str = "Numbers (CSV)",
) -> None:
    """Offer rows of numbers as CSV. A function that makes them is called only when the file is requested,
    and leaves no file that the next run takes away while the browser still looks for it.
    """
    page_record.numbers(rows, name)
    offer(
        FileOffer(
            label,
            name,
            (lambda: table(rows())) if callable(rows) else (lambda: table(rows)),
            f"{_file(name)}.csv",
            "text/csv",
            f"csv_{name}",
            "Every number behind the picture.",
        )
    )


def occurrences(hits: Sequence[OccurrenceHit], name: str, more: Mapping[str, float] | None = None) -> None:
    """Offer occurrences of words in texts as CSV, nearest first; `more` stands in every row."""
    rows = [
        {
            "rank": rank,
            "cosine": hit.score,
            "word": hit.word,
            "sense": hit.sense,
            "start": hit.start,
            "end": hit.end,
            "text": hit.text,
        }
        | dict(more or {})
        for rank, hit in enumerate(hits, 1)
    ]
    numbers(rows, name)


def points(shown: Points, name: str) -> None:
    """Offer what a plot shows as CSV: label, category, coordinates, the sentence."""

    def rows() -> list[dict[str, Any]]:
        places = np.asarray(shown.positions)
        details = shown.details or [""] * len(places)
        named = zip(shown.labels, shown.category, details, places.tolist(), strict=True)
        return [
            {"label": label, "category": shown.categories[int(kind)]}
            | dict(zip("xyz", place, strict=False))
            | {"text": text}
            for label, kind, text, place in named
        ]

    def page() -> str:
        plot = whole_plot(
            [("category", shown)],
            alt=name,
            marks=PlotMarks(label_rows=range(min(len(shown.labels), MAX_LABELS))),
            options=PlotOptions(search=PlotSearchBox("Find a word or text")),
        )
        return plot_page(plot, f"Polysema: {name}", [f"{len(shown.labels):,} points."])

    page_record.picture(lambda: points_svg(shown, name), f"{name}_points", f"The points of {name}")
    numbers(rows, f"{name}_points", "Points (CSV)")
    web_page(page, f"{name}-plot", "Plot as one page (HTML)")


def web_page(drawn: Callable[[], str], name: str, label: str) -> None:
    """Offer a page that stands alone."""
    message = "One file that needs no network: search, hover, colors and selections work in it."
    offer(FileOffer(label, name, drawn, f"{_file(name)}.html", "text/html", f"html_{name}", message))


def columns(
    made: "Callable[[], pa.Table]",
    name: str,
    label: str = "Numbers (CSV)",
    message: str = "Every number behind the picture.",
) -> None:
    """Offer an Arrow table as CSV, made on demand: 400,000 rows take about a second."""

    def written() -> bytes:
        table = made()
        for place, field in enumerate(table.schema):
            if pa.types.is_dictionary(field.type):
                table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
            elif pa.types.is_nested(field.type):
                table = table.set_column(place, field.name, pa.array([str(v) for v in table.column(place).to_pylist()]))
        out = io.BytesIO()
        write_csv(table, out, WriteOptions(quoting_style="needed"))
        return out.getvalue()

    offer(FileOffer(label, name, written, f"{_file(name)}.csv", "text/csv", f"csv_{name}", message))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, UTF-8, their columns in the order in which they first appear."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def ranked(rows: Sequence[tuple[str, float]], name: str, head: str, label: str, baseline: float = math.nan) -> None:
    """Offer a table of names and scores: its numbers as CSV, its bars as SVG."""
    numbers(
        [
            {"rank": rank, head: key, label: score} | ({} if math.isnan(baseline) else {"random pair": baseline})
            for rank, (key, score) in enumerate(rows, 1)
        ],
        name,
    )
    picture(lambda: bars_svg(rows, head, label, baseline), name)


def picture(drawn: Callable[[], str], name: str) -> None:
    """Offer a drawing as SVG, made on demand."""
    page_record.picture(drawn, name)
    offer(
        FileOffer(
            "Picture (SVG)",
            name,
            drawn,
            f"{_file(name)}.svg",
            "image/svg+xml",
            f"svg_{name}",
            "What is shown, as a drawing.",
        )
    )


def bars_svg(rows: Sequence[tuple[str, float]], head: str, label: str, baseline: float = math.nan) -> str:
    """Names, bars from 0 to 1 and scores as an SVG drawing; a mark stands at the baseline."""
    width, row, left, right = 560, 26, 190, 490
    out = [
        f'<text x="40" y="18" font-size="12" opacity=".75">{escape(head)}</text>',
        f'<text x="{width - 10}" y="18" font-size="12" opacity=".75" text-anchor="end">{escape(label)}</text>',
    ]
    for rank, (key, score) in enumerate(rows, 1):
        y = 12 + rank * row
        share = min(1.0, max(0.0, score)) * (right - left)
        name = _plain(key if len(key) <= 22 else f"{key[:21]}…")
        out += [
            f'<text x="30" y="{y + 5}" text-anchor="end" opacity=".65">{rank}</text><text x="40" '
            f'y="{y + 5}">{name}</text>',
            f'<rect x="{left}" y="{y - 6}" width="{right - left}" height="12" rx="3" fill="{TRACK}"/>',
            f'<rect x="{left}" y="{y - 6}" width="{share:.1f}" height="12" rx="3" fill="{FILL}"/>',
            f'<text x="{width - 10}" y="{y + 5}" text-anchor="end">{score:.3f}</text>',
        ]
        if not math.isnan(baseline):
            x = left + min(1.0, max(0.0, baseline)) * (right - left)
            out.append(f'<rect x="{x - 1:.1f}" y="{y - 9}" width="2" height="18" fill="{MARK}"/>')
    return _svg(width, 24 + (len(rows) + 1) * row, out)


def boxes_svg(items: Sequence[tuple[str, str, str]], title: str) -> str:
    """Boxes in lines as an SVG drawing: a text, small print under it, and a kind: `a`, `b`, `off` or nothing."""
    fills = {"a": "#cfe9e6", "b": "#f8e4cf", "off": "#fff"}
    x, y, width, out = 12, 34, 720, [f'<text x="12" y="20" font-size="12" opacity=".75">{_plain(title)}</text>']
    for text, small, kind in items:
        wide = int(max(9 * len(text), 7 * len(small))) + 18
        if x > 12 and x + wide > width - 12:
            x, y = 12, y + 50
        dash = ' stroke-dasharray="4 3"' if kind == "off" else ""
        middle = f'x="{x + wide / 2:.1f}" text-anchor="middle"'
        out.append(
            f'<rect x="{x}" y="{y}" width="{wide}" height="44" rx="5" fill="{fills.get(kind, "#fff")}" '
            f'stroke="{INK}" stroke-opacity=".4"{dash}/>'
            f'<text {middle} y="{y + 19}" font-weight="600">{_plain(text)}</text><text {middle} y="{y + 36}" '
            f'font-size="12">{_plain(small)}</text>'
        )
        x += wide + 6
    return _svg(max(width, x + 6), y + 56, out)


def squares_svg(
    open_: Sequence[Sequence[bool]] | NDArray[np.bool_], rows: Sequence[str], columns: Sequence[str], title: str
) -> str:
    """A table of squares with the names of its rows and columns as an SVG drawing: filled where `open_` (rows,
    columns) is true.
    """
    side, left = 22, 24 + 8 * max(map(len, rows))
    top = 48 + 8 * max(map(len, columns))
    out = [f'<text x="12" y="20" font-size="12" opacity=".75">{_plain(title)}</text>']
    for j, name in enumerate(columns):
        x = left + j * side + side / 2
        out.append(f'<text transform="translate({x + 4:.1f} {top - 6}) rotate(-90)">{_plain(name)}</text>')
    for i, name in enumerate(rows):
        y = top + i * side
        out.append(f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{_plain(name)}</text>')
        out += [
            f'<rect x="{left + j * side + 1}" y="{y + 1}" width="{side - 2}" height="{side - 2}" '
            f'fill="{FILL if seen else TRACK}"/>'
            for j, seen in enumerate(open_[i])
        ]
    return _svg(max(320, left + len(columns) * side + 12), top + len(rows) * side + 12, out)


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="14" fill="{INK}"><rect width="{width}" height="{height}" '
        f'fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def chart(drawn: "alt.TopLevelMixin", alt: str) -> None:
    """An Altair chart as wide as its place, with `alt` for those who can't see it.

    Streamlit's own button in its corner saves it as PNG.
    """
    st.altair_chart(drawn, width="stretch", alt=alt)
    page_record.picture(lambda: chart_svg(drawn), alt, alt)


def chart_svg(drawn: "alt.TopLevelMixin") -> str:
    """An Altair chart as SVG, drawn here."""
    out = io.StringIO()
    drawn.save(out, format="svg")
    return out.getvalue()


def _file(name: str) -> str:
    return re.sub(r"[^\w-]+", "-", name).strip("-")[:60] or "polysema"


def _plain(text: str) -> str:
    return escape("".join(c for c in text if c.isprintable()))
