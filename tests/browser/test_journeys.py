"""What a user does, in a real browser."""

import re
from typing import Any

import pytest

from tests.browser.conftest import at_rest, until
from tests.browser.test_access import beyond_the_edge, findings

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

READY = ".polysema-scatter[data-ready='1'][data-settled='1']"


def wait_for_map(page: Any, n: int | None = None) -> Any:
    selector = READY if n is None else READY.replace("[data-ready", f"[data-n='{n}'][data-ready")
    return page.wait_for_selector(selector, timeout=120_000)


def positions(page: Any) -> str:
    return str(page.wait_for_selector(READY, timeout=120_000).get_attribute("data-version"))


def test_type_an_analogy_and_read_the_answer(page: Any) -> None:
    page.goto("/analogies")
    page.wait_for_selector("text=leads nearest to", timeout=120_000)
    wait_for_map(page)
    assert "woman" in page.locator(".st-key-answers_0 button").inner_text()
    box = page.get_by_role("textbox", name="A sum of words")
    box.fill("king - man + woman")
    box.press("Enter")
    page.locator(".st-key-answers_0 button").filter(has_text=re.compile(r"\bqueen\b")).wait_for(timeout=120_000)
    page.wait_for_url("**/analogies?q=king*")
    box.fill("king - man + womann")
    box.press("Enter")
    error = page.wait_for_selector("[data-testid=stAlert]", timeout=120_000)
    assert "'womann' is not among the 400,000 words of glove-6b-50d; nearest spellings: woman" in error.inner_text()


def test_move_the_layer_and_see_the_map_change(page: Any) -> None:
    page.goto("/contexts?word=bank&map=PCA")
    page.wait_for_selector("text=At layer 6", timeout=180_000)
    before = positions(page)
    handle = page.get_by_role("slider", name="Layer").first
    handle.focus()
    handle.press("ArrowLeft")
    page.wait_for_selector("text=At layer 5", timeout=120_000)
    until(lambda: positions(page) != before, "the map has not changed")
    page.wait_for_url("**layer_minilm-l6=5*")


def test_umap_comes_after_the_first_picture(page: Any) -> None:
    page.goto("/contexts?word=match")
    page.wait_for_selector("text=At layer 6", timeout=180_000)
    wait_for_map(page)
    at_rest(page)
    wait_for_map(page)
    page.get_by_text("Details").first.click()
    page.wait_for_selector("text=UMAP with the cosine", timeout=120_000)


def test_a_word_in_ones_own_sentence(page: Any) -> None:
    page.goto("/neighbors?mode=A+word+in+a+sentence")
    page.wait_for_selector("text=Nearest to They had a picnic", timeout=180_000)
    box = page.get_by_role("textbox", name="Sentence")
    box.fill("The bank raised its interest rates again.")
    box.press("Enter")
    page.wait_for_selector("text=Nearest to The bank raised", timeout=120_000)
    assert any(text.endswith("money") for text in page.locator("[class*=st-key-found_] button").all_inner_texts())
    page.locator(".st-key-found_0 button").press("Enter")  # a sentence in the list is the next question
    page.locator(".st-key-neighbors_back button").first.wait_for(timeout=120_000)
    at_rest(page)
    page.locator(".st-key-neighbors_back button").first.press("Enter")
    page.wait_for_selector("text=Nearest to The bank raised", timeout=120_000)


def test_choose_a_head_by_mouse_and_by_keyboard(page: Any) -> None:
    page.goto("/inside")
    grid = page.wait_for_selector(".polysema-heads[data-ready='1'] canvas", timeout=180_000)
    assert page.locator(".polysema-heads").get_attribute("data-head") == "3.1"
    box = grid.bounding_box()
    step = (box["width"] - 30) / 12
    page.mouse.click(box["x"] + 30 + 8.4 * step, box["y"] + 18 + 1.4 * step)
    page.wait_for_selector(".polysema-heads[data-head='2.9']", timeout=120_000)
    page.wait_for_url(re.compile(r"al_minilm-l6_self=2"))
    canvas = page.locator(".polysema-heads canvas")
    canvas.focus()
    canvas.press("ArrowDown")
    canvas.press("Enter")
    page.wait_for_selector(".polysema-heads[data-head='3.9']", timeout=120_000)
    page.locator(".polysema-heads .row").nth(2).hover()
    page.wait_for_selector("text=/white looks at .*swan/", timeout=120_000)


def test_click_a_square_of_the_lens(page: Any) -> None:
    page.goto("/inside?see=Lens&lm=g2p-t5")
    page.wait_for_selector("text=At layer 2, token N", timeout=180_000)
    page.wait_for_timeout(1000)  # the chart is drawn a second time when its width is known
    chart = page.locator("[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas").first
    box = chart.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.55)
    page.wait_for_selector("text=/At layer [012], token .pad/", timeout=120_000)


def walk_to(page: Any, word: str) -> None:
    """Step through the plot by the keyboard to the point of that name, and choose it."""
    stage = page.locator(".polysema-scatter [tabindex='0']").first
    stage.focus()
    for _ in range(40):
        stage.press("n")
        if page.locator(".polysema-scatter [aria-live]").first.inner_text().startswith(f"{word},"):
            stage.press("Enter")
            return
    raise AssertionError(f"no point {word}")


def test_a_word_of_the_map_becomes_the_question(page: Any) -> None:
    page.goto("/neighbors")
    page.wait_for_selector("text=whatever the sentence", timeout=120_000)
    wait_for_map(page)
    walk_to(page, "banking")
    page.locator("text=Nearest to banking").wait_for(timeout=120_000)
    assert page.get_by_role("textbox", name="Word").input_value() == "banking"
    page.wait_for_url("**w=banking*")


