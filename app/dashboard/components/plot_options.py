"""What is drawn beside the points of a scatter plot, what it starts with, and how it behaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from the point of row `start` to the point of row `end`."""

    start: int
    end: int
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class AreaLabels:
    """Names of areas, those of a level with the most important first: which are seen depends on the zoom.

    Attributes:
        places: In the units of the positions.
        levels: 0 from afar, 1 nearer, 2 near; as many as places.
        names: As many as places.
    """

    places: Sequence[Sequence[float]]
    levels: Sequence[int]
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class PlotMarks:
    """What is drawn beside the points; it comes and goes without touching them.

    Attributes:
        arrows: Drawn from point to point.
        areas: Names of areas.
        links: Pairs of rows with a thin line between them, such as a point and its neighbors. The first 2,000.
        label_rows: Points to label, the most important first: a label that would hide an earlier one is left out.
        highlight: Points with a ring and a label. When none of them is in view, the view moves to them. The first 200.
        passing: The rows that a condition lets through: the others are gray and can't be selected. None without one.
        hidden: Rows that are not drawn.
    """

    arrows: Sequence[Arrow] = ()
    areas: AreaLabels | None = None
    links: Sequence[tuple[int, int]] = ()
    label_rows: Sequence[int] = ()
    highlight: Sequence[int] = ()
    passing: NDArray[np.integer[Any]] | None = None
    hidden: NDArray[np.integer[Any]] | None = None


@dataclass(frozen=True, slots=True)
class PlotStart:
    """What is selected and in view at first.

    Attributes:
        selected: Rows to select at first, and whenever this changes, for example from a link. A selection of the
            user's that comes back through it is not imposed again, so a page may write what it reads. With a new
            value the result has `by="python"` until the user selects something else.
        view: Where the camera starts, as `Selection.view` had it; later changes are left to the user. A view of
            another kind of plot, as an old link may hold, is ignored.
    """

    selected: Sequence[int] | NDArray[np.integer[Any]] = ()
    view: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class PlotSearchBox:
    """A search box in the plot: it marks every point that has a text in its label or detail, as one types.

    Attributes:
        hint: What stands in the empty box.
        text: What is sought at first.
        modes: What else the text can ask, a name and the words on its button each: it comes as a `PlotRequest`.
    """

    hint: str
    text: str = ""
    modes: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class PlotOptions:
    """How a plot behaves.

    Attributes:
        height: Of the plot without its legend, in pixels. Phones get at most 320.
        report_view: Whether a move of the camera comes back by itself. Streamlit runs the page for it, 0.7 s after the
            gesture; the view can't be read without that. Without it `Selection.view` is that of the last selection.
        group: Plots of one group with as many points share hover (without a run) and selection: each of them returns
            the newest one.
        morph: Whether points glide to new positions. They never do when the user prefers reduced motion.
        search: A search box, or None for a plot without one.
        actions: What can be done with a selection, a name and the words on its button each: it comes as a
            `PlotRequest`.
        fill: Whether the plot fills the window from where it stands; `height` is then the least.
        equal_axes: Whether one unit is as long on each axis. Off, each axis fills the plot.
    """

    height: int = 460
    report_view: bool = True
    group: str = ""
    morph: bool = True
    equal_axes: bool = True
    search: PlotSearchBox | None = None
    actions: Sequence[tuple[str, str]] = ()
    fill: bool = False
