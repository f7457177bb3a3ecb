"""A lesson in a real browser: from the list to its end, with a reload in the middle."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import at_rest
from tests.browser.test_access import findings

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_a_lesson_from_start_to_end(page: Any) -> None:
    page.goto("/lessons")
    page.wait_for_selector("text=Tokens and ids", timeout=120_000)  # which is first, where no other was begun
    page.goto("/lessons?lesson=tokens&step=predict")
    page.get_by_text("One piece for each letter").click(timeout=120_000)
    page.get_by_role("button", name="Show me").click()
    page.wait_for_selector("text=/You guessed One piece for each letter/", timeout=120_000)
    page.wait_for_selector(".pl-chip", timeout=120_000)
    page.wait_for_url(re.compile(r"step=reveal.*s=|s=.*step=reveal"))
    page.reload()
    page.wait_for_selector("text=/You guessed One piece for each letter/", timeout=120_000)
    page.get_by_role("button", name="Try your own").last.click()
    box = page.get_by_role("textbox", name="Text")
    box.fill("swans & <b>Kierkegaard</b>", timeout=120_000)
    box.press("Enter")
    page.locator(".pl-chip b", has_text="<").first.wait_for(timeout=120_000)
    page.get_by_role("button", name="What could fool you?").click()
    page.wait_for_selector("text=Look further", timeout=120_000)
    page.get_by_role("button", name="Next lesson: One word, one vector").click()
    page.wait_for_selector("text=GloVe has 400,000 words. How many vectors", timeout=120_000)
    page.get_by_role("button", name="All lessons").click()
    page.wait_for_selector("text=/[1-9]\\d* of 19 lessons done/", timeout=120_000)


def test_the_blocks_are_drawn_in_both_themes_and_on_a_phone(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/lessons?lesson=blocks&step=reveal")
    drawn = page.wait_for_selector(".polysema-drawing[data-ready='1'] svg", timeout=120_000)
    assert "384 → 1,536 → 384" in drawn.text_content()
    ink = "e => getComputedStyle(e).color"
    light = drawn.evaluate(ink)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(1000)
    assert page.locator(".polysema-drawing").evaluate(ink) != light
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_lesson_handed_out_opens_without_a_network(page: Any, browser: Any, tmp_path: Path) -> None:
    page.goto("/lessons?lesson=cost&step=reveal")
    page.wait_for_selector("text=Details", timeout=120_000)
    at_rest(page)
    page.get_by_role("button", name="Save…").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="This page as one file (HTML)").click()
    file = tmp_path / "lesson.html"
    saved.value.save_as(file)
    alone = browser.new_context(offline=True, viewport={"width": 390, "height": 844}).new_page()
    requests: list[str] = []
    alone.on("request", lambda request: requests.append(request.url))
    alone.on("console", lambda message: requests.append(message.text) if message.type == "error" else None)
    alone.goto(file.as_uri())
    assert alone.locator("h1").inner_text().endswith("What a longer text costs")
    assert "256 times as many" in alone.locator("main").inner_text()
    assert alone.locator("figure svg").first.bounding_box()["width"] > 200
    assert "cost_by_length" in alone.locator("pre").inner_text()
    alone.get_by_text("Numbers: cost_see_all").click()
    assert alone.locator("tbody tr").count() == 6
    with alone.expect_download() as numbers:
        alone.get_by_text("Save as CSV").click()
    assert Path(numbers.value.path()).read_text("utf-8").startswith("tokens,FLOPs,part")
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert alone.evaluate("document.documentElement.scrollWidth") <= 390
    assert findings(alone) == []
    alone.context.close()
