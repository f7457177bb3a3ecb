"""Odd words, texts and spaces on the routes of contexts: an answer, or one clear line that names what was given."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.indexes.collection import Collection
from tests.service.conftest import running

LONG = "a" * 400
TEXTS = [
    "The <b>bank</b> & <script>alert(1)</script> rose.",
    "بنك النهر كبير",
    f"The {LONG} stood.",
    "A bank again.",
    "",
    "river bank",
]
OF_MODEL = {"model": "bert-tiny-en"}
NO_TEXTS = "has no texts: words in contexts are those of a collection with the column text"
A_NAME = "space: should be a name of letters, digits, `.`, `_` and `-`, perhaps with a layer (minilm-l6@6) or a coll"


@pytest.fixture(scope="module")
def odd(explorer: Explorer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("odd")
    vectors, ids = np.eye(6, dtype=np.float32), [f"t{row}" for row in range(6)]
    for name, columns in (
        ("mine", {"text": TEXTS, "n": [1.0, float("nan"), 3.0, 4.0, 5.0, 6.0]}),
        ("plain", {"topic": ["a"] * 6}),
        ("words", {"word": ["bank"] * 6}),
    ):
        Collection.create(folder / name).add(ids, vectors, columns)
    Collection.create(folder / "empty").spaces.create("vectors", 4)
    two = Collection.create(folder / "two")
    for name in ("a", "b"):
        two.spaces.create(name, 6)
    two.add(ids, vectors, {"topic": ["a"] * 6}, space="b")
    with (
        running(explorer, data=str(folder), max_body=1 << 20) as (url, _),
        httpx.Client(base_url=url, timeout=60, trust_env=False) as client,
    ):
        yield client


def ask(client: httpx.Client, route: str, body: dict[str, Any]) -> tuple[int, str]:
    answer = client.post(f"/v1/contexts/{route}", json=body)
    return answer.status_code, answer.text if answer.status_code == 200 else answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("plain", f"plain {NO_TEXTS}"),
        ("two/b", f"two/b {NO_TEXTS}"),
        ("glove-6b-50d", f"glove-6b-50d {NO_TEXTS}"),
        ("empty", "empty is empty: bring texts with the page Data or"),
        ("two/a", "two/a is empty: bring texts"),
        ("two", "two holds several spaces, which are never mixed: name one of a, b"),
        ("mine/nosuch", "mine has no space 'nosuch'; it has vectors"),
        ("nosuch", "'nosuch' is not in the catalog"),
        ("minilm-l6@99", "minilm-l6 has layers 0 (embeddings) to 6; got 99"),
        ("../etc", A_NAME),
        ("<b>x</b>", A_NAME),
        ("بنك", A_NAME),
        ("", "space: should have at least 1 character"),
        (5, "space: should be a string; got 5"),
        ("x" * 200, "space: should have at most 129 characters"),
    ],
)
def test_a_space_without_words_is_named_as_it_was_asked(odd: httpx.Client, space: Any, message: str) -> None:
    for route, body in (
        ("words", {}),
        ("occurrences", {"word": "bank"}),
        ("verdicts", {"word": "bank", "sentences": ["The bank."], **OF_MODEL}),
        ("axis", {"word": "bank", **OF_MODEL}),
    ):
        status, told = ask(odd, route, {"space": space, **body})
        assert 400 <= status < 500
        assert message in told
        assert "\n" not in told
        assert "vectors of your own" not in told


def test_words_without_their_texts_are_not_read_anew(odd: httpx.Client) -> None:
    for route, body in (("verdicts", {"sentences": ["The bank."]}), ("axis", {})):
        status, told = ask(odd, route, {"space": "words", "word": "bank", **body, **OF_MODEL})
        assert (status, told.startswith("words has the words of texts and not the texts")) == (422, True)


@pytest.mark.parametrize(
    ("word", "found"),
    [("<b>bank</b>", 1), ("بنك", 1), ("bank\n", 3), ("BANK", 3), ("river bank", 1), ("script", 2)],
)
def test_odd_words_are_found_as_they_stand(odd: httpx.Client, word: str, found: int) -> None:
    answer = odd.post("/v1/contexts/occurrences", json={"space": "mine", "word": word}).json()
    assert answer["found"] == found
    first = answer["occurrences"][0]
    assert first["text"][first["start"] : first["end"]].casefold().startswith(word.split()[0].casefold())


@pytest.mark.parametrize(
    ("route", "body", "message"),
    [
        (
            "occurrences",
            {"word": "zebra"},
            "'zebra' stands in none of the 6 rows of mine; its most frequent words are: ",
        ),
        ("occurrences", {"word": "<script>"}, "'<script>' stands in none of the 6 rows of mine"),
        ("occurrences", {"word": "b" * 200}, f"'{'b' * 59}…' stands in none of the 6 rows of mine"),
        ("occurrences", {"word": LONG}, "word: should have at most 200 characters"),
        ("words", {"prefix": LONG}, "prefix: should have at most 200 characters"),
        ("occurrences", {"word": "  "}, "a word is needed; got an empty one"),
        ("occurrences", {"word": None}, "word: should be a string; got null"),
        ("occurrences", {"word": ["bank"]}, "word: should be a string; got a list"),
        ("occurrences", {"word": "bank", "label": "nosuch"}, "mine has no column 'nosuch'; there are: text, n"),
        ("occurrences", {"word": "bank", "k": 0}, "k: should be greater than or equal to 1; got 0"),
        ("occurrences", {"word": "bank", "k": 2001}, "k: should be less than or equal to 2000; got 2001"),
        ("occurrences", {"word": "bank", "k": True}, "k: should be an integer; got true"),
        ("occurrences", {"word": "bank", "evil": 1}, "evil: unknown field; there are space, word, k, label"),
        ("verdicts", {"word": "bank", "sentences": []}, "sentences: should have at least 1 item; got an empty list"),
        ("verdicts", {"word": "bank", "sentences": [" "]}, "text 1 is empty; write a sentence with the word in it"),
        (
            "verdicts",
            {"word": "bank", "sentences": ["x" * 20_001]},
            "sentences[0]: should have at most 20000 characters",
        ),
        ("verdicts", {"word": "bank", "sentences": ["bank"] * 65}, "sentences: should have at most 64 items; got 65"),
        (
            "verdicts",
            {"word": "bank", "sentences": ["A bank."], "layer": 99},
            "bert-tiny-en has layers 0 (embeddings) to 4",
        ),
        ("axis", {"word": "bank", "by": "x"}, "occurrences are grouped by labels or clusters; got 'x'"),
        ("axis", {"word": "bank", "ends": ["a"]}, "ends: should have at least 2 items; got 1"),
        ("axis", {"word": "bank"}, "an axis needs two groups, and there are 0 by labels"),
    ],
)
def test_a_mistake_is_one_line(odd: httpx.Client, route: str, body: dict[str, Any], message: str) -> None:
    given = {"space": "mine", **body} | (OF_MODEL if route in ("verdicts", "axis") else {})
    status, told = ask(odd, route, given)
    assert (status, message in told, "\n" in told) == (422, True, False), told
    assert LONG[:100] not in told


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ('{"space":"mine","word":"bank","k":NaN}', 422, "k: should be an integer; got nan"),
        ("not json", 422, "the body is no JSON, from character 0 on"),
        ("[]", 422, "the body: should be an object; got an empty list"),
        ('{"space":"mine","word":"\\ud800"}', 422, "word: should be a string of valid Unicode"),
        (f'{{"space":"mine","word":"{"a" * (1 << 20)}"}}', 413, "a body may have 1,048,576 bytes"),
    ],
)
def test_bodies_that_are_none(odd: httpx.Client, content: str, status: int, message: str) -> None:
    answer = odd.post("/v1/contexts/occurrences", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, message in answer.json()["error"]["message"]) == (status, True)


def test_a_number_that_is_none_is_no_label(odd: httpx.Client) -> None:
    rows = odd.post("/v1/contexts/occurrences", json={"space": "mine", "word": "بنك", "label": "n"}).json()
    assert [one["label"] for one in rows["occurrences"]] == [""]
