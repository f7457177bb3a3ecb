"""What a link names and isn't there is reported; every address is a page or says that it is none."""

import re

import pytest

from polysema.app.dashboard import permalink
from polysema.app.dashboard.addresses import Addresses, index_page, script_hashes
from polysema.app.dashboard.components.assets import asset
from polysema.app.dashboard.shared_link import packed_view
from polysema.core.environment import home
from tests.app.test_dashboard import as_launched
from tests.app.test_page_map import page
from tests.event_loop import run

__all__ = ["as_launched"]

GONE = [
    ("analogies", {"space": "gone"}, "the space gone"),
    ("neighbors", {"ns": "my*space"}, r"the space my\*space"),
    ("neighbors", {"mode": "A word in a sentence", "cm": "gone"}, "the model gone"),
    ("contexts", {"model": "gone", "map": "PCA"}, "the model gone"),
    ("contexts", {"texts": "gone", "map": "PCA"}, "the collection gone"),
    ("contexts", {"layer_minilm-l6": "99", "map": "PCA"}, "the layer 99"),
    ("map", {"ms": "gone", "mn": "1k", "mm": "PCA"}, "the space gone"),
    ("map", {"space": "gone/text", "mn": "1k", "mm": "PCA"}, "the space gone/text"),
    ("map", {"ms": "gone@6", "mn": "1k", "mm": "PCA"}, "the space gone@6"),
    ("compare", {"a": "gone", "cn": "500", "cmap": "PCA"}, "the space gone"),
    ("compare", {"b": "gone", "cn": "500", "cmap": "PCA"}, "the space gone"),
    ("inside", {"am": "gone"}, "the model gone"),
    ("measures", {"measured": "gone", "measure": "Senses"}, "the model gone"),
    ("inside", {"see": "Lens", "lm": "gone"}, "the model gone"),
    ("data", {"data": "Models and spaces", "dm": "gone"}, "the model or space gone"),
]


@pytest.mark.parametrize(("name", "query", "message"), GONE, ids=[f"{name} {query}" for name, query, _ in GONE])
def test_what_a_link_names_and_is_not_there_is_told(name: str, query: dict[str, str], message: str) -> None:
    app = page(name, **query)
    assert not app.exception
    line = f"The link names {message}, which is not on this machine (any more); "
    found = [warning.value.replace("\\", "") for warning in app.warning]
    assert any(value.startswith(line.replace("\\", "")) for value in found), found
    app.run()
    assert app.warning, "the page runs again by itself, and the line has to stay"


def test_the_line_goes_when_another_space_is_chosen() -> None:
    app = page("neighbors", ns="gone")
    assert app.warning
    app.session_state["ns"] = "minilm-l6"
    app.run()
    assert not app.warning


@pytest.mark.parametrize(("name", "key"), [("neighbors", "ns"), ("analogies", "space"), ("map", "ms")])
def test_a_link_may_name_a_space_by_its_own_name(name: str, key: str) -> None:
    app = page(name, **{key: "minilm-l6", "w": "bank", "mn": "1k", "mm": "PCA"})
    assert not app.warning
    assert app.selectbox(key=key).value == "minilm-l6"


