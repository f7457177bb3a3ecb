"""The page Measures: curves of several models on one plot, over what ships and over what is pasted."""

import json

from streamlit.testing.v1 import AppTest

from polysema.app.dashboard.measures.curves import MOST_FREQUENT, curve_table
from polysema.app.explorer.results.bias import BiasReport, BiasScore
from polysema.app.explorer.results.model_measures import LabelReport, LayerAccuracy
from tests.app.test_dashboard import as_launched, page, settle

__all__ = ["as_launched"]


def measured(kind: str) -> AppTest:
    """The page with one small model, which its link names."""
    app = page("measures", measure=kind, measured="bert-tiny-en")
    assert app.multiselect(key="measured").value == ["bert-tiny-en"]
    return app


def curves(app: object) -> set[str]:
    """The names of the curves that are drawn."""
    (chart,) = app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")  # type: ignore[attr-defined]
    return {name for spec in json.loads(chart.proto.spec)["layer"] for name in spec["encoding"]["color"]["sort"]}


def test_each_kind_measures_what_stands_there_at_first_and_what_is_pasted() -> None:
    app = measured("Senses")
    assert not app.exception
    assert not app.error
    assert curves(app) == {"bert-tiny-en", MOST_FREQUENT}
    app.text_area(key="own_senses").set_value("word,sense,text\nbank,a,The bank.\nbank,a,A bank.\nbank,a,Bank!").run()
    assert any("3 occurrences" in one.value for one in settle(app).caption)
    app.text_area(key="own_senses").set_value("word,text\nbank,The bank.").run()
    assert "Senses.csv has no column of labels" in settle(app).error[0].value
    app.segmented_control(key="measure").set_value("Bias").run()
    assert curves(settle(app)) == {"bert-tiny-en", "glove-6b-50d"}
    app.text_input(key="bias_away").set_value("pain").run()
    assert "each list needs at least two words; away has 1" in settle(app).error[0].value
    for kind in ("Contextuality", "Word in context", "Probe"):
        app.segmented_control(key="measure").set_value(kind).run()
        assert all(name.startswith(("bert-tiny-en", MOST_FREQUENT)) for name in curves(settle(app)))
        assert not app.error


def test_curves_have_a_line_for_each_model_and_level_ones_for_what_has_no_layer() -> None:
    found = LabelReport(
        "", (LayerAccuracy("a", None, 0.5), LayerAccuracy("a", 0, 0.6), LayerAccuracy("b", 0, 0.7)), 3, 0.4
    )
    table = curve_table(found, "accuracy")
    assert table["curve"].tolist() == ["a, static", "a", "b", MOST_FREQUENT]
    assert table["layer"].isna().tolist() == [True, False, False, True]
    assert table["value"].tolist() == [0.5, 0.6, 0.7, 0.4]
    bias = BiasReport("", (BiasScore("t", "glove", None, 1.2, 0.01, 20, True, 0.3, -0.2),))
    assert curve_table(bias, "ripa_second").to_dict("records")[0]["value"] == -0.2
