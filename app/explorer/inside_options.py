"""Looking into a model: which text goes where, and how its attention is shown. The same for every way in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.core.inside.attention import AttentionView
    from polysema.core.model.load import LanguageModel

FORMER_SPECIAL_TOKENS = {"show": "keep", "fold": "merge"}  # what programs and requests of earlier versions say


@dataclass(frozen=True, slots=True)
class AttentionOptions:
    """How a model is looked into.

    Of an encoder-decoder `stack` is encoder or decoder (the default), and `target` the decoder's text (None: what it
    writes itself). `cross` is the decoder's look at the source; `unit` words or tokens (the default: words, tokens of a
    model that reads letters); `special` tokens are kept or merged into the others (`keep`, `merge`; once called `show`,
    `fold`).
    """

    target: str | None = None
    stack: str = ""
    cross: bool = False
    unit: str = ""
    special: str = "keep"

    def view(self, model: LanguageModel) -> AttentionView:
        """As `core.inside.attention` takes it; raises `UserError` for what doesn't exist."""
        from polysema.core.inside.attention import AttentionView

        special = FORMER_SPECIAL_TOKENS.get(self.special, self.special)
        return AttentionView("cross" if self.cross else "self", self.unit or unit_for(model), special).checked()


def opened(model: LanguageModel, stack: str = "") -> LanguageModel:
    """The model on torch, to look inside; of an encoder-decoder its decoder unless `stack` says encoder."""
    from polysema.core.model.load import on_torch
    from polysema.core.space.space import Family

    return on_torch(model, stack or ("decoder" if model.family is Family.ENCODER_DECODER else ""))


def reading(model: LanguageModel, text: str, options: AttentionOptions) -> tuple[LanguageModel, str | None, str | None]:
    """The stack that the options name, and the text and source as `core.inside` takes them."""
    stack = opened(model, options.stack)
    return (stack, *given(stack, text, options.target))


def given(model: LanguageModel, text: str, target: str | None) -> tuple[str | None, str | None]:
    """The text and the source as `core.inside` takes them: `text` is what the model reads, of two stacks the
    encoder.
    """
    if model.reads_two:
        return target, text
    if target is not None:
        raise UserError(f"{model.name} reads one text and has no decoder beside it, so there is no target to give")
    return text, None


def unit_for(model: LanguageModel) -> str:
    """Words, or, of a model that was made to read letters, tokens."""
    from polysema.core.model.catalog import catalog

    return "tokens" if any(row.name == model.name and row.reads == "letters" for row in catalog()) else "words"


def text_for(model: LanguageModel, sentence: str) -> str:
    """What a model is given of a sentence: all of it, or, where it reads letters, the longest word."""
    from polysema.core.model.tokens import words_of

    if unit_for(model) == "words":
        return sentence
    words = [sentence[span.start : span.end] for span in words_of(sentence)]
    if not words:
        raise UserError(f"there is no word in {sentence[:60]!r}")
    return max(words, key=len)


def readings(model: LanguageModel, texts: Sequence[str], target: str | None) -> tuple[list[str], list[str] | None]:
    """Of each text what the model reads there, and, of two stacks, what its encoder read."""
    from polysema.core.inside.hooks import one_reading

    both = [given(model, text, target) for text in texts]
    if not model.reads_two:
        return list(texts), None
    return [one_reading(model, query, source).text for query, source in both], list(texts)
