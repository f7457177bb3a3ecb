"""A folder's own recipe for sentences, as sentence-transformers itself saves and reads it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.errors import UnreadableError, UserError
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.recipe import SentenceOptions
from polysema.core.model.sentences import embed_sentences

TEXTS = ["the river bank", "x", "The white swan in the blue water", "money and a King", ""]
PROMPTS = {"query": "the queen sat: ", "document": "", "x": "a "}


def saved(base: Path, folder: Path, **changes: Any) -> Path:
    """A folder of sentence-transformers around a model of transformers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, Pooling, Transformer

    torch.manual_seed(3)
    pooling = Pooling(16, changes.pop("pooling_mode", "mean"), include_prompt=changes.pop("include_prompt", True))
    modules: list[Any] = [Transformer(str(base), **changes.pop("transformer", {})), pooling]
    if (activation := changes.pop("activation", None)) is not None:
        modules.append(Dense(16, 8, activation_function=activation, use_residual=changes.pop("use_residual", False)))
        modules.append(LayerNorm(8))
    if changes.pop("normalize", True):
        modules.append(Normalize())
    SentenceTransformer(modules=modules, device="cpu", **changes).save(str(folder))
    return folder


def theirs(folder: Path, texts: list[str], **options: Any) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(texts, **options)


def opened(folder: Path) -> LanguageModel:
    return load_model(str(folder), "cpu", "torch")


@pytest.mark.parametrize(
    "changes",
    [
        {"default_prompt_name": "query"},
        {"default_prompt_name": "query", "truncate_dim": 5},
        {"truncate_dim": 64, "normalize": False},
        {"default_prompt_name": "query", "include_prompt": False},
        {"default_prompt_name": "query", "include_prompt": False, "pooling_mode": "weightedmean"},
        {"default_prompt_name": "query", "include_prompt": False, "pooling_mode": "cls"},
        {"default_prompt_name": "query", "include_prompt": False, "pooling_mode": "max"},
        {"default_prompt_name": "query", "include_prompt": False, "pooling_mode": "lasttoken"},
        {"default_prompt_name": "x", "include_prompt": False, "pooling_mode": "mean_sqrt_len_tokens"},
        {"activation": torch.nn.GELU()},
        {"activation": torch.nn.ReLU(), "use_residual": True, "default_prompt_name": "query"},
        {"activation": torch.nn.Sigmoid(), "normalize": False, "truncate_dim": 3},
    ],
    ids=str,
)
def test_equal_to_sentence_transformers(changes: dict[str, Any], tiny: dict[str, Path], tmp_path: Path) -> None:
    named = dict(changes)
    folder = saved(tiny["bert"], tmp_path / "own", prompts=PROMPTS, **changes)
    model = opened(folder)
    texts = TEXTS[:-1] if named.get("include_prompt") is False else TEXTS
    for query, options in (
        (None, {}),
        (SentenceOptions(prompt_name="x"), {"prompt_name": "x"}),
        (SentenceOptions(prompt_name="document"), {"prompt_name": "document"}),
        (SentenceOptions("blue: "), {"prompt": "blue: "}),
        (SentenceOptions(""), {"prompt": ""}),
    ):
        found = embed_sentences(model, texts, pooling="own", options=query)
        np.testing.assert_allclose(found.vectors[0], theirs(folder, texts, **options), atol=1e-5)
    default = embed_sentences(model, texts, pooling="own")
    assert default.origin.prompt == PROMPTS.get(named.get("default_prompt_name", ""), "")
    assert any("stands before each text" in note for note in default.origin.notes) == bool(default.origin.prompt)
    assert any("truncate_dim" in note for note in default.origin.notes) == ("truncate_dim" in named)
    lengths = np.linalg.norm(default.vectors[0], axis=1)
    assert default.origin.normalized == bool(np.allclose(lengths, 1, atol=1e-5))


