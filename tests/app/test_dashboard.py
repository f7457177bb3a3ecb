"""Each page's states, by Streamlit's own test harness: at once useful, and one clear line for a mistake."""

import re
import time
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from polysema.app.dashboard import reader_notes, widgets
from polysema.app.dashboard.launch import settings
from polysema.core.environment import home

MAIN = Path(__file__).parents[2] / "app" / "dashboard" / "main.py"


@pytest.fixture(autouse=True)
def as_launched() -> None:
    """The harness runs pages with the options that the dashboard is launched with, and nothing was opened before."""
    (home() / reader_notes.NOTES_FILE).unlink(missing_ok=True)
    for name in ("runner.magicEnabled", "server.address"):
        config.set_option(name, settings(8501, "127.0.0.1", False)[name])


def page(name: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=120)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    if name != "start":
        app.switch_page(f"app_pages/{name}.py").run()
    return settle(app)


def settle(app: AppTest) -> AppTest:
    """Run again until no work is under way: what the page's own fragment does in a browser."""
    for _ in range(200):
        if not any("One moment" in str(element) for element in _all(app)):
            return app
        time.sleep(0.5)
        app.run()
    raise AssertionError("the page never came to rest")


def _all(app: AppTest) -> list[object]:
    return [element.proto for element in app.main if hasattr(element, "proto")] + [app.main]


def listed(app: AppTest, key: str) -> list[str]:
    """The rows of a list that can be clicked."""
    return [button.label for button in app.button if button.key and re.fullmatch(rf"{key}_\d+", button.key)]


def html(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def test_analogies_answer_at_once() -> None:
    app = page("analogies")
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "Analogies"
    assert "**woman**" in listed(app, "answers")[0]
    assert any("leads nearest to **woman**" in m.value for m in app.markdown)


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    return settle(app)


def test_an_answer_is_looked_at_and_walked_on_from_and_put_into_the_sum() -> None:
    app = press(page("analogies"), "answers_0")
    assert any("Around **woman**" in m.value for m in app.markdown)
    name = re.findall(r"\*\*(.*?)\*\*", listed(app, "around")[0])[0]
    press(app, "around_0")
    assert any(f"Around **{name}**" in m.value for m in app.markdown)
    assert any("›" in c.value and "woman" in c.value for c in app.caption)
    press(app, "analogies_back")
    assert any("Around **woman**" in m.value for m in app.markdown)
    press(app, "near_into_2")
    assert app.text_input(key="q").value == "queen - king + woman"
    press(app, "analogies_back")
    assert app.text_input(key="q").value == "queen - king + man"
    assert any("Around **woman**" in m.value for m in app.markdown)
    press(app, "analogies_back")
    assert not any("Around" in m.value for m in app.markdown)
    assert not app.exception


def test_neighbors_are_walked_from_one_to_the_next_and_back() -> None:
    app = page("neighbors")
    press(app, "nearest_0")
    assert app.text_input(key="w").value == "banks"
    assert any("Nearest to **banks**" in m.value for m in app.markdown)
    app.button_group(key="mode").set_value("A word in a sentence").run()
    settle(app)
    hit = re.findall(r"\*\*(.*?)\*\*", listed(app, "found")[0])[0]
    press(app, "found_0")
    assert app.text_input(key="cw").value == hit
    assert app.text_input(key="text").value != "They had a picnic on the bank of the river."
    press(app, "static_0")
    assert app.button_group(key="mode").value == "A word"
    assert app.selectbox(key="ns").value == "minilm-l6"
    press(app, "neighbors_back")
    assert app.text_input(key="cw").value == hit
    press(app, "neighbors_back")
    assert app.text_input(key="text").value == "They had a picnic on the bank of the river."
    press(app, "neighbors_back")
    assert app.text_input(key="w").value == "bank"
    assert not app.exception


def test_a_sentence_of_contexts_is_looked_at_and_its_neighbors_lead_on() -> None:
    app = page("contexts", map="PCA")
    press(app, "sentences_3")
    looked_at = [element.proto.body for element in app.get("html") if "Nearest at layer 6" in element.proto.body]
    assert len(looked_at) == 1
    press(app, "like_this_0")
    assert looked_at[0] not in html(app)
    assert "Nearest at layer 6" in html(app)
    press(app, "contexts_back")
    assert looked_at[0] in html(app)
    assert not app.exception


def test_a_line_of_the_concordance_is_looked_at_also_of_another_word() -> None:
    app = page("contexts", map="PCA")
    line = app.button(key="columns_concordance_3").label
    press(app, "columns_concordance_3")
    assert "Nearest at layer 6" in html(app)
    word, text, start = app.session_state["contexts_focus"]
    assert (word, text[start : start + 4].lower()) == ("bank", "bank")
    behind = text[start + 4 :].strip(" .").split(" ")[-1]
    assert behind in line
    app.text_input(key="concordance_word").set_value("otter").run()
    press(app, "columns_concordance_0")
    assert app.selectbox(key="word").value == "otter"
    assert "Nearest at layer 6" in html(app)
    assert "otter" in app.session_state["contexts_focus"][1].lower()
    press(app, "contexts_back")
    assert app.selectbox(key="word").value == "bank"
    assert app.session_state["contexts_focus"] == [word, text, start]
    assert not app.exception


def test_what_is_tested_of_a_model_is_shown() -> None:
    app = page("inside", am="g2p-t5")
    app = settle(app.toggle(key="proof").set_value(True).run())
    assert any("all that apply hold" in one.value for one in app.markdown)
    (table,) = (one.value for one in app.dataframe)
    assert set(table["stack"]) == {"encoder", "decoder"}
    assert set(table["holds"]) == {"yes", "-"}


def test_a_head_that_was_found_is_drawn_large() -> None:
    app = page("inside")
    layer, head = map(int, re.findall(r"head (\d+)\\\.(\d+)", listed(app, "found_heads")[1])[0])
    press(app, "found_heads_1")
    assert app.number_input(key="al_minilm-l6_self").value == layer
    assert app.number_input(key="ah_minilm-l6_self").value == head
    press(app, "inside_back")
    assert (app.number_input(key="al_minilm-l6_self").value, app.number_input(key="ah_minilm-l6_self").value) == (3, 1)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("queen - kingg + man", "'kingg' is not among the 400,000 words"),
        ("queen - - king", "A word is missing at character 9"),
        ("   ", "The expression is empty"),
        ("<script>alert(1)</script>", "A sign (+ or -) is missing between two words"),
        ("<b>x</b>", "'<b>x</b>' is not among the 400,000 words"),
    ],
)
def test_a_wrong_expression_makes_one_line(typed: str, message: str) -> None:
    app = page("analogies")
    app.text_input(key="q").set_value(typed)
    app.button[0].click().run()
    settle(app)
    assert not app.exception
    assert [message in e.value for e in app.error] == [True]


