"""What a model writes against transformers' own greedy generation, and the widths against the loaded weights."""

import numpy as np
import pytest
import torch

from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.inside.generation import generate
from polysema.core.inside.parameter_counts import widths
from polysema.core.model.load import LanguageModel


def test_sounds_are_those_of_generate(explorer: Explorer) -> None:
    model = explorer.model("g2p-t5").internals.on_torch()
    for word in ("phone", "bank", "xqzvb"):
        found = generate(model, word)
        assert found.ended
        assert found.text == model.generate([word])[0]
        ids = torch.tensor([list(model.encode([word])[0].windows[0])])
        made = model.whole.generate(
            input_ids=ids,
            do_sample=False,
            num_beams=1,
            max_new_tokens=30,
            output_scores=True,
            return_dict_in_generate=True,
        )
        wanted = [float(scores[0].softmax(-1).max()) for scores in made.scores][: len(found.tokens)]
        assert np.allclose(found.probabilities, wanted, atol=1e-5)
        assert found.surety == pytest.approx(float(np.prod(wanted)) ** (1 / len(wanted)), abs=1e-5)
        assert [others[0] for others in found.others] == list(zip(found.tokens, found.probabilities, strict=True))


def test_what_a_decoder_writes_is_generate_s(smollm: LanguageModel, explorer: Explorer) -> None:
    model = explorer.model("smollm2-135m").internals.on_torch()
    found = generate(model, "The capital of France is", 6)
    ids = torch.tensor([list(model.encode(["The capital of France is"])[0].windows[0])])
    made = model.whole.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        num_beams=1,
        max_new_tokens=6,
        repetition_penalty=1.0,
    )
    assert found.text == model.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
    assert found.text.startswith(" Paris")
    assert not found.ended


def test_it_stops_where_it_is_told(explorer: Explorer) -> None:
    model = explorer.model("g2p-t5").internals.on_torch()
    assert len(generate(model, "phone", 2).tokens) == 2

    class Enough(Exception):
        pass

    def progress(stage: str, done: int, total: int) -> None:
        if done == 1:
            raise Enough

    with pytest.raises(Enough):
        generate(model, "phone", progress=progress)
    for given, message in (({"max_new_tokens": 0}, "1 to 200 tokens"), ({"k": 0}, "k goes from 1 to the 69")):
        with pytest.raises(UserError, match=message):
            generate(model, "phone", **given)
    with pytest.raises(UserError, match="the source has 80 tokens"):
        generate(model, "a" * 80)
    with pytest.raises(UserError, match="is an encoder: it reads"):
        generate(explorer.model("minilm-l6").internals.on_torch(), "phone")


def test_widths_are_those_of_the_weights(explorer: Explorer) -> None:
    found = widths(explorer.model("minilm-l6").internals.on_torch())
    (stack,) = found.stacks
    assert (found.dim, found.vocabulary, found.window) == (384, 30_522, 512)
    assert (stack.n_layers, stack.n_heads, stack.head_dim, stack.mlp_dim, stack.cross) == (6, 12, 32, 1536, False)
    square, wide = 384 * 384 + 384, 384 * 1536
    assert stack.parameters == {"self": 6 * 4 * square, "mlp": 6 * (2 * wide + 1536 + 384), "norm": 6 * 4 * 384}
    assert found.parameters["table"] == 30_522 * 384
    assert sum(found.parameters.values()) == found.total == 22_713_216


def test_a_pair_has_two_stacks_and_one_table(explorer: Explorer) -> None:
    model = explorer.model("g2p-t5").internals.on_torch()
    found = widths(model)
    assert [(s.name, s.n_layers, s.cross) for s in found.stacks] == [("encoder", 3, False), ("decoder", 2, True)]
    assert found.parameters["table"] == 69 * 128
    assert found.parameters["cross"] == 2 * 4 * 128 * 128
    every = {id(p): p.numel() for p in model.whole.parameters()}
    assert sum(found.parameters.values()) == found.total == sum(every.values())


def test_key_heads_are_shared(smollm: LanguageModel, explorer: Explorer) -> None:
    found = widths(explorer.model("smollm2-135m").internals.on_torch())
    (stack,) = found.stacks
    assert (stack.n_heads, stack.n_key_heads, stack.head_dim, stack.n_layers) == (9, 3, 64, 30)
    assert sum(found.parameters.values()) == found.total
