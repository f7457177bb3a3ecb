"""Points for the scatter plot: what a page gives, checked once. Nothing of Streamlit is needed for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polysema.app.dashboard.components.point_columns import (
    SHAPE_COUNT,
    _buffers,
    _codes,
    _column,
    _digest,
    _float32_positions,
    _marks,
    _text_column,
    _texts,
    _values,
)

__all__ = ["Points", "PublishedCloud", "check"]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What to plot. Row `i` of each member describes the same point.

    Attributes:
        positions: `(n, 2)` or `(n, 3)`, finite.
        labels: `n` short texts: drawn beside the point for `label_rows`, the title of the tooltip.
        categories: Legend names in color order. Twelve colors, then the same again with other markers.
        category: `(n,)` integers, indices into `categories`.
        details: `n` longer texts for the tooltip, such as the sentence.
        marks: `n` pairs `[start, end)`, in Unicode code points of `details`, to show in bold.
        shapes: `(n,)` integers: 0 disc, 1 diamond, 2 cross. Discs by default.
        values: `(n,)` finite numbers, such as the share of neighbors kept. They color the points instead of the
            categories, from the least to the greatest, with a gradient as legend.
        value_name: What the values are, for the legend and the tooltip.
    """

    positions: NDArray[np.floating[Any]]
    labels: Sequence[str]
    categories: Sequence[str]
    category: NDArray[np.integer[Any]]
    details: Sequence[str] | None = None
    marks: Sequence[tuple[int, int]] | None = None
    shapes: NDArray[np.integer[Any]] | None = None
    values: NDArray[np.floating[Any]] | None = None
    value_name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PublishedCloud:
    """Points that were checked, under names made of their content. Made by `publish`.

    Attributes:
        version: Hash of all that is drawn per point, 32 hexadecimal characters.
        identity: Hash of labels and details, which name the points: two versions of one identity are the same points
            at other places (another layer, say), and a selection stays.
        count: How many points.
        dim: 2 or 3.
        positions: `(n, dim)` float32, read-only.
        category: `(n,)` uint8 or uint16, read-only.
        categories: Legend names.
        value_name: What the values are; empty without values.
        labels: `n` texts.
        details: `n` texts, or None.
        marks: `(n, 2)` int32, or None.
        body: The numeric columns, one after the other, little-endian.
        layout: Name, type ("f4", "u2", "u1") and length of each column of `body`.
    """

    version: str
    identity: str
    count: int
    dim: int
    positions: NDArray[np.float32]
    category: NDArray[np.integer[Any]]
    categories: tuple[str, ...]
    value_name: str
    labels: pa.Array
    details: pa.Array | None
    marks: NDArray[np.int32] | None
    body: bytes
    layout: tuple[tuple[str, str, int], ...]

    @property
    def nbytes(self) -> int:
        """Memory that these points hold."""
        texts = int(self.labels.nbytes) + (0 if self.details is None else int(self.details.nbytes))
        return len(self.body) + texts + (0 if self.marks is None else self.marks.nbytes)

    def holds(self, text: str) -> NDArray[np.bool_]:
        """Which points have a text in their label or detail, whatever its case: `(n,)`; where none has it as it stands,
        those that have all its words.
        """
        found: NDArray[np.bool_] = np.zeros(self.count, np.bool_)
        for parts in ([text], text.split()):
            for column in (self.labels, self.details):
                if column is not None:
                    holds = [pc.match_substring(column, part, ignore_case=True) for part in parts]
                    found |= np.logical_and.reduce([each.to_numpy(zero_copy_only=False) for each in holds])
            if found.any():
                break
        return found

    def named(self, text: str) -> int:
        """The first point that is called so, whatever its case; -1 for none."""
        return int(pc.index(pc.utf8_lower(self.labels), text.lower()).as_py())

    def column(self, name: str) -> NDArray[Any] | None:
        """A numeric column of `body`, as a read-only view, or None when these points have none of that name."""
        return _column(self.body, self.layout, name)


def check(points: Points) -> PublishedCloud:
    """The points with all columns checked, converted and hashed.

    Raises:
        ValueError: A column doesn't fit the others, or a number is NaN or infinite.
    """
    positions = _float32_positions(points.positions)
    count, dim = int(positions.shape[0]), int(positions.shape[1])
    categories = tuple(_texts(points.categories, name="categories"))
    columns: list[tuple[str, str, NDArray[Any]]] = [("position", "f4", positions.reshape(-1))]
    if points.values is not None:
        columns.append(("value", "f4", _values(points.values, count=count)))
    kind = "u1" if len(categories) <= 256 else "u2"
    if len(categories) > 65_536:
        raise ValueError(f"at most 65,536 categories can be distinguished, not {len(categories):,}")
    columns.append(("category", kind, _codes(points.category, name="category", count=count, limit=len(categories))))
    if points.shapes is not None:
        columns.append(("shape", "u1", _codes(points.shapes, name="shapes", count=count, limit=SHAPE_COUNT)))

    labels = _text_column(points.labels, name="labels", count=count)
    details = None if points.details is None else _text_column(points.details, name="details", count=count)
    if points.marks is not None and details is None:
        raise ValueError("marks need details: they are characters of it")
    marks = None if points.marks is None or details is None else _marks(points.marks, details)

    body = b"".join(values.astype(f"<{kind}").tobytes() for _, kind, values in columns)
    layout = tuple((name, kind, int(values.size)) for name, kind, values in columns)
    identity = _digest(*_buffers(labels), *_buffers(details))
    value_name = str(points.value_name) if points.values is not None else ""
    described = json.dumps([identity, layout, categories, value_name, dim, details is None]).encode()
    version = _digest(body, described, b"" if marks is None else marks.tobytes())
    stored, codes = _column(body, layout, "position"), _column(body, layout, "category")
    assert stored is not None
    assert codes is not None
    return PublishedCloud(
        version,
        identity,
        count,
        dim,
        stored.reshape(count, dim),
        codes,
        categories,
        value_name,
        labels,
        details,
        marks,
        body,
        layout,
    )
