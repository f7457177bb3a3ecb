"""`ModelInternals`: what a model is made of, what its heads write, and how its family sends a text through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.app.explorer.inside_options import AttentionOptions, given, readings
from polysema.core.argument_types import checked_arguments
from polysema.core.model.load import LanguageModel, on_torch
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from polysema.core.inside.attention import Attention
    from polysema.core.inside.directions import Direction
    from polysema.core.inside.families import FamilyRun
    from polysema.core.inside.head_outputs import Subspace
    from polysema.core.inside.parameter_counts import Widths
    from polysema.core.inside.steering import Statement, SweepRow
    from polysema.core.space.space import Space


@checked_arguments
class ModelInternals:
    """What stands behind the verbs that look inside one model: `explorer.model("smollm2-135m").internals`."""

    def __init__(self, model: LanguageModel):
        self._model = model

    def on_torch(self, stack: str = "") -> LanguageModel:
        """The model on torch, to look inside; of an encoder-decoder its decoder unless `stack` says encoder."""
        two = self._model.family is Family.ENCODER_DECODER
        return on_torch(self._model, stack or ("decoder" if two else ""))

    def reading(
        self, text: str, options: AttentionOptions | None = None
    ) -> tuple[AttentionOptions, LanguageModel, str | None, str | None]:
        """The options, the stack they name, and the text and source as `core.inside` takes them."""
        how = options or AttentionOptions()
        model = self.on_torch(how.stack)
        return (how, model, *given(model, text, how.target))

    def rollout(self, text: str, layer: int = -1, options: AttentionOptions | None = None) -> tuple[Attention, ...]:
        """What flows from word to word up to a layer (Abnar and Zuidema 2020): an answer for each window of the text."""
        from polysema.core.inside.attention import rollout

        how, model, query, source = self.reading(text, options)
        return rollout(model, query, layer, source, how.view(model))

    def head_outputs(
        self,
        word: str,
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
    ) -> Space:
        """What each head writes where a word stands in each text, as a space: a row for each text, layer and head."""
        from polysema.core.inside.head_outputs import head_outputs

        how = options or AttentionOptions()
        model = self.on_torch(how.stack)
        written, sources = readings(model, texts, how.target)
        kind = "cross" if how.cross else "self"
        return head_outputs(model, written, [word] * len(texts), layers, sources, kind)

    def head_subspace(self, layer: int, head: int, options: AttentionOptions | None = None) -> Subspace:
        """The sub-space of the hidden states that a head can write into; layers and heads count from 1."""
        from polysema.core.inside.head_outputs import head_subspace

        how = options or AttentionOptions()
        return head_subspace(self.on_torch(how.stack), layer, head, "cross" if how.cross else "self")

    def directions(
        self, toward: Sequence[str] | str, away: Sequence[str] = (), layers: Sequence[int] | None = None
    ) -> dict[int, Direction]:
        """For each layer the direction between two sets of texts, or, with a `toward` of one string, that of a sum of words.

        Args:
            toward: Texts of the concept to go to, or an expression such as `happy - sad`.
            away: Texts of what to go away from.
            layers: 0 to n; None: the middle one.
        """
        from polysema.core.inside.directions import concepts, expression_direction

        model = self.on_torch()
        which = model.check_layers([model.n_layers // 2] if layers is None else layers)
        if isinstance(toward, str):
            return {layer: expression_direction(model, toward, layer) for layer in which}
        return concepts(model, toward, away, which)

    def sweep(
        self,
        text: str,
        directions: Sequence[Direction],
        strengths: Sequence[float],
        statement: Statement | None = None,
        target: str | None = None,
    ) -> tuple[SweepRow, ...]:
        """The next word for every direction (one a layer) and every strength."""
        from polysema.core.inside.steering import sweep

        model = self.on_torch()
        query, source = given(model, text, target)
        return sweep(model, query, directions, strengths, statement, source)

    def family_run(self, text: str) -> FamilyRun:
        """The model's way through a text: who sees whom, where it ends, and what the cross-attention carries."""
        from polysema.core.inside.families import family_run

        return family_run(self.on_torch(), text)

    def widths(self) -> Widths:
        """The widths and the parameters of the model with all its stacks."""
        from polysema.core.inside.parameter_counts import widths

        return widths(self.on_torch())
