"""What is handed on: a map as one file, and the map of a notebook."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest

import polysema
from polysema.app.dashboard.sharing import map_page as pages
from polysema.app.dashboard.sharing.map_page import fitting_texts, map_page
from polysema.app.dashboard.sharing.map_plot import map_plot
from polysema.app.dashboard.sharing.offline_page import OfflinePage
from polysema.app.explorer import Explorer
from polysema.app.explorer.results import SpaceMap
from polysema.core.errors import UserError
from polysema.core.maps.options import MapOptions

N = 60
EVIL = "</script><img src=x onerror=alert(1)> \u05d0"


@pytest.fixture(scope="module")
def space() -> polysema.Space:
    rng = np.random.default_rng(0)
    topic = np.arange(N) % 3
    vectors = rng.normal(size=(3, 8))[topic] * 4 + rng.normal(size=(N, 8))
    columns = {
        "text": [f"Text {row} of the river {EVIL}" for row in range(N)],
        "topic": [f"topic {one}" for one in topic],
        "size": rng.random(N),
    }
    return polysema.Space.from_vectors([f"t{row}" for row in range(N)], vectors, "mine", pa.table(columns))


@pytest.fixture(scope="module")
def laid(space: polysema.Space) -> SpaceMap:
    return Explorer().maps.map(space, "pca")


def test_a_map_is_one_file_that_asks_for_nothing(laid: SpaceMap) -> None:
    page = map_page(laid, Explorer().maps.areas(laid), color="topic", title=EVIL, python="import polysema")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert EVIL not in page
    (file,) = re.findall(r'<script type="application/json" id="map">(.*?)</script>', page)
    assert json.loads(file)["colorings"][0]["name"] == "topic"
    assert {"size", "order of the rows"} <= {one["name"] for one in json.loads(file)["colorings"]}
    assert page == map_page(laid, Explorer().maps.areas(laid), color="topic", title=EVIL, python="import polysema")
    with pytest.raises(UserError, match="color must be one of topic, size"):
        map_page(laid, None, color="nothing")


def test_texts_are_cut_where_the_file_would_be_too_large(laid: SpaceMap, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = map_plot(laid, None)
    whole, cut = fitting_texts(plot, N)
    assert (json.loads(whole), cut) == (plot.texts, 0)
    monkeypatch.setattr(pages, "SPARE_BYTES", 20_000_000 - len(json.dumps(plot.file)) - 2_000)
    plot.texts["details"] = [np.random.default_rng(row).bytes(3_000).hex() for row in range(N)]
    short, cut = fitting_texts(plot, N)
    assert cut == 60
    assert {len(text) for text in json.loads(short)["details"]} == {60}


def test_a_page_without_a_script_allows_none() -> None:
    page = OfflinePage("A & B", "<p>text</p>").html()
    assert "script-src" not in page
    assert "<title>A &amp; B</title>" in page


def test_a_notebook_shows_the_map_and_python_reads_what_is_selected(space: polysema.Space) -> None:
    with pytest.raises(UserError, match="a picture has 2 or 3 dimensions; got n_components=10"):
        polysema.show(space, options=MapOptions(n_components=10))
    widget = polysema.show(space, color="topic", method="pca")
    assert widget.selection.keys.array.to_pylist() == []
    state = widget.get_state()
    assert len(state["_columns"]) == sum(length * int(kind[1]) for _, kind, length in state["_plot"]["layout"])
    assert state["_texts"]["details"][3].startswith("Text 3 of")
    heard: list[list[int]] = []
    widget.observe(lambda change: heard.append(change["new"]), "selected")
    widget.set_state({"selected": [7, 2, 7]})  # as the notebook's page sends it
    assert (widget.selected, heard) == ([2, 7], [[2, 7]])
    assert widget.selection.keys.array.to_pylist() == ["t2", "t7"]
    assert widget.selection.column("topic") == ["topic 2", "topic 1"]
    with pytest.raises(UserError, match="shows the rows 0 to 59; got 60"):
        widget.selected = [60]
    with pytest.raises(Exception, match="color must be one of topic"):
        widget.color = "nothing"
    widget.color = "size"
    assert widget.map.map.positions.shape == (N, 2)
