"""Sentence vectors against sentence-transformers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from polysema.core.errors import UnreadableError, UserError
from polysema.core.model.catalog import locate
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.sentences import embed_sentences

TEXTS = ["The bank of the river.", "", "hello", "a " * 200 + "end", "Zwölf 日本 😀", "money"]


def theirs(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(texts)


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_minilms_own_sentence_vectors_equal_sentence_transformers(engine: str) -> None:
    model = load_model("minilm-l6", "cpu", engine)
    found = embed_sentences(model, TEXTS, pooling="own")
    folder = locate("minilm-l6").path
    assert folder is not None
    np.testing.assert_allclose(found.vectors[0], theirs(folder, TEXTS), atol=1e-5)
    assert (found.split, found.origin.normalized, found.origin.pooling) == ((), True, "own of the text")
    long = embed_sentences(model, ["swan " * 400], pooling="own")
    assert long.split == (0,)  # sentence-transformers would cut it at 256 tokens


@pytest.mark.parametrize(
    "modes",
    [
        {"pooling_mode_cls_token": True},
        {"pooling_mode_lasttoken": True, "pooling_mode_max_tokens": True},
        {"pooling_mode_mean_sqrt_len_tokens": True, "pooling_mode_weightedmean_tokens": True},
    ],
)
def test_other_recipes_of_sentence_transformers(modes: dict[str, bool], tiny: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    folder = Path(shutil.copytree(tiny["bert"], tmp_path / "bert"))
    names = ["Transformer", "Pooling", "Dense"]
    for place, name in enumerate(names):
        (folder / f"{place}_{name}").mkdir()
    (folder / "modules.json").write_text(
        json.dumps(
            [
                {
                    "idx": i,
                    "name": str(i),
                    "path": "" if i == 0 else f"{i}_{n}",
                    "type": f"sentence_transformers.models.{n}",
                }
                for i, n in enumerate(names)
            ]
        )
    )
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 16, "pooling_mode_mean_tokens": False, **modes})
    )
    width = 16 * len(modes)
    config = {
        "in_features": width,
        "out_features": 5,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    (folder / "2_Dense" / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(0)
    weights = {
        "linear.weight": rng.standard_normal((5, width)).astype(np.float32),
        "linear.bias": np.ones(5, np.float32),
    }
    save_file(weights, folder / "2_Dense" / "model.safetensors")
    texts = ["the river bank", "swan", "the white swan in the blue water"]
    found = embed_sentences(load_model(str(folder), "cpu", "torch"), texts, pooling="own")
    np.testing.assert_allclose(found.vectors[0], theirs(folder, texts), atol=1e-5)


def test_our_poolings_leave_special_tokens_out(minilm: LanguageModel) -> None:
    tokens = embed(minilm, [TEXTS[0]], [0, 6], options=EmbeddingOptions(unit="tokens")).vectors
    mean, last, cls = (embed_sentences(minilm, TEXTS[:1], [0, 6], p).vectors[:, 0] for p in ("mean", "last", "cls"))
    np.testing.assert_allclose(mean, tokens.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(last, tokens[:, -1], atol=1e-5)
    assert np.abs(cls - tokens[:, 0]).max() > 0.1
    empty = embed_sentences(minilm, ["", "a"], [6], "mean")
    assert (empty.empty, empty.vectors[0, 0].any()) == ((0,), False)
    assert embed_sentences(minilm, [], [6]).vectors.shape == (1, 0, 384)


def test_mistakes_are_named(minilm: LanguageModel, tiny: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sentence pooling 'sum' does not exist; choose one of mean, cls, last, own"):
        embed_sentences(minilm, ["a"], pooling="sum")
    with pytest.raises(UserError, match="own pooling is of its last layer; got 3"):
        embed_sentences(minilm, ["a"], [3], "own")
    gpt2 = load_model(str(tiny["gpt2"]), "cpu", "torch")
    with pytest.raises(UserError, match=r"has no sentence pooling of its own \(no modules.json\)"):
        embed_sentences(gpt2, ["a"], pooling="own")
    with pytest.raises(UserError, match="no token before a text, so there is no CLS vector"):
        embed_sentences(gpt2, ["the bank"], pooling="cls")
    folder = Path(shutil.copytree(tiny["bert"], tmp_path / "bert"))
    (folder / "modules.json").write_text(
        json.dumps([{"path": "../..", "type": "sentence_transformers.models.Pooling"}])
    )
    with pytest.raises(UnreadableError, match="names a folder outside the model's"):
        embed_sentences(load_model(str(folder), "cpu", "torch"), ["a"], pooling="own")
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": "their.own.Module"}]))
    with pytest.raises(UserError, match="a module that is not known: their.own.Module"):
        embed_sentences(load_model(str(folder), "cpu", "torch"), ["a"], pooling="own")