def test_a_copied_link_restores_sentences_and_selection(page: Any, browser: Any) -> None:
    page.goto("/contexts?map=PCA&layer_minilm-l6=3")
    page.wait_for_selector("text=At layer 3", timeout=180_000)
    page.get_by_text("Add sentences of your own").click()
    box = page.get_by_role("textbox", name="One sentence a line")
    box.fill("The bank of the canal was steep.")
    page.get_by_role("button", name="Put them on the map").click()
    wait_for_map(page, 22)
    walk_to(page, "bank")
    page.wait_for_selector("text=1 sentences selected", timeout=120_000)
    page.wait_for_selector("text=Nearest at layer 3", timeout=120_000)
    page.wait_for_url("**s=*")
    at_rest(page)  # the selected sentences are listed last, below the nearest ones
    chosen = page.locator("[class*=st-key-sentences_] button").last.inner_text()
    other = browser.new_context(viewport={"width": 1440, "height": 1000})
    again = other.new_page()
    again.goto(page.url)
    again.wait_for_selector("text=1 sentences selected", timeout=120_000)
    again.wait_for_selector("text=At layer 3", timeout=120_000)
    listed = again.locator("[class*=st-key-sentences_] button").last
    until(lambda: listed.inner_text() == chosen, f"the same sentence is selected: {chosen}")
    wait_for_map(again, 22)
    other.close()


def test_a_text_goes_on_from_another_token_and_the_link_keeps_it(page: Any, browser: Any) -> None:
    page.goto("/writing?wm=marian-en-fr")
    page.locator(".surprisal").filter(has_text="La rive de la rivi").first.wait_for(timeout=180_000)
    at_rest(page)  # what was shown while it was written is gone
    page.get_by_role("button", name=re.compile(r"\bLe\b")).click()
    page.locator(".surprisal").filter(has_text=re.compile(r"^.?Le\b")).first.wait_for(timeout=120_000)
    page.get_by_text("Texts of the tree").wait_for(timeout=120_000)
    page.wait_for_url("**s=*")
    at_rest(page)
    written = page.locator(".surprisal").inner_text()
    other = browser.new_context(viewport={"width": 1440, "height": 1000})
    again = other.new_page()
    again.goto(page.url)
    again.get_by_text("Texts of the tree").wait_for(timeout=120_000)
    until(lambda: again.locator(".surprisal").inner_text() == written, f"the same text: {written}")
    other.close()


def test_a_clicked_point_tells_what_moved_it(page: Any) -> None:
    """Wide and light, then narrow and dark; on an axis between senses, then between two words."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto("/contexts?map=PCA")
    page.wait_for_selector("text=At layer 6", timeout=180_000)
    wait_for_map(page)
    walk_to(page, "bank")
    page.get_by_text("The 117 parts add up to").wait_for(timeout=120_000)
    at_rest(page)
    said = page.get_by_text("From its static vector to layer 6").inner_text()
    moved, total = (re.search(rf"{words} ([+-]\d+\.\d+)", said) for words in ("goes", "add up to"))
    assert moved is not None
    assert total is not None
    assert moved[1] == total[1]
    assert "from the mean of" in said
    assert re.search(r"moved it most is layer \d head \d+ .* the word, ", said)
    for control in ("random axis (200)", "shuffled text (5)"):
        assert page.get_by_text(f"Control, {control}: typically").is_visible()
    assert page.locator(".ps-move span").count() > 5
    assert beyond_the_edge(page, 1440) == []
    assert findings(page) == []
    page.get_by_role("radio", name="Two words").click()
    page.get_by_text("on the axis money → river").wait_for(timeout=120_000)
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark = "e => getComputedStyle(e).colorScheme"
    until(lambda: page.locator(".stApp").evaluate(dark) == "dark", "the theme stays light")
    at_rest(page)
    until(lambda: beyond_the_edge(page, 390) == [], "on a phone something reaches over the edge")
    assert findings(page) == []


def focused(page: Any) -> str:
    """Role and name of what has the focus, also inside a component's shadow."""
    return str(
        page.evaluate(
            "(() => { let e = document.activeElement; while (e.shadowRoot?.activeElement) e = "
            "e.shadowRoot.activeElement;"
            " return `${e.tagName.toLowerCase()} ${e.getAttribute('aria-label') ?? e.innerText ?? ''}`; })()"
        )
    )


def tab_to(page: Any, wanted: str, most: int = 60) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted in focused(page):
            return
    raise AssertionError(f"Tab never came to {wanted!r}; last: {focused(page)!r}")


def test_by_keyboard_alone(page: Any) -> None:
    page.goto("/analogies")
    page.wait_for_selector("text=leads nearest to", timeout=120_000)
    wait_for_map(page)
    tab_to(page, "input A sum of words")
    page.keyboard.press("Control+a")
    page.keyboard.type("king - man + woman")
    page.keyboard.press("Enter")
    page.locator(".st-key-answers_0 button").filter(has_text=re.compile(r"\bqueen\b")).wait_for(timeout=120_000)
    wait_for_map(page)
    at_rest(page)
    tab_to(page, "Plane of the words")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Around king", timeout=120_000)
    page.keyboard.press("Escape")
    page.get_by_text("Around king").wait_for(state="hidden", timeout=120_000)
    page.keyboard.press("Control+z")
    page.wait_for_selector("text=Around king", timeout=120_000)
    page.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    tab_to(page, "a Contexts")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=One word, one static vector", timeout=120_000)
