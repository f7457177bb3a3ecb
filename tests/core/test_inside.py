"""What is measured inside equals plain transformers, adds up, and leaves nothing behind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.errors import UnavailableError, UserError
from polysema.core.inside import hooks as passes
from polysema.core.inside.ablation import Ablation, Replacement, ablate
from polysema.core.inside.attention import Attention, AttentionView, attention, rollout
from polysema.core.inside.attribution import contributions
from polysema.core.inside.directions import Direction, concepts, expression_direction
from polysema.core.inside.families import compare_families, family_run
from polysema.core.inside.followed_tokens import forms_of
from polysema.core.inside.head_outputs import head_outputs, head_subspace
from polysema.core.inside.head_search import find_heads
from polysema.core.inside.hooks import states_of
from polysema.core.inside.lens import LOGITS, MASKED, STATIC, LensView, lens
from polysema.core.inside.lens_scores import head_scorer
from polysema.core.inside.steering import Statement, Steer, add_vector, steer, sweep
from polysema.core.model.load import LanguageModel, load_model, on_torch
from polysema.core.space.space import Floats

TEXT = "the white swan in the blue water"
TARGET = "the river bank"
ENCODERS = ("bert", "roberta", "mpnet", "modernbert")
MASKED_KINDS = ("bert-mlm", "roberta-mlm", "mpnet-mlm", "modernbert-mlm", "distilbert-mlm")
DECODERS = ("gpt2", "llama", "mistral", "qwen2")
TWO = ("t5", "t5-untied", "bart", "marian")
ALL = (*ENCODERS, *MASKED_KINDS, *DECODERS, *TWO)
WITH_HEAD = (*MASKED_KINDS, *DECODERS, *TWO)
Open = Callable[[str], LanguageModel]


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
    """The text, and the source where one is read."""
    return (TARGET, TEXT) if kind in TWO else (TEXT, None)


def plain(model: LanguageModel, text: str, source: str | None, **options: Any) -> Any:
    """What transformers itself answers, with plain attention, from weights that are read anew."""
    whole = type(model.whole).from_pretrained(model.path, attn_implementation="eager").eval()
    (reading,) = passes.read(model, text, source)
    ids = torch.tensor([reading.ids])
    inputs: dict[str, Any] = {"input_ids": ids}
    if reading.source is not None:
        inputs = {"input_ids": torch.tensor([reading.source.ids]), "decoder_input_ids": ids}
    with torch.no_grad():
        return whole(**inputs, output_attentions=True, output_hidden_states=True, **options)


def stacked(weights: Any) -> Floats:
    found: Floats = torch.stack([layer[0] for layer in weights]).numpy()
    return found


def hooks(model: LanguageModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.whole.modules())


# Attention


@pytest.mark.parametrize("kind", ALL)
def test_every_head_is_the_models_own(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = given(kind)
    (found,) = attention(model, text, None, source, AttentionView(unit="tokens"))
    answer = plain(model, text, source)
    expected = stacked(answer.decoder_attentions if source else answer.attentions)
    assert found.weights.shape == expected.shape
    np.testing.assert_allclose(found.weights, expected, atol=1e-6)
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    if model.causal:
        upper = np.triu(np.ones(expected.shape[-2:], bool), 1)
        assert (found.weights[..., upper] == 0).all()
        assert (found.forbidden == upper).all()
    else:
        assert not found.forbidden.any()


@pytest.mark.parametrize("kind", TWO)
def test_cross_attention_is_the_models_own(kind: str, opened: Open) -> None:
    model = opened(kind)
    (found,) = attention(model, TARGET, [-1, 1], TEXT, AttentionView("cross", "tokens"))
    expected = stacked(plain(model, TARGET, TEXT).cross_attentions)[[-1, 0]]
    np.testing.assert_allclose(found.weights, expected, atol=1e-6)
    assert found.layers == (model.n_layers, 1)
    assert found.rows[-1].name == "(end)"  # a row is what is written there: the last writes the end


def test_the_encoder_beside_a_decoder_is_seen_too(opened: Open) -> None:
    for kind in TWO:
        model = on_torch(opened(kind), "encoder")
        (found,) = attention(model, TEXT, None, None, AttentionView(unit="tokens"))
        expected = stacked(plain(opened(kind), TARGET, TEXT).encoder_attentions)
        np.testing.assert_allclose(found.weights, expected, atol=1e-6)


def test_query_heads_share_key_heads(opened: Open) -> None:
    (found,) = attention(opened("llama"), TEXT)
    assert (found.weights.shape[1], found.n_key_heads) == (4, 2)
    assert [found.key_head(head) for head in (1, 2, 3, 4)] == [1, 1, 2, 2]
    assert attention(opened("gpt2"), TEXT)[0].n_key_heads == 4


@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5"])
def test_words_conserve_the_mass(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = ("played runs, bank", TEXT) if kind in TWO else ("running swans, play the bank", None)
    (tokens,) = attention(model, text, None, source, AttentionView(unit="tokens"))
    (words,) = attention(model, text, None, source)
    groups = passes.grouped(passes.read(model, text, source)[0], "words")[1]
    assert len(words.rows) < len(tokens.rows)
    for row in range(len(words.rows)):
        for column in range(len(words.columns)):
            by_hand = tokens.weights[:, :, groups == row][..., groups == column].sum(-1).mean(-1)
            np.testing.assert_allclose(words.weights[:, :, row, column], by_hand, atol=1e-6)
    np.testing.assert_allclose(words.weights.sum(-1), 1, atol=1e-5)
    assert "," in [unit.name.strip() for unit in words.rows]  # what is no word is a unit of its own


def test_special_tokens_are_folded_away(opened: Open) -> None:
    (shown,) = attention(opened("bert"), TEXT)
    (folded,) = attention(opened("bert"), TEXT, None, None, AttentionView(special="merge"))
    assert [unit.name for unit in shown.rows] == ["[CLS]", *TEXT.split(), "[SEP]"]
    assert [unit.name for unit in folded.rows] == TEXT.split()
    np.testing.assert_allclose(folded.weights.sum(-1), 1, atol=1e-5)
    lost = shown.weights[:, :, 1:-1, [0, -1]].sum(-1)
    np.testing.assert_allclose(folded.folded, lost, atol=1e-5)
    assert lost.max() > 0.3
    inner = shown.weights[:, :, 1:-1, 1:-1]
    np.testing.assert_allclose(folded.weights, inner / inner.sum(-1, keepdims=True), atol=1e-5)


def test_rollout_is_the_product_of_the_layers(opened: Open) -> None:
    for kind in ("bert", "llama"):
        (heads,) = attention(opened(kind), TEXT, None, None, AttentionView(unit="tokens"))
        (found,) = rollout(opened(kind), TEXT, -1, None, AttentionView(unit="tokens"))
        step = [0.5 * layer.mean(0) + 0.5 * np.eye(layer.shape[-1]) for layer in heads.weights]
        np.testing.assert_allclose(found.weights[0, 0], step[1] @ step[0], atol=1e-6)
        np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)


def test_nothing_is_left_behind(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("bert", "gpt2", "t5"):
        model = opened(kind)
        text, source = given(kind)
        before = (hooks(model), model.whole.config._attn_implementation)
        weights = [parameter.clone() for parameter in model.whole.parameters()]
        attention(model, text, None, source)
        monkeypatch.setattr(passes.Twin, "run", lambda twin, reading: 1 / 0)
        for work in (lambda: attention(model, text, None, source), lambda: lens(model, text, source=source)):  # noqa: B023
            with pytest.raises(ZeroDivisionError):
                work()
        monkeypatch.undo()
        assert before[1] == "sdpa"
        assert (hooks(model), model.whole.config._attn_implementation) == before
        assert all(map(torch.equal, weights, model.whole.parameters()))


def test_another_threads_hooks_are_not_called(opened: Open) -> None:
    model = opened("gpt2")
    called: list[int] = []
    handle = model.module.ln_f.register_forward_pre_hook(lambda _m, _i: called.append(1))
    try:
        attention(model, TEXT)
        lens(model, TEXT, [0])
    finally:
        handle.remove()
    assert not called


def test_hooks_are_gone_after_an_exception(opened: Open) -> None:
    seen: list[passes.Twin] = []

    def fail() -> None:
        with passes.twin_of(opened("gpt2")) as twin:
            seen.append(twin)
            twin.on_output(twin.parts.blocks[0], lambda out: 1 / 0)
            assert all(handle.id in handle.hooks_dict_ref() for handle in twin.handles)
            twin.run(passes.read(opened("gpt2"), TEXT)[0])

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen[0].handles
    assert not any(handle.id in handle.hooks_dict_ref() for handle in seen[0].handles)


def test_long_texts_are_answered_window_by_window(opened: Open) -> None:
    model = opened("bert")
    assert len(attention(model, " ".join(["bank"] * 30))) == 1  # 32 with the special tokens: it fills the window
    parts = attention(model, " ".join(["bank", "river", "swan"] * 25), [2])
    assert len(parts) > 2
    assert [part.window for part in parts] == list(range(1, len(parts) + 1))
    assert {part.windows for part in parts} == {len(parts)}
    for part in parts:
        np.testing.assert_allclose(part.weights.sum(-1), 1, atol=1e-5)
        assert [part.rows[0].name, part.rows[-1].name] == ["[CLS]", "[SEP]"]
    seen = {unit.span for part in parts for unit in part.rows if unit.span}
    assert len(seen) == 75  # every word is in one of them
    found = lens(model, " ".join(["bank", "river", "swan"] * 25), [2])
    assert found.windows == len(parts)
    assert [unit.name for unit in found.tokens] == ["[CLS]", *["bank", "river", "swan"] * 25, "[SEP]"]


def test_only_the_layers_asked_for_are_kept(opened: Open) -> None:
    assert attention(opened("gpt2"), TEXT, [2])[0].weights.shape == (1, 4, 7, 7)
    room = 4 * 7 * 7 * 4
    assert len(attention(opened("gpt2"), TEXT, [2], most_bytes=room)) == 1
    with pytest.raises(UserError, match="ask for 1 layer or a shorter text"):
        attention(opened("gpt2"), TEXT, most_bytes=room)


# Find the head


def test_heads_are_ranked_over_all_texts(opened: Open) -> None:
    model = opened("bert")
    texts = [TEXT, "a white king on the swan", "blue water", "the money"]
    found = find_heads(model, [("white", "swan"), ("blue", "water")], texts)
    assert [place[0] for place in found.places] == [0, 0, 1, 2]
    values = []
    for number, a, b in found.places:
        (part,) = attention(model, texts[number])
        names = [unit.name for unit in part.rows]
        values.append(part.weights[:, :, names.index(a), names.index(b)])
    mean = np.mean(values, axis=0)
    assert len(found.scores) == mean.size
    best = found.scores[0]
    assert best.mean == pytest.approx(mean.max(), abs=1e-6)
    assert mean[best.layer - 1, best.head - 1] == mean.max()
    assert [score.mean for score in found.scores] == sorted((score.mean for score in found.scores), reverse=True)
    for score in found.scores:
        own = [value[score.layer - 1, score.head - 1] for value in values]
        assert (score.first, score.least) == pytest.approx((own[0], min(own)), abs=1e-6)
        assert score.rank_at_first == 1 + (values[0] > own[0]).sum()
    assert 0 < found.chance < 1


def test_a_decoder_is_asked_backwards(opened: Open) -> None:
    with pytest.raises(UserError, match="ask water -> blue"):
        find_heads(opened("gpt2"), [("blue", "water")], [TEXT])
    assert find_heads(opened("gpt2"), [("water", "blue")], [TEXT]).scores[0].mean > 0
    with pytest.raises(UserError, match="none of the texts has both words of zebra -> swan"):
        find_heads(opened("bert"), [("zebra", "swan")], [TEXT])


# The lens


@pytest.mark.parametrize("kind", WITH_HEAD)
def test_the_last_layer_is_the_models_answer(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = given(kind)
    logits = plain(model, text, source).logits[0]
    with passes.twin_of(model) as twin, torch.inference_mode():
        state = states_of(twin, passes.read(model, text, source)[0], [model.n_layers])[model.n_layers]
        own = head_scorer(model).logits(state)
    torch.testing.assert_close(own, logits, atol=1e-4, rtol=0)
    n = logits.shape[-1]
    found = lens(model, text, [-1], ["swan"], source, LensView(k=n))
    assert found.kind == (MASKED if kind in MASKED_KINDS else LOGITS)
    assert found.steps == ((model.n_layers, "mlp"),)
    expected = logits.softmax(-1).numpy()
    np.testing.assert_allclose(np.take_along_axis(expected, found.best[0], -1), found.scores[0], atol=1e-5)
    np.testing.assert_allclose(found.scores.sum(-1), 1, atol=1e-4)
    bits = -(expected * np.log2(np.maximum(expected, 1e-30))).sum(-1)
    np.testing.assert_allclose(found.entropy[0], bits, atol=1e-3)
    swan = found.targets[0].id
    np.testing.assert_allclose(found.followed[0, :, 0], expected[:, swan], atol=1e-5)
    assert found.ranks[0, :, 0].tolist() == ((logits > logits[:, swan, None]).sum(-1) + 1).tolist()


def test_the_final_norm_is_applied_anew_at_every_layer(opened: Open) -> None:
    for kind, norm in (("gpt2", "ln_f"), ("llama", "norm")):
        model = opened(kind)
        states = plain(model, TEXT, None).hidden_states
        found = lens(model, TEXT, [0, 1], view=LensView(k=5))
        for step, layer in enumerate((0, 1)):
            with torch.no_grad():
                scores = model.whole.lm_head(getattr(model.module, norm)(states[layer][0])).softmax(-1)
            np.testing.assert_allclose(found.scores[step], scores.topk(5, -1).values.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ALL)
def test_the_points_of_a_block_follow_each_other(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = given(kind)
    points = passes.POINTS if kind in TWO else ("before", "attention", "mlp")
    seen: dict[tuple[int, str], Any] = {}
    added: dict[tuple[int, str], Any] = {}
    with passes.twin_of(model) as twin:
        passes.tap_states(twin, [0, 1, 2], points, lambda layer, point, state: seen.update({(layer, point): state}))
        for layer in (1, 2):
            for part in twin.parts.sublayers[layer - 1]:
                twin.on_output(part.out, lambda out, at=(layer, part.kind): added.update({at: out[0]}))
        twin.run(passes.read(model, text, source)[0])
        parts = twin.parts
    torch.testing.assert_close(seen[0, "embedding"], seen[1, "before"])
    torch.testing.assert_close(seen[1, "mlp"], seen[2, "before"])
    for layer in (1, 2):
        before = seen[layer, "before"]
        for part in parts.sublayers[layer - 1]:
            after = before + added[layer, part.kind]
            with torch.no_grad():
                after = part.norm(after) if parts.post_norm else after
            point = "attention" if part.kind == "self" else part.kind
            torch.testing.assert_close(seen[layer, point], after, atol=1e-5, rtol=1e-4)
            before = after
    answer = plain(model, text, source)
    states = answer.decoder_hidden_states if source else answer.hidden_states
    torch.testing.assert_close(seen[1, "mlp"], states[1][0], atol=1e-5, rtol=1e-4)


def test_without_a_head_the_nearest_static_vectors_are_shown(opened: Open) -> None:
    for model in (opened("bert"), on_torch(opened("t5"), "encoder")):
        found = lens(model, TEXT, [0, 2], ["swan"])
        assert found.kind == STATIC
        assert np.isnan(found.entropy).all()
        table = model.input_table.float().numpy()
        with passes.twin_of(model) as twin:
            state = states_of(twin, passes.read(model, TEXT)[0], [2])[2].numpy()
        cosines = (state @ table.T) / np.linalg.norm(state, axis=1)[:, None] / np.linalg.norm(table, axis=1)
        np.testing.assert_allclose(found.scores[1], -np.sort(-cosines, axis=1)[:, :5], atol=1e-5)
        with pytest.raises(UserError, match="has no head that scores words"):
            lens(model, TEXT, view=LensView(kind="logits"))


# Contributions


@pytest.mark.parametrize("kind", WITH_HEAD)
def test_the_parts_add_up_to_the_logit(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = given(kind)
    logits = plain(model, text, source).logits[0].double()
    at = None if model.causal else "swan"
    found = contributions(model, text, "king" if kind not in TWO else "white", None, source, at)
    logit = float(logits[found.position, found.target.id])
    assert found.total == pytest.approx(logit, rel=1e-3, abs=1e-4)
    assert found.score == pytest.approx(logit, rel=1e-4, abs=1e-4)
    heads = [part for part in found.parts if part.kind == "head"]
    assert len(heads) == model.n_layers * model.n_heads
    assert len([part for part in found.parts if part.kind == "mlp"]) == model.n_layers
    assert len([part for part in found.parts if part.kind == "cross head"]) == (len(heads) if kind in TWO else 0)
    assert sum(abs(part.value) > 1e-4 for part in heads) > len(heads) / 2
    two = contributions(model, text, "bank", "swan", source, at)
    apart = float(logits[two.position, two.target.id] - logits[two.position, two.against.id]) if two.against else 0
    assert two.total == pytest.approx(apart, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_looked_into_as_well(dtype: str, headed: dict[str, Path], opened: Open) -> None:
    for kind in ("gpt2", "t5"):
        text, source = given(kind)
        half = load_model(str(headed[kind]), "cpu", "torch", dtype, stack="decoder" if kind in TWO else "encoder")
        parts = contributions(half, text, "swan", None, source)
        whole = contributions(opened(kind), text, "swan", None, source)
        assert (parts.total, parts.score) == (
            pytest.approx(whole.score, abs=0.15),
            pytest.approx(whole.score, abs=0.15),
        )
        (found,) = attention(half, text, None, source)
        np.testing.assert_allclose(found.weights.sum(-1), 1, atol=0.01)
        np.testing.assert_allclose(found.weights, attention(opened(kind), text, None, source)[0].weights, atol=0.05)


def test_parts_that_dont_add_up_are_refused(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from polysema.core.inside import decomposition

    contributions(opened("gpt2"), TEXT, "swan")
    monkeypatch.setattr(decomposition, "out_matrix", lambda part: part.out.weight.detach() * 2)
    with pytest.raises(UserError, match="it is built otherwise than it says, and what its parts add can't be told"):
        contributions(opened("gpt2"), TEXT, "swan")


@pytest.mark.parametrize("kind", ENCODERS)
def test_without_a_head_they_add_up_to_a_dot_product(kind: str, opened: Open) -> None:
    model = opened(kind)
    found = contributions(model, TEXT, "water", at="swan")
    state = plain(model, TEXT, None).last_hidden_state[0, found.position]
    assert found.measure.startswith("dot product")
    expected = float(state.detach() @ model.input_table[found.target.id])
    assert found.total == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_a_part_is_what_it_writes_under_the_frozen_norm(opened: Open) -> None:
    model = opened("llama")
    found = contributions(model, TEXT, "bank")
    with passes.twin_of(model) as twin, torch.inference_mode():
        seen: list[Any] = []
        twin.on_output(twin.parts.sublayers[-1][-1].out, lambda out: seen.append(out[0, -1]))
        state = states_of(twin, passes.read(model, TEXT)[0], [2])[2][-1]
        scale = model.module.norm.weight / torch.sqrt((state**2).mean() + model.module.norm.variance_epsilon)
        expected = float((seen[0] * scale) @ model.whole.lm_head.weight[found.target.id])
    (mlp,) = [part for part in found.parts if part.name == "layer 2 mlp"]
    assert mlp.value == pytest.approx(expected, rel=1e-4)


def test_a_heads_outputs_are_a_space(opened: Open) -> None:
    for kind in ("gpt2", "llama", "bert", "t5"):
        model = opened(kind)
        text, source = given(kind)
        word = "bank" if kind in TWO else "swan"
        space = head_outputs(model, [text], [word], [2], [source] if source else None)
        assert len(space) == model.n_heads
        assert (space.keys[0], space.column("head")) == (f"{word} L1H0", [1, 2, 3, 4])
        with passes.twin_of(model) as twin:
            seen: list[Any] = []
            part = twin.parts.attention(2, "self")
            twin.on_output(part.out, lambda out, seen=seen: seen.append(out[0]))
            (reading,) = passes.read(model, text, source)
            twin.run(reading)
            bias = getattr(part.out, "bias", None)
            places = passes.positions_of(reading, word)
            whole = seen[0][places].mean(0) - (0 if bias is None else bias.detach())
        np.testing.assert_allclose(space.vectors.sum(0), whole.numpy(), atol=1e-5)
        area = head_subspace(model, 2, 3)
        assert (area.width, area.rank) == (4, 4)
        assert area.share(space.vectors[2]) == pytest.approx(1, abs=1e-5)
        assert area.share(np.eye(16, dtype=np.float32)[0]) < 0.99
    assert head_subspace(opened("llama"), 1, 3).key_head == 2


# Steering and ablation


@pytest.mark.parametrize("kind", ["gpt2", "llama", "t5", "bart", "marian", "bert-mlm"])
def test_a_vector_is_added_where_it_says(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = given(kind)
    text = "the white [MASK] in the water" if kind == "bert-mlm" else text
    vector = np.random.default_rng(3).normal(size=16).astype(np.float32)
    places = slice(None)
    found = steer(
        model, text, Direction(1, vector, "any"), Steer(2.5, relative=False), Statement(5, ("bank",), 4), source
    )
    whole = type(model.whole).from_pretrained(model.path).eval()
    base = getattr(whole, whole.base_model_prefix, whole)
    stack = base.get_decoder() if kind in TWO else base
    block = passes.anatomy(model, stack).blocks[0]

    def add(_m: Any, _i: Any, out: Any) -> Any:
        states = passes.first_of(out).clone()
        states[:, places] += torch.from_numpy(vector) * 2.5
        return passes.replaced(out, states)

    handle = block.register_forward_hook(add)
    (reading,) = passes.read(model, text, source)
    ids = torch.tensor([reading.ids])
    inputs = {"input_ids": ids}
    if reading.source is not None:
        inputs = {"input_ids": torch.tensor([reading.source.ids]), "decoder_input_ids": ids}
    with torch.no_grad():
        logits = whole(**inputs).logits[0, passes.last_place(model, reading)]
        handle.remove()
        before = whole(**inputs).logits[0, passes.last_place(model, reading)]
    top = logits.softmax(-1).topk(5)
    np.testing.assert_allclose([p for _, p in found.after], top.values.numpy(), atol=1e-5)
    np.testing.assert_allclose([p for _, p in found.before], before.softmax(-1).topk(5).values.numpy(), atol=1e-5)
    followed = found.followed[0]
    assert followed.after == pytest.approx(float(logits.softmax(-1)[followed.target.id]), abs=1e-5)
    p, q = before.log_softmax(-1), logits.log_softmax(-1)
    assert found.divergence == pytest.approx(float((p.exp() * (p - q)).sum() / np.log(2)), rel=1e-3)
    assert found.length == pytest.approx(2.5 * np.linalg.norm(vector), rel=1e-5)


def test_greedy_continuation_is_generates(opened: Open) -> None:
    for kind in ("gpt2", "llama"):
        model = opened(kind)
        found = steer(model, TEXT, Direction(0, np.ones(16, np.float32), "any"), Steer(0), Statement(3, (), 6))
        assert found.before == found.after
        assert found.continued_before == found.continued_after
        ids = torch.tensor([passes.read(model, TEXT)[0].ids])
        out = model.whole.generate(ids, max_new_tokens=6, do_sample=False, num_beams=1)
        assert found.continued_before == model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    model = opened("t5")
    found = steer(model, None, Direction(1, np.ones(16, np.float32), "any"), Steer(0), Statement(3, (), 6), TEXT)
    assert found.continued_after == model.generate([TEXT], 6)[0]


def test_a_vector_at_a_word_leaves_the_words_before_it(opened: Open) -> None:
    model = opened("gpt2")
    # (a vector of ones would change nothing: a layer norm takes the mean away)
    direction = Direction(1, np.random.default_rng(1).normal(size=16).astype(np.float32), "any")
    late = steer(model, TEXT, direction, Steer(3, "water"), Statement(3, (), 0))
    assert late.divergence > 0.01
    (reading,) = passes.read(model, TEXT)
    with passes.twin_of(model) as twin:
        before = states_of(twin, reading, [2])[2].clone()
        add_vector(twin, 1, direction.vector, passes.positions_of(reading, "swan"))
        after = states_of(twin, reading, [2])[2]
    (place,) = passes.positions_of(reading, "swan")
    torch.testing.assert_close(before[:place], after[:place])
    assert (before[place:] - after[place:]).abs().max() > 0.1


def test_a_concept_is_the_difference_of_means(opened: Open) -> None:
    model = opened("bert-mlm")
    toward, away = ["the white swan", "blue water"], ["money bank"]
    found = concepts(model, toward, away, [1, 2])
    expected = [
        np.mean([plain(model, text, None).hidden_states[layer][0, 1:-1].mean(0).numpy() for text in toward], axis=0)
        - plain(model, away[0], None).hidden_states[layer][0, 1:-1].mean(0).numpy()
        for layer in (1, 2)
    ]
    for layer, vector in zip((1, 2), expected, strict=True):
        np.testing.assert_allclose(found[layer].vector, vector, atol=1e-5)
    rows = sweep(model, "the [MASK] bank", list(found.values()), [0, 1, 4], Statement(3, ("swan",)))
    assert [(row.layer, row.strength) for row in rows] == [(1, 0), (1, 1), (1, 4), (2, 0), (2, 1), (2, 4)]
    assert rows[0].divergence == 0
    assert rows[2].divergence > rows[1].divergence > 0
    with pytest.raises(UserError, match="the same mean at layer 1"):
        concepts(model, ["bank"], ["bank"], [1])


def test_an_expression_is_a_direction(opened: Open) -> None:
    model = opened("bert")
    found = expression_direction(model, 'white - blue + bank in "the river bank" @2', 2)
    table = model.input_table.numpy()
    ids = [forms_of(model, word)[0].id for word in ("white", "blue")]
    bank = plain(model, "the river bank", None).hidden_states[2][0, 3].numpy()
    np.testing.assert_allclose(found.vector, table[ids[0]] - table[ids[1]] + bank, atol=1e-5)
    with pytest.raises(UserError, match="is at layer 1, but the vector is added at layer 2"):
        expression_direction(model, 'bank in "the river bank" @1', 2)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2", "t5", "marian", "bert-mlm"])
def test_a_head_set_to_zero_is_one_that_writes_nothing(kind: str, opened: Open) -> None:
    model = opened(kind)
    text, source = given(kind)
    text = "the white [MASK] in the water" if kind == "bert-mlm" else text
    found = ablate(
        model, text, [Ablation(2, 3), Ablation(1, kind="mlp")], Replacement("zero"), Statement(5, ("bank",), 0), source
    )
    whole = type(model.whole).from_pretrained(model.path).eval()
    base = getattr(whole, whole.base_model_prefix, whole)
    parts = passes.anatomy(model, base.get_decoder() if kind in TWO else base)
    head, mlp = parts.attention(2, "self").out, parts.sublayers[0][-1].out
    with torch.no_grad():
        if type(head).__name__ == "Conv1D":
            head.weight[8:12] = 0
        else:
            head.weight[:, 8:12] = 0
        mlp.weight.zero_()
        if getattr(mlp, "bias", None) is not None:
            mlp.bias.zero_()
        (reading,) = passes.read(model, text, source)
        ids = torch.tensor([reading.ids])
        inputs = {"input_ids": ids}
        if reading.source is not None:
            inputs = {"input_ids": torch.tensor([reading.source.ids]), "decoder_input_ids": ids}
        expected = whole(**inputs).logits[0, passes.last_place(model, reading)].softmax(-1)
    np.testing.assert_allclose([p for _, p in found.after], expected.topk(5).values.numpy(), atol=1e-5)
    assert found.divergence > 0


def test_a_part_is_set_to_its_mean(opened: Open) -> None:
    model = opened("gpt2")
    # of one token the mean is what it is anyway
    one = ablate(model, "a", [Ablation(1, 1), Ablation(2, kind="mlp")], Replacement("mean"), Statement(3, (), 0))
    assert one.divergence == pytest.approx(0, abs=1e-6)
    other = ablate(
        model,
        "a",
        [Ablation(1, 1), Ablation(2, kind="mlp")],
        Replacement("mean", (TEXT, "the bank")),
        Statement(3, (), 0),
    )
    assert other.divergence > 1e-3


# Families


def test_the_three_families_side_by_side(opened: Open) -> None:
    found = compare_families([opened("bert-mlm"), opened("gpt2"), opened("t5")], [TEXT, TEXT, TEXT])
    assert [[sight.describe for sight in each.sights] for each in found] == [
        ["every token sees every token"],
        ["a token sees itself and those before it"],
        [
            "every token sees every token",
            "a token sees itself and those before it",
            "every token sees the whole source",
        ],
    ]
    assert [each.ends.split(",")[0] for each in found] == [
        "a score for every word at every token (it fills masks)",
        "a score for every next word",
        "a score for every next token to write",
    ]
    t5 = found[2]
    (cross,) = attention(opened("t5"), t5.written, None, TEXT, AttentionView("cross", "tokens"))
    assert len(t5.carried) == len(cross.rows)
    first = t5.carried[0]
    mean = cross.weights.mean((0, 1))[0]
    assert first.looks_at[0] == (cross.columns[int(mean.argmax())].name, pytest.approx(float(mean.max()), abs=1e-6))
    assert first.share > 0
    local = family_run(opened("modernbert"), " ".join(["bank"] * 20)).sights[0]
    assert local.open.all()  # its second layer is global


# What is refused


def onnx(model: LanguageModel) -> LanguageModel:
    from polysema.core.model.onnx_engine import OnnxEngine

    return replace(model, engine=OnnxEngine(None, 0))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda o: attention(o("bert"), TEXT, [3]), r"layers 1 to 2; got 3\. Use -1 for the last"),
        (lambda o: attention(o("bert"), TEXT, [0]), r"got 0\. .*0 is the embeddings"),
        (lambda o: attention(o("bert"), TEXT, []), "at least one of the layers"),
        (lambda o: attention(o("bert"), TEXT, [1, -2]), "a layer is named twice"),
        (lambda o: attention(o("bert"), TEXT)[0].of(1, 5), "heads 1 to 4; got layer 1, head 5"),
        (lambda o: attention(o("bert"), ""), "nothing to read"),
        (lambda o: attention(o("bert"), TEXT, view=AttentionView("cross")), "no cross-attention"),
        (lambda o: attention(o("bert"), TEXT, view=AttentionView(special="hide")), "choose one of keep, merge"),
        (lambda o: attention(o("bert"), TEXT, view=AttentionView(unit="letters")), "choose one of words, tokens"),
        (lambda o: attention(o("bert"), TEXT, source="x"), "reads one text"),
        (lambda o: attention(o("t5"), TEXT), "reads a source beside each text"),
        (lambda o: rollout(o("t5"), TARGET, -1, TEXT, AttentionView("cross")), "choose the kind self"),
        (lambda o: find_heads(o("bert"), [("", "swan")], [TEXT]), "at least one pair of two words"),
        (lambda o: lens(o("bert"), TEXT, [3]), r"layers 0 \(embeddings\) to 2; got 3"),
        (lambda o: lens(o("bert"), TEXT, view=LensView(("cross",))), "before, attention, mlp; got 'cross'"),
        (lambda o: lens(o("bert"), TEXT, view=LensView(k=0)), "k goes from 1"),
        (lambda o: lens(o("bert"), TEXT, view=LensView(kind="magic")), "auto, logits, static"),
        (lambda o: lens(o("bert"), TEXT, words=["日本"]), "has no token for '日本'"),
        (lambda o: lens(o("bert"), TEXT, words=[" "]), "a word is needed"),
        (lambda o: contributions(o("bert-mlm"), TEXT, "swan"), r"where the text has \[MASK\]"),
        (lambda o: contributions(o("gpt2"), TEXT, "swan", "swan"), "the same token"),
        (lambda o: contributions(o("gpt2"), TEXT, "swan", at=99), "tokens 0 to 6; got 99"),
        (lambda o: contributions(o("gpt2"), TEXT, "swan", at="zebra"), "'zebra' is not a word of"),
        (lambda o: head_subspace(o("gpt2"), 1, 5), "heads 1 to 4 in each layer; got 5"),
        (lambda o: head_outputs(o("gpt2"), [TEXT], []), "as many words as texts"),
        (lambda o: steer(o("bert"), TEXT, Direction(1, np.ones(16, np.float32), "")), "no head that scores words"),
        (lambda o: steer(o("gpt2"), TEXT, Direction(1, np.ones(8, np.float32), "")), r"16 finite numbers.*got \(8,\)"),
        (lambda o: steer(o("gpt2"), TEXT, Direction(1, np.full(16, np.nan, np.float32), "")), "with NaN"),
        (lambda o: steer(o("gpt2"), TEXT, Direction(5, np.ones(16, np.float32), "")), "layers 0 .* to 2; got 5"),
        (
            lambda o: steer(o("gpt2"), TEXT, Direction(1, np.ones(16, np.float32), ""), Steer(np.inf)),
            "has to be a number",
        ),
        (lambda o: steer(o("gpt2"), "the " * 40, Direction(1, np.ones(16, np.float32), "")), "give a shorter text"),
        (lambda o: concepts(o("gpt2"), [], ["a"], [1]), "one of them is empty"),
        (lambda o: expression_direction(o("gpt2"), "bank - bank", 1), "is 0, so there is no direction"),
        (lambda o: ablate(o("gpt2"), TEXT, [Ablation(1, 9)]), "heads 1 to 4 in each layer; got 9"),
        (lambda o: ablate(o("gpt2"), TEXT, [Ablation(9, kind="mlp")]), "layers 1 to 2; got 9"),
        (lambda o: ablate(o("gpt2"), TEXT, [Ablation(1)]), "a head has a number"),
        (lambda o: ablate(o("gpt2"), TEXT, []), "at least one head or MLP"),
        (lambda o: ablate(o("gpt2"), TEXT, [Ablation(1, 1)], Replacement("half")), "zero or mean"),
        (lambda o: attention(onnx(o("bert")), TEXT), "the engine onnx runs a compiled graph"),
        (lambda o: lens(onnx(o("bert")), TEXT), "the engine onnx runs a compiled graph"),
        (lambda o: contributions(onnx(o("bert")), TEXT, "swan", at="swan"), "compiled graph"),
    ],
)
def test_what_is_refused(ask: Callable[[Open], Any], message: str, opened: Open) -> None:
    with pytest.raises((UserError, UnavailableError), match=message) as caught:
        ask(opened)
    assert "\n" not in str(caught.value)


def test_an_architecture_without_a_row_shows_all_but_its_parts(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened("gpt2")
    expected = (attention(model, TEXT)[0].weights, lens(model, TEXT, [0, 1, 2]).scores)
    monkeypatch.setattr(model.whole.config, "model_type", "falcon")
    np.testing.assert_array_equal(attention(model, TEXT)[0].weights, expected[0])
    np.testing.assert_array_equal(lens(model, TEXT, [0, 1, 2]).scores, expected[1])
    for ask in (
        lambda: contributions(model, TEXT, "swan"),
        lambda: ablate(model, TEXT, [Ablation(1, 1)]),
        lambda: head_outputs(model, [TEXT], ["swan"]),
        lambda: head_subspace(model, 1, 1),
        lambda: lens(model, TEXT, view=LensView(("attention",))),
    ):
        with pytest.raises(UserError, match="is a falcon model, whose parts are not known here .* albert, bart, bert"):
            ask()


def test_a_word_of_several_tokens_says_which_is_used(opened: Open) -> None:
    found = lens(opened("bert"), TEXT, [2], ["runner"])
    assert found.targets[0].pieces == ("run", "##ner")
    assert found.targets[0].note == "'runner' is 2 tokens ('run', '##ner'): the first, 'run', is used"


# Real weights


def check_identities(model: LanguageModel, text: str, word: str, source: str | None = None) -> None:
    (found,) = attention(model, text, [1, -1], source)
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    parts = contributions(model, text, word, None, source, None if model.causal else word)
    assert parts.total == pytest.approx(parts.score, rel=1e-3)
    if not model.causal:
        return
    (reading,) = passes.read(model, text, source)
    ids = torch.tensor([reading.ids])
    inputs = {"input_ids": ids}
    if reading.source is not None:
        inputs = {"input_ids": torch.tensor([reading.source.ids]), "decoder_input_ids": ids}
    with torch.inference_mode():
        logits = model.whole(**inputs, use_cache=False).logits[0, -1]
    assert parts.score == pytest.approx(float(logits[parts.target.id]), abs=1e-3)
    seen = lens(model, text, [-1], [word], source)
    np.testing.assert_allclose(seen.scores[0, -1], logits.softmax(-1).topk(5).values.numpy(), atol=1e-4)


def test_minilm() -> None:
    model = load_model("minilm-l6", "cpu", "torch")
    check_identities(model, "The white swan glides over the blue water.", "swan")
    words = " ".join(["bank"] * 510)
    (filled,) = attention(model, words, [6])
    assert filled.weights.shape == (1, 12, 512, 512)
    longer: tuple[Attention, ...] = attention(model, words + " swan", [6])
    assert len(longer) > 1


@pytest.mark.smollm
def test_smollm(smollm_folder: Path) -> None:
    model = load_model("smollm2-135m", "cpu", "torch")
    check_identities(model, "Michael Jordan was a professional", "basketball")
    (found,) = attention(model, "Michael Jordan was a professional", [30])
    assert (found.weights.shape[1], found.n_key_heads) == (9, 3)
    sport = contributions(model, "Michael Jordan was a professional", "basketball", "soccer")
    assert sport.total == pytest.approx(sport.score, rel=1e-3)
    assert sport.score == pytest.approx(np.log(0.048 / 0.069), abs=0.05)


def test_a_model_that_gave_states_before_has_its_head_checked(headed: dict[str, Path]) -> None:
    model = load_model(str(headed["llama"]), engine="torch")
    with torch.inference_mode():  # transformers hooks into the modules and marks the model
        model.whole(input_ids=torch.arange(3)[None], output_hidden_states=True)
    assert lens(model, "the bank", [-1]).steps[-1][0] == model.n_layers
