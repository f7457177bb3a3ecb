"""Tokens and texts in lists of the pages Inside, Writing and Lessons: a click on one leads into a question about it."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.test_dashboard import as_launched, html, listed, page, press

__all__ = ["as_launched"]  # a fixture that every test here uses


def name_of(label: str) -> str:
    """The name in a row of a list."""
    return re.findall(r"\*\*(.*?)\*\*", label)[0].replace("\\", "")


def fine(app: AppTest) -> bool:
    return not app.exception and not app.error


def test_a_token_of_a_head_asks_instead_and_back() -> None:
    app = page("inside", see="Head", qm_in="g2p-t5")
    last = app.select_slider(key="qr").value
    first = name_of(listed(app, "head_tokens")[0])
    assert [app.button(key=f"head_tokens_{n}").disabled for n in (0, len(listed(app, "head_tokens")) - 1)] == [0, 1]
    press(app, "head_tokens_0")
    assert app.select_slider(key="qr").value == first != last
    link = app.query_params["s"]
    assert fine(app)
    press(app, "inside_back")
    assert app.select_slider(key="qr").value == last
    again = page("inside", see="Head", qm_in="g2p-t5", s=link if isinstance(link, str) else link[0])
    assert again.select_slider(key="qr").value == first, "the link holds it"


def test_a_beam_is_taken_into_the_tree() -> None:
    app = page("writing", wm="gpt-tiny-en", wh="beam search", wn="4")
    assert len(listed(app, "beam_texts")) == 3
    text = name_of(listed(app, "beam_texts")[1])
    press(app, "beam_texts_1")
    assert fine(app)
    written = re.sub("<.*?>|&#8203;|\u200b", "", html(app))
    assert "".join(text.split()) in "".join(written.split())
    assert html(app).count("text-decoration:underline") == 4, "each of its tokens was chosen"
    assert "as the model wrote it" in str([group.options for group in app.button_group])


@pytest.mark.parametrize(
    ("model", "place", "box", "text"),
    [
        ("gpt-tiny-en", 4, "wt_texts", "The horse rac"),
        ("bert-tiny-en", 2, "ft", "The horse[MASK]"),
        ("g2p-t5", 0, "wt_letters", "phone"),
    ],
)
def test_a_scored_token_leads_to_what_would_be_written_there(model: str, place: int, box: str, text: str) -> None:
    app = page("writing", do="Score a text", um_in=model)
    assert listed(app, "scored_tokens")
    press(app, f"scored_tokens_{place}")
    assert fine(app)
    assert app.text_input(key=box).value.startswith(text.split("[")[0])
    assert ("[MASK]" in app.text_input(key=box).value) == ("[MASK]" in text)
    assert app.title[0].value == "Writing"


@pytest.mark.parametrize(
    ("row", "see", "box"),
    [
        ("says_bert-tiny-en_0", "Lens", ("lm", "lw_t")),
        ("says_gpt-tiny-en_0", "Lens", ("lm", "lw_t")),
        ("deed_gpt-tiny-en_1", "Lens", ("lm", "lw_t")),
        ("deed_g2p-t5_0", "Lens", ("lm", "lw_w")),
        ("carried_g2p-t5_0", "Attention", ("am", "at_w")),
    ],
)
def test_what_a_family_says_is_looked_at_and_gone_back_from(row: str, see: str, box: tuple[str, str]) -> None:
    app = page("inside", see="Families")
    assert fine(app)
    name = name_of(app.button(key=row).label)
    press(app, row)
    assert fine(app)
    assert app.button_group(key="see").value == see
    assert app.selectbox(key=box[0]).value == row.split("_")[1]
    if see == "Lens":
        assert app.text_input(key=box[1]).value.strip("'\" ") == name
    press(app, "inside_back")
    assert app.button_group(key="see").value == "Families"


def test_a_head_of_an_attribution_is_computed_and_gone_back_from() -> None:
    app = press(page("inside", see="Attribution", cm_in="g2p-t5"), "largest_heads_0")
    assert fine(app)
    assert app.button_group(key="see").value == "Head"
    assert app.text_input(key="qt_w").value == "phone"
    press(app, "inside_back")
    assert app.button_group(key="see").value == "Attribution"


def test_a_gap_of_a_family_is_filled_on_its_page() -> None:
    app = press(page("inside", see="Families"), "deed_bert-tiny-en_1")
    assert fine(app)
    assert app.text_input(key="ft").value.count("[MASK]") == 1
    assert app.selectbox(key="fm").value == "bert-tiny-en"


@pytest.mark.parametrize(
    ("lesson", "row", "see", "box"),
    [
        ("heads", "attended_1", "Attention", "fp_e"),
        ("mlp", "next_tokens_0", "Lens", "lw_"),
        ("mlp", "other_texts_1", "Lens", "lt_"),
        ("nonsense", "0_first_0", "Lens", "lw_"),
        ("embedding", "found_texts_0", "Attention", "at_t"),
    ],
)
def test_a_list_of_a_lesson_leads_on(lesson: str, row: str, see: str, box: str) -> None:
    app = page("lessons", lesson=lesson, step="reveal")
    assert fine(app)
    (button,) = [b for b in app.button if b.key and b.key.endswith(row)]
    name = name_of(button.label)
    button.click().run()
    assert fine(app)
    assert app.button_group(key="see").value == see
    (shown,) = [one.value for one in app.text_input if one.key and one.key.startswith(box)]
    assert shown.strip("'\" ").split(" -> ")[-1].startswith(name.removesuffix(" …"))
