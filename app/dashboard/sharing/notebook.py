"""The map in a notebook: the dashboard's own plot as an anywidget, whose selection Python reads and sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polysema.core.errors import UnavailableError, UserError
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.app.dashboard.sharing.map_widget import MapWidget
    from polysema.app.explorer.word_space import WordSpace
    from polysema.core.maps.options import MapOptions
    from polysema.core.space.space import Space

MAX_SHOWN_ROWS = 20_000
"""Rows that are shown unless more are wanted: all of them are sent to the browser."""


def show(
    space: str | Space | WordSpace,
    color: str = "",
    method: str = "umap",
    n: int | None = None,
    options: MapOptions | None = None,
    progress: Progress = no_progress,
) -> MapWidget:
    """Draw the map of a space in a notebook.

    It is the map of the dashboard, with search, hover, colors, lasso and box. The seed is fixed: the same space is
    drawn the same. It needs the extra `notebook`.

    Args:
        space: A space, or its name or the path of its file or collection.
        color: What the points are colored by: a column of the space, `areas of the map` (the default),
            `order of the rows` or `neighbors kept`.
        method: pca, umap, densmap, umap-learn or tsne.
        n: How many rows, the first. None: all, up to 20,000.
        options: The number of dimensions (2 or 3), the metric, the column that supervises, the seed and the method's
            own.
        progress: Told of each stage; what it raises ends the work.

    Returns:
        The widget. What is selected in it are the rows `selected`; `selection` is them as a space.

    Raises:
        UnavailableError: anywidget is not installed.
        PolysemaError: There is no such space, method or column.

    Example:
        >>> import polysema
        >>> vectors = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]
        >>> space = polysema.Space.from_vectors(["king", "queen", "swan"], vectors)
        >>> widget = polysema.show(space, method="pca")
        >>> widget.selected = [0, 2]
        >>> list(widget.selection.keys)
        ['king', 'swan']
    """
    try:
        from polysema.app.dashboard.sharing.map_widget import MapWidget
    except ImportError as error:
        raise UnavailableError(
            f"a map in a notebook needs anywidget ({error}); install it with pip install 'polysema[notebook]'"
        ) from None
    from polysema.app.explorer import Explorer
    from polysema.core.maps.options import PICTURE_COMPONENTS

    if options is not None and options.n_components > PICTURE_COMPONENTS:
        raise UserError(f"a picture has 2 or {PICTURE_COMPONENTS} dimensions; got n_components={options.n_components}")
    explorer = Explorer()
    opened = explorer.space(space, progress)
    rows = min(len(opened.space), MAX_SHOWN_ROWS) if n is None else n
    found = explorer.maps.map(opened, method, options, rows, progress=progress)
    return MapWidget.of_map(found, explorer.maps.areas(found, progress), color)


def check_rows(rows: list[Any], count: int) -> list[int]:
    """Rows that can be selected.

    Args:
        rows: Row numbers from 0.
        count: How many rows there are.

    Returns:
        Each once, ascending.

    Raises:
        UserError: One of them isn't there.
    """
    wrong = next((row for row in rows if isinstance(row, bool) or not isinstance(row, int)), None)
    if wrong is not None:
        raise UserError(f"rows to select must be whole numbers, not {wrong!r}")
    outside = next((row for row in rows if not 0 <= row < count), None)
    if outside is not None:
        raise UserError(f"the map shows the rows 0 to {count - 1:,}; got {outside:,}")
    return sorted(set(rows))
