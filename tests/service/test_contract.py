"""One shape per answer: the shell's JSON, HTTP's, the client's and the explorer's are the same, key by key, digit by digit."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli as cli_group
from polysema.app.client.client import Client
from polysema.app.explorer import AnalogyOptions, Explorer, SearchOptions
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.app.explorer.results.inside import AttentionAnswer, LensAnswer
from polysema.app.explorer.results.words import VECTOR_FIELDS
from polysema.app.explorer.serialization import from_json, to_json
from polysema.core.inside.lens import LensView
from polysema.core.space.lookup import Case, Policy

TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold."]
SWAN = "The white swan swam in the blue water."
LISTS = {"first": ["rose", "tulip"], "second": ["ant", "wasp"], "toward": ["love", "joy"], "away": ["ugly", "pain"]}
POLICY = Policy(Case.IGNORE)


@dataclass(frozen=True)
class Verb:
    """A verb in the four ways: the command, the route with its body, and what is asked of explorer and client alike."""

    command: str
    route: str
    arguments: list[str] = field(default_factory=list)
    body: dict[str, Any] | None = None
    ask: Callable[[Any], Any] | None = None  # None: its answer has another shape in Python
    without: tuple[str, ...] = ()
    query: str = ""


VERBS = [
    Verb(
        "neighbors",
        "GET /v1/neighbors",
        ["BANK", "-k", "4", "--case", "ignore"],
        ask=lambda of: of.neighbors("BANK", k=4, policy=POLICY),
        query="?word=BANK&k=4&case=ignore",
    ),
    Verb(
        "neighbors",
        "GET /v1/neighbors",
        ["bank", "-s", "minilm-l6@6", "-k", "3", "--where", "sense != ''"],
        ask=lambda of: of.neighbors("bank", "minilm-l6@6", 3, search=SearchOptions("sense != ''")),
        query="?word=bank&k=3&space=minilm-l6@6&where=sense+!=+%27%27",
    ),
    Verb(
        "analogy",
        "POST /v1/analogy",
        ["queen - king + man", "--method", "3cosmul", "-k", "3"],
        {"expression": "queen - king + man", "method": "3cosmul", "k": 3},
        lambda of: of.analogy("queen - king + man", k=3, method="3cosmul"),
        VECTOR_FIELDS,
    ),
    Verb(
        "analogy",
        "POST /v1/analogy",
        ["king", "--method", "3cosavg", "--pair", "man:woman", "--no-evidence"],
        {"expression": "king", "method": "3cosavg", "pairs": [["man", "woman"]], "evidence": False},
        lambda of: of.analogy("king", method="3cosavg", options=AnalogyOptions((("man", "woman"),), evidence=False)),
        VECTOR_FIELDS,
    ),
    Verb(
        "similarity",
        "POST /v1/similarity",
        ["king,prince", "queen"],
        {"first": ["king", "prince"], "second": ["queen"]},
        lambda of: of.similarity(["king", "prince"], ["queen"]),
    ),
    Verb(
        "closer",
        "POST /v1/closer",
        ["bank", "money"],
        {"word": "bank", "other": "money"},
        lambda of: of.closer_than("bank", "money"),
    ),
    Verb(
        "odd-one-out",
        "POST /v1/odd-one-out",
        ["lunch", "cereal", "dinner"],
        {"words": ["lunch", "cereal", "dinner"]},
        lambda of: of.odd_one_out(["lunch", "cereal", "dinner"]),
    ),
    Verb(
        "project",
        "POST /v1/project",
        ["house", "palace", "--axis", "poor -> rich"],
        {"words": ["house", "palace"], "axes": ["poor -> rich"]},
        lambda of: of.project(["house", "palace"], ["poor -> rich"]),
    ),
    Verb(
        "travel",
        "POST /v1/travel",
        ["house", "poor -> rich", "--steps", "2"],
        {"word": "house", "axis": "poor -> rich", "steps": 2},
        lambda of: of.travel("house", "poor -> rich", steps=2),
    ),
    Verb(
        "compare",
        "POST /v1/compare",
        ["bank", *TEXTS],
        {"word": "bank", "texts": TEXTS},
        lambda of: of.compare("bank", TEXTS),
    ),
    Verb(
        "embed",
        "POST /v1/embed",
        [*TEXTS, "--layers", "0,6"],
        {"texts": TEXTS, "layers": [0, 6]},
        lambda of: of.embed(TEXTS, layers=[0, 6]).answer(),
    ),
    Verb(
        "embed",
        "POST /v1/embed",
        [*TEXTS, "--unit", "sentences"],
        {"texts": TEXTS, "unit": "sentences"},
        lambda of: of.embed(TEXTS, unit="sentences").answer(),
    ),
    Verb(
        "inside attention",
        "POST /v1/attention",
        [SWAN, "--head", "6.3", "--special", "fold"],
        {"text": SWAN, "layers": [6], "head": 3, "special": "fold"},
        lambda of: AttentionAnswer.of(
            "minilm-l6", of.attention(SWAN, layers=[6], options=AttentionOptions(special="fold")), 3
        ),
    ),
    Verb(
        "inside attention",
        "POST /v1/attention",
        ["phone", "-m", "g2p-t5", "--cross", "--layers", "2"],
        {"text": "phone", "model": "g2p-t5", "cross": True, "layers": [2]},
        lambda of: AttentionAnswer.of("g2p-t5", of.attention("phone", "g2p-t5", [2], AttentionOptions(cross=True))),
    ),
    Verb(
        "inside find-head",
        "POST /v1/find-heads",
        ["blue -> water", "--text", SWAN, "-k", "72"],
        {"pairs": [["blue", "water"]], "texts": [SWAN]},
        lambda of: of.find_heads([("blue", "water")], [SWAN]),
    ),
    Verb(
        "inside lens",
        "POST /v1/lens",
        ["phone", "-m", "g2p-t5", "--at", "0", "--word", "F", "-k", "3"],
        {"text": "phone", "model": "g2p-t5", "at": 0, "words": ["F"], "k": 3},
        lambda of: LensAnswer.of("g2p-t5", of.lens("phone", "g2p-t5", None, ["F"], LensView(k=3, at=0)), 0),
    ),
    Verb(
        "inside contributions",
        "POST /v1/contributions",
        [SWAN, "money", "-m", "minilm-l6", "--at", "swan"],
        {"text": SWAN, "word": "money", "at": "swan"},
        lambda of: of.contributions(SWAN, "money", at="swan"),
    ),
]


def shell(verb: Verb) -> Any:
    """What a command prints as JSON, in this process."""
    done = CliRunner().invoke(
        cli_group, [*verb.command.split(), *verb.arguments, "--format", "json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url) as made:
        yield made


@pytest.mark.parametrize("verb", VERBS, ids=[f"{number}-{verb.command}" for number, verb in enumerate(VERBS)])
def test_an_answer_has_one_shape(verb: Verb, http: httpx.Client, client: Client, explorer: Explorer) -> None:
    method, _, path = verb.route.partition(" ")
    answer = http.request(method, path + verb.query, json=verb.body)
    assert answer.status_code == 200, answer.text
    there = answer.json()
    assert shell(verb) == there
    if verb.ask is not None:
        found = verb.ask(explorer)
        assert to_json(found, without=verb.without) == there
        assert to_json(verb.ask(client), without=verb.without) == there
        whole = to_json(found)
        assert to_json(from_json(type(found), json.loads(json.dumps(whole)))) == whole
