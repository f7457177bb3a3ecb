"""The page Map: its states, and what its parts do with what they are given."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from polysema.app.config.loading import load_settings
from polysema.app.dashboard import permalink, point_colors, widgets
from polysema.app.dashboard.components.points import store
from polysema.app.explorer import Explorer
from polysema.core.errors import IncompatibleError, UnknownWordError, UserError
from polysema.core.maps.options import MapOptions
from polysema.core.maps.regions import areas
from polysema.core.space.label_search import labels_of, spot
from polysema.core.space.space import Keys, Origin, Space
from polysema.indexes.collection import Collection
from tests.app.test_dashboard import MAIN, as_launched, html, settle

__all__ = ["as_launched"]

SMALL = {"mn": "1k", "mm": "PCA"}


def page(name: str, **query: str) -> AppTest:
    """The page as a link opens it: its own controls are the first to read the address."""
    app = AppTest.from_file(str(MAIN), default_timeout=120).switch_page(f"app_pages/{name}.py")
    for key, value in query.items():
        app.query_params[key] = value
    return settle(app.run())


def submit(app: AppTest, key: str, text: str, button: str) -> AppTest:
    app.text_input(key=key).set_value(text)
    next(b for b in app.button if b.label == button).click().run()
    return settle(app)


def click(app: AppTest, *rows: int, by: str = "click") -> AppTest:
    """What the plot says when points of it are clicked or selected."""
    cloud = next(reversed(store()._clouds.values()))
    message = {
        "identity": cloud.identity,
        "version": cloud.version,
        "command": 0,
        "rows": list(rows),
        "by": by,
        "at": 1.0,
    }
    message["clicked"] = rows[0] if by == "click" else None
    app.session_state["map_plot"] = {"plot": message}
    return settle(app.run())


def test_a_map_at_once() -> None:
    app = page("map", mn="1k")
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "Map"
    found = Explorer().maps.map("glove-6b-50d", n=1000).distortion
    assert found is not None
    badge = next(m.value for m in app.markdown if "trustworthiness" in m.value)
    assert f"**Neighbors kept {found.preservation:.0%}**" in badge
    assert f"**trustworthiness {found.trustworthiness:.3f}**" in badge
    assert '<td class="word">banks<div class="meta">' in html(app)
    assert any("**1,000 points**" in m.value for m in app.markdown)


def test_a_word_is_found_or_told_why_not() -> None:
    app = page("map", **SMALL)
    submit(app, "find", "river", "Find")
    assert any(m.value.startswith("**river** · row 621") for m in app.markdown)
    assert '<td class="word">rivers<div class="meta">not among the points shown' in html(app)
    submit(app, "find", "riverr", "Find")
    assert ["nearest spellings: river" in e.value for e in app.error] == [True]
    submit(app, "find", "swan", "Find")
    assert ["is row 9,812 of this space" in i.value or "is row" in i.value for i in app.info] == [True]
    submit(app, "find", "<b>*x*</b>", "Find")
    assert ["'<b>*x*</b>' is not among the 400,000 words" in e.value for e in app.error] == [True]
    assert not app.exception


def test_a_click_shows_its_neighbors_and_a_lasso_the_table() -> None:
    app = page("map", **SMALL)
    click(app, 10)
    word = Explorer().space("glove-6b-50d").space.keys[10]
    assert any(m.value.startswith(f"**{word}**") or "row 11" in m.value for m in app.markdown)
    click(app, 3, 5, 231, by="lasso")
    assert any("**3 of 1,000 points selected**" in m.value for m in app.markdown)
    table = app.dataframe[0].value
    assert table["name"].tolist()[2] == "bank"
    assert table["row"].tolist() == [4, 6, 232]
    assert not app.exception


def test_near_on_the_map_and_far_in_the_space_is_flagged() -> None:
    app = page("map", **SMALL, mnear="on the map")
    found = Explorer().maps.map("glove-6b-50d", "pca", n=1000)
    near = Explorer().maps.around(found, "glove-6b-50d", 231)
    assert not app.exception
    assert sum(one.far for one in near.on_map) == html(app).count("⚠ far in the space")
    assert any(one.far for one in near.on_map)
    far = next(one for one in near.on_map if one.far)
    assert f"⚠ far in the space: rank {far.in_space:,} in the space" in html(app)


def test_a_sum_of_words_is_placed_and_taken_off() -> None:
    app = page("map", **SMALL)
    submit(app, "map_sum", "king - man + woman", "Place it")
    assert not app.exception
    assert any("**1,001 points**" in m.value for m in app.markdown)
    submit(app, "map_sum", "king - mann + womaan", "Place it")
    assert ["'womaan' is not among" in e.value or "'mann' is not among" in e.value for e in app.error] == [True]
    assert any("**1,001 points**" in m.value for m in app.markdown)
    submit(app, "map_sum", "king - - man", "Place it")
    assert ["A word is missing" in e.value for e in app.error] == [True]
    next(b for b in app.button if b.label == "Take them off").click().run()
    assert any("**1,000 points**" in m.value for m in settle(app).markdown)


def test_hidden_states_and_a_sentence_of_ones_own() -> None:
    app = page("map", **SMALL, space="minilm-l6 (hidden states)", mcolor="sense")
    assert not app.exception
    assert not app.error
    assert "<mark>bank</mark>" in html(app)
    submit(app, "map_sentence", "The <b>bank</b> of the canal was steep.", "Place it")
    assert any("**1,001 points**" in m.value for m in app.markdown)
    submit(app, "map_word", "zebra", "Place it")
    assert ["'zebra' is not a word of" in e.value for e in app.error] == [True]
    app.select_slider(key="mlayer_minilm-l6").set_value(0).run()
    settle(app)
    assert any("layer 0" in m.value for m in app.markdown)
    assert not app.exception


def test_what_a_link_says_wrongly_is_left_out() -> None:
    app = page(
        "map", mn="9999", mm="evil", space="<script>", mcolor="evil", nn="99999", mnear="x", s="../../etc", mdim="7D"
    )
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="mn").value == "10k"
    assert app.selectbox(key="ms").value == "glove-6b-50d"


@pytest.fixture
def collection() -> Iterator[Collection]:
    folder = load_settings().settings.folder
    folder.mkdir(parents=True, exist_ok=True)
    made = Collection.create(folder / f"map-{uuid.uuid4().hex[:8]}")
    yield made
    import shutil

    shutil.rmtree(made.root)


def test_a_collection_and_how_it_grows(collection: Collection) -> None:
    name = collection.root.name
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    collection.create_space("vectors", 8)
    app = page("map", space=name)
    assert ["There are no rows in" in i.value for i in app.info] == [True]
    kinds = ["a", "<b>", ""] * 20
    collection.add([f"id{i}" for i in range(60)], vectors, {"word": [f"w*{i}*" for i in range(60)], "kind": kinds})
    app.run()
    settle(app)
    assert not app.exception
    assert any("**60 points**" in m.value for m in app.markdown)
    assert any("There are 60 rows in this space: all of them are shown" in c.value for c in app.caption)
    app.selectbox(key="mcolor").set_value("kind").run()
    assert settle(app).exception == []
    submit(app, "find", "w*7*", "Find")
    assert any(m.value.startswith("**w\\*7\\*** · row 8") for m in app.markdown)
    collection.add(["more"], vectors[:1] + 1, {"word": ["more"], "kind": ["a"]})
    app.run()
    assert any("**61 points**" in m.value for m in settle(app).markdown)


# Parts


def test_rows_in_a_link() -> None:
    many = list(range(5, 300_000, 7))
    assert permalink.unpack(permalink.pack([3, 1])) == [1, 3]
    packed = permalink.pack(many)
    assert isinstance(packed, str)
    assert permalink.unpack(packed) == many
    for wrong in (None, {}, [True, "1", -1, 1 << 30], "???", "AAAA", 7):
        assert permalink.unpack(wrong) == []


def test_columns_become_colors() -> None:
    names = [f"n{i:02}" for i in range(20) for _ in range(20 - i)] + [None, ""]
    found = point_colors.by_column(pa.array(names))
    assert len(found.categories) == point_colors.MAX_COLORS
    assert found.categories[point_colors.GRAY] == "9 other values, or none"
    assert found.categories[found.category[0]] == "n00"
    assert found.categories[found.category[-1]] == "9 other values, or none"
    assert point_colors.by_column(pa.array(["x", "y"])).categories == ("x", "y")
    tied = point_colors.by_column(
        pa.array(["z", "b", "a", "c", "b", "a", "c"])
    )  # equal counts: by the name, not by chance
    assert (tied.categories, tied.category.tolist()) == (("a", "b", "c", "z"), [3, 1, 0, 2, 1, 0, 2])
    assert point_colors.by_column(pa.array([None, None], pa.string())).categories == ("no value",)
    assert point_colors.by_column(pa.array([1, 2, 2])).categories == ("2", "1")
    scale = point_colors.by_column(pa.array(np.arange(50)))
    assert scale.values is not None
    assert scale.values.tolist() == list(range(50))
    assert point_colors.by_column(pa.array([0.5, float("nan")])).values is None
    assert point_colors.by_column(pa.array([True, False, True])).categories == ("true", "false")


def space_of(labels: list[str], columns: "pa.Table | None" = None) -> Space:
    vectors = np.random.default_rng(0).normal(size=(len(labels), 4)).astype(np.float32)
    return Space(Keys(labels), vectors, Origin("test"), columns)


def test_rows_are_found_by_what_they_are_called() -> None:
    space = space_of(["bank", "Bank", "river bank", "swan"])
    assert (spot(space, "Bank").rows.tolist(), spot(space, "BANK").rows.tolist()) == ([1], [0, 1])
    part = spot(space, "ver")
    assert (part.rows.tolist(), part.exactly) == ([2], False)
    assert spot(space, "bank", most=1).total == 1
    named = space_of(["1", "2"], pa.table({"word": pa.array(["tree", None])}))
    assert labels_of(named).to_pylist() == ["tree", "2"]
    assert spot(named, "1").rows.tolist() == [0]
    with pytest.raises(UnknownWordError, match="'swen' is not among the 4 words of test; nearest spellings: swan"):
        spot(space, "swen")
    with pytest.raises(UserError, match="write the name of a row"):
        spot(space, "  ")


def test_areas_are_named_by_their_most_typical() -> None:
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0], [9, 9], [0, 9]])
    group = np.repeat([0, 1, 2], [80, 60, 40])
    positions = (centers[group] + rng.normal(scale=0.3, size=(180, 2))).astype(np.float32)
    vectors = (np.eye(3)[group] + rng.normal(scale=0.02, size=(180, 3))).astype(np.float32)
    labels = [f"{'abc'[g]}" for g in group]
    found = areas(positions, vectors, labels)
    assert {name[0] for name in found.names} == {"a", "b", "c"}
    for row, area in enumerate(found.assigned):
        assert area < 0 or found.names[area][0] == labels[row]
    assert areas(positions[:5], vectors[:5], labels[:5]).names == ()
    with pytest.raises(UserError, match="up to 50,000 points; got 50,001"):
        areas(np.zeros((50_001, 2), np.float32), np.zeros((50_001, 2), np.float32), ["x"] * 50_001)


def test_what_lies_around_a_point() -> None:
    explorer = Explorer()
    found = explorer.maps.map("glove-6b-50d", "pca", MapOptions(), n=500)
    near = explorer.maps.around(found, "glove-6b-50d", 231)
    assert [one.key for one in near.in_space] == [n.key for n in explorer.space().neighbors("bank", k=10).neighbors]
    assert [one.in_space for one in near.in_space] == list(range(1, 11))
    assert [one.on_map for one in near.on_map] == list(range(1, 11))
    assert all(one.on_map is None for one in near.in_space if one.row >= 500)
    distances = np.linalg.norm(found.map.positions - found.map.positions[231], axis=1)
    distances[231] = np.inf
    assert [one.row for one in near.on_map] == np.argsort(distances, kind="stable")[:10].tolist()
    vector = explorer.space().lookup.vector("king - man + woman")
    placed = explorer.maps.around(found, "glove-6b-50d", (vector, explorer.maps.place(found, vector[None])[0]), 5)
    assert "queen" in [one.key for one in placed.in_space]
    with pytest.raises(UserError, match="the map shows the rows 0 to 499; got 500"):
        explorer.maps.around(found, "glove-6b-50d", 500)
    with pytest.raises(IncompatibleError, match="don't belong together"):
        explorer.maps.around(found, "minilm-l6", 1)
    with pytest.raises(IncompatibleError, match="shows 500 rows of width 50, and glove-6b-50d has 3 of width 50"):
        explorer.maps.around(found, explorer.space().space.take(np.arange(3)), 1)
    with pytest.raises(UserError, match="the vector of a point must be finite"):
        explorer.maps.around(found, "glove-6b-50d", (vector * np.nan, np.zeros(2)))
    unmeasured = explorer.maps.map("glove-6b-50d", "pca", n=500, k=0)
    assert unmeasured.distortion is None
    assert np.isnan(unmeasured.kept).all()


TEXTS = [f"The {name} paid a dividend of {n} cents." for n, name in enumerate(("shop", "mill"))] + [
    f"A boat number {n} lay at the bank of the river." for n in range(20)
]


@pytest.fixture
def texts(collection: Collection) -> str:
    """A collection of whole texts, embedded by minilm-l6 at layer 4."""
    from polysema.core.model.sentences import embed_sentences

    made = embed_sentences(Explorer().model("minilm-l6").model, TEXTS, (4,), "mean")
    space = Space(Keys([f"t{n}" for n in range(len(TEXTS))]), made.vectors[0], replace(made.origin, layer=4))
    collection.add(space.keys.array.to_pylist(), space.vectors, {"text": TEXTS}, origin=space.origin)
    return collection.root.name


@pytest.mark.parametrize(
    ("sought", "message"),
    [("dividend", "2 texts hold it."), ("RIVER", "20 texts hold it."), ("river 7", "2 texts hold it.")],
)
def test_a_map_of_texts_is_searched_by_its_texts(texts: str, sought: str, message: str) -> None:
    app = page("map", **SMALL, ms=texts, find=sought)
    assert not app.exception
    assert not app.error
    assert message in [caption.value for caption in app.caption]


def test_what_no_text_holds_is_told_of_texts(texts: str) -> None:
    app = page("map", **SMALL, ms=texts, find="zebra")
    assert ["of the 22 texts of" in error.value and "'zebra'" in error.value for error in app.error] == [True]


def test_a_text_is_placed_as_the_texts_of_the_space_were_read(texts: str) -> None:
    app = page("map", **SMALL, ms=texts)
    submit(app, "map_sentence", TEXTS[0], "Place it")
    assert not app.exception
    assert not app.error
    assert any("**23 points**" in m.value for m in app.markdown)
    assert any("It is read as the rows were: minilm" in c.value and "layer 4" in c.value for c in app.caption)
    placed = next(
        job for key, job in widgets.jobs()._jobs.items() if isinstance(key, tuple) and key[:2] == ("placed", TEXTS[0])
    )
    space = Explorer(collections=load_settings().settings.folder).space(texts).space
    assert np.allclose(placed.result().vector, space.vectors[0], atol=1e-5)


def test_random_pairs_are_the_same_on_every_page() -> None:
    explorer = Explorer()
    found = explorer.maps.matched("glove-6b-50d", "minilm-l6", n=300, method="pca")
    assert [side.baseline for side in found.sides] == [
        explorer.space("glove-6b-50d").baseline,
        explorer.space("minilm-l6").baseline,
    ]
