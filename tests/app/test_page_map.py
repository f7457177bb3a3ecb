"""The page Map: its states, and what its parts do with what they are given."""

import datetime as dt
import itertools
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from polysema.app.config.loading import load_settings
from polysema.app.dashboard import permalink, point_colors, widgets
from polysema.app.dashboard.components.point_store import store
from polysema.app.dashboard.map.condition import example_of
from polysema.app.dashboard.map.inspector import chosen_row
from polysema.app.dashboard.map.selection_panel import word_of
from polysema.app.explorer import Explorer
from polysema.app.explorer.column_charts import brushed
from polysema.core.errors import IncompatibleError, UnknownWordError, UserError
from polysema.core.maps.options import MapOptions
from polysema.core.maps.regions import areas
from polysema.core.space.label_search import labels_of, spot
from polysema.core.space.space import Keys, Origin, Space
from polysema.indexes.collection import Collection
from tests.app.test_dashboard import MAIN, as_launched, html, settle

__all__ = ["as_launched"]

SMALL = {"mn": "1k", "mm": "PCA"}
CLOCK = itertools.count(1)


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


def click(app: AppTest, *rows: int, by: str = "click", n: int = 1000) -> AppTest:
    """What the plot, of n points, says when points of it are clicked or selected."""
    cloud = [cloud for cloud in store()._clouds.values() if cloud.count == n][-1]
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


def ask(app: AppTest, name: str, text: str = "", row: int = -1) -> AppTest:
    """What the plot asks for when its search box or a button at it is used; what is selected stays."""
    before = dict(app.session_state["map_plot"] if "map_plot" in app.session_state else {})  # noqa: SIM401
    request = {"name": name, "text": text, "row": row, "at": next(CLOCK)}
    app.session_state["map_plot"] = {"plot": before.get("plot"), "request": request}
    return settle(app.run())


def listed(app: AppTest) -> list[str]:
    """The rows of the lists that can be clicked."""
    return [button.label for button in app.button if button.key and re.fullmatch(r"(near|meant)_\d+", button.key)]


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
    assert "**banks**" in listed(app)[0]
    assert any("**1,000 points**" in m.value for m in app.markdown)


def test_a_row_is_looked_at_and_gone_back_from() -> None:
    app = page("map", **SMALL)
    ask(app, "focus", row=620)
    assert any(m.value.startswith("**river** · row 621") for m in app.markdown)
    near = next(button for button in app.button if "**rivers**" in button.label)
    assert "not among the points shown" in near.label
    ask(app, "focus", row=231)
    shown = next(
        button
        for button in app.button
        if button.key and button.key.startswith("near_") and "not among" not in button.label
    )
    name = re.findall(r"\*\*(.*?)\*\*", shown.label)[0]
    shown.click().run()
    assert any(m.value.startswith(f"**{name}** · row") for m in settle(app).markdown)
    app.button(key="map_back").click().run()
    assert any(m.value.startswith("**bank** · row 232") for m in settle(app).markdown)
    app.button(key="map_back").click().run()
    assert any(m.value.startswith("**river** · row 621") for m in settle(app).markdown)
    assert not app.exception


def test_a_neighbor_that_the_map_does_not_show_is_looked_at_on_the_page_neighbors() -> None:
    app = page("map", **SMALL)
    ask(app, "focus", row=620)
    next(button for button in app.button if "**rivers**" in button.label).click().run()
    assert any("Nearest to **rivers**" in m.value for m in settle(app).markdown)
    assert app.selectbox(key="ns").value == "glove-6b-50d"
    assert not app.exception


def test_a_text_is_asked_by_its_meaning_or_told_why_not() -> None:
    app = page("map", **SMALL)
    ask(app, "meaning", "king - man + woman")
    assert "Nearest to **king \\- man \\+ woman**" in [m.value for m in app.markdown]
    assert any("Read by glove" in c.value for c in app.caption)
    assert "queen" in "".join(listed(app)[:3])
    ask(app, "meaning", "riverr")
    assert ["nearest spellings: river" in e.value for e in app.error] == [True]
    ask(app, "meaning", "<b>*x*</b>")
    assert ["'<b>*x*</b>' is not among the 400,000 words" in e.value for e in app.error] == [True]
    assert not app.exception


