"""The tools of the Model Context Protocol, called by its own client."""

import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from polysema.app.explorer import Explorer
from polysema.app.explorer.serialization import to_json
from polysema.app.service.tools import create_server
from polysema.core.inside.lens import LensView
from tests.event_loop import run

TEXTS = ["The bank of the river is muddy.", "The bank lends money."]


def ask(server: Any, what: Callable[[Client], Awaitable[Any]]) -> Any:
    async def scenario() -> Any:
        async with Client(server) as client:
            return await what(client)

    return run(scenario)


def call(explorer: Explorer, name: str, **given: object) -> CallToolResult:
    found: CallToolResult = ask(create_server(explorer), lambda client: client.call_tool(name, given))
    return found


def test_the_answers_are_those_of_python(explorer: Explorer) -> None:
    space, model = explorer.space("glove-6b-50d"), explorer.model("minilm-l6")
    masked = "The bank of the [MASK] is muddy."
    for name, given, expected in (
        ("neighbors", {"word": "bank", "k": 3}, space.neighbors("bank", 3)),
        ("analogy", {"expression": "queen - king + man", "k": 2}, space.analogy("queen - king + man", 2)),
        ("compare", {"word": "bank", "texts": TEXTS}, model.compare("bank", TEXTS)),
        ("lens", {"text": masked, "k": 2, "words": ["river"]}, model.lens(masked, None, ["river"], LensView(k=2))),
        ("explain", {"text": masked, "word": "river"}, model.attribution(masked, "river")),
    ):
        found = call(explorer, name, **given)
        assert not found.is_error, found.content
        assert found.structured_content == to_json(expected), name
        assert json.loads(found.content[0].text) == to_json(expected)


def test_the_rows_of_a_collection(explorer: Explorer, tmp_path: Path) -> None:
    own = Explorer(collections=tmp_path)
    made = explorer.model("minilm-l6").embed(TEXTS, unit="sentences")
    origin = replace(made.origin, layer=explorer.model("minilm-l6").model.n_layers)
    own.collections.create("mine").add(["a", "b"], made.vectors, pa.table({"text": TEXTS}), "texts", origin)
    found = call(own, "search_collection", collection="mine", text="a muddy river", k=1, where="text != ''")
    assert not found.is_error, found.content
    ((best,),) = found.structured_content["answers"]
    assert (best["id"], best["text"]) == ("a", TEXTS[0])
    found = call(own, "neighbors", word="a", space="mine", k=1)
    assert found.structured_content["neighbors"][0]["word"] == "b"
    foreign = replace(origin, source=str(tmp_path))
    own.collections.create("other").add(["a", "b"], made.vectors, None, "texts", foreign)
    found = call(own, "neighbors", word='bank in "the river bank"', space="other")
    assert found.is_error
    assert "is not in the catalog" in found.content[0].text
    found = call(own, "search_collection", collection="other", text="a muddy river")
    assert found.is_error
    assert "is not in the catalog" in found.content[0].text


def test_every_tool_reads_and_says_what_it_takes(explorer: Explorer) -> None:
    tools = ask(create_server(explorer), lambda client: client.list_tools()).tools
    names = [tool.name for tool in tools]
    assert names == ["models", "neighbors", "analogy", "compare", "search_collection", "lens", "explain"]
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert tool.description.endswith(".")
        assert tool.output_schema["type"] == "object"
        assert "self" not in tool.input_schema["properties"]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("neighbors", {"word": "bankk"}, "'bankk' is not among the 400,000 words"),
        ("neighbors", {"word": "bank", "k": 0}, "greater than or equal to 1"),
        ("neighbors", {"word": "bank", "space": "/etc"}, "'/etc' is not in the catalog"),
        ("search_collection", {"collection": "none", "text": "a"}, "there is no collection none"),
        ("lens", {"text": "a" * 3000}, "at most 2000 characters"),
        ("nothing", {}, "Unknown tool"),
    ],
)
def test_a_mistake_is_told(explorer: Explorer, name: str, given: dict[str, Any], message: str) -> None:
    found = call(explorer, name, **given)
    assert found.is_error
    assert message in found.content[0].text


def test_the_command_speaks_over_its_standard_streams() -> None:
    command = StdioServerParameters(command=sys.executable, args=["-m", "polysema.app", "mcp"], env=dict(os.environ))
    found = ask(command, lambda client: client.call_tool("models", {}))
    assert {"glove-6b-50d", "minilm-l6"} <= {one["id"] for one in found.structured_content["data"]}
