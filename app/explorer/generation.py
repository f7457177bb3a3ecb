"""`GenerationExplorer`: what a model writes, step by step, what it fills a gap with, and which sentence follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from polysema.app.explorer.options import DEFAULT_SPACE
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import UnknownWordError, UserError
from polysema.core.model.catalog import entry, folder_of
from polysema.core.model.load import LanguageModel, on_torch
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.core.inside.fill_mask import FilledMask, Gap
    from polysema.core.inside.generation_results import DecodingOptions, GeneratedText, GenerationStep
    from polysema.core.inside.next_sentence import NextSentence

N_NEIGHBORS = 5


@checked_arguments
class GenerationExplorer:
    """What a model writes and fills: `explorer.model("marian-en-fr").generation`."""

    def __init__(self, explorer: Explorer, model: LanguageModel, name: str = ""):
        self._explorer, self._model = explorer, model
        self._name = name or model.name

    def on_torch(self) -> LanguageModel:
        """The model on torch; of an encoder-decoder its decoder."""
        return on_torch(self._model, "decoder" if self._model.family is Family.ENCODER_DECODER else "")

    def generate(
        self,
        text: str,
        max_new_tokens: int = 24,
        k: int = 5,
        options: DecodingOptions | None = None,
        progress: Progress = no_progress,
    ) -> GeneratedText:
        """What a decoder writes after a text, or an encoder-decoder for it: the tokens that `transformers` writes.

        Args:
            text: What stands before, or what the encoder reads.
            max_new_tokens: How many tokens at most, those of a prefix included.
            k: How many candidates are kept for each.
            options: How the next token is chosen; None: the most probable one.
            progress: Told of each token.

        Returns:
            The text with its steps: the candidates with their probabilities, the entropy, the beams; of an
            encoder-decoder how each step looks at the source.

        Raises:
            UserError: The model doesn't write, the text is too long, or a number is out of range.
        """
        from polysema.core.inside.generation import generate

        return generate(self.on_torch(), text, max_new_tokens, k, options, progress)

    def stream(
        self,
        text: str,
        max_new_tokens: int = 24,
        k: int = 5,
        options: DecodingOptions | None = None,
        cross_attention: bool = False,
    ) -> Iterator[GenerationStep | GeneratedText]:
        """The steps of `generate`, each as soon as it is there, and then all of it as `generate` returns it.

        Args:
            text: What stands before, or what the encoder reads.
            max_new_tokens: How many tokens at most, those of a prefix included.
            k: How many candidates are kept for each.
            options: How the next token is chosen; None: the most probable one.
            cross_attention: Whether each step of an encoder-decoder has its look at the source, which takes a pass
                more; the whole text has them all in any case.

        Returns:
            The steps one by one, and at last the whole text.

        Raises:
            UserError: As `generate`, before the first step.
        """
        from polysema.core.inside.generation import Generation

        generation = Generation(self.on_torch(), text, max_new_tokens, k, options)

        def steps() -> Iterator[GenerationStep | GeneratedText]:
            yield from generation.with_cross_attention() if cross_attention else generation
            yield generation.result()

        return steps()

    def branch(
        self,
        text: str,
        written: GeneratedText,
        step: int,
        token: str | int,
        max_new_tokens: int = 24,
        options: DecodingOptions | None = None,
    ) -> GeneratedText:
        """Go on from another token: what was written up to a step, that token, and what the model writes behind it.

        Args:
            text: What stands before, or what the encoder reads.
            written: What `generate` returned for it.
            step: Where the other token stands, from 0; negative ones count from the end.
            token: The other token: its id, or as it is shown (in quotes), or a word.
            max_new_tokens: How many tokens at most in all.
            options: How the tokens behind it are chosen.

        Returns:
            The other text, whose steps are the same up to there.

        Raises:
            UserError: There is no such step or token.
        """
        from polysema.core.inside.generation_results import DecodingOptions

        if not -len(written.ids) <= step < len(written.ids):
            raise UserError(f"the text has the steps 0 to {len(written.ids) - 1}; got {step}")
        at = step % len(written.ids)
        prefix = (*written.ids[:at], self.token_id(token))
        k = len(written.steps[at].candidates)
        how = replace(options or DecodingOptions(), prefix=prefix)
        return self.generate(text, max_new_tokens, k, how)

    def token_id(self, token: str | int) -> int:
        """The id of a token: given as it is, as it is shown in quotes, as `#28`, or as a word that begins with it."""
        from polysema.core.inside.followed_tokens import forms_of, likelier

        if isinstance(token, int):
            return token
        return likelier(forms_of(self.on_torch(), token)).id

    def fill(
        self,
        text: str,
        k: int = 10,
        max_pieces: int = 3,
        space: str | None = None,
        progress: Progress = no_progress,
    ) -> FilledMask:
        """The words that a masked encoder would put into the gaps of a text, and the static neighbors of the best.

        Args:
            text: With `[MASK]`, `<mask>` or `___` where a word is missing.
            k: How many words of each gap.
            max_pieces: Words of at most so many pieces.
            space: Where the neighbors are from; None: GloVe where it is here, else the model's own input embeddings;
                empty: none.
            progress: Told of each stage.

        Returns:
            For each gap its words, best first.

        Raises:
            UserError: The model has no masked-word head, or the text has no gap.
        """
        from polysema.core.inside.fill_mask import fill_mask

        found = fill_mask(self.on_torch(), text, k, max_pieces, progress)
        beside = self._space_beside() if space is None else space
        if not beside:
            return found
        gaps = tuple(replace(gap, neighbors=self._neighbors(gap, beside)) for gap in found.gaps)
        return replace(found, gaps=gaps, space=beside)

    def _space_beside(self) -> str:
        if folder_of(entry(DEFAULT_SPACE)) is not None:
            return DEFAULT_SPACE
        return self._name if self._model.path is not None else ""

    def _neighbors(self, gap: Gap, space: str) -> tuple[tuple[str, float], ...]:
        if not gap.words:
            return ()
        try:
            found = self._explorer.space(space).neighbors(gap.words[0].word, N_NEIGHBORS)
        except UnknownWordError:
            return ()
        return tuple((one.key, one.score) for one in found.neighbors)

    def next_sentence(self, first: str, second: str) -> NextSentence:
        """How probable a model finds it that one sentence follows another, by its next-sentence head.

        Args:
            first: The sentence before.
            second: The one that may follow.

        Returns:
            The probability.

        Raises:
            UserError: The model has no such head.
        """
        from polysema.core.inside.next_sentence import next_sentence

        return next_sentence(self.on_torch(), first, second)
