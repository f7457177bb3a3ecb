"""The panel of the page Contexts that tells what moved an occurrence."""

import re

from streamlit.testing.v1 import AppTest

from polysema.app.dashboard.sharing import page_record
from tests.app.test_dashboard import html, settle


def panel(row: int) -> None:
    from polysema.app.dashboard import widgets
    from polysema.app.dashboard.contexts.move_panel import move_panel

    move_panel(widgets.explorer().maps.word_map("bank", model="minilm-l6", method="pca"), 6, row)


def test_a_clicked_occurrence_is_explained() -> None:
    app = AppTest.from_function(panel, kwargs={"row": 0}, default_timeout=120).run()
    settle(app)
    assert not app.exception
    assert not app.error
    (said,) = [m.value for m in app.markdown if m.value.startswith("From its static vector to layer 6")]
    assert "The 117 parts add up to" in said
    assert [c.value.split(":")[0] for c in app.caption if c.value.startswith("Control")] == [
        "Control, random axis (200)",
        "Control, shuffled text (5)",
    ]
    app.segmented_control(key="move_axis").set_value("Two words").run()
    settle(app)
    assert any("on the axis money \\-\\> river" in m.value for m in app.markdown)
    assert "<small> +" in html(app)
    words = [part.make() for part in app.session_state[page_record.SESSION].parts.values() if part.kind == "text"]
    given = [one for one in words if one.startswith("\\[CLS\\] ")]
    assert re.search(r"river [+-]0|bank [+-]0", given[-1])  # what a file for others says beside the picture
    app.text_input(key="move_ends").set_value("money").run()
    settle(app)
    assert ["two ends" in e.value for e in app.error] == [True]
    app.segmented_control(key="move_axis").set_value("Whole move").run()
    settle(app)
    assert any("cosine 1.00" in m.value for m in app.markdown)


def test_the_python_lines_give_the_same() -> None:
    app = AppTest.from_function(panel, kwargs={"row": 1}, default_timeout=120).run()
    settle(app)
    lines = next(code.value for code in app.code if "explain_move" in code.value)
    values: dict[str, object] = {}
    exec(lines.partition("for part in")[0], values)
    said = next(m.value for m in app.markdown if m.value.startswith("From its static vector"))
    assert f"**{values['found'].moved:+.3f}**" in said  # type: ignore[attr-defined]
