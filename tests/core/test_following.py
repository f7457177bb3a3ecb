"""The token by which a word is followed: as shown, by id, or the likelier form, and the choice is reported."""

from pathlib import Path

import pytest
import torch

from polysema.core.errors import UserError
from polysema.core.inside import hooks
from polysema.core.inside.ablation import Ablation, ablate
from polysema.core.inside.attribution import contributions
from polysema.core.inside.directions import Direction
from polysema.core.inside.followed_tokens import forms_of, likelier
from polysema.core.inside.lens import LensView, lens
from polysema.core.inside.steering import Statement, Steer, steer, sweep
from polysema.core.model.load import LanguageModel, load_model

TEXT = "the white swan in the blue water"


@pytest.fixture(scope="module")
def gpt2(tiny: dict[str, Path]) -> LanguageModel:
    return load_model(str(tiny["gpt2"]), "cpu", "torch")


def names(model: LanguageModel, word: str) -> list[str]:
    return [form.pieces[0] for form in forms_of(model, word)]


def test_a_token_is_given_as_it_is_shown_or_by_its_id(gpt2: LanguageModel) -> None:
    bank = gpt2.tokenizer.convert_tokens_to_ids("Ġbank")
    assert [form.id for form in forms_of(gpt2, "' bank'")] == [bank]
    assert [form.id for form in forms_of(gpt2, f"#{bank}")] == [bank]
    assert names(gpt2, f"#{bank}") == [" bank"]
    assert names(gpt2, '","') == [","]
    assert names(gpt2, r"'\n'") == ["\n"]
    assert names(gpt2, r"'\''") == ["'"]
    assert names(gpt2, "<|endoftext|>") == ["<|endoftext|>"]
    with pytest.raises(UserError, match="no token of .* reads ' zebra'"):
        forms_of(gpt2, "' zebra'")
    with pytest.raises(UserError, match="token ids of .* go from #0 to #"):
        forms_of(gpt2, "#99999")
    with pytest.raises(UserError, match="a word is needed"):
        forms_of(gpt2, " ")


def test_a_word_has_a_form_with_and_without_a_space(gpt2: LanguageModel, tiny: dict[str, Path]) -> None:
    assert names(gpt2, "the") == [" the", "the"]
    assert names(gpt2, " the") == [" the"]  # a space before it says that it begins a word
    assert names(gpt2, "s") == ["s"]  # behind a space its first token would be the space alone
    assert names(gpt2, "bank") == [" bank"]  # `b`, the first of several tokens, says less than a whole one
    bert = load_model(str(tiny["bert"]), "cpu", "torch")
    assert [names(bert, word) for word in ("bank", "##s", "'##s'", ",")] == [["bank"], ["##s"], ["##s"], [","]]
    t5 = load_model(str(tiny["t5"]), "cpu", "torch", stack="decoder")
    assert [names(t5, word) for word in ("bank", "' bank'", ".")] == [[" bank"], [" bank"], ["."]]


@pytest.mark.parametrize("word", ["the", "w", "in"])
def test_the_likelier_form_is_followed_and_told(word: str, gpt2: LanguageModel) -> None:
    forms = forms_of(gpt2, word)
    assert len(forms) == 2
    reading = hooks.one_reading(gpt2, TEXT)
    with torch.inference_mode():
        logits = gpt2.whole(input_ids=torch.tensor([reading.ids])).logits[0, -1]
    expected = max(forms, key=lambda form: float(logits[form.id]))
    found = [
        lens(gpt2, TEXT, [1], [word]).targets[0],
        lens(gpt2, TEXT, None, [word], view=LensView(("before",))).targets[0],
        contributions(gpt2, TEXT, word).target,
        ablate(gpt2, TEXT, [Ablation(1, 1)], say=Statement(words=(word,), new=0)).followed[0].target,
    ]
    assert {target.id for target in found} == {expected.id}
    assert all(f"is followed as {expected.pieces[0]!r}, the likelier of" in target.note for target in found)
    direction = Direction(1, torch.ones(16).numpy(), "up")
    changed = steer(gpt2, TEXT, direction, Steer(0.0), Statement(words=(word,), new=0)).followed[0]
    assert (changed.target.id, changed.before) == (expected.id, pytest.approx(float(logits.softmax(-1)[expected.id])))
    assert sweep(gpt2, TEXT, [direction], [1.0], Statement(words=(word,)))[0].targets[0].id == expected.id


def test_a_followed_word_has_its_own_ranks_beside_others(gpt2: LanguageModel) -> None:
    found = lens(gpt2, TEXT, [-1], ["bank", "w", "' the'"])
    alone = [lens(gpt2, TEXT, [-1], [word]) for word in ("bank", "w", "' the'")]
    assert found.ranks.shape == (1, 7, 3) == (1, len(found.tokens), 3)
    for place, one in enumerate(alone):
        assert (found.ranks[..., place] == one.ranks[..., 0]).all()
        assert (found.followed[..., place] == one.followed[..., 0]).all()


def test_another_place_may_prefer_another_form(gpt2: LanguageModel) -> None:
    reading = hooks.one_reading(gpt2, TEXT)
    with torch.inference_mode():
        logits = gpt2.whole(input_ids=torch.tensor([reading.ids])).logits[0]
    spaced, bare = forms_of(gpt2, "w")
    for place in range(len(reading)):
        expected = spaced if logits[place, spaced.id] >= logits[place, bare.id] else bare
        assert lens(gpt2, TEXT, [1], ["w"], view=LensView(at=place)).targets[0].id == expected.id


def test_two_words_of_one_token_are_refused(gpt2: LanguageModel) -> None:
    with pytest.raises(UserError, match="begin with the same token"):
        contributions(gpt2, TEXT, "' bank'", "bank")


def test_without_scores_the_form_of_fewest_tokens() -> None:
    from polysema.core.inside.followed_tokens import FollowedTarget

    assert likelier((FollowedTarget("'s", 1, (" '", "s")), FollowedTarget("'s", 2, ("'s",)))).id == 2


@pytest.mark.smollm
def test_punctuation_and_continuations_can_be_followed(smollm_folder: Path) -> None:
    model = load_model("smollm2-135m", "cpu", "torch")
    text = "In the city of Paris"
    found = lens(model, text, [-1], [",", "'s", "France"])
    assert [target.pieces for target in found.targets] == [(",",), ("'s",), (" France",)]
    assert found.ranks[0, -1, 0] == 1
    assert found.names[int(found.best[0, -1, 0])] == ","
    assert found.followed[0, -1, 0] == pytest.approx(float(found.scores[0, -1, 0]))
