"""`CircuitExplorer`: which places and heads of a model carry an answer, how one head works, how a text surprises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from polysema.app.explorer.inside_options import given, opened, reading
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import UserError
from polysema.core.inside.move_axis import AxisChoice
from polysema.core.inside.patch_inputs import PatchOptions
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.app.explorer.inside_options import AttentionOptions
    from polysema.app.explorer.results.inside import MoveAnswer
    from polysema.core.inside.explained_move import MoveOptions
    from polysema.core.inside.head_computation import HeadComputation
    from polysema.core.inside.head_statistics import HeadStatistics
    from polysema.core.inside.patching import Patching
    from polysema.core.inside.surprisal import Surprisal

INDUCTION = "induction"


@checked_arguments
class CircuitExplorer:
    """How a model comes to its answer: `explorer.model("smollm2-135m").circuits`."""

    def __init__(self, model: LanguageModel):
        self._model = model

    def on_torch(self, stack: str = "") -> LanguageModel:
        """The model on torch, to look inside: as `internals.on_torch`.

        Args:
            stack: Of an encoder-decoder encoder or decoder (the default).

        Returns:
            The model, or that stack of it.
        """
        return opened(self._model, stack)

    def patch(
        self,
        texts: tuple[str, str | None],
        answer: str,
        against: str | None = None,
        options: PatchOptions | None = None,
        target: str | None = None,
        progress: Progress = no_progress,
    ) -> Patching:
        """Activation patching (causal tracing): which layers and tokens carry what makes two texts' answers differ.

        Args:
            texts: The clean and the corrupted text, with as many tokens; of an encoder-decoder the encoder reads them.
                The corrupted one is None where noise makes it.
            answer: The word that the clean text is to be followed by.
            against: The word of the corrupted text: the score is then the difference of the two logits.
            options: What is patched: the part, its layers, heads and words, the direction, noise.
            target: Of an encoder-decoder what the decoder has written so far.
            progress: Told how many places are done.

        Returns:
            The score and the effect (0 nothing, 1 the other text's answer) at each layer and token, or head.

        Raises:
            PolysemaError: The texts have not as many tokens, or a layer, head or word does not exist.
        """
        from polysema.core.inside.patching import patch

        model, options = self.on_torch(), options or PatchOptions()
        if not model.reads_two:
            given(model, texts[0], target)
            return patch(model, texts, answer, against, options, progress)
        clean, corrupted = texts
        if corrupted is None and options.noise is None:
            raise UserError("give a corrupted text, or noise on a word of the clean one")
        options = replace(options, sources=(clean, clean if corrupted is None else corrupted))
        return patch(model, (target, target), answer, against, options, progress)

    def head_computation(
        self, text: str, layer: int, head: int, cross: bool = False, stack: str = "", target: str | None = None
    ) -> HeadComputation:
        """One head step by step: query, key and value, scores, scale, mask, softmax, and what it writes.

        Args:
            text: What the model reads.
            layer: From 1; -1 is the last.
            head: From 1.
            cross: Of an encoder-decoder's decoder: how it attends to the source.
            stack: Of an encoder-decoder: encoder or decoder.
            target: Of an encoder-decoder the decoder's text; None: what it writes.

        Returns:
            Every step, compared with the attention that the model itself returns.

        Raises:
            PolysemaError: There is no such layer or head, or the text is too long.
        """
        from polysema.core.inside.head_computation import head_computation

        model = self.on_torch(stack)
        query, source = given(model, text, target)
        return head_computation(model, query, layer, head, "cross" if cross else "self", source)

    def head_statistics(
        self,
        texts: Iterable[str] = (),
        by: str = INDUCTION,
        layers: Sequence[int] | None = None,
        random: int = 0,
        stack: str = "",
        progress: Progress = no_progress,
    ) -> HeadStatistics:
        """All heads by how much they attend to the token before, to the same token earlier, or to what followed that.

        Args:
            texts: Read one after the other, so that they can be a whole corpus.
            by: previous-token, duplicate-token or induction.
            layers: From 1; None: all.
            random: Instead of texts, so many sequences of random tokens, each repeated once.
            stack: Of an encoder-decoder: encoder or decoder.
            progress: Told after each text.

        Returns:
            The heads, best first, with what a head that attends to all tokens alike would have.

        Raises:
            PolysemaError: There is neither a text nor a number of random sequences, or both.
        """
        from polysema.core.inside.head_statistics import head_statistics, repeated_random_statistics

        model = self.on_torch(stack)
        if not random:
            return head_statistics(model, texts, by, layers, progress)
        if not isinstance(texts, Sequence) or texts:
            raise UserError("give texts, or a number of random sequences, and not both")
        return repeated_random_statistics(model, random, by, layers)

    def surprisal(
        self,
        text: str,
        method: str = "auto",
        unit: str = "tokens",
        target: str | None = None,
        progress: Progress = no_progress,
    ) -> Surprisal:
        """How probable the model finds each token of a text where it stands.

        Args:
            text: The text that is scored; of an encoder-decoder what its encoder reads.
            method: Of a masked encoder masked (Salazar et al. 2020; also auto) or masked-within-word (Kauf and Ivanova
                2023).
            unit: tokens, or words, whose tokens add up.
            target: Of an encoder-decoder the text that is scored; None: what it writes itself.
            progress: Told how many tokens of a masked encoder are done.

        Returns:
            For each token its log-probability and surprisal in bits.

        Raises:
            PolysemaError: The text is empty, or the model has no head that scores words.
        """
        from polysema.core.inside.surprisal import SurprisalOptions, surprisal

        model = self.on_torch()
        query, source = given(model, text, target)
        return surprisal(model, query, source, SurprisalOptions(method, unit), progress)

    def explain_move(
        self,
        word: str,
        text: str,
        axis: str | AxisChoice | None = None,
        layer: int = -1,
        options: MoveOptions | None = None,
        reads: AttentionOptions | None = None,
    ) -> MoveAnswer:
        """What carries a word of a text from its static vector to its hidden state: every head, MLP, norm and bias.

        Args:
            word: The word; where it is several tokens, their mean is meant.
            text: A text with the word; of an encoder-decoder's decoder what the encoder reads.
            axis: What the move is projected on: two ends (`"money -> river"`), an `AxisChoice`, which may be two sets
                of texts, or None, the move itself.
            layer: 0 (the embeddings) to n; -1 is the last.
            options: Which occurrence of the word, the seed of the controls, how many texts are shuffled.
            reads: Of an encoder-decoder the stack, and what the decoder has written.

        Returns:
            The parts, which add up to the move; by layer, by head, by the word that was attended to; beside random axes
            and texts with their words shuffled.

        Raises:
            PolysemaError: The word is not in the text, there is no such layer, or the model's parts are not known.

        Example:
            `explorer.model("minilm-l6").circuits.explain_move("bank", "The river bank.", "money -> river").moved`
        """
        from polysema.app.explorer.inside_options import AttentionOptions
        from polysema.app.explorer.results.inside import MoveAnswer
        from polysema.core.inside.explained_move import MoveOptions, explain_move

        model, query, source = reading(self._model, text, reads or AttentionOptions())
        how = options or MoveOptions()
        if axis is not None:
            how = replace(how, axis=axis if isinstance(axis, AxisChoice) else AxisChoice(axis))
        return MoveAnswer.of(explain_move(model, query, word, layer, source, how))
