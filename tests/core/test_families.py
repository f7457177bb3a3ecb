"""Every family of transformers: what is seen inside is what transformers itself answers, and the proof says so."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.app.export.options import ExportInput, ExportSource
from polysema.app.export.run import export
from polysema.core.errors import UnreadableError, UserError
from polysema.core.inside import hooks
from polysema.core.inside.ablation import Ablation, Replacement, ablate
from polysema.core.inside.attention import AttentionView, attention
from polysema.core.inside.attribution import contributions
from polysema.core.inside.embedding_path import state_vector
from polysema.core.inside.explained_move import MoveOptions, explain_move
from polysema.core.inside.fill_mask import fill_mask
from polysema.core.inside.generation import generate
from polysema.core.inside.lens import LensView, lens
from polysema.core.inside.parameter_counts import widths
from polysema.core.inside.proof import ATTENTION, CROSS_ATTENTION, LENS, PARTS, Proof, proof_of
from polysema.core.inside.steering import Statement
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel, load_model, on_torch
from polysema.core.model.sentences import embed_sentences
from tests.families import BERT_LIKE, BOTH, FAMILIES, VARIANTS, save_family

TEXT = "the white swan"
SOURCE = "the river bank"
SINKS = {"gpt-oss"}
# attention, hidden states, the lens and attribution; the last of all of them by the table of parts
CASES = [
    (name, stack)
    for name, family in (FAMILIES | VARIANTS).items()
    for stack in (("encoder", "decoder") if family.family == BOTH else ("",))
]
Open = Callable[[str, str], LanguageModel]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    base = tmp_path_factory.mktemp("families")
    kept: dict[tuple[str, str], LanguageModel] = {}

    def load(name: str, stack: str) -> LanguageModel:
        if (name, stack) not in kept:
            folder = base / name if (base / name).is_dir() else save_family(name, base / name)
            kept[name, stack] = load_model(str(folder), "cpu", "torch", stack=stack or "encoder")
        return kept[name, stack]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # models this small only wait for a second one
    try:
        yield load
    finally:
        torch.set_num_threads(threads)


def plain(model: LanguageModel, text: str, source: str | None) -> Any:
    """What transformers itself answers, with plain attention, from weights that are read anew."""
    whole = type(model.whole).from_pretrained(model.path, attn_implementation="eager").eval()
    (reading,) = hooks.read(model, text, source)
    ids = torch.tensor([reading.ids])
    given = {"input_ids": ids}
    if reading.source is not None:
        given = {"input_ids": torch.tensor([reading.source.ids]), "decoder_input_ids": ids}
        given["decoder_attention_mask"] = torch.ones_like(ids)
    elif model.stack:
        given["decoder_input_ids"] = ids[:, :1]
    with torch.no_grad():
        return whole(**given, output_attentions=True, output_hidden_states=True)


@pytest.mark.parametrize(("name", "stack"), CASES, ids=lambda value: value or "whole")
def test_every_family_shows_what_transformers_answers(name: str, stack: str, opened: Open) -> None:
    model = opened(name, stack)
    source = SOURCE if stack == "decoder" else None
    answer = plain(model, TEXT, source)
    weights = getattr(answer, f"{stack}_attentions" if stack else "attentions")
    (found,) = attention(model, TEXT, None, source, AttentionView(unit="tokens"))
    np.testing.assert_allclose(found.weights, torch.stack([w[0] for w in weights]).numpy(), atol=1e-6)
    if stack == "decoder":
        (cross,) = attention(model, TEXT, None, source, AttentionView("cross", "tokens"))
        own = torch.stack([w[0] for w in answer.cross_attentions]).numpy()
        np.testing.assert_allclose(cross.weights, own, atol=1e-6)
    proof = proof_of(model, anew=True)
    assert proof.holds, proof
    assert proof.check(ATTENTION).applies
    assert proof.check(PARTS).applies
    assert proof.check(CROSS_ATTENTION).applies == (stack == "decoder")
    assert ("attention sink" in proof.check(ATTENTION).note) == (name in SINKS)
    if stack == "encoder":
        assert not proof.check(LENS).applies
        return
    logits = answer.logits[0]
    seen = lens(model, TEXT, [-1], source=source, view=LensView(k=3))
    np.testing.assert_allclose(seen.scores[0], logits.softmax(-1).topk(3).values.numpy(), atol=2e-5)
    at = None if model.causal else "swan"
    parts = contributions(model, TEXT, "swan", "bank", source, at)
    assert parts.against is not None
    two = logits[parts.position, [parts.target.id, parts.against.id]]
    assert parts.score == pytest.approx(float(two[0] - two[1]), abs=1e-4 * float(logits.abs().max()))
    assert parts.total == pytest.approx(parts.score, abs=1e-3 * parts.size)
    assert sum(part.kind == "head" for part in parts.parts) == model.n_layers * model.n_heads


@pytest.mark.parametrize(("name", "stack"), CASES, ids=lambda value: value or "whole")
def test_every_familys_move_is_the_sum_of_its_parts(name: str, stack: str, opened: Open) -> None:
    model, source = opened(name, stack), SOURCE if stack == "decoder" else None
    answer = plain(model, TEXT, source)
    (reading,) = hooks.read(model, TEXT, source)
    places = hooks.positions_of(reading, "swan")
    for layer in (0, 1, model.n_layers):
        states = answer[f"{stack}_hidden_states" if stack else "hidden_states"][layer][0, places].mean(0).numpy()
        length = np.linalg.norm(states - state_vector(model, "swan"))
        if layer == 0 and length < 1e-6:  # nothing but the word's own row goes into the first block
            continue
        found = explain_move(model, TEXT, "swan", layer, source, MoveOptions(shuffles=1))
        assert found.length == pytest.approx(float(length), rel=1e-4)
        assert found.total == pytest.approx(found.length, rel=1e-4)
        assert not found.note
        heads = [part.value for part in found.parts if part.head]
        np.testing.assert_allclose(found.by_source.sum(1), heads, atol=1e-4 * found.length)


def test_there_are_forty_families() -> None:
    assert len(FAMILIES) >= 40


@pytest.mark.parametrize("name", ["gemma2", "olmo2", "gpt-neox", "opt", "mixtral", "albert", "bloom"])
def test_an_mlp_taken_out_is_one_that_adds_nothing(name: str, opened: Open) -> None:
    model = opened(name, "")
    text = TEXT if model.causal else "the [MASK] swan"
    found = ablate(model, text, [Ablation(2, kind="mlp")], Replacement("zero"), Statement(4, (), 0))
    whole = type(model.whole).from_pretrained(model.path).eval()
    block = hooks.anatomy(replace(model, whole=whole, module=getattr(whole, whole.base_model_prefix))).blocks[1]
    out = {"mixtral": "mlp", "opt": "fc2", "albert": "albert_layers.0.ffn_output"}.get(name)
    out = out or ("mlp.dense_4h_to_h" if name in ("gpt-neox", "bloom") else "mlp.down_proj")
    if name == "albert":  # the module of every layer is the same: the second call is meant
        layer = whole.albert.encoder.albert_layer_groups[0].get_submodule(out)
        calls: list[int] = []
        layer.register_forward_hook(lambda _m, _i, o: calls.append(1) or (o * 0 if len(calls) == 2 else o))
    else:
        block.get_submodule(out).register_forward_hook(lambda _m, _i, o: o * 0)
    (reading,) = hooks.read(model, text)
    with torch.no_grad():
        expected = whole(input_ids=torch.tensor([reading.ids])).logits[0, hooks.last_place(model, reading)].softmax(-1)
    np.testing.assert_allclose([p for _, p in found.after], expected.topk(4).values.numpy(), atol=1e-5)
    assert found.divergence > 1e-6


def test_the_parameters_of_every_family_are_counted_once(opened: Open) -> None:
    for name in ("gemma2", "olmo2", "gpt-neox", "mixtral", "albert", "deberta"):
        model = opened(name, "")
        found = widths(model)
        assert sum(found.parameters.values()) == found.total == model.whole.num_parameters()
        assert found.stacks[0].mlp_dim == 32


def test_between_parallel_parts_there_is_no_state(opened: Open) -> None:
    with pytest.raises(UserError, match="is seen at before, mlp; got 'attention'"):
        lens(opened("phi", ""), TEXT, view=LensView(("attention",)))
    assert lens(opened("gpt-neox-in-series", ""), TEXT, view=LensView(("attention",))).steps[1] == (1, "attention")


def test_a_proof_is_kept_by_content(opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from polysema.core.inside import proof_passes

    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    model = opened("llama", "")
    first = proof_of(model, anew=True)
    (file,) = (tmp_path / "proofs").iterdir()
    monkeypatch.setattr(proof_passes, "prove", lambda _model: pytest.fail("it was proven again"))
    again = load_model(str(model.path), "cpu", "torch")
    assert proof_of(again) == first
    file.write_text("{")  # what can't be read is made anew
    monkeypatch.undo()
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    assert proof_of(load_model(str(model.path), "cpu", "torch")) == first


def broken(model: LanguageModel, tmp_path: Path, change: Callable[[Any], None]) -> LanguageModel:
    """The model with other weights, from a folder of its own."""
    whole = type(model.whole).from_pretrained(model.path)
    with torch.no_grad():
        change(whole)
    whole.save_pretrained(tmp_path / "broken")
    model.tokenizer.save_pretrained(tmp_path / "broken")
    return load_model(str(tmp_path / "broken"), "cpu", "torch")


def test_weights_that_are_no_numbers_are_named(opened: Open, tmp_path: Path) -> None:
    def change(whole: Any) -> None:
        whole.transformer.h[1].mlp.c_fc.weight[0, :3] = float("nan")

    model = broken(opened("gpt2", ""), tmp_path, change)
    named = r"fails the identity weights: .* 3 of 1,024 in transformer\.h\.1\.mlp\.c_fc\.weight"
    for ask in (lambda: attention(model, TEXT), lambda: lens(model, TEXT), lambda: contributions(model, TEXT, "swan")):
        with pytest.raises(UserError, match=named) as caught:
            ask()
        assert "\n" not in str(caught.value)
    # vectors are not made of them either, and nothing is written
    named = r"are not all numbers: NaN or infinite are 3 of 1,024 in transformer\.h\.1\.mlp\.c_fc\.weight; get the file"
    for ask in (
        lambda: embed(model, [TEXT], [0]),
        lambda: embed_sentences(model, [TEXT]),
        lambda: export(ExportInput([TEXT], ExportSource("x", "", 1)), tmp_path / "out", model, [0]),
    ):
        with pytest.raises(UnreadableError, match=named) as caught:
            ask()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "part"), [("t5", "encoder"), ("bart", "encoder"), ("bart", "decoder")])
def test_weights_that_are_no_numbers_are_named_before_a_decoder_writes(
    name: str, part: str, opened: Open, tmp_path: Path
) -> None:
    def change(whole: Any) -> None:
        list(getattr(whole, f"get_{part}")().parameters())[-1][0] = float("nan")

    model = broken(opened(name, "decoder"), tmp_path, change)
    decoder = on_torch(model, "decoder")
    for ask in (
        lambda: attention(decoder, None, None, TEXT),
        lambda: attention(decoder, None, None, TEXT, AttentionView("cross")),
        lambda: lens(decoder, None, source=TEXT),
        lambda: contributions(decoder, None, "swan", source=TEXT),
        lambda: generate(decoder, TEXT),
    ):
        with pytest.raises(UserError, match=r"NaN or infinite are 1 of \d+ in .*; get the file again") as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_a_gap_is_not_filled_by_weights_that_are_no_numbers(opened: Open, tmp_path: Path) -> None:
    def change(whole: Any) -> None:
        whole.cls.predictions.bias[3] = float("inf")

    model = broken(opened("bert", ""), tmp_path, change)
    with pytest.raises(UserError, match=r"are not all numbers: NaN or infinite are 1 of 214 in cls\.predictions"):
        fill_mask(model, "the [MASK] swan")


def test_finite_weights_are_looked_at_once_for_their_content(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    model = opened("gpt2", "")
    embed(load_model(str(model.path), "cpu", "torch"), [TEXT], [0])
    monkeypatch.setattr("polysema.core.model.finite_weights._look", lambda _model: pytest.fail("looked at again"))
    embed(load_model(str(model.path), "cpu", "torch"), [TEXT], [0])


def test_only_what_an_identity_is_about_is_refused(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened("qwen2", "")
    proof = proof_of(model)

    def with_failed(identity: str) -> Proof:
        return replace(
            proof,
            checks=tuple(
                replace(check, holds=False, difference=0.25) if check.identity == identity else check
                for check in proof.checks
            ),
        )

    monkeypatch.setattr("polysema.core.inside.proof.proof_of", lambda _model: with_failed(ATTENTION))
    with pytest.raises(UserError, match=r"qwen2. fails the identity attention: .*off by 0\.25, at most 0\.0001"):
        attention(model, TEXT)
    assert len(lens(model, TEXT).tokens) > 0
    monkeypatch.setattr("polysema.core.inside.proof.proof_of", lambda _model: with_failed(LENS))
    with pytest.raises(UserError, match="fails the identity lens"):
        lens(model, TEXT)
    assert attention(model, TEXT)[0].weights.shape[1] == model.n_heads


def test_a_head_that_is_missing_names_the_class_that_has_one(opened: Open, tmp_path: Path) -> None:
    model = opened("llama", "")
    base = model.whole.model
    base.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    headless = load_model(str(tmp_path), "cpu", "torch")
    with pytest.raises(UserError, match="its folder holds a LlamaModel, a LlamaForCausalLM would have one"):
        lens(headless, TEXT)
    assert not proof_of(headless).check(LENS).applies
    assert proof_of(headless).holds


def test_what_has_no_attention_is_refused_by_name(opened: Open, tmp_path: Path) -> None:
    import transformers

    tokenizer = opened("gpt2", "").tokenizer
    config = transformers.MambaConfig(hidden_size=16, state_size=4, num_hidden_layers=2, vocab_size=len(tokenizer))
    transformers.MambaForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="a mamba model has no attention heads: .* choose an encoder, a decoder or"):
        load_model(str(tmp_path), "cpu", "torch")


def test_a_family_whose_states_are_laid_out_otherwise_is_refused_what_it_fails(opened: Open, tmp_path: Path) -> None:
    import transformers

    tokenizer = opened("gpt2", "").tokenizer
    config = transformers.XLNetConfig(d_model=16, n_head=4, n_layer=2, d_inner=32, vocab_size=len(tokenizer))
    transformers.XLNetLMHeadModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(str(tmp_path), "cpu", "torch")
    with pytest.raises(UserError, match=r"xlnet. fails the identity hidden states: .* .off by .*, at most 0\.0001"):
        lens(model, TEXT)
    assert proof_of(model).check("padding").holds


def test_a_family_that_a_pass_does_not_fit_fails_in_a_line(opened: Open, tmp_path: Path) -> None:
    import transformers

    tokenizer = opened("bert", "").tokenizer
    squeezed = transformers.SqueezeBertConfig(**BERT_LIKE, embedding_size=16, vocab_size=len(tokenizer))
    pooled = transformers.FunnelConfig(
        block_sizes=[1, 1], d_model=16, n_head=4, d_head=4, d_inner=32, vocab_size=len(tokenizer)
    )
    folders = []
    for made in (transformers.SqueezeBertForMaskedLM(squeezed), transformers.FunnelForMaskedLM(pooled)):
        folders.append(str(tmp_path / made.config.model_type))
        made.save_pretrained(folders[-1])
        tokenizer.save_pretrained(folders[-1])
    model = load_model(folders[0], "cpu", "torch")
    check = proof_of(model).check("hidden states")
    assert (check.holds, check.applies, "laid out otherwise" in check.note) == (False, True, True)
    with pytest.raises(UserError, match="fails the identity hidden states: .* laid out otherwise"):
        lens(model, f"{TEXT} [MASK]")
    with pytest.raises(UserError, match=r"a layer of FunnelModel has \d states for \d+ tokens"):
        embed(load_model(folders[1], "cpu", "torch"), [TEXT])


def test_a_family_that_sees_padding_reads_each_text_alone(opened: Open, tmp_path: Path) -> None:
    import transformers

    tokenizer = opened("bert", "").tokenizer
    torch.manual_seed(5)
    config = transformers.ConvBertConfig(**BERT_LIKE, embedding_size=16, vocab_size=len(tokenizer))
    made = transformers.ConvBertForMaskedLM(config)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0, 0.4)
    made.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(str(tmp_path), "cpu", "torch")
    assert proof_of(model).check("padding").difference == 0
    alone, beside = (embed(model, texts).vectors[0] for texts in ([TEXT], [TEXT, f"{TEXT} water"]))
    np.testing.assert_array_equal(alone, beside[: len(alone)])


def test_what_a_decoder_writes_is_read_as_far_as_its_window_goes(opened: Open) -> None:
    model = opened("t5gemma", "decoder")
    written = model.generate([TEXT])[0]
    assert len(model.encode_targets([written])[0]) > model.window  # its pieces are more when they are read
    (reading,) = hooks.read(model, None, TEXT)
    assert written.startswith(reading.text)
    assert model.window - 4 <= len(reading) <= model.window


def test_a_decoder_that_is_deeper_than_its_encoder_writes(opened: Open, tmp_path: Path) -> None:
    import transformers

    tokenizer = opened("t5", "encoder").tokenizer
    sizes = {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_heads": 4, "num_layers": 1, "num_decoder_layers": 2}
    config = transformers.SwitchTransformersConfig(**sizes, vocab_size=len(tokenizer), num_experts=2)
    torch.manual_seed(5)
    transformers.SwitchTransformersForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(str(tmp_path), "cpu", "torch", stack="decoder")
    assert len(model.generate([TEXT], 3)) == 1
    assert not model._cache_fits()
    assert opened("t5", "decoder")._cache_fits()


def test_prophetnets_positions_begin_behind_the_padding_id(opened: Open, tmp_path: Path) -> None:
    import transformers

    tokenizer = opened("t5", "encoder").tokenizer
    sizes = {"hidden_size": 16, "max_position_embeddings": 16, "decoder_start_token_id": tokenizer.pad_token_id}
    for stack in ("encoder", "decoder"):
        sizes |= {f"{stack}_ffn_dim": 32, f"num_{stack}_layers": 1, f"num_{stack}_attention_heads": 4}
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = transformers.ProphetNetConfig(**sizes, **special, vocab_size=len(tokenizer))
    torch.manual_seed(0)
    transformers.ProphetNetForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(str(tmp_path), "cpu", "torch", stack="decoder")
    assert model.window == 16 - tokenizer.pad_token_id - 2
    assert model.generate([TEXT]) != [""]  # to the last position


def test_a_long_text_is_one_pass_where_there_are_positions(opened: Open) -> None:
    model = opened("bloom", "")  # no table of positions: any text has some
    assert model.window == 2048
    text = "the bank " * 1100
    parts = contributions(model, text, "swan")
    assert parts.position > 2100
    with torch.no_grad():
        ids = torch.tensor([model.tokenizer(text)["input_ids"]])
        expected = model.whole(input_ids=ids).logits[0, -1, parts.target.id]
    assert parts.score == pytest.approx(float(expected), abs=1e-3)
    text *= 4
    for ask in (lambda: contributions(model, text, "swan"), lambda: ablate(model, text, [Ablation(1, 1)])):
        with pytest.raises(
            UserError, match=r"8,\d{3} tokens, .* of about 3\.\d GB of memory and .* s; at most 2\.15 GB"
        ):
            ask()
    with pytest.raises(
        UserError, match=r"of about 0\.\d+ MB of memory .*; .*gpt2 has positions for 48: give a shorter text"
    ):
        contributions(opened("gpt2", ""), "the bank " * 40, "swan")
