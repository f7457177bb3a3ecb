"""What a reader of the dashboard waits for, and the memory of its server, beside the budget of each.

    python benchmarks/dashboard_budgets.py [--points 100k]

The first answer of a server that has just started, warm pages, a click in a list, five tabs at once, and frames while a
map is dragged, in a headless Chromium that draws in software. The load of the machine is printed: on a busy one the
times are upper bounds.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from dashboard_load import processor_seconds, resident, resident_beside  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from tests.browser.conftest import FLAGS, at_rest, chromium, running_dashboard  # noqa: E402

PAGES = {
    "/": "text=Explore your own texts or vectors",
    "/analogies": "text=leads nearest to",
    "/neighbors": "text=whatever the sentence",
    "/contexts?map=PCA": "text=At layer 6",
    "/inside": ".polysema-heads[data-ready='1']",
}
COLD_SECONDS, WARM_SECONDS, CLICK_SECONDS, TABS_MB, MAP_MB, FRAMES = 3.0, 1.0, 0.5, 900, 1400, 30
FRAME_COUNTER = """() => {
  window.counted = 0;
  const tick = () => { window.counted += 1; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


def tell(what: str, found: float, unit: str, budget: float, more: str = "") -> None:
    print(f"{what}: {found:,.2f} {unit}{more} (budget {budget:g}; load {os.getloadavg()[0]:.1f})", flush=True)


def tell_time(what: str, url: str, work: Callable[[], object], budget: float) -> None:
    """Tell the seconds that some work took, and how many of a processor the server had of them."""
    port = port_of(url)
    start, used = time.perf_counter(), processor_seconds(port)
    work()
    took, used = time.perf_counter() - start, processor_seconds(port) - used
    tell(what, took, "s", budget, f", {used:.2f} of the server's processor time")


def tell_memory(what: str, url: str, budget: float) -> None:
    """Tell the memory of the server, and that of processes it has begun, which end when they have nothing to do."""
    beside = resident_beside(port_of(url)) / 1e6
    tell(what, resident(port_of(url)) / 1e6, "MB", budget, f", and {beside:,.0f} in processes of its own")


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def opened(page: Any, path: str) -> None:
    """From the request to the answer on the page."""
    page.goto(path, wait_until="commit")
    page.locator(PAGES[path]).first.wait_for(timeout=180_000)


def cold(browser: Any, path: str) -> None:
    """The first answer of a server that has just begun to listen."""
    with tempfile.TemporaryDirectory() as work, running_dashboard(Path(work)) as url:
        page = browser.new_page(base_url=url)
        tell_time(f"{path} of a server that has just started", url, lambda: opened(page, path), COLD_SECONDS)
        page.close()


def warm(browser: Any, url: str) -> None:
    """Every page a second time, a click in a list, and the memory with a tab of each."""
    tabs = [browser.new_page(base_url=url) for _ in PAGES]
    for tab, path in zip(tabs, PAGES, strict=True):
        opened(tab, path)
        at_rest(tab)
    for tab, path in zip(tabs, PAGES, strict=True):
        tell_time(f"{path} again", url, partial(opened, tab, path), WARM_SECONDS)
    tell_memory(f"memory of the server with {len(tabs)} tabs", url, TABS_MB)
    tab = tabs[list(PAGES).index("/neighbors")]
    at_rest(tab)

    def click() -> None:
        tab.locator(".st-key-nearest_0 button").first.click()
        tab.get_by_text("Nearest to banks").first.wait_for(timeout=60_000)

    tell_time("a click on a neighbor to its own neighbors", url, click, CLICK_SECONDS)
    for tab in tabs:
        tab.close()


def dragged(browser: Any, url: str, points: str) -> None:
    """Frames a second while the map is dragged, and the memory after it."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=url).new_page()
    page.goto(f"/map?mm=PCA&mn={points}")
    plot = page.locator(".polysema-scatter[data-ready='1'][data-settled='1']")
    plot.wait_for(timeout=400_000)
    at_rest(page)
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.evaluate(FRAME_COUNTER)
    start, step = time.perf_counter(), 0
    while time.perf_counter() - start < 3:
        step += 1
        page.mouse.move(box["x"] + box["width"] / 2 + 60 * (step % 5), box["y"] + box["height"] / 2 + step % 40)
    rate = page.evaluate("window.counted") / (time.perf_counter() - start)
    page.mouse.up()
    tell(f"frames while {points} points are dragged", rate, "a second", FRAMES)
    tell_memory("memory of the server after that map", url, MAP_MB)


def run(points: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for path in ("/", "/analogies"):
            cold(browser, path)
        with tempfile.TemporaryDirectory() as work, running_dashboard(Path(work)) as url:
            warm(browser, url)
            dragged(browser, url, points)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", default="100k", choices=("10k", "50k", "100k", "400k"))
    run(parser.parse_args().points)
