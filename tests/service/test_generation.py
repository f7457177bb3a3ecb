"""What a model writes over HTTP: whole, and step by step as server-sent events."""

import json
from collections.abc import Iterator

import httpx
import pytest

from polysema.app.client.client import Client
from polysema.app.explorer import Explorer
from polysema.app.explorer.serialization import to_json
from polysema.core.errors import UserError
from polysema.core.inside.generation_results import DecodingOptions, GeneratedText, GenerationStep

TEXT, MODEL = "The bank lends money.", "marian-en-fr"
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url) as made:
        yield made


def test_each_step_is_an_event_and_the_last_is_the_whole_text(http: httpx.Client, explorer: Explorer) -> None:
    body = {"text": TEXT, "model": MODEL, "num_beams": 2, "max_new_tokens": 12, "k": 3}
    with http.stream("POST", "/v1/generate", json=body, headers=EVENTS) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    names = [line[7:] for line in lines if line.startswith("event: ")]
    values = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    found = list(explorer.model(MODEL).generation.stream(TEXT, 12, 3, DecodingOptions(num_beams=2)))
    assert names == ["step"] * (len(found) - 1) + ["end"]
    assert values == [to_json(one) for one in found]
    assert values[-1] == http.post("/v1/generate", json=body).json()


def test_the_client_gives_the_steps_as_they_come(client: Client, explorer: Explorer) -> None:
    here, there = explorer.model(MODEL).generation, client.model(MODEL).generation
    options = DecodingOptions(temperature=1.5, seed=7)
    looks = list(there.stream(TEXT, 5, 2, cross_attention=True))
    assert looks == list(here.stream(TEXT, 5, 2, cross_attention=True))
    assert [len(step.cross_attention) for step in looks[:-1]] == [len(looks[-1].prompt)] * 5
    found = list(there.stream(TEXT, 9, 4, options))
    assert found == list(here.stream(TEXT, 9, 4, options))
    assert all(isinstance(one, GenerationStep) and not one.cross_attention for one in found[:-1])
    written = found[-1]
    assert isinstance(written, GeneratedText)
    other = written.steps[1].candidates[2].id
    branch = there.branch(TEXT, written, 1, other, 9, options)
    assert branch == here.branch(TEXT, written, 1, f"#{other}", 9, options)
    assert branch.ids[:2] == (written.ids[0], other)
    assert [step.forced for step in branch.steps[:3]] == [True, True, False]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_mistake_is_one_line_before_the_first_step(http: httpx.Client, client: Client, accept: str) -> None:
    for body, message in (
        ({"temperature": 2.0, "num_beams": 2}, "beams are compared and not drawn"),
        ({"prefix": [9_999]}, "token ids of marian-en-fr go from 0 to 7,999"),
        ({"max_new_tokens": 2, "prefix": [1, 2, 3]}, "the prefix has 3 tokens, and 2 are written at most"),
        ({"model": "bert-tiny-en"}, "bert-tiny-en is an encoder: it reads and doesn't write"),
        ({"model": "no-such"}, "not in the catalog"),
    ):
        answer = http.post("/v1/generate", json={"text": TEXT, "model": MODEL} | body, headers={"Accept": accept})
        assert answer.status_code in (400, 422), answer.text
        assert message in answer.json()["error"]["message"]
    with pytest.raises(UserError, match="bert-tiny-en is an encoder"):
        list(client.model("bert-tiny-en").generation.stream(TEXT))


def test_gaps_and_next_sentences_refuse_in_one_line(http: httpx.Client, client: Client) -> None:
    answer = http.post("/v1/fill-mask", json={"text": "no gap"})
    assert (answer.status_code, "write [MASK], <mask> or ___" in answer.text) == (422, True)
    for model in ("minilm-l6", MODEL):
        assert http.post("/v1/fill-mask", json={"text": "a ___", "model": model}).status_code == 422
    with pytest.raises(UserError, match="bert-tiny-en has no next-sentence head"):
        client.model("bert-tiny-en").generation.next_sentence("One.", "Two.")