def test_an_expression_comes_from_the_link() -> None:
    app = page("analogies", q="paris - france + italy", k="3")
    assert "**rome**" in listed(app, "answers")[0]


def test_neighbors_of_a_word_and_of_an_unknown_one() -> None:
    app = page("neighbors")
    assert not app.exception
    assert "**banks**" in listed(app, "nearest")[0]
    app.text_input(key="w").set_value("bankk")
    app.button[0].click().run()
    settle(app)
    assert ["nearest spellings: bank" in e.value for e in app.error] == [True]
    app.text_input(key="w").set_value("")
    app.button[0].click().run()
    assert app.info[0].value.startswith("Write a word")


def test_neighbors_of_a_word_in_a_sentence() -> None:
    app = page("neighbors")
    app.button_group(key="mode").set_value("A word in a sentence").run()
    settle(app)
    assert not app.exception
    assert "<mark>bank</mark>" in html(app)
    assert "**bank**" in listed(app, "found")[0]
    assert "river" in listed(app, "found")[0]
    app.text_input(key="text").set_value("nothing <b>here</b>")
    app.button[0].click().run()
    settle(app)
    assert ["'bank' is not a word of" in e.value for e in app.error] == [True]


def test_contexts_has_a_map_for_every_layer() -> None:
    app = page("contexts")
    assert not app.exception
    assert not app.error
    slider = app.select_slider[0]
    assert (slider.value, list(slider.options)) == (6, [str(layer) for layer in range(7)])
    slider.set_value(0).run()
    settle(app)
    assert any("At **layer 0**" in m.value for m in app.markdown)
    app.text_area(key="own").set_value("The bank of the canal.\nno such word")
    next(b for b in app.button if b.label == "Put them on the map").click().run()
    settle(app)
    assert any("Left out" in w.value for w in app.warning)
    assert any("The **bank** of the canal" in label for label in listed(app, "sentences"))


