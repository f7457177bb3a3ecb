"""The steps of a head equal the same steps by hand, from the weights alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.errors import UserError
from polysema.core.inside import head_computation as module
from polysema.core.inside.attention import AttentionView, attention
from polysema.core.inside.attention_trace import AttentionTrace
from polysema.core.inside.head_computation import head_computation, steps_of
from polysema.core.inside.hooks import read, twin_of
from polysema.core.model.load import LanguageModel, load_model
from tests.families import save_family

Open = Callable[..., LanguageModel]
TEXT, TARGET = "the white swan in the blue water", "the river bank"
TWO = ("t5", "bart", "marian")
KINDS = ("gpt2", "llama", "qwen2", "mistral", "bert", "mpnet", "modernbert", "distilbert-mlm", *TWO)


@pytest.fixture(scope="module")
def opened(headed: dict[str, Path]) -> Open:
    kept: dict[str, LanguageModel] = {}

    def load(kind: str) -> LanguageModel:
        if kind not in kept:
            stack = "decoder" if kind in TWO else "encoder"
            kept[kind] = load_model(str(headed[kind]), "cpu", "torch", stack=stack)
        return kept[kind]

    return load


def given(kind: str) -> tuple[str, str | None]:
    return (TARGET, TEXT) if kind in TWO else (TEXT, None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_make_the_models_own_attention(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = given(kind)
    for of in ("self", "cross") if kind in TWO else ("self",):
        (own,) = attention(model, text, [-1], source, AttentionView(of, "tokens"))
        found = head_computation(model, text, -1, 2, of, source)
        np.testing.assert_allclose(found.weights, own.of(model.n_layers, 2), atol=1e-5)
        assert found.difference < 1e-5
        # each step from the one before it, as a reader would
        np.testing.assert_allclose(found.query @ found.key.T, found.dot_products, atol=1e-4)
        scores = found.dot_products * found.scale + found.bias
        np.testing.assert_allclose(scores[~found.masked], found.scores[~found.masked], atol=1e-4)
        assert np.isnan(found.scores[found.masked]).all()
        powers = np.exp(np.where(found.masked, -np.inf, found.scores))
        np.testing.assert_allclose(powers / powers.sum(-1, keepdims=True), found.weights, atol=1e-5)
        np.testing.assert_allclose(found.weights @ found.value, found.mixed, atol=1e-5)
        assert (found.masked | ~own.forbidden).all()
        assert (found.weights[found.masked] == 0).all()
        if kind != "modernbert":  # which hides what lies outside of a window, too
            assert (found.masked == own.forbidden).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_heads_written_vectors_add_up_to_the_attentions_output(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = given(kind)
    written = sum(head_computation(model, text, 1, head, source=source).written for head in range(1, model.n_heads + 1))
    seen: list[Any] = []
    with twin_of(model) as twin:
        part = twin.parts.attention(1, "self")
        twin.on_output(part.out, lambda out: seen.append(out[0]))
        twin.run(read(model, text, source)[0])
        bias = getattr(part.out, "bias", None)
    whole = seen[0] - (0 if bias is None else bias.detach())
    np.testing.assert_allclose(written, whole.numpy(), atol=1e-4)


def test_gpt2_by_hand(opened: Open) -> None:
    model = opened("gpt2")
    found = head_computation(model, TEXT, 2, 3)
    block = model.module.h[1]
    with torch.no_grad():
        states = model.whole(torch.tensor([read(model, TEXT)[0].ids]), output_hidden_states=True).hidden_states[1][0]
        parts = block.attn.c_attn(block.ln_1(states)).split(16, dim=-1)
    for name, part in zip(("query", "key", "value"), parts, strict=True):
        np.testing.assert_allclose(getattr(found, name), part[:, 8:12].numpy(), atol=1e-5)
    assert (found.scale, found.rotary, found.cap, found.sink) == (0.5, False, None, None)
    assert found.positions.startswith("none here")
    assert not found.bias.any()
    assert (found.masked == np.triu(np.ones((len(states),) * 2, bool), 1)).all()


def test_llamas_queries_are_turned_and_its_keys_shared(opened: Open) -> None:
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    model = opened("llama")
    found = head_computation(model, TEXT, 1, 4)
    layer = model.module.layers[0]
    with torch.no_grad():
        ids = torch.tensor([read(model, TEXT)[0].ids])
        states = layer.input_layernorm(model.module.embed_tokens(ids))
        cosine, sine = model.module.rotary_emb(states, torch.arange(ids.shape[1])[None])
        query, key, value = (
            getattr(layer.self_attn, f"{name}_proj")(states).view(1, ids.shape[1], -1, 4).transpose(1, 2)
            for name in ("q", "k", "v")
        )
        turned_query, turned_key = apply_rotary_pos_emb(query, key, cosine, sine)
    np.testing.assert_allclose(found.query, turned_query[0, 3].numpy(), atol=1e-5)
    np.testing.assert_allclose(found.key, turned_key[0, 1].numpy(), atol=1e-5)
    np.testing.assert_allclose(found.value, value[0, 1].numpy(), atol=1e-5)
    assert np.abs(found.query[1:] - query[0, 3, 1:].numpy()).max() > 0.1
    assert (found.key_head, found.rotary) == (2, True)
    assert found.positions.startswith("rotary")


def test_t5s_bias_is_that_of_its_distances(opened: Open) -> None:
    model = opened("t5")
    found = head_computation(model, TARGET, 2, 1, source=TEXT)
    block = model.module.block[0].layer[0].SelfAttention
    n = len(found.rows)
    with torch.no_grad():
        bias = block.compute_bias(n, n)[0, 0].numpy()
    np.testing.assert_allclose(found.bias, np.where(found.masked, 0, bias), atol=1e-4)
    assert (found.scale, found.positions.split(":")[0]) == (1.0, "relative")
    cross = head_computation(model, TARGET, 2, 1, "cross", TEXT)
    assert not cross.masked.any()
    assert [unit.name for unit in cross.columns][:2] == [" the", " white"] or len(cross.columns) > len(cross.rows)


@pytest.mark.parametrize("family", ["bloom", "gemma2", "gpt-oss", "deberta-v2", "gpt-neo", "gpt-neox", "phi3", "opt"])
def test_what_stands_between_product_and_softmax_is_followed_in_other_families(family: str) -> None:
    """The trace alone, on models that have no plan of parts yet: cap, sink, ALiBi, distances as vectors."""
    from polysema.core.inside.attention_trace import AttentionTrace, traced
    from polysema.core.inside.head_computation import steps_of
    from tests.families import tiny_family

    model, _ = tiny_family(family)
    model.set_attn_implementation("eager") if family not in ("deberta-v2", "bloom") else None
    names = ("attention", "attn", "self_attn", "self_attention")
    core = next(
        one
        for name, one in model.named_modules()
        if name.rpartition(".")[2] in names and "Attention" in type(one).__name__ and "1" in name.split(".")
    )
    core = getattr(core, "self", getattr(core, "attention", core)) if family in ("deberta-v2", "gpt-neo") else core
    seen: list[Any] = []
    trace = AttentionTrace((7, 7))
    handle = core.register_forward_hook(lambda _m, _i, out: seen.append(out))
    with traced(core, trace), torch.no_grad():
        model(torch.arange(5, 12)[None], output_attentions=True)
    handle.remove()
    weights = next(one for one in reversed(seen[0]) if getattr(one, "ndim", 0) == 4)[0]
    assert trace.complete
    for head in range(1, 5):
        found = steps_of(trace, head)
        np.testing.assert_allclose(found["weights"], weights[head - 1].detach().numpy(), atol=1e-5)
    assert (trace.cap is not None) == (family == "gemma2")
    assert (trace.sink is not None) == (family == "gpt-oss")
    assert bool(np.any(found["bias"])) == (family in ("bloom", "deberta-v2"))


@pytest.mark.parametrize(
    ("kind", "text", "layer", "head", "of", "message"),
    [
        ("gpt2", TEXT, 3, 1, "self", "layers 1 to 2; got 3"),
        ("gpt2", TEXT, 0, 1, "self", "0 is the embeddings"),
        ("gpt2", TEXT, 1, 5, "self", "heads 1 to 4 in each layer; got 5"),
        ("gpt2", TEXT, 1, 1, "cross", "has no cross-attention"),
        ("gpt2", TEXT, 1, 1, "both", "choose one of self, cross"),
        ("gpt2", "", 1, 1, "self", "nothing to read"),
        ("gpt2", "bank " * 60, 1, 1, "self", "needs one pass over all of them, of about .* has positions for"),
        ("t5", TARGET, 1, 1, "self", "none was given"),
    ],
)
def test_what_is_refused(  # noqa: PLR0913  the columns of the table above
    kind: str, text: str, layer: int, head: int, of: str, message: str, opened: Open
) -> None:
    with pytest.raises(UserError, match=message):
        head_computation(opened(kind), text, layer, head, of)


def test_a_longer_text_is_refused(tmp_path: Path) -> None:
    model = load_model(str(save_family("bloom", tmp_path / "bloom")), "cpu", "torch")  # it has no table of positions
    with pytest.raises(UserError, match=r"has \d+ tokens; .* through at most 512, .* numbers\): give a shorter text"):
        head_computation(model, "the bank " * 300, 1, 1)


def test_steps_that_dont_fit_are_refused(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(trace: AttentionTrace, head: int) -> dict[str, Any]:
        steps = steps_of(trace, head)
        return steps | {"weights": 2 * steps["weights"]}

    monkeypatch.setattr(module, "steps_of", doubled)
    with pytest.raises(UserError, match="don't make the attention that it returns"):
        head_computation(opened("gpt2"), TEXT, 1, 1)