def test_a_condition_dims_what_does_not_pass() -> None:
    app = page("map", **SMALL, mwhere="word like 'un%'")
    passing = [c.value for c in app.caption if "points pass" in c.value]
    words = Explorer().space("glove-6b-50d").space.keys.take(np.arange(1000))
    assert passing[0].startswith(f"{sum(word.startswith('un') for word in words)} of 1,000 points pass")
    ask(app, "condition", "word = ")
    assert ["The filter can't be read at character 7" in e.value for e in app.error] == [True]
    box = app.text_input(key="map_where_box")
    box.set_value(box.placeholder).run()
    assert not settle(app).error
    assert not app.exception


def test_only_some_rows_are_laid_out_again_or_hidden() -> None:
    app = page("map", **SMALL)
    click(app, *range(100, 160), by="lasso")
    ask(app, "keep")
    assert any("**60 points**" in m.value for m in app.markdown)
    click(app, 0, n=60)
    first = Explorer().space("glove-6b-50d").space.keys[100]
    assert any(m.value.startswith(f"**{first}** · row") for m in app.markdown)
    next(b for b in app.button if b.label.startswith("Show all rows again")).click().run()
    assert any("**1,000 points**" in m.value for m in settle(app).markdown)
    click(app, 5, 6, 7, by="lasso")
    ask(app, "hide")
    assert any(b.label == "Show what is hidden (3)" for b in app.button)
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
    assert sum(one.far for one in near.on_map) == sum("⚠ far in the space" in label for label in listed(app))
    assert any(one.far for one in near.on_map)
    far = next(one for one in near.on_map if one.far)
    assert any(f"rank {far.in_space:,} in the space" in label for label in listed(app))


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
        "map",
        mn="9999",
        mm="evil",
        space="<script>",
        mcolor="evil",
        nn="99999",
        mnear="x",
        s="../../etc",
        mdim="7D",
        mmetric="dot",
    )
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="mn").value == "10k"
    assert app.selectbox(key="mmetric").value == "cosine"
    assert app.selectbox(key="ms").value == "glove-6b-50d"


@pytest.fixture
def collection() -> Iterator[Collection]:
    folder = load_settings().settings.folder
    folder.mkdir(parents=True, exist_ok=True)
    made = Collection.create(folder / f"map-{uuid.uuid4().hex[:8]}")
    yield made
    import shutil

    shutil.rmtree(made.root)


def test_another_metric_and_a_column_that_supervises(collection: Collection) -> None:
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    topics = pa.table({"topic": ["ab"[row % 2] for row in range(59)] + [None], "tags": [["x"]] * 60})
    collection.upsert([f"r{row}" for row in range(60)], vectors, topics)
    app = page("map", space=collection.root.name)
    settle(app.selectbox(key="mmetric").set_value("manhattan").run())
    assert app.selectbox(key="mtarget").options == ["no column", "topic"]
    settle(app.selectbox(key="mtarget").set_value("topic").run())
    settle(app.slider(key="mweight").set_value(0.8).run())
    assert not app.exception
    said = " ".join(one.value.replace("\\", "") for one in app.caption)
    assert "ⓘ Supervised by topic (2 categories): groups of its values are partly its own making; 1 of 60 rows" in said
    assert any("metric='manhattan', target='topic', target_weight=0.8" in one.value for one in app.code)


def test_a_collection_and_how_it_grows(collection: Collection) -> None:
    name = collection.root.name
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    collection.spaces.create("vectors", 8)
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
    ask(app, "focus", row=7)
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
    with pytest.raises(IncompatibleError, match="180 positions, 180 vectors and 3 labels"):
        areas(positions, vectors, labels[:3])


