"""A page with scatter plots, for the browser tests: what it shows follows from the link."""

import hashlib

import numpy as np
import streamlit as st

from polysema.app.dashboard.components.point_store import store
from polysema.app.dashboard.components.scatter import (
    PlotMarks,
    PlotOptions,
    PlotStart,
    Points,
    PublishedCloud,
    Selection,
    publish,
    read_view,
    scatter,
    write_view,
)

link = st.query_params
n, dim, case = int(link.get("n", "1000")), int(link.get("dim", "2")), link.get("case", "one")


def points(n: int, dim: int, version: int, values: bool) -> Points:
    rng = np.random.default_rng(7)
    category = rng.integers(0, 5, n)
    centers = np.random.default_rng(version).normal(size=(5, dim)) * 3
    positions = centers[category] + rng.normal(size=(n, dim)) + np.array([100.0, -7.0, 3.0][:dim])
    return Points(
        positions=positions,
        labels=[f"word {row} <b>&" for row in range(n)],
        categories=[f"group {name}" for name in "abcde"],
        category=category,
        details=[f"It stands in sentence {row}." for row in range(n)],
        marks=[(3, 9)] * n,
        values=rng.random(n) if values else None,
        value_name="neighbors kept" if values else "",
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def cloud(n: int, dim: int, version: int, values: bool) -> PublishedCloud:
    return publish(points(n, dim, version, values))


def reported(name: str, found: Selection) -> None:
    """What Python knows of a selection, as one line."""
    rows = hashlib.sha256(np.asarray(found.rows, np.int64).tobytes()).hexdigest()[:12]
    st.text(
        f"{name}: count={found.count} rows={len(found.rows)} sha={rows} by={found.by or '-'} clicked={found.clicked} "
        f"region={found.region is not None} view={write_view(found.view) or '-'} first={found.rows[:3]}"
    )


st.set_page_config(layout="wide")
version = st.session_state.setdefault("version", 1)
wished = st.session_state.setdefault("wished", tuple(int(row) for row in link.get("sel", "").split(",") if row))
left, right, third, fourth, fifth, sixth = st.columns(6)
if left.button("move"):
    version = st.session_state["version"] = version + 1
forgets = right.button("move and forget")
if forgets:
    version = st.session_state["version"] = version + 1
forgets = sixth.button("forget") or forgets
if third.button("wish"):
    wished = st.session_state["wished"] = (5, 6, 7)
accents = fourth.toggle("accents")
shown = fifth.toggle("shown", value=True)
runs = st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.text(f"runs={runs}")

ODD = {
    "none": Points(np.zeros((0, 2)), [], ["all"], np.zeros(0, int)),
    "same": Points(np.ones((n, 2)), ["x" * 10_000] * n, ["all"], np.zeros(n, int), values=np.ones(n)),
    "huge": Points(np.eye(n, 3) * 1e30, [""] * n, ["all"], np.zeros(n, int), values=np.arange(n) * 1e30),
    "categories": Points(np.random.default_rng(1).random((n, 2)), ["w"] * n, [f"c{i}" for i in range(n)], np.arange(n)),
}
if forgets:  # in this run nothing is kept, however early the browser asks
    store().clear()
    store().keep = lambda cloud: None  # type: ignore[method-assign]
given = ODD[case] if case in ODD else cloud(n, dim, version, bool(link.get("values")))
view = read_view(link.get("view", ""), dim)
if shown:
    found = scatter(
        given,
        key="plot",
        alt="A cloud of five groups",
        marks=PlotMarks(
            label_rows=range(0, 0 if case == "none" else min(n, 40), 4),
            links=[(0, row) for row in range(1, 12)] if accents else (),
            highlight=(0, 3) if accents else (),
        ),
        start=PlotStart(wished, view),
        options=PlotOptions(group="pair" if case == "pair" else ""),
    )
    if forgets:
        del store().keep
    reported("plot", found)
    if case == "pair":
        other = scatter(
            cloud(n, dim, version + 10, False),
            key="other",
            alt="The same elsewhere",
            options=PlotOptions(group="pair", height=300),
        )
        reported("other", other)
