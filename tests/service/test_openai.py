"""The official client of OpenAI works against the service unchanged."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import openai
import pytest

from polysema.app.explorer import Explorer
from polysema.app.service.embeddings import SLICE_TOKENS, n_tokens, slices
from polysema.core.model.sentences import embed_sentences
from polysema.core.model.tokens import EncodedText
from tests.service.conftest import Service

TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold."]


@pytest.fixture(scope="module")
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(client: openai.OpenAI, explorer: Explorer, encoding: str | None) -> None:
    options = {"encoding_format": encoding} if encoding else {}
    answer = client.embeddings.create(model="minilm-l6", input=TEXTS, **options)  # type: ignore[arg-type]
    expected = embed_sentences(explorer.model().model, TEXTS, (-1,), "own").vectors[0]
    given = [one.embedding for one in answer.data]
    if encoding == "base64":
        import base64

        given = [np.frombuffer(base64.b64decode(one), "<f4") for one in given]  # type: ignore[arg-type, misc]
    assert (np.array(given, np.float32) == expected).all()
    assert [one.index for one in answer.data] == [0, 1]
    lengths = [len(explorer.model().model.tokenizer(text)["input_ids"]) for text in TEXTS]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == sum(lengths)


def test_dimensions_prompts_and_layers(client: openai.OpenAI, explorer: Explorer) -> None:
    model = explorer.model().model

    def vectors(name: str = "minilm-l6", **options: Any) -> np.ndarray:
        answer = client.embeddings.create(model=name, input=TEXTS, **options)
        assert answer.model == name
        return np.array([one.embedding for one in answer.data], np.float32)

    whole = embed_sentences(model, TEXTS, (-1,), "own").vectors[0]
    cut = whole[:, :64] / np.linalg.norm(whole[:, :64], axis=1, keepdims=True)
    np.testing.assert_allclose(vectors(dimensions=64), cut, atol=1e-6)
    assert (vectors("minilm-l6@3") == embed_sentences(model, TEXTS, (3,), "mean").vectors[0]).all()
    prompted = embed_sentences(model, [f"query: {text}" for text in TEXTS], (-1,), "own").vectors[0]
    np.testing.assert_allclose(vectors(extra_body={"prompt": "query: "}), prompted, atol=1e-6)


def test_one_text_and_token_ids(client: openai.OpenAI, explorer: Explorer) -> None:
    tokenizer = explorer.model().model.tokenizer
    one = client.embeddings.create(model="minilm-l6", input=TEXTS[0]).data[0].embedding
    bare = tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"]
    whole = tokenizer(TEXTS[0])["input_ids"]
    ids = {"token_ids": True}
    assert client.embeddings.create(model="minilm-l6", input=bare, extra_body=ids).data[0].embedding == one
    both = client.embeddings.create(model="minilm-l6", input=[bare, whole], extra_body=ids)
    assert both.data[1].embedding == pytest.approx(one, abs=1e-5)


def test_token_ids_are_those_of_another_vocabulary_unless_it_is_said(client: openai.OpenAI, served: Service) -> None:
    for ids in ([791, 15140, 6218], [[791, 15140], [6218]]):  # what LangChain sends: tiktoken's
        with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
            client.embeddings.create(model="minilm-l6", input=ids)
    url, _ = served(token_ids=True)
    other = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    assert len(other.embeddings.create(model="minilm-l6", input=[791, 15140]).data) == 1


def test_errors_are_of_its_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-9'") as caught:
        client.embeddings.create(model="gpt-9", input="a")
    assert (caught.value.code, caught.value.type) == ("not_found", "invalid_request_error")
    for wrong in ("", [], [""], [[]], [-1], [10**9], "  "):
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="minilm-l6", input=wrong)  # type: ignore[arg-type]
    with pytest.raises(openai.BadRequestError, match="384 dimensions: choose from 1 to 384; got 385"):
        client.embeddings.create(model="minilm-l6", input="a", dimensions=385)
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-9@3'"):
        client.embeddings.create(model="gpt-9@3", input="a")
    with pytest.raises(openai.BadRequestError, match="has no prompt 'query'; it has: none"):
        client.embeddings.create(model="minilm-l6", input="a", extra_body={"prompt_name": "query"})
    with pytest.raises(openai.BadRequestError, match="a prompt stands before texts"):
        client.embeddings.create(model="minilm-l6", input=[5], extra_body={"prompt": "q: ", "token_ids": True})
    with pytest.raises(openai.BadRequestError, match="may have 2,048 inputs; got 2,049") as many:
        client.embeddings.create(model="minilm-l6", input=["a"] * 2049)
    assert many.value.param == "input"
    with pytest.raises(openai.BadRequestError, match="300,000 tokens in all"):
        client.embeddings.create(model="minilm-l6", input=["a " * 10_000] * 20)
    with pytest.raises(openai.BadRequestError, match="32,768 tokens"):
        client.embeddings.create(model="minilm-l6", input="a " * 40_000)


@pytest.mark.parametrize(
    ("given", "message", "param"),
    [
        ([], "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array", "input"),
        ("", "Invalid 'input': empty string. Expected a string with minimum length 1", "input"),
        (["a", ""], "Invalid 'input[1]': empty string. Expected a string with minimum length 1", "input[1]"),
        (["a", 1], "Invalid type for 'input[1]': expected a string, but got an integer instead.", "input[1]"),
        ([1, "a"], "Invalid type for 'input[1]': expected an integer, but got a string instead.", "input[1]"),
        ([[1], []], "Invalid 'input[1]': empty array.", "input[1]"),
        ([None], "Invalid type for 'input[0]': expected one of a string, integer, or array of integers", "input[0]"),
        ({"a": 1}, "Invalid type for 'input': expected one of a string, array of strings", "input"),
        ([True], "but got a boolean instead.", "input[0]"),
        ([[1, "a"]], "input[0][1]: should be an integer; got 'a'", "input[0][1]"),
    ],
)
def test_a_wrong_input_is_told_in_openais_words(client: openai.OpenAI, given: Any, message: str, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="minilm-l6", input=given)
    assert message in caught.value.message
    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")


def test_models(client: openai.OpenAI) -> None:
    assert "minilm-l6" in [one.id for one in client.models.list()]
    assert client.models.retrieve("minilm-l6").object == "model"


def test_concurrent_texts_are_embedded_together_and_the_same(served: Service, explorer: Explorer) -> None:
    url, server = served()
    texts = [f"the bank of the river number {n}" + " was wet" * (n % 7) for n in range(64)]
    alone = np.stack([embed_sentences(explorer.model().model, [text], (-1,), "own").vectors[0, 0] for text in texts])
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    with ThreadPoolExecutor(32) as pool:
        query = pool.map(lambda text: client.embeddings.create(model="minilm-l6", input=text).data[0].embedding, texts)
        together = np.array(list(query), np.float32)
    np.testing.assert_allclose(together, alone, atol=1e-6)
    metrics = server._polysema.metrics
    assert metrics.value("polysema_batched_texts_total") == 64
    assert metrics.value("polysema_batches_total") < 32


def test_many_inputs_are_worked_off_in_slices_between_which_others_have_their_turn(
    served: Service, explorer: Explorer
) -> None:
    url, server = served()
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    texts = [f"{n} boats lay at the bank" + " of the wide river" * (n % 40) for n in range(300)]
    ended: list[str] = []

    def ask(name: str, given: list[str]) -> list[list[float]]:
        answer = client.embeddings.create(model="minilm-l6", input=given, encoding_format="float")
        ended.append(name)
        return [one.embedding for one in answer.data]

    metrics = server._polysema.metrics
    with ThreadPoolExecutor(2) as pool:
        many = pool.submit(ask, "many", texts)
        while not metrics.value("polysema_batches_total"):
            assert not many.done()
            time.sleep(0.002)  # the service works in this process, too
        few = pool.submit(ask, "few", texts[:2])
        given = np.array(many.result(), np.float32)
    assert ended == ["few", "many"]
    assert metrics.value("polysema_batched_texts_total") == 302
    assert metrics.value("polysema_batches_total") >= 5  # of 64 texts at most
    expected = np.concatenate(
        [embed_sentences(explorer.model().model, [text], (-1,), "own").vectors[0] for text in texts[::97]]
    )
    np.testing.assert_allclose(given[::97], expected, atol=1e-6)
    np.testing.assert_allclose(np.array(few.result(), np.float32), given[:2], atol=1e-6)
    assert server._polysema.gate.waiting == 0


def test_without_batching_slices_are_worked_off_as_well(served: Service) -> None:
    url, server = served(batch_texts=1, queue=0)
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    assert len(client.embeddings.create(model="minilm-l6", input=[f"boat {n}" for n in range(130)]).data) == 130
    assert server._polysema.metrics.value("polysema_batches_total") == 3


def test_slices_hold_so_many_texts_and_tokens() -> None:
    def text(n_tokens: int) -> EncodedText:
        return EncodedText(((1,) * n_tokens,), np.zeros((n_tokens, 2), np.int64), np.zeros((n_tokens, 2), np.int64))

    def sizes(counts: list[int], most: int) -> list[list[int]]:
        return [[n_tokens(one) for one in part] for part in slices([text(count) for count in counts], most)]

    assert sizes([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
    assert sizes([SLICE_TOKENS, 1, SLICE_TOKENS - 1, 1], 9) == [[SLICE_TOKENS], [1, SLICE_TOKENS - 1], [1]]
    assert sizes([1, SLICE_TOKENS + 5, 1], 9) == [[1], [SLICE_TOKENS + 5], [1]]
