"""Pictures of the dashboard.

python benchmarks/screenshots.py          the pictures of the documentation, one of each page, in docs/screenshots
python benchmarks/screenshots.py FOLDER   every view of every page, at both widths and in both themes
"""

import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from tests.browser.conftest import FLAGS, at_rest, chromium, running_dashboard  # noqa: E402

DOCUMENTATION = ROOT / "docs" / "screenshots"
SHOWN = (  # one of each page
    "start",
    "analogies",
    "neighbors",
    "contexts",
    "map",
    "compare",
    "inside",
    "writing",
    "families",
    "measures",
    "lesson",
    "data",
)
MAX_BYTES = 150_000  # of a picture of the documentation
PAGES = {
    "start": "/",
    "analogies": "/analogies",
    "neighbors": "/neighbors",
    "sentence": "/neighbors?mode=A+word+in+a+sentence",
    "contexts": "/contexts",
    "map": "/map",
    "map-hidden": "/map?space=minilm-l6+(hidden+states)&mnear=on+the+map",
    "map-3d": "/map?mdim=3D&mn=1k",
    "compare": "/compare",
    "compare-words": "/compare?a=glove-6b-50d&b=minilm-l6+(input+embeddings)",
    "compare-steps": "/compare?cview=Step+by+step&cmap=PCA",
    "inside": "/inside",
    "lens": "/inside?see=Lens&lm=g2p-t5",
    "attribution": "/inside?see=Attribution&cm_in=g2p-t5",
    "steering": "/inside?see=Steering&sm=g2p-t5",
    "writing": "/writing",
    "families": "/families",
    "measures": "/measures?measure=Senses",
    "lesson": "/lessons?lesson=travel&step=reveal",
    "clusters": "/contexts?color=Clusters&map=PCA",
    "blocks": "/lessons?lesson=blocks&step=reveal",
    "data": "/data",
    "collections": "/data?data=Collections",
    "models": "/data?data=Models+and+spaces",
}
MAPS = {
    "analogies",
    "neighbors",
    "contexts",
    "map",
    "map-hidden",
    "map-3d",
    "compare",
    "compare-words",
    "compare-steps",
}


def fill(browser: Any, url: str) -> None:
    """Put the example into a collection, where there is none yet."""
    page = browser.new_page(base_url=url)
    page.goto("/data?data=Collections")
    page.wait_for_selector("text=/There is no collection yet|Delete this collection/", timeout=180_000)
    if page.get_by_text("There is no collection yet").count():
        page.goto("/data")
        page.get_by_role("button", name="Put it in").click(timeout=180_000)
        page.wait_for_selector("text=The upload was removed", timeout=180_000)
    page.close()


def open_page(context: Any, name: str) -> Any:
    """A page that has come to rest."""
    page = context.new_page()
    page.goto(PAGES[name])
    page.wait_for_selector("text=Learn on live models" if name == "start" else "text=Details", timeout=180_000)
    at_rest(page)
    if name in MAPS:
        page.wait_for_selector(".polysema-scatter[data-ready='1'][data-settled='1']", timeout=60_000)
    page.wait_for_timeout(800)
    return page


def small(picture: bytes) -> bytes:
    """The picture in as many colors as fit `MAX_BYTES`."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colors in (256, 128, 64, 32):
        packed = io.BytesIO()
        image.quantize(colors, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
        if len(packed.getvalue()) <= MAX_BYTES:
            break
    return packed.getvalue()


def picture_pages(browser: Any, url: str, names: Sequence[str] = SHOWN) -> None:
    """The pictures of the documentation."""
    DOCUMENTATION.mkdir(exist_ok=True)
    context = browser.new_context(viewport={"width": 1200, "height": 800}, color_scheme="light", base_url=url)
    for name in names:
        page = open_page(context, name)
        (DOCUMENTATION / f"{name}.png").write_bytes(small(page.screenshot()))
        page.close()
    context.close()


def picture_views(browser: Any, url: str, folder: Path) -> None:
    """Every view at both widths and in both themes."""
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        for width, height in ((1440, 1000), (390, 844)):
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, base_url=url)
            for name in PAGES:
                page = open_page(context, name)
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png")
                if width == 390:
                    page.locator(".stMain").evaluate("e => e.scrollTo(0, 700)")
                    page.wait_for_timeout(300)
                    page.screenshot(path=folder / f"{name}-{width}-{theme}-below.png")
                page.close()
            context.close()


def main(folder: Path | None) -> None:
    with tempfile.TemporaryDirectory() as work, running_dashboard(Path(work)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        if folder is None:
            picture_pages(browser, url)
        else:
            fill(browser, url)
            picture_views(browser, url, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