def test_most_points_lie_in_an_area_and_nearer_ones_lie_within_those_from_afar() -> None:
    maps = Explorer().maps
    for name, n in (("glove-6b-50d", 10_000), ("minilm-l6@6", None)):
        levels = maps.areas(maps.map(name, n=n)).levels
        assert len(levels) > 1
        assert all((level.assigned < 0).mean() <= 1 / 3 for level in levels)
        assert [len(level.names) for level in levels] == sorted({len(level.names) for level in levels})
        inner, outer = levels[1].assigned, levels[0].assigned
        assert all(len(set(outer[inner == area])) == 1 for area in range(len(levels[1].names)))


TOPICS = {
    "money": "bank loan interest credit deposit account debt mortgage",
    "river": "water shore boat fishing stream flood bridge current",
    "music": "song violin orchestra melody concert piano rhythm chorus",
    "kitchen": "oven recipe flour butter soup pepper knife dinner",
    "garden": "flower seed soil rose prune hedge lawn bloom",
    "space": "planet orbit rocket telescope star comet galaxy moon",
    "court": "judge trial lawyer witness verdict jury appeal law",
    "sport": "match goal team coach league player score referee",
}


def test_areas_of_planted_topics_are_named_by_their_words() -> None:
    rng = np.random.default_rng(3)
    words = [topic.split() for topic in TOPICS.values()]
    topic = np.repeat(np.arange(8), 120)
    texts = [f"the {' and the '.join(rng.choice(words[t], 4, replace=False))} of it" for t in topic]
    vectors = (np.eye(8)[topic] + rng.normal(scale=0.25, size=(len(topic), 8))).astype(np.float32)
    space = Space(Keys([str(n) for n in range(len(topic))]), vectors, Origin("test"), pa.table({"text": texts}))
    maps = Explorer().maps
    found = maps.areas(maps.map(space))
    owner = {word: t for t, names in enumerate(words) for word in names}
    for level in found.levels:
        named = [[owner.get(word, -1) for word in name.split(" (")[0].split(", ")] for name in level.names]
        right = [area >= 0 and set(named[area]) == {t} for area, t in zip(level.assigned, topic, strict=True)]
        assert np.mean(right) >= 0.8


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


def test_a_map_of_texts_is_searched_by_its_texts_and_labeled_by_their_first_words(texts: str) -> None:
    app = page("map", **SMALL, ms=texts)
    assert not app.exception
    cloud = next(reversed(store()._clouds.values()))
    found = {sought: int(cloud.holds(sought).sum()) for sought in ("dividend", "RIVER", "river 7", "zebra")}
    assert found == {"dividend": 2, "RIVER": 20, "river 7": 2, "zebra": 0}
    assert cloud.labels[0].as_py() == "The shop paid a dividend of 0 cents."
    assert cloud.labels[2].as_py() == "A boat number 0 lay at the bank of the…"
    ask(app, "meaning", "a ship on the water")
    assert "boat" in listed(app)[0]
    assert any("Read by minilm" in c.value for c in app.caption)


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


# Columns


