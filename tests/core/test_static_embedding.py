"""Model2Vec and StaticEmbedding folders: the tables and the texts' vectors of the libraries themselves."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.app.explorer.query_vectors import text_vectors
from polysema.core.errors import UnreadableError, UserError
from polysema.core.model.catalog import locate
from polysema.core.model.load import load_model
from polysema.core.model.recipe import SentenceOptions
from polysema.core.model.static_embedding import open_static_embedding

TEXTS = ["the river bank", "The white swan in the blue water", "money and a King", "the 🦄 swan"]
DIM = 6


def table(folder: Path, seed: int = 0) -> np.ndarray[Any, Any]:
    from tokenizers import Tokenizer

    size = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    return np.random.default_rng(seed).standard_normal((size, DIM)).astype(np.float32)


def model2vec(base: Path, folder: Path, config: dict[str, Any], **tensors: np.ndarray[Any, Any]) -> Path:
    """A folder as Model2Vec saves it."""
    from safetensors.numpy import save_file

    folder.mkdir()
    shutil.copy(base / "tokenizer.json", folder / "tokenizer.json")
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", **config}))
    modules = [{"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def test_its_texts_are_embedded_as_those_of_any_model(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = model2vec(tiny["bert"], tmp_path / "m", {"normalize": True}, embeddings=table(tiny["bert"]))
    explorer = Explorer()
    handle = explorer.model(str(folder))
    assert explorer.model(str(folder)) is handle
    own = open_static_embedding(locate(str(folder))).encode
    made = handle.embed(TEXTS, unit="sentences")
    np.testing.assert_array_equal(made.vectors, own(TEXTS))
    assert made.rows[1] == {"text_id": 1, "layer": 0}
    assert (made.origin.pooling, made.origin.layer) == ("mean of the text", None)
    cut = handle.embed(TEXTS, unit="sentences", options=SentenceOptions(prompt="the ", dimensions=3)).vectors
    first = own([f"the {text}" for text in TEXTS])[:, :3]
    np.testing.assert_allclose(cut, first / np.linalg.norm(first, axis=1, keepdims=True), atol=1e-6)
    words = handle.embed(["the river bank", "a king…"])
    assert [row["word"] for row in words.rows] == ["the", "river", "bank", "a", "king"]
    np.testing.assert_array_equal(words.vectors[1], own(["river"])[0])
    assert handle.embed(TEXTS[:1], word="bank").rows[0]["start"] == 10
    for wrong, message in (
        ({"layers": (1,)}, r"has no layers; got the layers \(1,\)"),
        ({"unit": "tokens"}, "are words and sentences; got 'tokens'"),
        ({"pooling": "cls", "unit": "sentences"}, "is the mean of its tokens; got the pooling 'cls'"),
        ({"unit": "sentences", "options": SentenceOptions(dimensions=7)}, "has 6 dimensions: choose from 1 to 6"),
    ):
        with pytest.raises(UserError, match=message):
            handle.embed(TEXTS, **wrong)
    for ask in (lambda: handle.lens("the bank"), lambda: handle.senses, lambda: handle.compare("bank", TEXTS)):
        with pytest.raises(UserError, match="is a static space: it has no layers"):
            ask()
    assert explorer.memory_usage()["model_bytes"] == table(tiny["bert"]).nbytes


@pytest.mark.parametrize("normalize", [True, False])
def test_static_embedding_equals_sentence_transformers(normalize: bool, tiny: dict[str, Path], tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer, own = Tokenizer.from_file(str(tiny["bert"] / "tokenizer.json")), table(tiny["bert"])
    modules: list[Any] = [StaticEmbedding(tokenizer, embedding_weights=own), *([Normalize()] if normalize else [])]
    SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "static"))
    explorer = Explorer()
    space = explorer.space(str(tmp_path / "static"))
    expected = SentenceTransformer(str(tmp_path / "static"), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(text_vectors(explorer, TEXTS, space), expected, atol=1e-6)
    np.testing.assert_array_equal(space.space.vectors, own)
    assert (space["river"] == own[tokenizer.token_to_id("river")]).all()
    assert space.origin.normalized == normalize


def test_model2vec_folds_weights_and_mapping(tiny: dict[str, Path], tmp_path: Path) -> None:
    """By the formula of model2vec 0.10 (`StaticModel.encode`): unknown tokens are left out, at most 512 are read."""
    from tokenizers import Tokenizer

    tokenizer, own = Tokenizer.from_file(str(tiny["bert"] / "tokenizer.json")), table(tiny["bert"])[:9]
    rng = np.random.default_rng(2)
    mapping = rng.integers(0, 9, tokenizer.get_vocab_size())
    weights = rng.random(tokenizer.get_vocab_size()).astype(np.float32)
    tensors = {"embeddings": own, "mapping": mapping, "weights": weights}
    folder = model2vec(tiny["bert"], tmp_path / "m", {"normalize": True, "max_length": 4}, **tensors)
    unknown = tokenizer.token_to_id("[UNK]")
    n_characters = 4 * int(np.median([len(token) for token in tokenizer.get_vocab()]))
    expected = []
    for text in TEXTS:
        ids = tokenizer.encode(text[:n_characters], add_special_tokens=False).ids[:4]
        ids = [one for one in ids if one != unknown]
        vector = (own[mapping[ids]] * weights[ids][:, None]).mean(axis=0)
        expected.append(vector / np.linalg.norm(vector))
    made = open_static_embedding(locate(str(folder)))
    np.testing.assert_allclose(made.encode(TEXTS), expected, atol=1e-6)
    np.testing.assert_allclose(made.space().vectors, own[mapping] * weights[:, None], atol=1e-6)
    with pytest.raises(UserError, match="text 2 has no token that .* knows"):
        made.encode(["bank", "🦄"])
    with pytest.raises(UserError, match="is a static space: it has no layers"):
        load_model(str(folder), "cpu", "torch")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"other": np.ones((3, 2), np.float32)}, "holds no table of embeddings; there are: other"),
        ({"embeddings": np.ones((3, 2), np.float32)}, "its table 3 rows"),
        ({"embeddings": np.ones((3, 2), np.float32), "mapping": np.full(40, 3)}, "doesn't have"),
        ({"embeddings": np.full((500, 2), np.nan, np.float32)}, "NaN or infinite"),
    ],
)
def test_what_does_not_fit_is_refused(
    tensors: dict[str, Any], message: str, tiny: dict[str, Path], tmp_path: Path
) -> None:
    folder = model2vec(tiny["bert"], tmp_path / "m", {}, **tensors)
    with pytest.raises(UnreadableError, match=message) as caught:
        Explorer().space(str(folder))
    assert "\n" not in str(caught.value)


def test_a_module_that_is_not_known_is_refused(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = model2vec(tiny["bert"], tmp_path / "m", {}, embeddings=table(tiny["bert"]))
    (folder / "config.json").unlink()
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 1, "name": "1", "path": "1_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UnreadableError, match="a module behind its table that is not known: Dense"):
        Explorer().space(str(folder))
