"""The dashboard under use: ten sessions at once, and the memory of server and page after 20 and after 200 interactions.

    python benchmarks/dashboard_load.py [--sessions 10] [--interactions 200]

Sessions are tabs of a headless Chromium with software rendering; they are opened at the same moment, on all pages, and
each waits for its answer. Then one session asks one question after another: analogies, neighbors, layers of Contexts.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from tests.browser.conftest import FLAGS, at_rest, chromium, running_dashboard  # noqa: E402

PAGES = {
    "/analogies": "text=leads nearest to",
    "/neighbors": "text=whatever the sentence",
    "/neighbors?mode=A+word+in+a+sentence": "text=The static vector knows",
    "/contexts?map=PCA": "text=At layer 6",
    "/inside": ".polysema-heads[data-ready='1']",
}
WORDS = ("bank", "river", "music", "paris", "swan", "blue", "king", "doctor", "seven", "running")


def server(port: int) -> Path:
    """The process that listens on a port, as its folder of /proc."""
    hexadecimal = f":{port:04X}"
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inode = next(row[9] for row in listening if row[1].endswith(hexadecimal) and row[3] == "0A")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) == f"socket:[{inode}]" for link in (process / "fd").iterdir()):
                return process
        except OSError:
            continue
    raise RuntimeError(f"nobody listens on port {port}")


def resident(port: int) -> int:
    """Bytes of memory of the process that listens on a port, the files that it has mapped among them."""
    return _resident(server(port))


def resident_beside(port: int) -> int:
    """Bytes of memory of the processes that it has begun and that are still there."""
    begun = [(task / "children").read_text().split() for task in (server(port) / "task").iterdir()]
    return sum(_resident(Path("/proc") / number) for numbers in begun for number in numbers)


def _resident(process: Path) -> int:
    return int((process / "statm").read_text().split()[1]) * 4096


def processor_seconds(port: int) -> float:
    """Seconds that the process which listens on a port has had of a processor."""
    fields = (server(port) / "stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ten_at_once(browser: Any, url: str, sessions: int) -> None:
    """Open all at the same moment; print when the first and the last had its answer, and what that cost in memory."""
    port = int(url.rpartition(":")[2])
    before = resident(port)
    paths = [list(PAGES)[number % len(PAGES)] for number in range(sessions)]
    contexts = [browser.new_context(viewport={"width": 1440, "height": 1000}) for _ in paths]
    pages = [context.new_page() for context in contexts]
    start = time.perf_counter()
    for page, path in zip(pages, paths, strict=True):
        page.goto(url + path, wait_until="commit")
    took = []
    for page, path in zip(pages, paths, strict=True):
        page.wait_for_selector(PAGES[path], timeout=180_000)
        took.append(time.perf_counter() - start)
    print(
        f"{sessions} sessions at once: the last has its answer after {max(took):.1f} s; the process grew from"
        f" {before / 1e6:.0f} to {resident(port) / 1e6:.0f} MB",
        flush=True,
    )
    for context in contexts:
        context.close()


def heap(client: Any) -> tuple[int, int]:
    """Bytes that the page's scripts hold after a collection, and how many of them are V8's code, which grows as loops
    get warm.
    """
    client.send("HeapProfiler.collectGarbage")
    used = int(client.send("Runtime.getHeapUsage")["usedSize"])
    chunks: list[str] = []

    def take(event: Any) -> None:
        chunks.append(event["chunk"])

    client.on("HeapProfiler.addHeapSnapshotChunk", take)
    client.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    client.remove_listener("HeapProfiler.addHeapSnapshotChunk", take)
    message = json.loads("".join(chunks))
    fields = message["snapshot"]["meta"]["node_fields"]
    code = message["snapshot"]["meta"]["node_types"][0].index("code")
    kinds, sizes = (message["nodes"][fields.index(name) :: len(fields)] for name in ("type", "self_size"))
    return used, sum(size for kind, size in zip(kinds, sizes, strict=True) if kind == code)


def endure(browser: Any, url: str, interactions: int) -> None:
    """One session asks and asks; memory after 20 interactions and after the last.

    It waits by locators: a handle of an element, as `wait_for_selector` returns it, keeps the page's past alive.
    """
    port = int(url.rpartition(":")[2])
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    client = context.new_cdp_session(page)
    marks = {}
    page.goto(f"{url}/neighbors")
    page.locator("text=whatever the sentence").first.wait_for(timeout=120_000)
    for number in range(1, interactions + 1):
        word = WORDS[number % len(WORDS)]
        if number % 10 == 5:
            page.get_by_role("link", name="Contexts").click()
            page.locator("text=At layer").first.wait_for(timeout=120_000)
            handle = page.get_by_role("slider", name="Layer").first
            handle.focus()
            handle.press("ArrowLeft" if number % 20 == 5 else "ArrowRight")
            at_rest(page)
            page.get_by_role("link", name="Neighbors").click()
            page.locator("text=whatever the sentence").first.wait_for(timeout=60_000)
        else:
            box = page.get_by_role("textbox", name="Word")
            box.fill(word)
            box.press("Enter")
            page.get_by_text(f"Nearest to {word}").wait_for(timeout=60_000)
        if number in (20, interactions):
            at_rest(page)
            marks[number] = resident(port), *heap(client)
    (early, early_heap, early_code), (late, late_heap, late_code) = marks[20], marks[interactions]
    rest = (late_heap - late_code) / (early_heap - early_code) - 1
    print(
        f"memory after {interactions} interactions against after 20: server {late / early - 1:+.1%} "
        f"({early / 1e6:.0f} to {late / 1e6:.0f} MB),"
        f" page {late_heap / early_heap - 1:+.1%} ({early_heap / 1e6:.1f} to {late_heap / 1e6:.1f} MB, of them "
        "V8's code"
        f" {early_code / 1e6:.1f} and {late_code / 1e6:.1f}; without it {rest:+.1%})",
        flush=True,
    )
    context.close()


def run(sessions: int, interactions: int) -> None:
    with tempfile.TemporaryDirectory() as work, running_dashboard(Path(work)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        ten_at_once(browser, url, sessions)
        endure(browser, url, interactions)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--interactions", type=int, default=200)
    given = parser.parse_args()
    run(given.sessions, given.interactions)
