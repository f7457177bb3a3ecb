"""The official client of OpenAI works against the service unchanged."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openai
import pytest

from polysema.app.explorer import Explorer
from polysema.core.model.sentences import embed_sentences
from tests.service.conftest import Service

TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold."]


@pytest.fixture(scope="module")
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(client: openai.OpenAI, explorer: Explorer, encoding: str | None) -> None:
    options = {"encoding_format": encoding} if encoding else {}
    answer = client.embeddings.create(model="minilm-l6", input=TEXTS, **options)  # type: ignore[arg-type]
    expected = embed_sentences(explorer.model(), TEXTS, (-1,), "own").vectors[0]
    given = [one.embedding for one in answer.data]
    if encoding == "base64":
        import base64

        given = [np.frombuffer(base64.b64decode(one), "<f4") for one in given]  # type: ignore[arg-type, misc]
    assert (np.array(given, np.float32) == expected).all()
    assert [one.index for one in answer.data] == [0, 1]
    lengths = [len(explorer.model().tokenizer(text)["input_ids"]) for text in TEXTS]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == sum(lengths)


def test_one_text_and_token_ids(client: openai.OpenAI, explorer: Explorer) -> None:
    tokenizer = explorer.model().tokenizer
    one = client.embeddings.create(model="minilm-l6", input=TEXTS[0]).data[0].embedding
    bare = tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"]
    whole = tokenizer(TEXTS[0])["input_ids"]
    assert client.embeddings.create(model="minilm-l6", input=bare).data[0].embedding == one
    assert client.embeddings.create(model="minilm-l6", input=[bare, whole]).data[1].embedding == pytest.approx(
        one, abs=1e-5
    )


def test_errors_are_of_its_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-9'") as caught:
        client.embeddings.create(model="gpt-9", input="a")
    assert (caught.value.code, caught.value.type) == ("not_found", "invalid_request_error")
    for wrong in ("", [], [""], [[]], [-1], [10**9], "  "):
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="minilm-l6", input=wrong)  # type: ignore[arg-type]
    with pytest.raises(openai.BadRequestError, match="384 dimensions"):
        client.embeddings.create(model="minilm-l6", input="a", dimensions=100)
    with pytest.raises(openai.BadRequestError, match="256 inputs"):
        client.embeddings.create(model="minilm-l6", input=["a"] * 257)
    with pytest.raises(openai.BadRequestError, match="32,768 tokens"):
        client.embeddings.create(model="minilm-l6", input="a " * 40_000)


def test_models(client: openai.OpenAI) -> None:
    assert "minilm-l6" in [one.id for one in client.models.list()]
    assert client.models.retrieve("minilm-l6").object == "model"


def test_concurrent_texts_are_embedded_together_and_the_same(served: Service, explorer: Explorer) -> None:
    url, server = served()
    texts = [f"the bank of the river number {n}" + " was wet" * (n % 7) for n in range(64)]
    alone = np.stack([embed_sentences(explorer.model(), [text], (-1,), "own").vectors[0, 0] for text in texts])
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    with ThreadPoolExecutor(32) as pool:
        asked = pool.map(lambda text: client.embeddings.create(model="minilm-l6", input=text).data[0].embedding, texts)
        together = np.array(list(asked), np.float32)
    np.testing.assert_allclose(together, alone, atol=1e-6)
    metrics = server._polysema.metrics
    assert metrics.batched_texts == 64
    assert metrics.batches < 32