def test_contexts_takes_any_word_of_a_collection() -> None:
    texts = [f"The spoon lay in the mud of the river {one}." for one in ("bed", "bank", "bend", "mouth")]
    texts += [f"She stirred the {dish} with a spoon." for dish in ("soup", "sauce", "broth", "stew")]
    shelf, columns = widgets.shelf(), {"text": texts, "topic": ["x"] * 4 + ["y"] * 4}
    if "spoons" in shelf.names():  # of a run that was stopped
        shelf.delete("spoons")
    with shelf.making("spoons") as made:
        made.add(list("abcdefgh"), [[1.0, row] for row in range(8)], columns)
    app = page("contexts", texts="spoons", word="spoon", map="PCA")
    assert not app.exception
    assert not app.error
    assert "spoon (8)" in app.selectbox(key="word").options
    assert app.selectbox(key="label").value == "topic"
    assert any("100%** of the occurrences lie on their own side" in m.value for m in app.markdown)
    app.text_area(key="own").set_value("mine | He ate his soup with a spoon.")
    next(b for b in app.button if b.label == "Put them on the map").click().run()
    settle(app)
    assert any("is like **y**: **4 of 5** nearest" in m.value for m in app.markdown)
    next(b for b in app.button if b.key == "verdict_0_0").click().run()
    settle(app)
    assert "Nearest at layer 6 to the one you chose: She stirred the" in html(app)

    app = page("contexts", texts="spoons", word="SPOON", map="PCA", color="Clusters")
    assert not app.exception
    next(b for b in app.button if b.label == "Save as a column").click().run()
    settle(app)
    assert any("8 rows of spoons have their sense in the column sense" in one.value for one in app.success)
    assert shelf.get("spoons").space().columns.column("sense").null_count == 0

    app = page("contexts", texts="spoons", word="fork", map="PCA")
    assert ["'fork' stands in none of the 8 rows" in one.value for one in app.error] == [True]
    shelf.delete("spoons")


def test_a_text_read_in_windows_is_told() -> None:
    def show() -> None:
        from polysema.app.dashboard import widgets

        widgets.tell_split([], "512 tokens, half overlapping")
        widgets.tell_split([0], "512 tokens, half overlapping")
        widgets.tell_split([0, 2], "512 tokens, half overlapping")

    app = AppTest.from_function(show).run()
    assert not app.exception
    assert [c.value.partition(" longer")[0] for c in app.caption] == ["Your text was", "2 of your texts were"]


def test_inside_shows_heads_at_once_and_finds_the_one_asked_for() -> None:
    app = page("inside")
    assert not app.exception
    assert not app.error
    assert any("head 2.9 (L1H8)" in label.replace("\\", "") for label in listed(app, "found_heads"))
    assert any("Head 3.1 (L2H0): to the word before" in c.value for c in app.caption)
    app.number_input(key="al_minilm-l6_self").set_value(5).run()
    settle(app)
    assert any("Head 5.1 (L4H0):" in c.value for c in app.caption)
    for pairs, message in (
        ("blue - water", "A pair is written blue -> water"),
        ("zebra -> swan", "both words of zebra"),
    ):
        app.text_input(key="fp_e").set_value(pairs)
        next(b for b in app.button if b.label == "Find").click().run()
        settle(app)
        assert [message in e.value for e in app.error] == [True]
    app.text_input(key="at_t").set_value("<b>x</b> " * 40)
    next(b for b in app.button if b.label == "Look inside").click().run()
    settle(app)
    assert not app.exception
    assert any(i.value.startswith("At most 64 words are drawn at once") for i in app.info)


def test_inside_shows_letters_against_sounds() -> None:
    app = page("inside", am="g2p-t5")
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="ak").value == "Decoder looks at the source"
    app.selectbox(key="ak").set_value("Decoder looks at itself").run()
    settle(app)
    assert not app.exception
    app.text_input(key="at_w").set_value("")
    next(b for b in app.button if b.label == "Look inside").click().run()
    assert any(i.value.startswith("Write something to look at") for i in app.info)


@pytest.mark.parametrize(
    ("query", "button", "wrong", "message"),
    [
        ({"see": "Lens", "lm": "g2p-t5"}, "Look", ("lw_w", "日"), "has no token for '日'"),
        ({"see": "Attribution", "cm_in": "g2p-t5"}, "Take apart", ("ca_w", "F"), "begin with the same token"),
        (
            {"see": "Attribution", "cm_in": "minilm-l6"},
            "Take apart",
            ("cp_e", ""),
            "predicts a word where the text has [MASK]",
        ),
        ({"see": "Steering", "sm": "g2p-t5"}, "Steer", ("sf_w", "日"), "has no token for '日'"),
        ({"see": "Families"}, "Send it through", ("rt", "..."), "there is no word in"),
    ],
)
def test_the_parts_of_inside(query: dict[str, str], button: str, wrong: tuple[str, str], message: str) -> None:
    app = page("inside", **query)
    assert not app.exception
    assert not app.error
    assert [b.label for b in app.get("download_button")].count("Numbers (CSV)") == 2, "once in Share and once in Save"
    app.text_input(key=wrong[0]).set_value(wrong[1])
    next(b for b in app.button if b.label == button).click().run()
    settle(app)
    assert not app.exception
    assert [message.lower() in e.value.lower() for e in app.error] == [True]


