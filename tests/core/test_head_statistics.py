"""Scores of heads equal sums over the attention itself, and a hand-made head is found."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from polysema.core.errors import UserError
from polysema.core.inside.attention import AttentionView, attention
from polysema.core.inside.head_statistics import (
    DUPLICATE,
    INDUCTION,
    PREVIOUS,
    STATISTICS,
    HeadStatistics,
    head_statistics,
    repeated_random_statistics,
)
from polysema.core.inside.hooks import read
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.space.space import Floats

Open = Callable[..., LanguageModel]
TEXTS = ["the white swan in the white water", "the bank", "the swan and the swan and the swan"]


@pytest.fixture(scope="module")
def opened(headed: dict[str, Path]) -> Open:
    return lambda kind, **more: load_model(str(headed[kind]), "cpu", "torch", **more)


def by_hand(model: LanguageModel, texts: list[str]) -> tuple[Floats, list[int]]:
    """(n_statistics, n_layers, n_heads) means over places, and how many places."""
    sums = np.zeros((3, model.n_layers, model.n_heads))
    places = [0, 0, 0]
    for text in texts:
        for part, reading in zip(
            attention(model, text, view=AttentionView(unit="tokens")), read(model, text), strict=True
        ):
            own = [place for place, unit in enumerate(reading.tokens) if not unit.special]
            for i in own:
                if not reading.fresh[i]:
                    continue
                same = [j for j in own if j < i and reading.ids[j] == reading.ids[i]]
                for number, columns in enumerate(
                    ([i - 1] if i - 1 in own else [], same, [j + 1 for j in same if j + 1 < i])
                ):
                    if columns:
                        places[number] += 1
                        sums[number] += part.weights[:, :, i, columns].sum(-1)
    return sums / np.array(places)[:, None, None], places


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "t5"])
def test_statistics_are_means_over_the_attention(kind: str, opened: Open) -> None:
    model = opened(kind)
    texts = [*TEXTS, " ".join(["bank", "river"] * 30)]  # the last one is longer than some windows
    found = head_statistics(model, iter(texts), by=PREVIOUS)
    expected, places = by_hand(model, texts)
    assert [one.n_places for one in found.baselines] == places
    assert len(found.heads) == model.n_layers * model.n_heads
    for head in found.heads:
        own = expected[:, head.layer - 1, head.head - 1]
        assert (head.previous_token, head.duplicate_token, head.induction) == pytest.approx(tuple(own), abs=1e-6)
    order = [head.previous_token for head in found.heads]
    assert order == sorted(order, reverse=True)
    assert (found.n_texts, found.ranked_by, found.random) == (4, PREVIOUS, False)


def test_chance_is_that_of_a_head_that_looks_at_all_alike(opened: Open) -> None:
    import torch

    model = opened("gpt2")
    with torch.no_grad():
        for block in model.module.h:
            block.attn.c_attn.weight[:, :16] = 0  # no query: every score is that of the bias, the same for all
            block.attn.c_attn.bias[:16] = 0
    found = head_statistics(model, TEXTS)
    for head in found.heads:
        values = (head.previous_token, head.duplicate_token, head.induction)
        assert values == pytest.approx([one.chance for one in found.baselines], abs=1e-6)
    assert [one.name for one in found.baselines] == list(STATISTICS)


def test_texts_are_streamed_and_nothing_but_sums_is_kept(opened: Open) -> None:
    alive: list[int] = []
    taken: list[str] = []

    def texts() -> Iterator[str]:
        for number in range(50):
            alive.append(number)
            yield TEXTS[number % 3]
            taken.append(TEXTS[number % 3])

    told: list[tuple[str, int, int]] = []

    def progress(stage: str, done: int, total: int, /) -> None:
        told.append((stage, done, total))
        assert len(alive) <= done + 1  # a text is taken when the one before it is done

    found = head_statistics(opened("gpt2"), texts(), INDUCTION, [2], progress)
    assert (found.n_texts, told[-1]) == (50, ("read", 50, 0))
    assert {head.layer for head in found.heads} == {2}
    few = head_statistics(opened("gpt2"), TEXTS[:2] * 17 + TEXTS[2:] * 16, INDUCTION, [2])
    assert few.n_tokens == found.n_tokens


def test_repeated_random_sequences(opened: Open) -> None:
    model = opened("llama")
    found = repeated_random_statistics(model, 3, layers=[1], seed=5)
    again = repeated_random_statistics(model, 3, layers=[1], seed=5)
    assert found == again
    length = found.n_tokens // 6
    assert found.random
    assert [one.n_places for one in found.baselines] == [3 * (2 * length - 1), 3 * length, 3 * length]
    assert repeated_random_statistics(opened("bert"), 2).baselines[1].n_places > 0
    assert isinstance(found, HeadStatistics)


def test_smollm_has_induction_heads(smollm: LanguageModel) -> None:
    from polysema.core.model.load import on_torch

    found = repeated_random_statistics(on_torch(smollm), 1, layers=[18, 19, 20])
    best = found.heads[0]
    assert (best.layer, best.head, best.induction > 0.7) == (19, 7, True)
    assert best.induction > 20 * found.baselines[2].chance


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "at least one text with a word in it"),
        (["", " "], {}, "at least one text with a word in it"),
        (["the bank"], {}, "no token stands twice in any of the texts, so induction can't be seen"),
        (["the bank"], {"by": DUPLICATE}, "so duplicate-token can't be seen"),
        (["the"], {"by": PREVIOUS}, "no text has two tokens, so previous-token"),
        (TEXTS, {"by": "copying"}, "ranked by previous-token, duplicate-token, induction; got 'copying'"),
        (TEXTS, {"layers": [9]}, "layers 1 to 2; got 9"),
    ],
)
def test_what_is_refused(texts: list[str], options: dict[str, object], message: str, opened: Open) -> None:
    with pytest.raises(UserError, match=message):
        head_statistics(opened("gpt2"), texts, **options)  # type: ignore[arg-type]


def test_one_string_is_not_a_list_of_texts(opened: Open) -> None:
    with pytest.raises(TypeError, match="are a list"):
        head_statistics(opened("gpt2"), "the swan and the swan")
    with pytest.raises(UserError, match="1 to 1000 random sequences are read; got 0"):
        repeated_random_statistics(opened("gpt2"), 0)
    with pytest.raises(UserError, match="choose the encoder of"):
        repeated_random_statistics(opened("t5", stack="decoder"))
