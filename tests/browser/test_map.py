"""What a user does on a map, in a real browser: find, click, select, copy the link."""

import re
from typing import Any

import pytest

from tests.browser.conftest import at_rest
from tests.browser.test_journeys import READY, until, wait_for_map

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def drag(page: Any, plot: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    box = plot.bounding_box()
    (x, y), (u, v) = ((box["x"] + box["width"] * a, box["y"] + box["height"] * b) for a, b in (start, end))
    page.keyboard.down("Shift")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(u, v, steps=6)
    page.mouse.up()
    page.keyboard.up("Shift")


def selected(page: Any) -> str:
    return str(page.get_by_text(re.compile(r"of 1,000 points selected")).first.inner_text())


def test_find_a_word_select_around_it_and_reopen_from_the_link(page: Any) -> None:
    page.goto("/map?mn=1k&mm=PCA")
    page.wait_for_selector("text=trustworthiness", timeout=180_000)
    wait_for_map(page)
    page.wait_for_selector("text=/bank.*row 232/", timeout=120_000)
    stage = page.locator(".polysema-scatter .stage").bounding_box()
    assert stage["width"] * min(stage["height"], 1000 - stage["y"]) >= 0.65 * 1440 * 1000
    box = page.get_by_role("searchbox", name="Find")
    box.fill("river")
    page.wait_for_selector("text=1 found")
    box.press("Enter")
    page.wait_for_selector("text=/river.*row 621/", timeout=120_000)
    plot = page.locator(".polysema-scatter canvas").first
    drag(page, plot, (0.35, 0.35), (0.65, 0.65))
    page.wait_for_selector("text=points selected", timeout=120_000)
    page.wait_for_url(re.compile(r"[?&]s=[0-9a-f]{20}"))
    many = selected(page)
    page.get_by_text("on the map", exact=True).first.click()
    page.wait_for_selector("text=far in the space", timeout=120_000)
    page.wait_for_url(re.compile(r"mnear=on"))
    again = page.context.new_page()
    again.goto(page.url)
    again.wait_for_selector(READY, timeout=120_000)
    again.wait_for_selector("text=/river.*row 621/", timeout=120_000)
    again.wait_for_selector("text=points selected", timeout=120_000)
    assert selected(again) == many
    again.wait_for_selector("text=far in the space", timeout=120_000)
    again.get_by_role("link", name="Open in Analogies").click()
    again.wait_for_url(re.compile(r"q=river"), timeout=120_000)
    again.wait_for_selector("text=leads nearest to", timeout=120_000)
    again.close()


def test_two_layers_side_by_side_share_a_selection(page: Any) -> None:
    page.goto("/compare?cn=500&cmap=PCA")
    page.wait_for_selector("text=neighbors stayed", timeout=180_000)
    until(lambda: page.locator(READY).count() == 2, "two plots are not drawn")
    drag(page, page.locator(".polysema-scatter canvas").first, (0.3, 0.3), (0.7, 0.7))
    page.wait_for_selector("text=rows selected", timeout=120_000)
    for plot in page.locator(".polysema-scatter").all():
        assert re.search(r"\d+ of 500 points selected", plot.inner_text())
    page.locator(".polysema-scatter button[data-tool=zoom-in]").first.click()
    until(lambda: "aview=" in page.evaluate("location.href"), "the link says where the camera of A is")
    link = page.evaluate("location.href")
    assert "bview=" not in link
    again = page.context.new_page()
    again.goto(link)
    until(lambda: again.locator(READY).count() == 2, "two plots are not drawn")
    at_rest(again)
    assert again.evaluate("location.href") == link
    assert re.search(r"\d+ of 500 points selected", again.locator(".polysema-scatter").first.inner_text())
    again.close()
    page.get_by_text("Step by step").click()
    page.get_by_role("button", name="Play").wait_for(timeout=120_000)
    page.wait_for_selector(READY, timeout=120_000)
    assert page.get_by_role("slider", name="Step").count() == 1