@pytest.mark.parametrize(("part", "tab", "box"), [("hidden states", "Lens", "lt_w"), ("heads", "Attention", "at_w")])
def test_a_patched_place_leads_to_its_lens_or_head_and_back(part: str, tab: str, box: str) -> None:
    app = settle(page("inside", see="Patching", pm_in="g2p-t5", pp=part))
    assert not app.exception
    app.button(key="patched_places_0").click().run()
    settle(app)
    assert not app.exception
    assert (app.button_group(key="see").value, app.text_input(key=box).value) == (tab, "phone")
    app.button(key="inside_back").click().run()
    assert settle(app).button_group(key="see").value == "Patching"
    assert not app.exception


def test_a_head_from_the_browser_is_checked() -> None:
    from polysema.app.dashboard.components.heads import chosen_head

    assert chosen_head({"layer": 2, "head": 3}, [1, 2], 4) == (2, 3)
    for value in (
        None,
        3,
        {},
        {"layer": "2", "head": 3},
        {"layer": 9, "head": 3},
        {"layer": 2, "head": 5},
        {"layer": True, "head": 1},
    ):
        assert chosen_head(value, [1, 2], 4) is None


def test_contexts_colored_by_the_clusters_of_the_vectors() -> None:
    app = page("contexts", map="PCA", color="Clusters")
    assert not app.exception
    assert not app.error
    message = next(m.value for m in app.markdown if "by themselves" in m.value)
    found = widgets.explorer().model("minilm-l6").senses.clusters("bank", 6)
    assert f"**{len(found.clusters)} groups**" in message
    assert f"adjusted Rand index **{found.adjusted_rand:.2f}**" in message
    examples = [button for button in app.button if button.key and button.key.startswith("clusters_")]
    assert ["such as" in button.label for button in examples] == [True] * len(found.clusters)
    examples[1].click().run()
    assert app.session_state["contexts_focus"][1] == found.texts[found.clusters[1].central]
    annotated = int((found.assigned >= 0).sum())
    counted = f"{annotated} of {len(found.assigned)} occurrences in {len({one.name for one in found.clusters})} senses"
    assert counted in [one.value for one in app.caption]
    saved = [button.label for button in app.get("download_button")]
    assert saved.count("Annotations (JSONL)") == 2, "once in Share and once in Save"
    assert any("lines at layer 6: those that mean alike" in one.value for one in app.caption)
    lines = listed(app, "columns_concordance")
    assert len(lines) > 10
    assert all("bank" in line.lower() for line in lines)


def test_neighbors_in_a_collection_are_sentences() -> None:
    shelf = widgets.shelf()
    if "test-neighbors" in shelf.names():
        shelf.delete("test-neighbors")
    texts = ["The bank of a river.", "A <b>bank</b> of gold.", "Ducks on the bank."]
    words = [("The", 0), ("bank", 4), ("bank", 5), ("Ducks", 0), ("bank", 13)]
    columns = {
        "word": [word for word, _ in words],
        "text": [texts[n] for n in (0, 0, 1, 2, 2)],
        "start": [start for _, start in words],
        "end": [start + len(word) for word, start in words],
    }
    shelf.create("test-neighbors").add(
        [f"row-{n}" for n in range(5)], [[1, 0, 0], [0, 1, 0], [0, 0.1, 1], [0.5, 0, 0.5], [0, 1, 0.3]], columns
    )
    try:
        app = page("neighbors", ns="test-neighbors", w="bank", nk="3")
        assert not app.exception
        assert any("has 3 rows for bank; this is about the first" in c.value.replace("\\", "") for c in app.caption)
        assert "Nearest to The <mark>bank</mark> of a river." in html(app)
        shown = "".join(listed(app, "nearest"))
        assert shown.index("Ducks on the **bank**") < shown.index("A \\<b\\>**bank**")
    finally:
        shelf.delete("test-neighbors")


@pytest.mark.parametrize(
    ("name", "state", "box"),
    [
        ("inside", {}, "at_t"),
        ("inside", {"see": "Families"}, "rt"),
        ("neighbors", {"mode": "A word in a sentence"}, "text"),
        ("contexts", {"map": "PCA"}, "own"),
    ],
)
def test_a_text_that_is_too_long_is_refused_in_words(name: str, state: dict[str, str], box: str) -> None:
    app = page(name, **state)
    field = next(one for one in (*app.text_input, *app.text_area) if one.key == box)
    assert not field.max_chars  # the browser would drop a longer paste without a word
    field.set_value("the bank." * 4000)
    next(one for one in app.button if one.proto.is_form_submitter).click().run()
    settle(app)
    assert not app.exception
    assert any("36,000 characters" in error.value and "at most 20,000" in error.value for error in app.error)
