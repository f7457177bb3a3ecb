"""Lines of a chart that are distinguished by color, by dash and by the shape of their points, for eyes that miss a cone
as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

COLORS = ("#0d9488", "#d97706", "#8b5cf6")
DASHES = ([1, 0], [7, 3], [2, 3])
SHAPES = ("circle", "square", "triangle-up")


def series(field: str, names: Sequence[str], columns: int = 0) -> dict[str, Any]:
    """The encodings of a chart by which the `names` in a field, at most three, are distinguished.

    They have one legend, of so many columns (0: as many as fit).

    Raises:
        ValueError: There are more names than colors.
    """
    import altair as alt

    if len(names) > len(COLORS):
        raise ValueError(f"at most {len(COLORS)} lines can be distinguished, not {len(names)}")
    shown = alt.Legend(title=None, labelLimit=0, symbolStrokeWidth=2, orient="bottom", columns=columns or alt.Undefined)
    encodings: dict[str, tuple[Any, Sequence[Any]]] = {
        "color": (alt.Color, COLORS),
        "strokeDash": (alt.StrokeDash, DASHES),
        "shape": (alt.Shape, SHAPES),
    }
    return {
        channel: kind(f"{field}:N", legend=shown, scale=alt.Scale(domain=list(names), range=list(values[: len(names)])))
        for channel, (kind, values) in encodings.items()
    }


def lines(base: alt.Chart, field: str, names: Sequence[str], columns: int = 0) -> alt.LayerChart:
    """A chart of lines with points from a chart that has its axes, distinguished as `series` says."""
    encodings = series(field, names, columns)
    of_lines = {channel: encoding for channel, encoding in encodings.items() if channel != "shape"}
    of_points = {channel: encoding for channel, encoding in encodings.items() if channel != "strokeDash"}
    found: alt.LayerChart = base.mark_line().encode(**of_lines) + base.mark_point(filled=True, size=40).encode(
        **of_points
    )
    return found
