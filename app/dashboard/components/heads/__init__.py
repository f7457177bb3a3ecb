"""The attention heads of a model: a grid of layers by heads, and one of them large, as arcs or as a matrix.

The browser side is the JavaScript and CSS beside this file (`mount.js` is where to begin), without dependencies. All
heads travel in 8 bits once; the one that is shown large travels exactly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

from polysema.app.dashboard.components import assets

__all__ = ["MAX_NUMBERS", "VIEWS", "Heads", "LargeHead", "chosen_head", "heads"]

VIEWS = ("arcs", "matrix")
MAX_NUMBERS = 4_000_000
"""Most weights that travel to the browser, a byte each."""


@dataclass(frozen=True, slots=True)
class Heads:
    """What to draw.

    Attributes:
        weights: `(n_layers, n_heads, n_rows, n_columns)`, 0 to 1.
        layers: The number of each layer.
        rows: A name for each row: the queries.
        columns: A name for each column: the keys.
        forbidden: `(n_rows, n_columns)`, true where the model can't look; hatched, never drawn as 0.
    """

    weights: NDArray[np.floating[Any]]
    layers: Sequence[int]
    rows: Sequence[str]
    columns: Sequence[str]
    forbidden: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LargeHead:
    """The head that is shown large.

    Attributes:
        layer: Its layer, one of those drawn.
        head: Its number, from 1.
        view: `arcs` or `matrix`.
    """

    layer: int
    head: int
    view: str


_mount = st.components.v2.component(
    "polysema_heads", js=assets.module("heads/mount.js"), css=assets.asset("heads/heads.css")
)


def _payload(shown: Heads, large: LargeHead, alt: str) -> dict[str, Any]:
    """Check all arguments and build the component's `data`: an Arrow table, and plain ints, strings and lists."""
    layer, head, view = large.layer, large.head, large.view
    weights = np.asarray(shown.weights, np.float32)
    if weights.ndim != 4 or weights.shape[0] != len(shown.layers):
        raise ValueError(f"weights must be (n_layers, n_heads, n_rows, n_columns), not {weights.shape}")
    if weights.shape[2:] != (len(shown.rows), len(shown.columns)) or shown.forbidden.shape != weights.shape[2:]:
        raise ValueError(f"{len(shown.rows)} rows and {len(shown.columns)} columns don't fit weights {weights.shape}")
    if weights.size > MAX_NUMBERS or not np.isfinite(weights).all():
        raise ValueError(f"weights must be finite and at most {MAX_NUMBERS:,}; got {weights.size:,}")
    if layer not in shown.layers or not 1 <= head <= weights.shape[1] or view not in VIEWS:
        raise ValueError(f"there is no layer {layer}, head {head}, or view {view!r}")
    bytes_ = np.rint(np.clip(weights, 0, 1) * 255).astype(np.uint8).ravel()
    exact = np.ascontiguousarray(weights[list(shown.layers).index(layer), head - 1]).ravel()
    names = "\0".join([*shown.rows, "\1", *shown.columns])
    return {
        "all": pa.table({"v": pa.array(bytes_)}),
        "exact": pa.table({"v": pa.array(exact)}),
        "forbidden": pa.table({"v": pa.array(shown.forbidden.astype(np.uint8).ravel())}),
        "version": blake2b(bytes_.tobytes() + names.encode("utf-8", "replace"), digest_size=8).hexdigest(),
        "layers": [int(number) for number in shown.layers],
        "nHeads": int(weights.shape[1]),
        "rows": [str(name) for name in shown.rows],
        "columns": [str(name) for name in shown.columns],
        "layer": int(layer),
        "head": int(head),
        "view": view,
        "alt": str(alt),
    }


def chosen_head(value: object, layers: Sequence[int], n_heads: int) -> tuple[int, int] | None:
    """The layer and head that were clicked, None for anything else: the browser can send anything."""
    if not isinstance(value, Mapping):
        return None
    layer, head = value.get("layer"), value.get("head")
    if type(layer) is not int or type(head) is not int or layer not in layers or not 1 <= head <= n_heads:
        return None
    return layer, head


def heads(shown: Heads, large: LargeHead, *, key: str, alt: str, on_choose: Callable[[], None]) -> None:
    """Draw the grid with one head large.

    Args:
        shown: What to draw.
        large: The head that is shown large.
        key: Names the component; a click is in `st.session_state[key]` as `choice`, before `on_choose` is called.
        alt: Says in words what is shown, for those who can't see it.
        on_choose: Called when another head is clicked.

    Raises:
        ValueError: The arguments don't fit each other.
    """
    _mount(key=key, data=_payload(shown, large, alt), default={"choice": None}, on_choice_change=on_choose)
