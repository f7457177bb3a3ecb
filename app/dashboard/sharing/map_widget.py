"""The widget of `show`. Importing this needs anywidget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anywidget
import numpy as np
import traitlets

from polysema.app.dashboard.components import assets
from polysema.app.dashboard.sharing.map_plot import map_plot
from polysema.app.dashboard.sharing.notebook import check_rows

if TYPE_CHECKING:
    from polysema.app.explorer.results import SpaceMap
    from polysema.core.maps.regions import Regions
    from polysema.core.space.space import Space


class MapWidget(anywidget.AnyWidget):
    """A map in a notebook. Made by `polysema.show`.

    Attributes:
        selected: The selected rows, ascending: what the reader selects in the plot, and what Python sets.
        color: What the points are colored by; one of `colors`.
        colors: What they can be colored by.
    """

    _esm = assets.module("notebook/widget.js")
    _css = assets.asset("scatter/scatter.css") + assets.asset("notebook/widget.css")
    _plot = traitlets.Dict().tag(sync=True)
    _columns = traitlets.Bytes().tag(sync=True)
    _texts = traitlets.Dict().tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    color = traitlets.Unicode().tag(sync=True)

    @classmethod
    def of_map(cls, found: SpaceMap, areas: Regions | None, color: str = "") -> MapWidget:
        """The widget of a map.

        Args:
            found: The map.
            areas: Its areas; None leaves them out.
            color: What it is colored by at first.

        Returns:
            The widget, in which nothing is selected.

        Raises:
            UserError: There is no such column to color by.
        """
        plot = map_plot(found, areas, color)
        first = plot.file["colorings"][0]["name"]
        made = cls(_plot=plot.file, _columns=plot.columns, _texts=plot.texts, color=first)
        made._map = found
        return made

    @property
    def map(self) -> SpaceMap:
        """What is drawn: the rows, their positions, and what these keep."""
        found: SpaceMap = self._map
        return found

    @property
    def colors(self) -> list[str]:
        """What the points can be colored by."""
        return [str(one["name"]) for one in self._plot["colorings"]]

    @property
    def selection(self) -> Space:
        """The selected rows as a space, with their columns; an empty one where nothing is selected."""
        return self.map.space.take(np.array(self.selected, np.int64))

    @traitlets.validate("selected")
    def _check_selected(self, proposal: traitlets.Bunch) -> list[int]:
        count = int(self._plot["data"]["count"]) if self._plot else 0
        return check_rows(list(proposal["value"]), count)

    @traitlets.validate("color")
    def _check_color(self, proposal: traitlets.Bunch) -> str:
        color = str(proposal["value"])
        if self._plot and color not in self.colors:
            raise traitlets.TraitError(f"color must be one of {', '.join(self.colors)}, not {color!r}")
        return color
