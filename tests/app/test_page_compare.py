"""The page Compare: its states."""

import pytest
from streamlit.testing.v1 import AppTest

from polysema.app.explorer import Explorer
from polysema.core.maps.options import MapOptions
from tests.app.test_dashboard import as_launched, listed, settle
from tests.app.test_page_map import page

__all__ = ["as_launched"]

SMALL = {"cn": "500", "cmap": "PCA"}


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer()


def shown(app: AppTest) -> str:
    return "\n".join(m.value for m in app.markdown)


def test_two_layers_at_once(explorer: Explorer) -> None:
    app = page("compare", **SMALL)
    assert not app.exception
    assert not app.error
    found = explorer.maps.matched("minilm-l6@0", "minilm-l6@6", n=500, method="pca")
    assert f"**{found.overlap.mean():.0%}** are among its 10 nearest in **minilm\\-l6@6**" in shown(app)
    senses = found.a.space.column("sense")
    row = next(int(row) for row in found.changed if senses[row])
    assert f"**{found.a.space.keys[row]}**: {len(found.stayed(row))} of 10 neighbors stayed" in shown(app)
    lost = [label for label in listed(app, "near_a") if "lost\\: rank" in label]
    assert len(lost) == sum("gained\\: rank" in label for label in listed(app, "near_b")) == len(found.lost(row))
    app.button(key="near_b_0").click().run()
    nearest = found.b.neighbors.rows[row, 0]
    assert f"**{found.a.space.keys[int(nearest)]}**: {len(found.stayed(int(nearest)))} of 10" in shown(settle(app))
    app.button(key="compare_back").click().run()
    assert f"**{found.a.space.keys[row]}**: {len(found.stayed(row))} of 10 neighbors stayed" in shown(settle(app))
    table = app.dataframe[0].value
    assert table["stayed"].tolist() == sorted(table["stayed"])
    assert len(table) == 500
    assert any("15,363 rows" in c.value and "0 of minilm" in c.value for c in app.caption)
    app.button_group(key="corder").set_value("changed least").run()
    assert settle(app).dataframe[0].value["stayed"].iloc[0] == found.overlap.max()


def test_two_layers_by_another_metric(explorer: Explorer) -> None:
    app = page("compare", cn="500", cmap="UMAP", cmetric="chebyshev")
    options = MapOptions(metric="chebyshev")
    found = explorer.maps.matched("minilm-l6@0", "minilm-l6@6", n=500, options=options)
    assert f"**{found.overlap.mean():.0%}** are among its 10 nearest in **minilm\\-l6@6**" in shown(app)
    assert any("options=MapOptions(metric='chebyshev')" in code.value for code in app.code)
    assert not app.exception


def test_two_spaces_of_words(explorer: Explorer) -> None:
    app = page("compare", a="glove-6b-50d", b="minilm-l6 (input embeddings)", **SMALL)
    assert not app.exception
    assert not app.error
    found = explorer.maps.matched("glove-6b-50d", "minilm-l6", n=500, method="pca")
    assert f"{found.matched:,} rows" in " ".join(c.value for c in app.caption)
    assert f"{found.a.left_out:,} of glove" in " ".join(c.value for c in app.caption)
    assert any("gained\\: rank" in label for label in listed(app, "near_b"))
    app.number_input(key="ck_near").set_value(3).run()
    assert "Of a row's 3 nearest" in shown(settle(app))


def test_spaces_without_a_common_row_make_one_line() -> None:
    app = page("compare", a="glove-6b-50d", **SMALL)
    assert not app.exception
    assert ["Occurrences and static vectors can't be matched row by row" in e.value for e in app.error] == [True]
    app.selectbox(key="a").set_value("minilm-l6").run()  # still words against occurrences
    assert len(settle(app).error) == 1
    app.selectbox(key="b").set_value("minilm-l6").run()
    assert "**100%** are among" in shown(settle(app))
    assert not app.error


def test_points_travel_through_the_layers() -> None:
    app = page("compare", cview="Step by step", **SMALL)
    assert not app.exception
    slider = app.select_slider(key="cstep")
    assert list(slider.options) == [f"minilm-l6@{layer}" for layer in range(7)]
    slider.set_value("minilm-l6@3").run()
    assert not settle(app).exception
    next(b for b in app.button if b.label == "Play").click().run()
    assert app.select_slider(key="cstep").value == "minilm-l6@0"
    app.run()
    assert app.select_slider(key="cstep").value == "minilm-l6@1"
    next(b for b in app.button if b.label == "Stop").click().run()
    assert not app.exception


def test_what_a_link_says_wrongly_is_left_out() -> None:
    app = page(
        "compare", a="<script>", cn="-3", cmap="x", cview="y", ccolor="evil", ck_near="9999", s="0" * 20, cstep="z"
    )
    assert not app.exception
    assert not app.error
    assert ["not on this machine" in w.value for w in app.warning] == [True, True]  # the space and the view
    assert app.number_input(key="ck_near").value == 10