async def answer(path: str, query: bytes = b"") -> tuple[int, dict[bytes, bytes], bytes]:
    """What the middleware answers; 404 is the app behind it."""
    sent: list[dict[str, object]] = []

    async def behind(scope: object, receive: object, send: object) -> None:
        sent.append({"type": "http.response.start", "status": 404, "headers": []})

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    base = "/below" if path.startswith("/below") else ""
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": []}
    await Addresses(behind, base)(scope, None, send)
    body = b"".join(message.get("body", b"") for message in sent)  # type: ignore[misc]
    return int(str(sent[0]["status"])), dict(sent[0]["headers"]), body  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("path", "query", "status", "location"),
    [
        ("/", b"", 200, b""),
        ("/map", b"ms=x", 200, b""),
        ("/", b"q=a+%2B+b", 307, b"/analogies?q=a+%2B+b"),
        ("/below/", b"space=x", 307, b"/below/analogies?space=x"),
        ("/analogies", b"q=a+%2B+b", 200, b""),
        ("/start", b"missing=x", 307, b"/?missing=x"),
        ("/analogy", b"q=1", 307, b"/?missing=analogy"),
        ("/map/../x&y", b"", 307, b"/?missing=map%2F..%2Fx%26y"),
        ("/neighbours", b"w=swan", 307, b"/neighbors?w=swan"),
        ("/below/neighbours/", b"", 307, b"/below/neighbors"),
        ("/contexts", b"colour=Clusters&map=PCA", 307, b"/contexts?color=Clusters&map=PCA"),
        ("/compare", b"ccolour=sense", 307, b"/compare?ccolor=sense"),
        ("/map", b"mcolour=neighbours+kept&mn=", 307, b"/map?mcolor=neighbors+kept&mn="),
        ("/neighbours", b"w=colour", 307, b"/neighbors?w=colour"),
        ("/neighbors", b"w=a%20b;c", 200, b""),
        ("/inside", b"see=Roads", 307, b"/inside?see=Families"),
        ("/inside", b"see=Contributions", 307, b"/inside?see=Attribution"),
        ("/below/start", b"", 307, b"/below/"),
        ("/below/nowhere", b"", 307, b"/below/?missing=nowhere"),
        ("/favicon.png", b"", 404, b""),
        ("/_stcore/health", b"", 404, b""),
        ("/map/_stcore/host-config", b"", 404, b""),
        ("/api/points/abc/positions", b"", 404, b""),
        ("//elsewhere", b"", 404, b""),
    ],
)
def test_addresses(path: str, query: bytes, status: int, location: bytes) -> None:
    found, headers, body = run(lambda: answer(path, query))
    assert (found, headers.get(b"location", b"")) == (status, location)
    if status == 200:
        assert body.decode() == index_page()
        assert b"polysema.steps" in body


def test_the_script_of_the_page_is_allowed_by_its_hash() -> None:
    assert index_page().index(asset("steps/steps.js")) < index_page().index("<script type")
    assert len(script_hashes(index_page()).split()) == len(script_hashes("<script>a</script>").split()) + 1


def test_a_view_of_a_page_that_had_another_spelling_is_restored() -> None:
    name = permalink.save({"page": "neighbours", "values": {"widget:cw": "swan"}})
    assert name is not None
    assert permalink.load(name) == {"page": "neighbors", "values": {"widget:cw": "swan"}}


def test_a_link_with_its_content_opens_where_nothing_is_kept() -> None:
    view = {"page": "neighbors", "values": {"widget:text": "The bank of the Óder", "widget:cw": "bank"}}
    text = packed_view(view)
    assert re.fullmatch(r"[\w-]+", text)
    kept = home() / "views" / f"{permalink.save(view)}.json"
    kept.unlink()  # as on another machine
    app = page("neighbors", mode="A word in a sentence", content=text)
    assert not app.exception
    assert (app.session_state["text"], app.session_state["cw"]) == ("The bank of the Óder", "bank")
    assert "content" not in app.query_params
    assert permalink.load(str(app.query_params["s"])) == view
    (shown,) = [code.value for code in app.code if "content=" in code.value]
    assert shown.endswith(f"content={text}")


@pytest.mark.parametrize(
    "text",
    ["", "%%%", "eJw", packed_view({"page": 1, "values": {}}), packed_view({"page": "map", "values": {"a": {}}})],
)
def test_a_link_whose_content_can_not_be_read_says_so(text: str) -> None:
    app = page("neighbors", mode="A word in a sentence", content=text)
    assert not app.exception
    assert permalink.LOST_NOTE in [warning.value for warning in app.warning]
