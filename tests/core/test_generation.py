"""What a model writes, against transformers' own `generate`: greedy, beams, drawn by a seed, from a prefix."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.errors import UserError
from polysema.core.inside.attention import AttentionView, attention
from polysema.core.inside.generation import DecodingOptions, Generation, end_tokens, generate
from polysema.core.model.load import LanguageModel, load_model

TEXT = "the white swan in the blue"
DECODERS, PAIRS = ("gpt2", "llama"), ("t5", "marian", "bart")
SETTINGS: dict[str, tuple[DecodingOptions, dict[str, Any]]] = {
    "greedy": (DecodingOptions(), {"do_sample": False}),
    "beams": (DecodingOptions(num_beams=3), {"do_sample": False, "num_beams": 3}),
    "long beams": (
        DecodingOptions(num_beams=4, length_penalty=3.0),
        {"do_sample": False, "num_beams": 4, "length_penalty": 3.0},
    ),
    "drawn": (DecodingOptions(do_sample=True, seed=4), {"do_sample": True}),
    "cooler, of the best five": (
        DecodingOptions(temperature=0.6, top_k=5, seed=1),
        {"do_sample": True, "temperature": 0.6, "top_k": 5},
    ),
    "hotter, top-p": (
        DecodingOptions(temperature=1.7, top_k=0, top_p=0.8, seed=2),
        {"do_sample": True, "temperature": 1.7, "top_k": 0, "top_p": 0.8},
    ),
    "min-p": (DecodingOptions(min_p=0.1, top_k=0, seed=3), {"do_sample": True, "min_p": 0.1, "top_k": 0}),
}


@pytest.fixture(scope="module")
def writers(tiny: dict[str, Path]) -> dict[str, LanguageModel]:
    made = {name: load_model(str(tiny[name]), "cpu", "torch") for name in DECODERS}
    made |= {name: load_model(str(tiny[name]), "cpu", "torch", stack="decoder") for name in PAIRS}
    made["translator"] = load_model("marian-en-fr", "cpu", "torch", stack="decoder")
    return made


def theirs(model: LanguageModel, text: str, n: int, seed: int = 0, prefix: tuple[int, ...] = (), **how: Any) -> Any:
    """The ids that transformers writes, from the first on."""
    ids = torch.tensor([list(model.encode([text])[0].windows[0])])
    given: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    start = ids.shape[1]
    if model.reads_two:
        given["decoder_input_ids"] = torch.tensor([[model.start_token, *prefix]])
        how["decoder_start_token_id"] = model.start_token
        start = 1
    elif prefix:
        given["input_ids"] = torch.cat([ids, torch.tensor([prefix])], 1)
        given["attention_mask"] = torch.ones_like(given["input_ids"])
    torch.manual_seed(seed)
    return model.whole.generate(**given, max_new_tokens=n - len(prefix), **how)[0, start:].tolist()


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", [*DECODERS, *PAIRS, "translator"])
def test_the_tokens_are_those_of_transformers(writers: dict[str, LanguageModel], name: str, setting: str) -> None:
    model, (options, how) = writers[name], SETTINGS[setting]
    for n in (1, 4, 14):
        found = generate(model, TEXT, n, 3, options)
        assert list(found.ids) == theirs(model, TEXT, n, options.seed or 0, **how)
        assert found.text == model.tokenizer.decode(list(found.ids), skip_special_tokens=True)
        assert found.ended == (found.ids[-1] in end_tokens(model))


@pytest.mark.parametrize("name", ["llama", "t5", "translator"])
@pytest.mark.parametrize("setting", ["greedy", "beams", "drawn"])
def test_a_text_goes_on_from_another_token(writers: dict[str, LanguageModel], name: str, setting: str) -> None:
    model, (options, how) = writers[name], SETTINGS[setting]
    first = generate(model, TEXT, 9, 4)
    other = first.steps[2].candidates[1].id
    prefix = (*first.ids[:2], other)
    branch = generate(model, TEXT, 9, 4, DecodingOptions(**{**_fields(options), "prefix": prefix}))
    assert list(branch.ids) == [*prefix, *theirs(model, TEXT, 9, options.seed or 0, prefix, **how)[len(prefix) :]]
    assert [step.forced for step in branch.steps[:4]] == [True, True, True, False]
    assert branch.steps[2].rank == 2
    assert [one.id for one in branch.steps[1].candidates] == [one.id for one in first.steps[1].candidates]
    wanted = float(np.log(first.steps[2].candidates[1].probability))
    assert branch.steps[2].log_probability == pytest.approx(wanted, abs=1e-4)


def _fields(options: DecodingOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in DecodingOptions.__slots__}


def test_the_numbers_of_a_step_are_those_of_its_distribution(writers: dict[str, LanguageModel]) -> None:
    model, k = writers["llama"], 7
    options = DecodingOptions(temperature=0.5, top_k=3, seed=6)
    found = generate(model, TEXT, 6, k, options)
    ids = torch.tensor([[*model.encode([TEXT])[0].windows[0], *found.ids]])
    with torch.inference_mode():
        logits = model.whole(ids).logits[0, -7:-1].double()
    logs = logits.log_softmax(-1)
    for step, row, raw in zip(found.steps, logs, logits, strict=True):
        assert step.log_probability == pytest.approx(float(row[step.id]), abs=1e-5)
        assert step.entropy == pytest.approx(float(-(row.exp() * row).sum() / np.log(2)), abs=1e-5)
        assert step.rank == int((row > row[step.id]).sum()) + 1
        best = row.topk(k)
        assert [one.id for one in step.candidates] == best.indices.tolist()
        np.testing.assert_allclose([one.probability for one in step.candidates], best.values.exp(), atol=1e-5)
        chances = (raw.topk(3).values / 0.5).softmax(-1)
        np.testing.assert_allclose([one.chance for one in step.candidates], [*chances, 0, 0, 0, 0], atol=1e-5)
    assert found.steps[-1].text == found.text


def test_beams_are_a_tree_and_the_best_of_them_wins(writers: dict[str, LanguageModel]) -> None:
    model = writers["translator"]
    text = "The bank of the river is muddy."
    generation = Generation(model, text, 30, 3, DecodingOptions(num_beams=3))
    steps = list(generation)
    before: list[Any] = []
    for step in steps:
        going = [beam for beam in step.beams if not beam.ends]
        assert len(going) == 3
        assert [beam.score for beam in step.beams] == sorted((beam.score for beam in step.beams), reverse=True)
        for beam in step.beams:
            parent = before[beam.parent] if before else None
            assert (parent is None and beam.parent == 0) or beam.text.startswith(parent.text[:-1])
            assert parent is None or beam.score <= parent.score + 1e-6
        before = going
    found = generation.result()
    assert [one.score for one in found.hypotheses] == sorted((one.score for one in found.hypotheses), reverse=True)
    best = found.hypotheses[0]
    assert (best.text, best.ids, best.ended) == (found.text, found.ids, True)
    total = sum(step.log_probability for step in found.steps)
    assert best.score == pytest.approx(total / len(found.ids), abs=1e-4)


def test_each_step_s_look_at_the_source_is_the_cross_attention(writers: dict[str, LanguageModel]) -> None:
    for name in ("translator", "t5"):
        model = writers[name]
        found = generate(model, TEXT, 8)
        shares = np.array(found.cross_attention)
        assert shares.shape == (len(found.ids), len(found.prompt))
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
        if name == "translator":
            (seen,) = attention(model, found.text, None, TEXT, AttentionView("cross", "tokens"))
            n = min(len(shares), seen.weights.shape[2])
            np.testing.assert_allclose(shares[:n], seen.weights.mean((0, 1))[:n], atol=1e-5)
            assert found.prompt == tuple(unit.name for unit in seen.columns)
    assert generate(writers["gpt2"], TEXT, 2).cross_attention == ()


@pytest.mark.parametrize("setting", ["greedy", "beams"])
@pytest.mark.parametrize("prefix", [(), (5, 9)])
def test_a_step_that_is_streamed_looks_at_the_source(
    writers: dict[str, LanguageModel], setting: str, prefix: tuple[int, ...]
) -> None:
    options = DecodingOptions(**{**_fields(SETTINGS[setting][0]), "prefix": prefix})
    for name in ("translator", "t5"):
        generation = Generation(writers[name], TEXT, 8, 3, options)
        steps = list(generation.with_cross_attention())
        found = generation.result()
        written = {(step.number, step.text) for step in found.steps}
        same = [step for step in steps if (step.number, step.text) in written]
        assert len(same) >= (len(steps) if setting == "greedy" else len(prefix) + 1)
        for step in same:  # of a beam search the best beam of the time may be another than the one that won
            np.testing.assert_allclose(step.cross_attention, found.cross_attention[step.number], atol=1e-6)
        assert all(sum(step.cross_attention) == pytest.approx(1, abs=1e-5) for step in steps)
        assert all(step.cross_attention == () for step in found.steps)
    steps = list(Generation(writers["gpt2"], TEXT, 2).with_cross_attention())
    assert [step.cross_attention for step in steps] == [(), ()]


def test_what_cannot_be_is_said_in_one_line(writers: dict[str, LanguageModel], tiny: dict[str, Path]) -> None:
    model = writers["gpt2"]
    for options, message in (
        (DecodingOptions(temperature=0.0), "the temperature is above 0 and at most 100; got 0"),
        (DecodingOptions(top_k=-1), "top-k is a number of tokens, or 0 for all; got -1"),
        (DecodingOptions(top_p=1.5), "top-p is a probability above 0 and at most 1; got 1.5"),
        (DecodingOptions(min_p=-0.5), "min-p is a share from 0 to 1; got -0.5"),
        (DecodingOptions(num_beams=17), "1 to 16 beams are gone on with; got 17"),
        (DecodingOptions(temperature=math.nan), "at most 100; got nan"),
        (DecodingOptions(top_p=math.nan), "at most 1; got nan"),
        (DecodingOptions(num_beams=2, length_penalty=math.nan), "a power from -100 to 100; got nan"),
        (DecodingOptions(num_beams=2, length_penalty=1e308), "a power from -100 to 100; got 1e"),
        (DecodingOptions(length_penalty=2.0), "a length penalty compares beams: give 2 beams or more"),
        (DecodingOptions(seed=-1), "a seed is a whole number from 0 on; got -1"),
        (DecodingOptions(num_beams=2, temperature=2.0), "beams are compared and not drawn"),
        (DecodingOptions(do_sample=False, top_k=5), "are of drawing tokens: leave them out, or sample"),
        (DecodingOptions(prefix=(10_000,)), "the prefix has 10,000"),
        (DecodingOptions(prefix=(1, 2, 3)), "the prefix has 3 tokens, and 2 are written at most"),
    ):
        with pytest.raises(UserError, match=message):
            generate(model, TEXT, 2, 3, options)
    with pytest.raises(UserError, match="there is nothing to read in ' '"):
        generate(writers["translator"], " ")
    with pytest.raises(UserError, match="is an encoder: it reads and doesn't write"):
        generate(load_model(str(tiny["bert"]), "cpu", "torch"), TEXT)


def test_it_writes_no_more_than_the_window_has_room_for(writers: dict[str, LanguageModel]) -> None:
    model = writers["gpt2"]
    long = "the bank " * 9
    n = len(model.encode([long])[0].windows[0])
    found = generate(model, long, 60)
    assert len(found.steps) == model.window - n + 1
    assert not found.ended
