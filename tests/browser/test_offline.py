"""The files that are handed on, in a browser without a network, and the widget of a notebook."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import polysema
from polysema.app.dashboard.sharing.map_page import map_page
from polysema.app.explorer import Explorer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
N = 300


@pytest.fixture(scope="module")
def space() -> polysema.Space:
    rng = np.random.default_rng(0)
    topic = np.arange(N) % 3
    vectors = rng.normal(size=(3, 8))[topic] * 4 + rng.normal(size=(N, 8))
    texts = [f"Sentence {row} by the {('river', 'market', 'forest')[row % 3]}" for row in range(N)]
    columns = {"text": texts, "topic": [f"topic {one}" for one in topic], "size": rng.random(N)}
    return polysema.Space.from_vectors([f"t{row}" for row in range(N)], vectors, "mine", pa.table(columns))


def opened(browser: Any, url: str) -> tuple[Any, list[str]]:
    """A page in a browser without a network, and what it requests or says against it."""
    page = browser.new_context(offline=True, viewport={"width": 1300, "height": 850}).new_page()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
    page.goto(url)
    page.wait_for_selector(".polysema-scatter[data-ready='1'][data-settled='1']", timeout=60_000)
    return page, seen


def test_a_map_in_a_file_works_without_a_network(browser: Any, space: polysema.Space, tmp_path: Path) -> None:
    explorer = Explorer()
    found = explorer.maps.map(space, "pca")
    file = tmp_path / "map.html"
    file.write_text(map_page(found, explorer.maps.areas(found), color="topic"), encoding="utf-8")
    page, seen = opened(browser, file.as_uri())
    page.get_by_label("Find").first.fill("sentence 7 ")
    page.locator(".search .count", has_text="1 found").wait_for()
    page.get_by_label("Find").first.press("Enter")
    page.locator(".tooltip", has_text="Sentence 7 by the market").wait_for()
    page.get_by_label("Find").first.press("Escape")
    page.locator(".legend button", has_text="topic 1").click()
    page.locator("#count", has_text="100 selected").wait_for()
    assert "Sentence 1 by the market" in page.locator("#selected li").first.inner_text()
    page.get_by_label("Color").select_option("size")
    page.locator(".ramp").wait_for()
    assert page.locator("#count").inner_text() == "100 selected", "another color changes no selection"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save selected (CSV)").click()
    lines = Path(saved.value.path()).read_text("utf-8").splitlines()
    assert (len(lines), lines[0].split(",")[:4]) == (101, ['"row"', '"name"', '"text"', '"topic"'])
    assert [url for url in seen if not url.startswith(("file:", "blob:"))] == []
    page.context.close()


HOST = """
import widget from '{module}';
const state = {state};
const bytes = Uint8Array.from(atob('{columns}'), (letter) => letter.charCodeAt(0));
state._columns = new DataView(bytes.buffer);
const listeners = {{}};
const model = {{
  get: (name) => state[name],
  set: (name, value) => {{ state[name] = value; (listeners[`change:${{name}}`] ?? []).forEach((tell) => tell()); }},
  save_changes: () => {{ document.title = JSON.stringify(state.selected); }},
  on: (event, tell) => {{ (listeners[event] ??= []).push(tell); }},
  off: (event, tell) => {{ listeners[event] = listeners[event].filter((one) => one !== tell); }},
}};
window.model = model;
window.take_down = widget.render({{ model, el: document.getElementById('cell') }});
"""


def test_a_notebook_and_python_share_the_selection(browser: Any, space: polysema.Space, tmp_path: Path) -> None:
    """The page stands for the notebook: it has the four functions that anywidget asks of one."""
    widget = polysema.show(space, color="topic", method="pca")
    state = dict(widget.get_state())
    columns = base64.b64encode(bytes(state.pop("_columns"))).decode()
    plain = {name: state[name] for name in ("_plot", "_texts", "selected", "color")}
    code = base64.b64encode(str(widget._esm).encode()).decode()
    script = HOST.format(module=f"data:text/javascript;base64,{code}", state=json.dumps(plain), columns=columns)
    file = tmp_path / "notebook.html"
    file.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><title>-</title><style>{widget._css}</style><div id=cell></div>"
        f"<script type=module>{script}</script>",
        encoding="utf-8",
    )
    page, _ = opened(browser, file.as_uri())
    page.locator(".legend button", has_text="topic 2").click()
    page.wait_for_function("document.title.length > 5")
    widget.set_state({"selected": json.loads(page.title())})
    assert widget.selection.column("topic") == ["topic 2"] * 100
    page.evaluate("model.set('selected', [3, 4])")
    page.locator(".readout", has_text="2 of 300 points selected").wait_for()
    page.evaluate("model.set('color', 'size')")
    page.locator(".ramp").wait_for()
    page.evaluate("take_down()")
    assert page.locator(".polysema-scatter").count() == 0
    page.context.close()
