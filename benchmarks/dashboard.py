"""How long the scatter plot takes in a browser that draws in software: python benchmarks/dashboard.py

From navigation to the painted map with a warm server, from a click to Python's answer on the page, from the end of a
lasso to all rows in Python, and the search for the point under the mouse. Median of three rounds, the slowest beside
it.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from polysema.app.dashboard.components.scatter import module_text  # noqa: E402
from tests.browser.conftest import FLAGS, chromium, running_dashboard  # noqa: E402
from tests.browser.test_scatter import PAGE, draw_lasso, middle, reported, show  # noqa: E402

SIZES = ((10_000, 2, 3), (100_000, 2, 4), (400_000, 2, 8), (10_000, 3, 3), (100_000, 3, 4), (400_000, 3, 8))
ROUNDS = 3

PICK = """async (text) => {
  const whole = text + '\\nexport { ScreenIndex, fittedView, makeCamera };';
  const url = URL.createObjectURL(new Blob([whole], { type: 'text/javascript' }));
  const { ScreenIndex, fittedView, makeCamera } = await import(url);
  const count = 400_000;
  const world = new Float32Array(3 * count);
  for (let row = 0; row < count; row += 1) {
    for (const axis of [0, 1]) world[3 * row + axis] = (Math.random() + Math.random() + Math.random()) / 1.5 - 1;
  }
  const view = fittedView({ low: [-1, -1, 0], high: [1, 1, 0] });
  const camera = makeCamera(view, { dim: 2, equalAxes: true, width: 1200, height: 460 });
  const start = performance.now();
  const index = new ScreenIndex(world, camera);
  const built = performance.now() - start;
  const times = [];
  for (let turn = 0; turn < 300; turn += 1) {
    const [x, y] = [600 + 150 * (Math.random() - 0.5), 230 + 150 * (Math.random() - 0.5)];
    const before = performance.now();
    index.nearest(x, y, 9, () => true);
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  return { built, median: times[150], most: times[299] };
}"""


def show_times(title: str, seconds: list[float], budget: float | None) -> None:
    allowed = "" if budget is None else f"; budget {budget:g}"
    print(f"{title}: {statistics.median(seconds):.2f} s (slowest {max(seconds):.2f}{allowed})", flush=True)


def measure(page: Any, n: int, dim: int, budget: float) -> None:
    show(page, f"dim={dim}", n)  # the cloud is made and the server is warm
    paints, clicks, lassos = [], [], []
    for turn in range(ROUNDS):
        start = time.perf_counter()
        show(page, f"dim={dim}&turn={turn}", n)
        paints.append(time.perf_counter() - start)
        start = time.perf_counter()
        page.mouse.click(*middle(page))
        reported(page, "by=click")
        clicks.append(time.perf_counter() - start)
        start = time.perf_counter()
        draw_lasso(page)
        reported(page, "by=lasso")
        lassos.append(time.perf_counter() - start)
    show_times(f"{n:,} points in {dim}-D, painted", paints, budget)
    show_times(f"{n:,} points in {dim}-D, click to Python's answer on the page", clicks, 2)
    show_times(f"{n:,} points in {dim}-D, a lasso of ten corners, from drawing to result", lassos, None)


def main() -> None:
    if chromium() is None:
        print("the scatter plot's times need Chromium: get it with `make browser`")
        return
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        with running_dashboard(Path(work), PAGE) as url:
            page = browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=url).new_page()
            for n, dim, budget in SIZES:
                measure(page, n, dim, budget)
            pick = page.evaluate(PICK, module_text())
            print(
                f"the point under the mouse among 400,000: {pick['median']:.2f} ms (slowest of 300: "
                f"{pick['most']:.2f}; "
                f"budget 5), after {pick['built']:.0f} ms for the index of a view"
            )
        browser.close()


if __name__ == "__main__":
    main()