def shop(n: int = 200) -> Space:
    rng = np.random.default_rng(1)
    table = pa.table(
        {
            "year": pa.array(np.repeat(np.arange(2000, 2010), n // 10)),
            "price": pa.array(10.0 ** np.linspace(0, 4, n)),
            "kind": pa.array((["cup"] * 3 + ["pan"]) * (n // 4)),
            "sold": pa.array([row % 2 == 0 for row in range(n)]),
            "day": pa.array([dt.date(2024, 1, 1) + dt.timedelta(row) for row in range(n)]),
            "tags": pa.array([["new"] * (row % 2) + ["red"] * (row % 4 == 3) or None for row in range(n)]),
            "text": pa.array([f"a {'red cup' if row % 4 < 3 else 'black pan'} of {row}" for row in range(n)]),
        }
    )
    vectors = rng.normal(size=(n, 4)).astype(np.float32)
    vectors[3::4, 0] += 9
    return Space(Keys([str(row) for row in range(n)]), vectors, Origin("shop"), table)


def test_columns_are_counted_for_what_is_said_of_the_others() -> None:
    maps, space = Explorer().maps, shop()
    found = maps.columns(space, where="kind = 'pan' and year >= 2005")
    assert (found.n, found.passing, found.where) == (200, 25, "kind = 'pan' and year >= 2005")
    charts = {chart.column: chart for chart in found.charts}
    assert [(name, chart.kind, chart.log) for name, chart in charts.items()] == [
        ("year", "number", False),
        ("price", "number", True),
        ("kind", "category", False),
        ("sold", "boolean", False),
        ("day", "date", False),
        ("tags", "list", False),
    ]
    assert [(bar.label, bar.count, bar.total) for bar in charts["tags"].bars] == [("new", 25, 100), ("red", 25, 50)]
    assert (charts["tags"].missing, charts["tags"].other) == (100, 0)
    assert [(bar.label, bar.count, bar.total, bar.chosen) for bar in charts["kind"].bars] == [
        ("cup", 75, 150, False),
        ("pan", 25, 50, True),
    ]
    assert [bar.count for bar in charts["year"].bars] == [5] * 10
    assert [bar.chosen for bar in charts["year"].bars] == [False] * 5 + [True] * 5
    assert sum(bar.total for bar in charts["day"].bars) == 200
    with pytest.raises(UserError, match="there is no column 'yeer' to filter by; .*did you mean year"):
        maps.columns(space, ["yeer"])


@pytest.mark.parametrize("column", ["year", "price", "kind", "sold", "day", "tags"])
def test_every_bar_is_a_condition_and_a_brush_replaces_that_of_its_column(column: str) -> None:
    maps, space = Explorer().maps, shop()
    (chart,) = maps.columns(space, [column]).charts
    for bar in chart.bars:
        assert maps.columns(space, [], bar.condition).passing == bar.total
    where = brushed("sold = true and text contains 'cup'", chart, [0, 1])
    again = brushed(where, chart, [1])
    (lit,) = maps.columns(space, [column], again).charts
    two = column in ("sold", "kind", "tags")
    if column == "sold":
        assert where == "text contains 'cup'"  # both values are chosen: nothing is said of it
    elif two:
        assert where == "sold = true and text contains 'cup'"
    else:
        assert where.startswith("sold = true and text contains 'cup' and ")
    assert [bar.chosen for bar in lit.bars] == [place == 1 for place in range(len(lit.bars))]
    assert brushed(again, chart, []) == (
        "text contains 'cup'" if column == "sold" else "sold = true and text contains 'cup'"
    )


def test_some_elements_of_lists_are_a_condition_that_lights_their_bars_alone() -> None:
    tags = pa.array([["a", "b"], ["b", "b"], ["c"], [], None], pa.list_(pa.string()))
    space = Space(Keys(list("vwxyz")), np.eye(5, dtype=np.float32), Origin("lists"), pa.table({"tags": tags}))
    (chart,) = Explorer().maps.columns(space, ["tags"]).charts
    assert [(bar.label, bar.total) for bar in chart.bars] == [("b", 2), ("a", 1), ("c", 1)]
    assert (chart.missing, chart.other) == (2, 0)
    where = brushed("tags contains 'b'", chart, [1, 2])
    assert where == "tags contains 'a' or tags contains 'c'"
    found = Explorer().maps.columns(space, ["tags"], where)
    assert found.passing == 2
    assert [bar.chosen for bar in found.charts[0].bars] == [False, True, True]


def test_the_word_that_most_selected_texts_hold_is_one_of_the_corpus() -> None:
    assert word_of(["The bank was muddy.", "A bank, a match.", "the BANK of it"]) == "bank"
    assert word_of(["nothing here", ""]) == ""


@pytest.mark.parametrize("name", ["glove-6b-50d", "minilm-l6@6", "shop"])
def test_the_example_in_the_box_of_a_condition_can_be_asked(name: str) -> None:
    maps = Explorer().maps
    found = maps.map(shop() if name == "shop" else name, "pca", n=200, k=0)
    assert maps.columns(found, [], example_of(found)).n == 200


def test_numbers_color_by_their_size_or_power_and_dates_by_the_year() -> None:
    space = shop()
    assert point_colors.choices(space) == ["year", "price", "price (log)", "kind", "sold", "day"]
    logs = point_colors.by_choice(space, "price (log)")
    assert logs.value_name == "log10 of price"
    assert logs.values is not None
    np.testing.assert_allclose(logs.values[[0, -1]], [0, 4], atol=1e-6)
    days = point_colors.by_choice(space, "day")
    assert days.value_name == "year (2024-01-01 to 2024-07-18)"
    assert days.values is not None
    np.testing.assert_allclose(days.values[[0, -1]], [2024.0, 2024.54], atol=0.01)
    assert point_colors.by_choice(space, "kind").categories == ("cup", "pan")


def test_what_is_typical_of_some_rows() -> None:
    maps, space = Explorer().maps, shop()
    pans = list(range(3, 200, 4))
    found = maps.typical(space, pans)
    assert (found.n, found.of) == (50, 200)
    assert {word.word for word in found.words[:2]} == {"black", "pan"}
    assert (found.words[0].share, found.words[0].rest) == (1.0, 0.0)
    assert (found.values[0].column, found.values[0].value, found.values[0].share) == ("kind", "pan", 1.0)
    assert {one.row for one in found.nearest} <= set(pans)
    assert found.inside > 0.8 > 0.3 > found.outside
    for wrong in ([], range(200)):
        with pytest.raises(UserError, match="some of the 200 rows can be compared with the rest"):
            maps.typical(space, wrong)
    with pytest.raises(UserError, match="rows are from 0 to 199; got 5 to 200"):
        maps.typical(space, [5, 200])


def test_a_row_of_the_table_is_a_row_of_the_map() -> None:
    rows = np.array([4, 9, 17])
    assert [chosen_row(chosen, rows) for chosen in ([1], [], [3], [2])] == [9, None, None, 17]


def test_a_selection_is_named_saved_and_compared(collection: Collection) -> None:
    space = shop(40)
    columns = {name: space.columns.column(name) for name in ("kind", "text")} if space.columns is not None else {}
    collection.add([f"id{row}" for row in range(40)], space.vectors, columns)
    name = collection.root.name
    app = page("map", **SMALL, ms=name)
    click(app, *range(3, 40, 4), by="lasso", n=40)
    ask(app, "typical")
    assert any("**10 of 40 rows beside the rest**" in m.value for m in app.markdown)
    words = [button for button in app.button if button.key and button.key.startswith("map_typical_words_")]
    assert [re.findall(r"\*\*(.*?)\*\*", button.label)[0] for button in words[:2]] == ["black", "pan"]
    settle(words[1].click().run())
    assert app.session_state["map_find"] == "pan"
    settle(app.button(key="map_typical_values_0").click().run())
    assert app.session_state["map_where"] == "kind = 'pan'"
    app.session_state["map_where"] = ""
    ask(app, "typical")
    app.text_input(key="map_tag").set_value("pans")
    next(b for b in app.button if b.label == "Name it").click().run()
    settle(app)
    rows = Collection(collection.root).space(where="tags = 'pans'")
    assert sorted(rows.keys.array.to_pylist()) == sorted(f"id{row}" for row in range(3, 40, 4))
    assert rows.columns is not None
    assert set(rows.columns.column("kind").to_pylist()) == {"pan"}
    app.text_input(key="map_save_name").set_value(f"{name}-pans")
    next(b for b in app.button if b.label == "Save").click().run()
    settle(app)
    assert not app.exception
    saved = Collection(collection.root.parent / f"{name}-pans")
    assert len(saved) == 10
    widgets.shelf().delete(f"{name}-pans")
