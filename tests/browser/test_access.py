"""Every page fits a phone and a wide window, and axe-core finds nothing serious or critical, in both themes."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import at_rest, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PAGES = {
    "/": "text=Learn on live models",
    "/analogies": "text=leads nearest to",
    "/neighbors": "text=whatever the sentence",
    "/neighbors?mode=A+word+in+a+sentence": "text=The static vector knows",
    "/contexts?map=PCA": "text=At layer 6",
    "/map?mn=1k&mm=PCA": ".polysema-scatter[data-ready='1']",
    "/compare?cn=500&cmap=PCA": ".polysema-scatter[data-ready='1']",
    "/lessons": "text=lessons done",
    "/lessons?lesson=travel&step=reveal": ".polysema-scatter[data-ready='1']",
    "/lessons?lesson=blocks&step=reveal": "text=Details",
    "/inside": ".polysema-heads[data-ready='1']",
    "/writing?wm=marian-en-fr&wh=beam+search": "text=The beams",
    "/writing?do=Fill+a+gap": "text=Static neighbors of bank",
    "/writing?do=Score+a+text": "text=Bits a token",
    "/families": "text=What the cross-attention carries",
    "/measures": "[data-testid=stVegaLiteChart]",
    "/inside?see=Lens&lm=g2p-t5": "text=At layer 2, token N",
    "/data": "text=can be cancelled",
    "/data?dadd=Upload+files": "text=Pickles are never opened",
    "/data?data=Collections": "text=/There is no collection yet|Delete this collection/",
    "/data?data=Models+and+spaces": "text=Its static space",
}


def findings(page: Any) -> list[str]:
    """The serious and critical ones: rule, element, why."""
    result = Axe().run(page)
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in result.response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def beyond_the_edge(page: Any, width: int) -> list[str]:
    """What reaches over the window's right edge and is neither swiped nor scrolled for itself."""
    return list(
        page.evaluate(
            "width => [...document.querySelectorAll('.stMain *')].filter(e => e.getBoundingClientRect().right > width "
            "&& e.clientWidth > 0"
            " && !e.parentElement.closest('.st-key-map_bar, .st-key-candidate_charts')"  # which are swiped
            " && getComputedStyle(e).position !== 'fixed' && e.type !== 'range' && !e.closest('[data-testid=stCode], "
            "[data-testid=stDataFrame]')).map(e => e.outerHTML.slice(0, 200)).slice(0, 5)",
            width + 1,
        )
    )


@pytest.mark.parametrize("path", PAGES)
def test_nothing_serious_is_in_the_way(page: Any, path: str) -> None:
    """Opened on a phone in the light, where it fits; then in a wide window in the dark: one visit shows the four."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path)
    page.wait_for_selector(PAGES[path], timeout=180_000)
    at_rest(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert beyond_the_edge(page, 390) == []
    assert findings(page) == []
    menu = page.locator("[data-testid=stSidebar] a").first
    assert menu.evaluate("e => getComputedStyle(e).visibility") == "hidden", "what is folded away takes Tab"
    page.set_viewport_size({"width": 720, "height": 450})  # the wide window below at twice the size
    until(lambda: beyond_the_edge(page, 720) == [], "at a zoom of 200 % something reaches over the edge")
    if path.startswith("/map"):
        assert page.locator(".st-key-map_bar").bounding_box()["height"] < 50, "the bar is one line"
    page.set_viewport_size({"width": 1440, "height": 1000})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    until(
        lambda: page.locator(".stApp").evaluate("e => getComputedStyle(e).colorScheme") == "dark",
        "the theme stays light",
    )
    page.wait_for_timeout(500)
    assert beyond_the_edge(page, 1440) == []
    assert findings(page) == []
