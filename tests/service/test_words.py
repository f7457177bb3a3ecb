"""Questions about words have one answer: in the shell, by GET and POST, through the client and in Python, to the last
digit.
"""

import json

import httpx
import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.app.client.client import Client
from polysema.app.explorer import AnalogyOptions, Explorer, SearchOptions
from polysema.app.service.schemas.words import AnalogyQuery, AnalogyRequest, NeighborsQuery, NeighborsRequest
from polysema.core.errors import UnknownWordError, UserError
from polysema.core.space.analogy import METHODS
from tests.service.flat import Flat

METHODS_ASKED = [
    ("3cosadd", "queen - king + man", ()),
    ("3cosmul", "queen - king + man", ()),
    ("pairdirection", "queen - king + man", ()),
    ("only-b", "queen - king + man", ()),
    ("ignore-a", "queen - king + man", ()),
    ("3cosavg", "king", ("man:woman", "uncle:aunt")),
    ("lrcos", "king", ("man:woman", "uncle:aunt")),
]


def test_every_method_is_asked_below() -> None:
    assert tuple(name for name, _, _ in METHODS_ASKED) == METHODS


@pytest.mark.parametrize(("method", "expression", "pairs"), METHODS_ASKED)
def test_the_shell_http_and_the_client_write_one_analogy(
    http: httpx.Client, url: str, explorer: Explorer, method: str, expression: str, pairs: tuple[str, ...]
) -> None:
    arguments = [part for pair in pairs for part in ("--pair", pair)]
    command = [
        "analogy",
        expression,
        "--method",
        method,
        *arguments,
        "-k",
        "3",
        "--restrict-vocab",
        "20000",
        "--format",
        "json",
    ]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    query = {"expression": expression, "method": method, "k": 3, "restrict_vocab": 20_000}
    there = http.post("/v1/analogy", json=query | {"pairs": [pair.split(":") for pair in pairs]}).json()
    assert json.loads(done.stdout) == there
    assert http.get("/v1/analogy", params=query | {"pairs": list(pairs)}).json() == there
    score = "score" if method in ("3cosmul", "lrcos") else "cosine"
    for row in (*there["neighbors"], *there["left_out"], *there["evidence"]["with_inputs"]):
        assert {"cosine", "score"} & set(row) == {score}
    options = AnalogyOptions(tuple((a, b) for a, b in (pair.split(":") for pair in pairs)), restrict_vocab=20_000)
    local = explorer.space().analogy(expression, k=3, method=method, options=options)
    with Client(url) as client:
        remote = Flat(client).analogy(expression, k=3, method=method, options=options)
    assert (remote.neighbors, remote.inputs, remote.evidence) == (local.neighbors, local.inputs, local.evidence)


def test_get_and_post_and_the_shell_find_one_list_of_neighbors(
    http: httpx.Client, url: str, explorer: Explorer
) -> None:
    how = {
        "transform": "centered",
        "without": ["poor -> rich"],
        "case": "exact",
        "k": 4,
        "where": "not word in ('banks')",
        "recall": 0.9,
        "restrict_vocab": 9000,
    }
    there = http.post("/v1/neighbors", json={"words": ["bank"], **how}).json()
    (one,) = there["answers"]
    got = http.get("/v1/neighbors", params={"word": "bank", **how}).json()
    assert got == one | {"policy": there["policy"], "origin": there["origin"]}
    assert "banks" not in str(got["neighbors"])
    command = [
        "neighbors",
        "bank",
        "--transform",
        "centered",
        "--without",
        "poor -> rich",
        "--case",
        "exact",
        "-k",
        "4",
    ]
    command += ["--where", "not word in ('banks')", "--recall", "0.9", "--restrict-vocab", "9000", "--format", "json"]
    assert json.loads(CliRunner().invoke(cli, command, catch_exceptions=False).stdout) == got
    search = SearchOptions("not word in ('banks')", recall=0.9, restrict_vocab=9000)
    view = explorer.space("glove-6b-50d").view("centered", ["poor -> rich"])
    local = explorer.space(view).neighbors("bank", 4, search=search).neighbors
    assert [(n["word"], n["cosine"]) for n in got["neighbors"]] == [(n.key, n.score) for n in local]
    with Client(url) as client:
        seen = Flat(client).view("glove-6b-50d", "centered", ["poor -> rich"])
        assert Flat(client).neighbors("bank", seen, 4, search=search).neighbors == local


def test_what_get_takes_is_what_post_takes() -> None:
    """One definition: only how the words of a question are given differs."""
    for get, post, own, others in (
        (NeighborsQuery, NeighborsRequest, {"word"}, {"words", "occurrences", "texts", "vectors"}),
        (AnalogyQuery, AnalogyRequest, set(), set()),
    ):
        assert set(get.model_fields) - own == set(post.model_fields) - others


@pytest.mark.parametrize(
    ("verb", "query"), [("vector", {"expression": "cafe\u0301"}), ("direction", {"axis": "cafe\u0301 -> tea"})]
)
def test_a_vector_says_how_its_words_were_looked_up(http: httpx.Client, verb: str, query: dict[str, str]) -> None:
    done = http.post(f"/v1/{verb}", json=query)
    assert done.status_code == 200
    assert done.json()["origin"]["notes"] == ["'cafe\u0301' was looked up as 'caf\u00e9' (composed)"]


def test_a_limit_opens_the_first_words_there_as_here(http: httpx.Client, url: str, explorer: Explorer) -> None:
    local = explorer.space(limit=300)
    with Client(url) as client:
        remote = client.space(limit=300)
        assert (len(remote), remote.origin) == (len(local), local.origin) == (300, remote.origin)
        assert remote.neighbors("the", 5).neighbors == local.neighbors("the", 5).neighbors
        assert len(client.space(client.space(), limit=300)) == 300
        seen = remote.view("centered")
        assert seen.neighbors("the", 5).neighbors == local.view("centered").neighbors("the", 5).neighbors
        assert client.space(remote) is remote
        with pytest.raises(UnknownWordError, match="'swan' is not among the 300 words"):
            remote.neighbors("swan")
        with pytest.raises(UserError, match="a limit comes before a view"):
            client.space(seen, limit=20)
        with pytest.raises(UserError, match="at least 1; got 0"):
            client.space(limit=0)
        with pytest.raises(UserError, match="words in contexts are those of a whole space"):
            _ = remote.contexts
        laid = client.maps.map(remote, "pca", k=3)
        assert len(laid.rows) == 300
    for body in ({"limit": 0}, {"limit": "many"}, {"limit": 1.5}):
        refused = http.post("/v1/neighbors", json={"words": ["the"], **body})
        assert (refused.status_code, "limit" in refused.json()["error"]["message"]) == (422, True)
    assert len(http.get("/v1/neighbors", params={"word": "the", "limit": 2}).json()["neighbors"]) == 1
