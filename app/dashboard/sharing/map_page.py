"""A map as one HTML file: search, hover, colors and selections work without a network."""

import json
from collections.abc import Sequence
from html import escape

from polysema.app.dashboard.components import assets
from polysema.app.dashboard.components.whole_plot import WholePlot
from polysema.app.dashboard.sharing.map_plot import map_plot
from polysema.app.dashboard.sharing.offline_page import OfflinePage, packed
from polysema.app.explorer.results import SpaceMap
from polysema.core.display import clip_text
from polysema.core.maps.regions import Regions

MAX_MEGABYTES = 20
"""Of the file of 50,000 points; of more points in proportion."""
POINTS_OF_LIMIT = 50_000
TEXT_LENGTHS = (2_000, 1_000, 500, 250, 120, 60)
"""Characters to which texts are cut, one after the other, until the file is small enough."""
SPARE_BYTES = 600_000  # the plot's own code, and what is not packed


def map_page(found: SpaceMap, areas: Regions | None, *, color: str = "", title: str = "", python: str = "") -> str:
    """The file's content.

    Args:
        found: The map.
        areas: Its areas; None leaves them out.
        color: What it is colored by at first.
        title: Its heading; the name of the space where it is empty.
        python: Lines that make the same map; shown where there are some.

    Returns:
        HTML, at most 20 MB for 50,000 points: longer texts are cut, and the page says so.

    Raises:
        UserError: There is no such column to color by.
    """
    origin = found.space.origin
    notes = [f"{len(found.space):,} points by {found.map.method}."]
    if found.distortion is not None:
        notes.append(
            f"Of each point's {found.distortion.k} nearest in the space {found.distortion.preservation:.0%} are its "
            f"nearest on the map (by chance {found.distortion.by_chance:.1%}): what lies near is often near, distances "
            "of groups mean little."
        )
    heading = title or f"Map of {origin.source}"
    return plot_page(map_plot(found, areas, color), heading, notes, footer=origin.card(), python=python)


def plot_page(plot: WholePlot, heading: str, notes: Sequence[str], *, footer: str = "", python: str = "") -> str:
    """A plot as a file.

    Args:
        plot: The plot.
        heading: Of the page.
        notes: Sentences under it.
        footer: What stands below.
        python: Lines that make the same; shown where there are some.

    Returns:
        HTML, in which long texts are cut as `map_page` says.
    """
    texts, cut = fitting_texts(plot, len(plot.texts["labels"]))
    said = [*notes, *([f"Texts are cut at {cut:,} characters."] if cut else [])]
    lines = f"<details><summary>Python that makes the same</summary><pre>{escape(python)}</pre></details>"
    body = (
        f"<header><h1>{escape(heading)}</h1><p>{escape(' '.join(said))}</p>"
        '<label>Color <select id="color" autocomplete="off"></select></label></header>\n'
        '<main><div id="plot"></div><aside aria-label="Selected points"><p id="count" role="status"></p>'
        '<button id="save" type="button" hidden>Save selected (CSV)</button><ol id="selected" tabindex="0"></ol>'
        f'<p id="more"></p></aside></main>\n<footer><p>{escape(footer)}</p>{lines if python else ""}</footer>'
    )
    return OfflinePage(
        heading,
        body,
        assets.asset("scatter/scatter.css") + assets.asset("offline/page.css"),
        assets.module("offline/page.js"),
        {"map": plot.file},
        {"columns": plot.columns, "texts": texts},
    ).html()


def fitting_texts(plot: WholePlot, count: int) -> tuple[bytes, int]:
    """The texts as JSON, and to how many characters they are cut so that the file is small enough; 0 for not at all."""
    limit = MAX_MEGABYTES * 1_000_000 * max(1.0, count / POINTS_OF_LIMIT) - SPARE_BYTES
    room = limit - len(packed(plot.columns)) - len(json.dumps(plot.file))
    written = b""
    for length in (0, *TEXT_LENGTHS):
        written = json.dumps(_cut(plot, length) if length else plot.texts, ensure_ascii=False).encode()
        if len(written) < room or len(packed(written)) <= room:
            return written, length
    return written, TEXT_LENGTHS[-1]


def _cut(plot: WholePlot, length: int) -> dict[str, object]:
    """The texts of a plot with so many characters at most."""
    labels: list[str] = plot.texts["labels"]
    details: list[str] | None = plot.texts["details"]
    marks: list[list[int]] | None = plot.texts["marks"]
    return {
        "labels": [clip_text(text, length) for text in labels],
        "details": None if details is None else [clip_text(text, length) for text in details],
        "marks": None if marks is None else [[min(start, length), min(end, length)] for start, end in marks],
    }
