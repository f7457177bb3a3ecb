"""Architectures that name or scale their parts otherwise: their last layer, and what their head says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from polysema.core.errors import UserError
from polysema.core.inside import hooks, output_head
from polysema.core.inside.attribution import contributions
from polysema.core.inside.lens import lens
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.load import LanguageModel, load_model
from tests.architectures import build_architecture

TEXT = "the white swan"
TARGET = "the river bank"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    base = tmp_path_factory.mktemp("architectures")

    def folder(kind: str) -> str:
        return str(base / kind if (base / kind).is_dir() else build_architecture(kind, base / kind))

    return folder


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("opt", "decoder.final_layer_norm"),
        ("phi", "final_layernorm"),
        ("mpt", "norm_f"),
        ("xlm-roberta-xl", "encoder.LayerNorm"),
    ],
)
def test_a_final_norm_of_another_name_is_known(kind: str, name: str, folders: Any) -> None:
    after, before = (load_model(folders(kind), "cpu", "torch", final_norm=n) for n in ("after", "before"))
    assert (after.final_norm, before.final_norm) == ("after", "before")
    a, b = (embed(model, [TEXT], options=EmbeddingOptions(unit="tokens")).vectors for model in (after, before))
    with torch.no_grad():
        normed = before.module.get_submodule(name)(torch.from_numpy(b[-1])).numpy()
    np.testing.assert_allclose(a[-1], normed, atol=1e-5)
    assert np.abs(a[-1] - b[-1]).max() > 0.1
    np.testing.assert_allclose(a[:-1], b[:-1], atol=1e-6)


def test_a_stack_that_ends_in_a_block_has_no_final_norm(folders: Any) -> None:
    assert load_model(folders("opt-post-norm"), "cpu", "torch", final_norm="before").final_norm == ""


def plain_logits(model: LanguageModel, text: str | None, source: str | None) -> Any:
    """What transformers itself answers, from weights that are read anew."""
    whole = type(model.whole).from_pretrained(model.path).eval()
    (reading,) = hooks.read(model, text, source)
    ids = torch.tensor([reading.ids])
    given = {"input_ids": ids}
    if reading.source is not None:
        given = {"input_ids": torch.tensor([reading.source.ids]), "decoder_input_ids": ids}
    with torch.no_grad():
        return whole(**given).logits[0]


@pytest.mark.parametrize("kind", ["t5", "mt5", "mt5-tied", "umt5", "umt5-tied"])
def test_the_scale_of_t5s_relatives_is_their_own(kind: str, folders: Any) -> None:
    model = load_model(folders(kind), "cpu", "torch", stack="decoder")
    expected = plain_logits(model, TARGET, TEXT)
    found = lens(model, TARGET, [-1], source=TEXT)
    np.testing.assert_allclose(found.scores[0], expected.softmax(-1).topk(5).values.numpy(), atol=1e-5)
    parts = contributions(model, TARGET, "swan", "bank", TEXT)
    wanted = float(expected[-1, parts.target.id] - expected[-1, parts.against.id])  # type: ignore[union-attr]
    assert parts.score == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert parts.total == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_a_row_that_gives_other_logits_than_the_model_is_refused(
    folders: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = load_model(folders("mt5"), "cpu", "torch", stack="decoder")
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    monkeypatch.setattr(output_head, "_scale", lambda _model: 0.25)
    with pytest.raises(UserError, match="fails the identity parts: that what the parts add equals the score .off by"):
        contributions(model, TARGET, "swan", None, TEXT)
    expected = plain_logits(model, TARGET, TEXT).softmax(-1).topk(5).values.numpy()
    np.testing.assert_allclose(lens(model, TARGET, [-1], source=TEXT).scores[0], expected, atol=1e-5)


def test_a_model_saved_with_both_heads_of_bert_fills_masks(folders: Any) -> None:
    folder = folders("bert-pretraining")
    model = load_model(folder, "cpu", "torch")
    text = "the [MASK] swan"
    found = lens(model, text, [-1])
    whole = transformers.BertForPreTraining.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = whole(input_ids=torch.tensor(model.tokenizer([text])["input_ids"])).prediction_logits[0]
    assert found.kind == "masked-language-model head"
    np.testing.assert_allclose(found.scores[0], expected.softmax(-1).topk(5).values.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("electra-pretraining", "ElectraModel"),
        ("bert-next-sentence", "BertModel"),
        ("gpt2-two-heads", "GPT2LMHeadModel"),
    ],
)
def test_only_a_head_that_scores_words_is_kept(kind: str, whole: str, folders: Any) -> None:
    model = load_model(folders(kind), "cpu", "torch")
    assert type(model.whole).__name__ == whole
    assert Path(str(model.path)).name == kind
