"""Patching equals hooks of one's own, layer by layer and position by position."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.errors import UserError
from polysema.core.inside.hooks import Twin, first_of, read, replaced
from polysema.core.inside.patch_inputs import Noise, PatchOptions
from polysema.core.inside.patching import patch
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.space.space import Floats

Open = Callable[[str], LanguageModel]
# of each architecture: its blocks, and in a block what attention, MLP and cross-attention write with
NAMES = {
    "gpt2": ("transformer.h", "attn.c_proj", "mlp.c_proj", ""),
    "llama": ("model.layers", "self_attn.o_proj", "mlp.down_proj", ""),
    "bert-mlm": ("bert.encoder.layer", "attention.output.dense", "output.dense", ""),
    "t5": ("decoder.block", "layer.0.SelfAttention.o", "layer.2.DenseReluDense.wo", "layer.1.EncDecAttention.o"),
    "marian": ("model.decoder.layers", "self_attn.out_proj", "fc2", "encoder_attn.out_proj"),
}
TWO = ("t5", "marian")
TEXTS = ("the white swan in the blue", "the blue swan in the white")
MASKED_TEXTS = ("the white [MASK] in the blue", "the blue [MASK] in the white")
TARGETS, SOURCES = ("the river", "the white"), ("the white swan", "the bank")
PARTS = ("residual", "attention", "mlp", "cross", "head")
N_HEADS, WIDTH = 4, 4


@pytest.fixture(scope="module")
def opened(headed: dict[str, Path]) -> Open:
    kept: dict[str, LanguageModel] = {}

    def load(kind: str) -> LanguageModel:
        if kind not in kept:
            stack = "decoder" if kind in TWO else "encoder"
            kept[kind] = load_model(str(headed[kind]), "cpu", "torch", stack=stack)
        return kept[kind]

    return load


def question(kind: str, **more: Any) -> tuple[tuple[str, str], PatchOptions]:
    if kind in TWO:
        return TARGETS, PatchOptions(sources=SOURCES, **more)
    return MASKED_TEXTS if kind == "bert-mlm" else TEXTS, PatchOptions(**more)


class OwnHooks:
    """transformers and torch alone, on weights that are read anew."""

    def __init__(self, model: LanguageModel, kind: str):
        self.whole = type(model.whole).from_pretrained(model.path, attn_implementation="eager").eval()
        self.blocks, *names = NAMES[kind]
        self.names = dict(zip(("attention", "mlp", "cross"), names, strict=True)) | {"head": names[0]}

    def module(self, part: str, layer: int) -> Any:
        block = self.whole.get_submodule(f"{self.blocks}.{max(0, layer - 1)}")
        return block if part == "residual" else block.get_submodule(self.names[part])

    def logits(self, reading: Any, part: str, layer: int, change: Callable[[Any], Any]) -> Any:
        module = self.module(part, layer)
        if part == "head" or layer == 0:
            handle = module.register_forward_pre_hook(lambda _m, args: (change(args[0]), *args[1:]))
        else:
            handle = module.register_forward_hook(lambda _m, _i, out: replaced(out, change(first_of(out))))
        ids = torch.tensor([reading.ids])
        given: dict[str, Any] = {"input_ids": ids}
        if reading.source is not None:
            given = {"input_ids": torch.tensor([reading.source.ids]), "decoder_input_ids": ids}
        with torch.no_grad():
            answer = self.whole(**given).logits[0]
        handle.remove()
        return answer

    def patched(self, base: Any, donor: Any, part: str, layer: int, place: Any) -> Any:
        seen: list[Any] = []
        self.logits(donor, part, layer, lambda states: seen.append(states.clone()) or states)

        def put(states: Any) -> Any:
            states = states.clone()
            states[(0, *place)] = seen[0][(0, *place)]
            return states

        return self.logits(base, part, layer, put)


@pytest.mark.parametrize(("kind", "part"), [(k, p) for k in NAMES for p in PARTS if p != "cross" or k in TWO])
def test_patching_equals_own_hooks(kind: str, part: str, opened: Open) -> None:
    model = opened(kind)
    texts, options = question(kind, part=part)
    answer, against = ("white", "bank")
    found = patch(model, texts, answer, against, options)
    own = OwnHooks(model, kind)
    clean, corrupted = (
        read(model, text, source)[0] for text, source in zip(texts, options.sources or (None, None), strict=True)
    )

    def score(logits: Any) -> float:
        at = logits[found.place].double()
        assert found.against is not None
        return float(at[found.answer.id] - at[found.against.id])

    expected: Floats = np.array(
        [
            [
                score(own.patched(corrupted, clean, part, layer, _place(part, column, found.positions)))
                for column in range(len(found.columns))
            ]
            for layer in found.layers
        ]
    )
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)
    assert found.layers == ((0, 1, 2) if part == "residual" else (1, 2))
    ends = [score(own.logits(one, part, 1, lambda states: states)) for one in (clean, corrupted)]
    assert (found.clean_score, found.corrupted_score) == pytest.approx(tuple(ends), abs=1e-6)
    by_hand = (found.scores - found.corrupted_score) / (found.clean_score - found.corrupted_score)
    np.testing.assert_allclose(found.effects, by_hand, atol=2e-4)  # float32 over a small difference
    assert np.ptp(found.effects) > 1e-3


def _place(part: str, column: int, positions: tuple[int, ...]) -> tuple[Any, ...]:
    if part == "head":
        return slice(None), slice(column * WIDTH, (column + 1) * WIDTH)
    return (positions[column],)


def test_everything_patched_is_the_other_pass(opened: Open) -> None:
    texts, options = question("gpt2", layers=(2,))
    found = patch(opened("gpt2"), texts, "bank", None, options)
    # the last layer's state at the last token is all that its answer depends on
    assert found.effects[0, -1] == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(found.effects[0, :-1], 0, atol=1e-6)
    assert found.measure == "log-probability of ' bank'"
    back = patch(opened("gpt2"), texts, "bank", None, PatchOptions(layers=(2,), into="clean"))
    assert back.scores[0, -1] == pytest.approx(found.corrupted_score, abs=1e-6)
    assert (back.clean_score, back.corrupted_score) == (found.clean_score, found.corrupted_score)
    assert back.best(1) == ((2, found.columns[-1], pytest.approx(1, abs=1e-6)),)


def test_log_probability_is_that_of_a_plain_pass(opened: Open) -> None:
    model = opened("llama")
    found = patch(model, TEXTS, "bank")
    with torch.no_grad():
        logits = model.whole(torch.tensor([read(model, TEXTS[0])[0].ids])).logits[0, -1]
    assert found.clean_score == pytest.approx(float(logits.double().log_softmax(-1)[found.answer.id]), abs=1e-5)


def test_one_head_is_patched_position_by_position(opened: Open) -> None:
    model = opened("llama")
    words = PatchOptions("head", (1,), 3, ("white", -1))
    found = patch(model, TEXTS, "bank", "swan", words)
    own = OwnHooks(model, "llama")
    clean, corrupted = (read(model, text)[0] for text in TEXTS)
    assert found.positions == (1, len(clean) - 1)
    assert (found.head, found.scores.shape, found.n_passes) == (3, (1, 2), 2)
    for column, position in enumerate(found.positions):
        logits = own.patched(corrupted, clean, "head", 1, (position, slice(8, 12)))[-1].double()
        expected = float(logits[found.answer.id] - logits[found.against.id])  # type: ignore[union-attr]
        assert found.scores[0, column] == pytest.approx(expected, abs=1e-6)


def test_the_encoder_beside_a_decoder_is_patched(opened: Open) -> None:
    model = opened("t5")
    sources = ("the white swan", "the river swan")
    found = patch(model, ("the", "the"), "bank", "swan", PatchOptions(sources=sources, stack="encoder"))
    own = OwnHooks(model, "t5")
    own.blocks = "encoder.block"
    clean, corrupted = (read(model, "the", source)[0] for source in sources)
    assert len(found.columns) == len(clean.source.ids)  # type: ignore[union-attr]
    logits = own.patched(corrupted, clean, "residual", 1, (1,))[found.place].double()
    expected = float(logits[found.answer.id] - logits[found.against.id])  # type: ignore[union-attr]
    assert found.scores[1, 1] == pytest.approx(expected, abs=1e-6)
    # where the decoder has written nothing, the sources alone differ
    start = patch(model, (None, None), "bank", None, PatchOptions(sources=sources))
    assert (start.place, len(start.columns)) == (0, 1)
    assert start.effects[-1, 0] == pytest.approx(1, abs=1e-6)


def test_noise_makes_the_corrupted_text(opened: Open) -> None:
    model = opened("gpt2")
    options = PatchOptions(noise=Noise("white", 3.0, 2, seed=4))
    found = patch(model, (TEXTS[0], None), "bank", None, options)
    (reading,) = read(model, TEXTS[0])
    own = OwnHooks(model, "gpt2")
    seen: list[Any] = []
    own.logits(reading, "residual", 0, lambda states: seen.append(states.clone()) or states)
    generator = torch.Generator().manual_seed(4)
    scores = []
    for _ in range(2):
        noisy = seen[0].clone()
        noisy[0, 1] += 3.0 * seen[0].std() * torch.randn((1, 16), generator=generator)[0]
        logits = own.logits(reading, "residual", 0, lambda _states, noisy=noisy: noisy)[-1]
        scores.append(float(logits.double().log_softmax(-1)[found.answer.id]))
    assert found.corrupted_score == pytest.approx(np.mean(scores), abs=1e-5)
    assert found.effects[0, 1] == pytest.approx(1, abs=1e-5)  # the embedding of the noisy word brings all of it back
    np.testing.assert_allclose(found.effects[0, 2:], 0, atol=1e-6)
    again = patch(model, (TEXTS[0], None), "bank", None, options)
    np.testing.assert_array_equal(found.scores, again.scores)
    assert found.n_passes == 2 * found.scores.size


def test_nothing_is_left_behind(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened("gpt2")

    def n_hooks() -> int:
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.whole.modules())

    before = patch(model, TEXTS, "bank").scores
    hooks = n_hooks()  # some are transformers' own
    runs = []

    def fail(twin: Twin, *_: Any) -> None:
        runs.append(twin)
        raise ZeroDivisionError

    monkeypatch.setattr(Twin, "run_rows", fail)
    with pytest.raises(ZeroDivisionError):
        patch(model, TEXTS, "bank")
    monkeypatch.undo()
    assert not any("forward" in module.__dict__ for twin in runs for module in twin.root.modules())
    assert n_hooks() == hooks
    np.testing.assert_array_equal(patch(model, TEXTS, "bank").scores, before)


def test_progress_is_told_and_can_end_it(opened: Open) -> None:
    told: list[tuple[str, int, int]] = []
    found = patch(opened("gpt2"), TEXTS, "bank", None, PatchOptions(layers=(1,)), lambda *step: told.append(step))
    assert told[-1] == ("patch", found.n_passes, found.n_passes)
    assert len(told) == found.n_passes + 1


@pytest.mark.parametrize(
    ("kind", "texts", "answer", "options", "message"),
    [
        ("gpt2", (TEXTS[0], "the bank"), "bank", {}, r"the clean one has \d+, the corrupted one \d+\. They differ in"),
        ("gpt2", (TEXTS[0], TEXTS[0]), "bank", {}, "are the same"),
        ("gpt2", ("", "the"), "bank", {}, "nothing to read"),
        ("gpt2", TEXTS, " ", {}, "a word is needed"),
        ("bert-mlm", MASKED_TEXTS, "日本", {}, "has no token for '日本'"),
        ("gpt2", TEXTS, "bank", {"layers": (3,)}, r"layers 0 \(embeddings\) to 2; got 3"),
        ("gpt2", TEXTS, "bank", {"part": "mlp", "layers": (3,)}, "layers 1 to 2; got 3"),
        ("gpt2", TEXTS, "bank", {"part": "head", "head": 5}, "heads 1 to 4 in each layer; got 5"),
        ("gpt2", TEXTS, "bank", {"part": "mlp", "head": 1}, "the part mlp has no heads"),
        ("gpt2", TEXTS, "bank", {"part": "neuron"}, "no part 'neuron' to patch; choose one of residual, attention"),
        ("gpt2", TEXTS, "bank", {"part": "cross"}, "no cross-attention there"),
        ("gpt2", TEXTS, "bank", {"stack": "encoder"}, "has one stack, so there is no 'encoder'"),
        ("gpt2", TEXTS, "bank", {"into": "both"}, "put into corrupted or clean; got 'both'"),
        ("gpt2", TEXTS, "bank", {"at_words": ("bank",)}, "'bank' is not a word of"),
        ("gpt2", TEXTS, "bank", {"at_words": ()}, "at least one word or token"),
        ("gpt2", TEXTS, "bank", {"place": 99}, "the tokens 0 to"),
        ("gpt2", TEXTS, "bank", {"noise": Noise("white")}, "and not both"),
        ("gpt2", (TEXTS[0], None), "bank", {"noise": Noise("white", -1)}, "above 0; got -1"),
        ("gpt2", (TEXTS[0], None), "bank", {"noise": Noise("white", samples=0)}, "1 to 100 times; got 0"),
        ("bert-mlm", ("the [MASK] swan", "the white [MASK]"), "bank", {}, "at another token"),
        ("bert", TEXTS, "bank", {}, "has no head that scores words"),
        ("t5", TARGETS, "bank", {}, "none was given"),
    ],
)
def test_what_is_refused(
    kind: str, texts: tuple[str, str | None], answer: str, options: dict[str, Any], message: str, opened: Open
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        patch(opened(kind), texts, answer, None, PatchOptions(**options))
    assert "\n" not in str(caught.value)


def test_two_answers_differ_and_texts_too(opened: Open) -> None:
    with pytest.raises(UserError, match="begin with the same token ' white'; choose other answers"):
        patch(opened("gpt2"), TEXTS, "white", "white")
    with pytest.raises(UserError, match="give.* the same score"):
        # what stands behind the place that is looked at changes nothing in a decoder
        patch(opened("gpt2"), TEXTS, "bank", None, PatchOptions(place=0))


def test_too_many_passes_are_told(opened: Open) -> None:
    with pytest.raises(UserError, match=r"\d+ places are patched .* tokens to read, and at most 100 .* Choose layers"):
        patch(opened("gpt2"), TEXTS, "bank", None, PatchOptions(max_tokens=100))
