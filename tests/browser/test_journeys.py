"""What a user does, in a real browser."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

READY = ".polysema-scatter[data-ready='1'][data-settled='1']"


def wait_for_map(page: Any, n: int | None = None) -> Any:
    selector = READY if n is None else READY.replace("[data-ready", f"[data-n='{n}'][data-ready")
    return page.wait_for_selector(selector, timeout=120_000)


def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait from outside: the page's own policy forbids to evaluate a condition inside it."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def positions(page: Any) -> str:
    return str(page.wait_for_selector(READY, timeout=60_000).get_attribute("data-version"))


def test_type_an_analogy_and_read_the_answer(page: Any) -> None:
    page.goto("/")
    page.wait_for_selector("text=leads nearest to", timeout=120_000)
    wait_for_map(page)
    assert page.locator(".ps-bars td.word").first.inner_text() == "woman"
    box = page.get_by_role("textbox", name="A sum of words")
    box.fill("king - man + woman")
    box.press("Enter")
    page.locator(".ps-bars td.word").first.filter(has_text=re.compile("^queen$")).wait_for(timeout=60_000)
    page.wait_for_url("**/?q=king*")
    box.fill("king - man + womann")
    box.press("Enter")
    error = page.wait_for_selector("[data-testid=stAlert]", timeout=60_000)
    assert "'womann' is not among the 400,000 words of glove-6b-50d; nearest spellings: woman" in error.inner_text()


def test_move_the_layer_and_see_the_map_change(page: Any) -> None:
    page.goto("/contexts?word=bank&map=PCA")
    page.wait_for_selector("text=At layer 6", timeout=180_000)
    before = positions(page)
    handle = page.get_by_role("slider", name="Layer").first
    handle.focus()
    handle.press("ArrowLeft")
    page.wait_for_selector("text=At layer 5", timeout=60_000)
    until(lambda: positions(page) != before, "the map has not changed")
    page.wait_for_url("**layer_minilm-l6=5*")


def test_umap_comes_after_the_first_picture(page: Any) -> None:
    page.goto("/contexts?word=match")
    page.wait_for_selector("text=At layer 6", timeout=180_000)
    wait_for_map(page)
    page.get_by_text("One moment").wait_for(state="hidden", timeout=180_000)
    wait_for_map(page)
    page.get_by_text("Details").first.click()
    page.wait_for_selector("text=UMAP with the cosine", timeout=30_000)


def test_a_word_in_ones_own_sentence(page: Any) -> None:
    page.goto("/neighbours?mode=A+word+in+a+sentence")
    page.wait_for_selector("text=Nearest to They had a picnic", timeout=180_000)
    box = page.get_by_role("textbox", name="Sentence")
    box.fill("The bank raised its interest rates again.")
    box.press("Enter")
    page.wait_for_selector("text=Nearest to The bank raised", timeout=60_000)
    assert page.locator(".ps-hits .ps-tag").first.inner_text() == "money"


def test_choose_a_head_by_mouse_and_by_keyboard(page: Any) -> None:
    page.goto("/inside")
    grid = page.wait_for_selector(".polysema-heads[data-ready='1'] canvas", timeout=180_000)
    assert page.locator(".polysema-heads").get_attribute("data-head") == "3.1"
    box = grid.bounding_box()
    step = (box["width"] - 30) / 12
    page.mouse.click(box["x"] + 30 + 8.4 * step, box["y"] + 18 + 1.4 * step)
    page.wait_for_selector(".polysema-heads[data-head='2.9']", timeout=60_000)
    page.wait_for_url(re.compile(r"al_minilm-l6_self=2"))
    canvas = page.locator(".polysema-heads canvas")
    canvas.focus()
    canvas.press("ArrowDown")
    canvas.press("Enter")
    page.wait_for_selector(".polysema-heads[data-head='3.9']", timeout=60_000)
    page.locator(".polysema-heads .row").nth(2).hover()
    page.wait_for_selector("text=/white looks at .*swan/", timeout=30_000)


def test_click_a_square_of_the_lens(page: Any) -> None:
    page.goto("/inside?see=Lens&lm=g2p-t5")
    page.wait_for_selector("text=At layer 2, token N", timeout=180_000)
    page.wait_for_timeout(1000)  # the chart is drawn a second time when its width is known
    chart = page.locator("[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas").first
    box = chart.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.55)
    page.wait_for_selector("text=/At layer [012], token .pad/", timeout=60_000)


@pytest.mark.parametrize(
    "path", ["/", "/neighbours", "/contexts?map=PCA", "/map?mn=1k&mm=PCA", "/compare?cn=500&cmap=PCA", "/inside"]
)
def test_it_fits_a_phone(page: Any, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path)
    if path == "/inside":
        page.wait_for_selector(".polysema-heads[data-ready='1']", timeout=180_000)
    else:
        wait_for_map(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    overflow = page.evaluate(
        "[...document.querySelectorAll('.stMain *')].filter(e => e.getBoundingClientRect().right > 391 && e.clientWidth > 0"
        " && getComputedStyle(e).position !== 'fixed' && e.type !== 'range' && !e.closest('[data-testid=stCode], [data-testid=stDataFrame]')).map(e => e.outerHTML.slice(0, 200)).slice(0, 5)"
    )
    assert overflow == []
