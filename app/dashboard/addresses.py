"""The pages' addresses, and what the server answers at any other one."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from polysema.app.dashboard.components import assets

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

STYLE_SHEETS = (("polysema.app.dashboard", "widgets.css"), ("polysema.app.dashboard.lessons", "chips.css"))
"""Packages and files of the few rules of our own; colors follow the text, so that they hold in both themes."""

MISSING_PAGE = "missing"
"""The parameter that names the address at which there is no page."""

STREAMLIT_PATHS = {"_stcore", "media", "component", "static", "api", "app", "oauth2callback"}


class PageAddress(NamedTuple):
    """A page: its file in `app_pages/` and its address have one name."""

    name: str
    title: str


FIRST_PAGE = PageAddress("start", "Start")
"""The page at the bare address."""

PAGES = (
    FIRST_PAGE,
    PageAddress("lessons", "Lessons"),
    PageAddress("analogies", "Analogies"),
    PageAddress("neighbors", "Neighbors"),
    PageAddress("contexts", "Contexts"),
    PageAddress("map", "Map"),
    PageAddress("compare", "Compare"),
    PageAddress("measures", "Measures"),
    PageAddress("writing", "Writing"),
    PageAddress("families", "Families"),
    PageAddress("inside", "Inside"),
    PageAddress("data", "Data"),
)

BRITISH = "neighbors".replace("bor", "bour")  # in addresses of before
EARLIER_NAMES = {BRITISH: "neighbors"}
"""Addresses of pages that had another spelling: links to them are sent on."""

ANALOGY_PARAMETERS = {"q", "space", "method", "k"}
"""Analogies were at the bare address: links with one of these are sent on to their page."""

EARLIER_PARAMETERS = {"colour": "color", "ccolour": "ccolor", "mcolour": "mcolor"}
EARLIER_VALUES = {
    ("mcolor", f"{BRITISH} kept"): "neighbors kept",
    ("see", "Contributions"): "Attribution",
    ("see", "Roads"): "Families",
}


def current_query(query: str) -> str:
    """A query in which parameters and values that had another spelling have the one of today."""
    requested = parse_qsl(query, keep_blank_values=True)
    renamed = [(EARLIER_PARAMETERS.get(name, name), value) for name, value in requested]
    current = [(name, EARLIER_VALUES.get((name, value), value)) for name, value in renamed]
    return query if current == requested else urlencode(current)


def index_page() -> str:
    """Streamlit's page with our scripts of the history and of pasting in its head, and our style sheets at its end.

    A style sheet that a run sends may come after the page was shown, or, where that run is cut short, not at all.
    """
    import streamlit

    path = Path(streamlit.__file__).parent / "static" / "index.html"
    script = "".join(assets.asset(f"steps/{name}") for name in ("steps.js", "paste.js"))
    styles = "".join(assets.asset(name, files(package)) for package, name in STYLE_SHEETS)
    page = path.read_text(encoding="utf-8").replace("<head>", f"<head>\n<script>{script}</script>", 1)
    return page.replace("</body>", f"<style>\n{styles}</style>\n</body>", 1)  # behind those of Streamlit


def script_hashes(page: str) -> str:
    """The inline scripts of a page, as a content security policy allows them."""
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in inline)


class Addresses:
    """Middleware that answers for the pages: `index_page` at each address, the first page also by its name, and for an
    address at which there is none the first page, which says so. All else is passed on.
    """

    def __init__(self, app: ASGIApp, base_path: str = ""):
        self._app = app
        self._base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
        self._page = index_page()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for an address of a page; pass on the rest."""
        from starlette.responses import HTMLResponse, RedirectResponse

        name = self._name(scope) if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else None
        if name is None:
            await self._app(scope, receive, send)
            return
        requested = name, scope["query_string"].decode("latin-1")
        name, query = EARLIER_NAMES.get(name, name), current_query(requested[1])
        parameters = {key for key, _ in parse_qsl(query, keep_blank_values=True)}
        if name == "" and parameters & ANALOGY_PARAMETERS:
            answer: Any = RedirectResponse(f"{self._base}/analogies?{query}", 307)
        elif name == FIRST_PAGE.name:
            answer = RedirectResponse(f"{self._base}/{query and f'?{query}'}", 307)
        elif (name, query) != requested:
            answer = RedirectResponse(f"{self._base}/{name}{query and f'?{query}'}", 307)
        elif name in {"", *(page.name for page in PAGES)}:
            answer = HTMLResponse(self._page, headers={"cache-control": "no-cache"})
        else:
            answer = RedirectResponse(f"{self._base}/?{urlencode({MISSING_PAGE: name}, quote_via=quote)}", 307)
        await answer(scope, receive, send)

    def _name(self, scope: Scope) -> str | None:
        """The page that a request names, whether there is one or not; None where it names a file or a part of
        Streamlit.
        """
        path = scope["path"]
        if not path.startswith(f"{self._base}/"):
            return None
        name: str = path.removeprefix(f"{self._base}/").rstrip("/")
        segments = name.split("/")  # the browser looks for Streamlit's own paths below a page's address as well
        is_file = "." in segments[-1]
        return None if is_file or path.startswith("//") or not set(segments).isdisjoint(STREAMLIT_PATHS) else name
