"""What stands behind the verbs that look inside a model."""

from __future__ import annotations

from collections.abc import Sequence

from polysema.app.explorer.inside_options import AttentionOptions, given, opened, reading, readings, text_for
from polysema.app.explorer.results.inside import AttentionAnswer, CheckAnswer, HeadOutputs, SweepAnswer, head_table
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import UserError
from polysema.core.inside.attention import rollout
from polysema.core.inside.directions import Direction, concepts, expression_direction
from polysema.core.inside.families import FamilyRun, family_run
from polysema.core.inside.head_outputs import Subspace, head_outputs, head_subspace
from polysema.core.inside.parameter_counts import Widths, widths
from polysema.core.inside.proof import proofs_of
from polysema.core.inside.steering import Statement, sweep
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Space


@checked_arguments
class ModelInternals:
    """What stands behind the verbs that look inside one model: `explorer.model("smollm2-135m").internals`."""

    def __init__(self, model: LanguageModel, name: str = ""):
        self._model, self._name = model, name or model.name

    def on_torch(self, stack: str = "") -> LanguageModel:
        """The model on torch, to look inside.

        Args:
            stack: Of an encoder-decoder encoder or decoder (the default).

        Returns:
            The model, or that stack of it.

        Raises:
            PolysemaError: The model has no such stack.
        """
        return opened(self._model, stack)

    def rollout(self, text: str, layer: int = -1, options: AttentionOptions | None = None) -> AttentionAnswer:
        """What flows from word to word up to a layer (Abnar and Zuidema 2020).

        Args:
            text: What the model reads; of an encoder-decoder the encoder.
            layer: From 1; -1 is the last.
            options: The stack, words or tokens, special tokens.

        Returns:
            For each window of the text the weights (1, 1, rows, columns); every row adds up to 1.

        Raises:
            PolysemaError: There is no such layer.
        """
        how = options or AttentionOptions()
        model, query, source = reading(self._model, text, how)
        return AttentionAnswer.of(self._name, rollout(model, query, layer, source, how.view(model)))

    def head_space(
        self,
        word: str,
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
    ) -> Space:
        """What each head writes where a word stands in each text, as a space of vectors.

        Args:
            word: The word.
            texts: Texts with the word in them.
            layers: From 1; None: all.
            options: The stack and the decoder's text, and whether the heads are those of the cross-attention.

        Returns:
            A row (dim,) for each text, layer and head.

        Raises:
            PolysemaError: A text doesn't have the word, or there is no such layer.
        """
        how = options or AttentionOptions()
        model = self.on_torch(how.stack)
        written, sources = readings(model, texts, how.target)
        return head_outputs(model, written, [word] * len(texts), layers, sources, "cross" if how.cross else "self")

    def head_outputs(
        self,
        word: str,
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
    ) -> HeadOutputs:
        """What each head writes where a word stands: how long, in which sub-space, and the head most like it.

        Args:
            word: The word.
            texts: Texts with the word in them.
            layers: From 1; None: all.
            options: As for `head_space`.

        Returns:
            A row for each text, layer and head.

        Raises:
            PolysemaError: A text doesn't have the word, or there is no such layer.
        """
        how = options or AttentionOptions()
        space = self.head_space(word, texts, layers, how)
        return head_table(self.on_torch(how.stack), word, space, "cross" if how.cross else "self")

    def head_subspace(self, layer: int, head: int, options: AttentionOptions | None = None) -> Subspace:
        """The sub-space of the hidden states that a head can write into.

        Args:
            layer: From 1.
            head: From 1.
            options: As for `head_space`.

        Returns:
            An orthonormal basis (rank, dim) with its singular values.

        Raises:
            PolysemaError: There is no such layer or head.
        """
        how = options or AttentionOptions()
        return head_subspace(self.on_torch(how.stack), layer, head, "cross" if how.cross else "self")

    def directions(
        self, toward: Sequence[str] | str, away: Sequence[str] = (), layers: Sequence[int] | None = None
    ) -> dict[int, Direction]:
        """For each layer the direction between two sets of texts, or that of a sum of words.

        Args:
            toward: Texts of the concept to go to, or an expression such as `happy - sad`.
            away: Texts of what to go away from.
            layers: 0 to n; None: the middle one.

        Returns:
            A direction, with its vector (dim,), for each layer.

        Raises:
            PolysemaError: One of the two sets is empty, or there is no such layer.
        """
        model = self.on_torch()
        which = model.check_layers([model.n_layers // 2] if layers is None else layers)
        if not isinstance(toward, str):
            return concepts(model, toward, away, which)
        if away:
            raise UserError("give toward and away texts, or an expression, and not both")
        return {layer: expression_direction(model, toward, layer) for layer in which}

    def sweep(
        self,
        text: str,
        toward: Sequence[str | Direction] | str,
        away: Sequence[str] = (),
        strengths: Sequence[float] = (1.0,),
        layers: Sequence[int] | None = None,
        statement: Statement | None = None,
    ) -> SweepAnswer:
        """The next word for each of several strengths of a direction at each of several layers.

        Args:
            text: What the model reads; of an encoder-decoder the encoder.
            toward: As for `directions`; or directions of one's own.
            away: As for `directions`.
            strengths: In lengths of a typical hidden state; negative goes back.
            layers: 0 to n; None: all, or those of the directions.
            statement: Which words are followed, and of an encoder-decoder what the decoder has written so far.

        Returns:
            A row for each layer and strength.

        Raises:
            PolysemaError: The model has no head that says words, or there is no such layer.
        """
        model = self.on_torch()
        query, source = given(model, text, None if statement is None else statement.target)
        chosen = [] if isinstance(toward, str) else [one for one in toward if isinstance(one, Direction)]
        if not chosen:
            texts = toward if isinstance(toward, str) else [one for one in toward if isinstance(one, str)]
            every = range(model.n_layers + 1) if layers is None else layers
            chosen = list(self.directions(texts, away, every).values())
        return SweepAnswer(sweep(model, query, chosen, strengths, statement, source))

    def family_run(self, text: str) -> FamilyRun:
        """The model's way through a text: who sees whom, where it ends, and what the cross-attention carries.

        Args:
            text: A sentence; a model that reads letters is given its longest word.

        Returns:
            Its masks, its last state's answer, and what it writes.

        Raises:
            PolysemaError: There is no word in the text.
        """
        model = self.on_torch()
        return family_run(model, text_for(model, text))

    def widths(self) -> Widths:
        """The widths and the parameters of the model with all its stacks.

        Returns:
            The counts of each part, which add up.
        """
        return widths(self.on_torch())

    def check(self, anew: bool = False, progress: Progress = no_progress) -> CheckAnswer:
        """The identities that the model is tested for, against plain transformers.

        Args:
            anew: Test it although the result is kept.
            progress: Told of each identity.

        Returns:
            A proof for each of its stacks.
        """
        return CheckAnswer(self._name, proofs_of(self._model, anew, progress))