def test_dimensions_are_cut_and_scaled(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = saved(tiny["bert"], tmp_path / "own", prompts=PROMPTS, default_prompt_name="query", truncate_dim=3)
    model = opened(folder)
    for dimensions in (5, 16):  # more than the folder's own, which they replace
        found = embed_sentences(model, TEXTS, pooling="own", options=SentenceOptions(dimensions=dimensions))
        expected = theirs(folder, TEXTS, truncate_dim=dimensions, normalize_embeddings=True)
        np.testing.assert_allclose(found.vectors[0], expected, atol=1e-5)
        assert (found.origin.normalized, found.origin.dimensions) == (True, dimensions)
    assert f"first {dimensions} dimensions" in found.origin.card()
    layers = embed_sentences(model, TEXTS, [0, 1], "mean", SentenceOptions(dimensions=4)).vectors
    plain = embed_sentences(model, TEXTS, [0, 1], "mean").vectors[:, :, :4]
    lengths = np.linalg.norm(plain, axis=-1, keepdims=True)
    np.testing.assert_allclose(layers, plain / np.maximum(lengths, 1e-9), atol=1e-6)
    for wrong in (0, 17):
        with pytest.raises(UserError, match=f"has 16 dimensions: choose from 1 to 16; got {wrong}"):
            embed_sentences(model, TEXTS, [-1], "own", SentenceOptions(dimensions=wrong))


def test_another_prompt_gives_other_vectors(tiny: dict[str, Path], tmp_path: Path) -> None:
    model = opened(saved(tiny["bert"], tmp_path / "own", prompts=PROMPTS, default_prompt_name="query"))
    a, b = (embed_sentences(model, TEXTS[:1], pooling="own", options=p) for p in (None, SentenceOptions("")))
    assert np.abs(a.vectors - b.vectors).max() > 0.01
    assert (a.origin.prompt, b.origin.prompt) == ("the queen sat: ", "")
    a.origin.require_same(b.origin)  # a question and what it finds may have different prompts


def test_the_window_is_the_folders(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = saved(tiny["bert"], tmp_path / "own")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8, "do_lower_case": True}))
    model = opened(folder)
    found = embed_sentences(model, ["the river bank", "the river bank of the white swan in blue"], pooling="own")
    assert (found.split, found.origin.windows) == ((1,), "8 tokens, half overlapping")
    np.testing.assert_allclose(found.vectors[0, :1], theirs(folder, ["the river bank"]), atol=1e-5)


def test_lower_case_is_the_folders(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = saved(tiny["roberta"], tmp_path / "own", prompts={"q": "The "}, default_prompt_name="q")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"do_lower_case": True}))
    texts = ["WHITE Swan", "ΣΊΣΥΦΟΣ İ"]
    found = embed_sentences(opened(folder), texts, pooling="own")
    np.testing.assert_allclose(found.vectors[0], theirs(folder, texts), atol=1e-5)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "config_sentence_transformers.json",
            {"default_prompt_name": "nope"},
            "has no prompt 'nope'; it has: 'document', 'query'",
        ),
        ("config_sentence_transformers.json", {"truncate_dim": "x"}, "truncate_dim is a number from 1; got 'x'"),
        ("sentence_bert_config.json", {"processing_kwargs": {"text": {"x": 1}}}, "processing_kwargs .* is not known"),
        ("sentence_bert_config.json", {"transformer_task": "text-generation"}, "transformer_task 'text-generation' is"),
        (
            "2_Dense/config.json",
            {"activation_function": "torch.nn.modules.activation.Threshold"},
            "Threshold is not kn",
        ),
        ("2_Dense/config.json", {"activation_function": "theirs.Tanh"}, "the activation theirs.Tanh is not known"),
        (
            "2_Dense/config.json",
            {"module_input_name": "token_embeddings"},
            "module_input_name 'token_embeddings' is not",
        ),
        ("1_Pooling/config.json", {"pooling_mode": "attention"}, "its pooling is not known .attention"),
    ],
)
def test_what_cannot_be_honored_is_refused_by_name(
    file: str, change: dict[str, Any], message: str, tiny: dict[str, Path], tmp_path: Path
) -> None:
    folder = saved(tiny["bert"], tmp_path / "own", prompts=PROMPTS, activation=torch.nn.Tanh())
    config = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(config | change))
    with pytest.raises((UserError, UnreadableError), match=message):
        embed_sentences(opened(folder), TEXTS[:1], pooling="own")


def test_a_module_of_another_package_is_refused(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = saved(tiny["bert"], tmp_path / "own")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "their_code.Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match="a module that is not known: their_code.Pooling"):
        embed_sentences(opened(folder), TEXTS[:1], pooling="own")


def test_a_prompt_has_its_place(tiny: dict[str, Path], tmp_path: Path) -> None:
    model = opened(saved(tiny["bert"], tmp_path / "own", prompts=PROMPTS))
    with pytest.raises(UserError, match="has no prompt 'passage'; it has: 'document', 'query', 'x'"):
        embed_sentences(model, TEXTS[:1], pooling="own", options=SentenceOptions(prompt_name="passage"))
    with pytest.raises(UserError, match="not both"):
        embed_sentences(model, TEXTS[:1], pooling="own", options=SentenceOptions("a", "query"))
    with pytest.raises(UserError, match="a prompt is for the pooling own"):
        embed_sentences(model, TEXTS[:1], pooling="mean", options=SentenceOptions("a"))
