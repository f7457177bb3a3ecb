"""What a model of the service is made of: the corpus of senses as it sees it, and what the verbs that look inside stand
on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polysema.app.client.contexts import RemoteContexts, source_fields
from polysema.app.client.space import RemoteSpace
from polysema.app.client.transport import BASE64, Transport, part
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.app.explorer.json_reading import from_json
from polysema.app.explorer.results import BaselinesAnswer
from polysema.app.explorer.results.concordance import Concordance
from polysema.core.errors import list_of
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.app.explorer.context_cloud import SpaceTexts
    from polysema.app.explorer.results.inside import AttentionAnswer, CheckAnswer, HeadOutputs, SweepAnswer
    from polysema.core.inside.families import FamilyRun
    from polysema.core.inside.steering import Statement
    from polysema.core.measure.sense_clusters import SenseClusters

Texts = Sequence[str] | str  # texts of a concept, or the expression of a sum of words


class RemoteSenses:
    """The corpus of senses as a model of the service sees it."""

    def __init__(self, transport: Transport, name: str):
        self._transport, self._name = transport, name
        self.contexts = RemoteContexts(transport, name)

    def baselines(self) -> tuple[float, ...]:
        """For each layer the mean cosine of random pairs of words of the corpus of senses."""
        return self._answer().baselines

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers at which the corpus of senses is kept."""
        return self._answer().corpus_layers

    def _answer(self) -> BaselinesAnswer:
        found: BaselinesAnswer = from_json(
            BaselinesAnswer, self._transport.ask("GET", f"/v1/models/{part(self._name)}/baselines")
        )
        return found

    def corpus(self, layer: int = -1, progress: Progress = no_progress) -> RemoteSpace:
        """Every word of the corpus of senses at one layer, as a space."""
        made = self._transport.done("corpus", progress, model=self._name, layer=layer)
        return RemoteSpace(self._transport, made["name"])

    def concordance(
        self, word: str, texts: Sequence[str] | SpaceTexts = (), layer: int = -1, like: int | None = None
    ) -> Concordance:
        """A word in its contexts, sorted by what it means there at a layer."""
        query = {"word": word, "model": self._name, "layer": layer, "like": like, **source_fields(texts)}
        return self._transport.ask_for(Concordance, "/v1/concordance", query)

    def clusters(
        self,
        word: str,
        layer: int = -1,
        min_cluster_size: int = 3,
        texts: Sequence[str] | SpaceTexts = (),
        progress: Progress = no_progress,
    ) -> SenseClusters:
        """The annotated occurrences of a word clustered by their vectors, or every occurrence in texts of one's own."""
        from polysema.core.measure.sense_clusters import SenseClusters

        query = {"word": word, "layer": layer, "min_cluster_size": min_cluster_size}
        query |= source_fields(texts)
        found: SenseClusters = from_json(
            SenseClusters, self._transport.done("sense_clusters", progress, model=self._name, **query)
        )
        return found


class RemoteInternals:
    """What stands behind the verbs that look inside a model of the service."""

    def __init__(self, transport: Transport, name: str):
        self._transport, self._name = transport, name

    def rollout(self, text: str, layer: int = -1, options: AttentionOptions | None = None) -> AttentionAnswer:
        """What flows from word to word up to a layer: an answer for each window of the text."""
        from polysema.app.explorer.results.inside import AttentionAnswer

        how = options or AttentionOptions()
        query = {**reading_fields(how), "text": text, "layer": layer, "unit": how.unit, "special": how.special}
        return self._transport.ask_for(AttentionAnswer, "/v1/rollout", {"model": self._name, **query}, BASE64)

    def head_outputs(
        self,
        word: str,
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
    ) -> HeadOutputs:
        """What each head writes where a word stands in each text: how long, in which sub-space, and the head most like
        it.
        """
        from polysema.app.explorer.results.inside import HeadOutputs

        how = options or AttentionOptions()
        query = {"word": word, "texts": list_of(texts, "texts"), "layers": layer_list(layers), "cross": how.cross}
        query |= {"model": self._name, **reading_fields(how)}
        return self._transport.ask_for(HeadOutputs, "/v1/head-outputs", query)

    def sweep(
        self,
        text: str,
        toward: Texts,
        away: Sequence[str] = (),
        strengths: Sequence[float] = (1.0,),
        layers: Sequence[int] | None = None,
        statement: Statement | None = None,
    ) -> SweepAnswer:
        """The next word for each of several strengths of a direction at each of several layers (None: all)."""
        from polysema.app.explorer.results.inside import SweepAnswer

        query = {**direction_fields(toward, away), "text": text, "model": self._name, "layers": layer_list(layers)}
        query |= {"strengths": list(strengths), "words": list(statement.words) if statement is not None else []}
        query |= {"target": None if statement is None else statement.target}
        return self._transport.ask_for(SweepAnswer, "/v1/sweep", query)

    def check(self, anew: bool = False) -> CheckAnswer:
        """The identities that the model is tested for, against plain transformers."""
        from polysema.app.explorer.results.inside import CheckAnswer

        return self._transport.ask_for(CheckAnswer, "/v1/check", {"model": self._name, "anew": anew})

    def family_run(self, text: str) -> FamilyRun:
        """The model's way through a text: who sees whom, where it ends, and what the cross-attention carries."""
        from polysema.app.explorer.results.inside import FamiliesAnswer

        query = {"text": text, "models": [self._name]}
        return self._transport.ask_for(FamiliesAnswer, "/v1/compare-families", query).runs[0]


def reading_fields(options: AttentionOptions | None) -> dict[str, Any]:
    """What a model reads, as requests have it."""
    how = options or AttentionOptions()
    return {"stack": how.stack, "target": how.target}


def attention_fields(options: AttentionOptions | None) -> dict[str, object]:
    """How attention is looked at, as requests have it."""
    how = options or AttentionOptions()
    return {**reading_fields(how), "cross": how.cross, "unit": how.unit, "special": how.special}


def direction_fields(toward: Texts, away: Sequence[str]) -> dict[str, object]:
    """A direction, as requests have it."""
    return {"expression": toward} if isinstance(toward, str) else {"toward": list(toward), "away": list(away)}


def statement_fields(statement: Statement | None) -> dict[str, object]:
    """What a model is to say, as requests have it."""
    from polysema.core.inside.steering import Statement

    say = statement or Statement()
    return {"k": say.k, "words": list(say.words), "max_new_tokens": say.new, "target": say.target}


def layer_list(layers: Sequence[int] | None) -> list[int] | None:
    """Layers, as requests have them."""
    return None if layers is None else [int(layer) for layer in layers]
