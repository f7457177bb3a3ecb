"""`RemoteModel`: a model of the service and its queries about texts and internals, as `explorer.model(name)`
is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from polysema.app.client.circuits import RemoteCircuits
from polysema.app.client.generation import RemoteGeneration
from polysema.app.client.internals import (
    RemoteInternals,
    RemoteSenses,
    Texts,
    attention_fields,
    direction_fields,
    layer_list,
    reading_fields,
    statement_fields,
)
from polysema.app.client.space import search_fields
from polysema.app.client.transport import BASE64, JSON, Transport
from polysema.app.explorer.embedding import TextVectors
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.app.explorer.results import Comparison, OccurrenceAnswer
from polysema.core.errors import UserError, list_of
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.app.explorer import OccurrenceOptions
    from polysema.app.explorer.results.inside import AttentionAnswer, LensAnswer
    from polysema.core.inside.ablation import Ablation
    from polysema.core.inside.attribution import Attribution
    from polysema.core.inside.generation_results import DecodingOptions, GeneratedText
    from polysema.core.inside.head_search import HeadRanking
    from polysema.core.inside.lens import LensView
    from polysema.core.inside.steering import Statement, Steer, SteeredToken
    from polysema.core.model.recipe import SentenceOptions

T = TypeVar("T")


class RemoteModel:
    """A model of the service. `senses` is the corpus of senses as it sees it, `internals` what stands behind the verbs
    that look inside, `circuits` how it comes to its answer, `generation` what it writes and fills.
    """

    def __init__(self, transport: Transport, name: str):
        self.name = name
        self.senses, self.internals = RemoteSenses(transport, name), RemoteInternals(transport, name)
        self.circuits = RemoteCircuits(transport, name)
        self.generation = RemoteGeneration(transport, name)
        self._transport = transport

    def __repr__(self) -> str:
        return f"RemoteModel({self.name})"

    def _ask(self, kind: type[T], path: str, accept: str = JSON, /, **query: object) -> T:
        return self._transport.ask_for(kind, path, {"model": self.name, **query}, accept)

    def embed(
        self,
        texts: Sequence[str],
        layers: Sequence[int] = (-1,),
        unit: str = "words",
        word: str | None = None,
        pooling: str = "mean",
        options: SentenceOptions | None = None,
    ) -> TextVectors:
        """See `ModelExplorer.embed`."""
        query: dict[str, Any] = {"texts": list_of(texts, "texts"), "model": self.name, "unit": unit}
        query |= {"pooling": pooling, "word": word}
        if tuple(layers) != (-1,):  # so that a layer may stand behind the model's name
            query["layers"] = list(layers)
        if options is not None:
            query |= {"prompt": options.prompt, "prompt_name": options.prompt_name, "dimensions": options.dimensions}
        return self._transport.ask_rows("POST", "/v1/embed", query)

    def compare(
        self,
        word: str,
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        pooling: str = "mean",
        progress: Progress = no_progress,
    ) -> Comparison:
        """See `ModelExplorer.compare`."""
        query = {"word": word, "texts": list_of(texts, "texts"), "pooling": pooling, "layers": layer_list(layers)}
        found: Comparison = self._ask(Comparison, "/v1/compare", **query)
        return found

    def occurrences(
        self,
        word: str,
        text: str,
        layer: int = -1,
        k: int = 10,
        options: OccurrenceOptions | None = None,
        progress: Progress = no_progress,
    ) -> OccurrenceAnswer:
        """See `ModelExplorer.occurrences`."""
        query: dict[str, Any] = {"word": word, "text": text, "layer": layer, "k": k}
        if options is not None:
            query |= {"nth": options.nth, **search_fields(options)}
        found: OccurrenceAnswer = self._ask(OccurrenceAnswer, "/v1/occurrences", **query)
        return found

    def attention(
        self,
        text: str,
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
        most: int | None = None,
    ) -> AttentionAnswer:
        """See `ModelExplorer.attention`; the service's own limit holds as well."""
        from polysema.app.explorer.results.inside import AttentionAnswer

        query = {"text": text, "model": self.name, "layers": layer_list(layers), **attention_fields(options)}
        found: AttentionAnswer = self._transport.ask_for(AttentionAnswer, "/v1/attention", query, BASE64)
        if most is not None and sum(one.weights.size for one in found) > most:
            raise UserError(f"that is more than {most:,} numbers: ask for fewer layers, or a shorter text")
        return found

    def rank_heads(
        self,
        pairs: Sequence[tuple[str, str]],
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
    ) -> HeadRanking:
        """See `ModelExplorer.rank_heads`."""
        from polysema.core.inside.head_search import HeadRanking

        query = {"pairs": [list(pair) for pair in pairs], "texts": list_of(texts, "texts")}
        query |= {"layers": layer_list(layers), **attention_fields(options)}
        found: HeadRanking = self._ask(HeadRanking, "/v1/find-heads", **query)
        return found

    def lens(
        self,
        text: str,
        layers: Sequence[int] | None = None,
        words: Sequence[str] = (),
        view: LensView | None = None,
        options: AttentionOptions | None = None,
    ) -> LensAnswer:
        """See `ModelExplorer.lens`."""
        from polysema.app.explorer.results.inside import LensAnswer
        from polysema.core.inside.lens import LensView

        shown = view or LensView()
        query: dict[str, Any] = {"text": text, "layers": layer_list(layers), "words": list_of(words, "words")}
        query |= {"points": list(shown.points), "k": shown.k, "kind": shown.kind, "forms_at": shown.at}
        found: LensAnswer = self._ask(LensAnswer, "/v1/lens", BASE64, **query, **reading_fields(options))
        return found

    def attribution(
        self,
        text: str,
        word: str,
        against: str | None = None,
        at: str | int | None = None,
        options: AttentionOptions | None = None,
    ) -> Attribution:
        """See `ModelExplorer.attribution`."""
        from polysema.core.inside.attribution import Attribution

        query = {"text": text, "word": word, "against": against, "at": at, **reading_fields(options)}
        found: Attribution = self._ask(Attribution, "/v1/attribution", **query)
        return found

    def steer(
        self,
        text: str,
        toward: Texts,
        away: Sequence[str] = (),
        layer: int | None = None,
        how: Steer | None = None,
        statement: Statement | None = None,
    ) -> SteeredToken:
        """Add the direction between two sets of texts, or that of a sum of words (a `toward` of one string), to the
        hidden states of a text at a layer (None: the middle one), and see the next word before and after.
        """
        from polysema.core.inside.steering import ALL_POSITIONS, Steer, SteeredToken

        chosen = how or Steer()
        if not chosen.relative:
            raise UserError("over HTTP the strength is in lengths of a typical hidden state (relative)")
        query = {"text": text, "layer": layer, "strength": chosen.strength, **direction_fields(toward, away)}
        query |= {"at": None if chosen.at == ALL_POSITIONS else chosen.at, **statement_fields(statement)}
        found: SteeredToken = self._ask(SteeredToken, "/v1/steer", **query)
        return found

    def ablate(
        self,
        text: str,
        cuts: Sequence[Ablation],
        how: str = "zero",
        statement: Statement | None = None,
        over: Sequence[str] = (),
    ) -> SteeredToken:
        """See `ModelExplorer.ablate`; over HTTP the heads are all of one kind of attention."""
        from polysema.core.inside.steering import SteeredToken

        heads = [cut for cut in cuts if cut.head is not None]
        if len({cut.kind for cut in heads}) > 1:
            raise UserError("over HTTP the heads are all of the self-attention, or all of the cross-attention")
        query = {
            "text": text,
            "heads": [[cut.layer, cut.head] for cut in heads],
            "mlps": [cut.layer for cut in cuts if cut.head is None],
            "cross": bool(heads) and heads[0].kind == "cross",
            "how": how,
            "over": list(over),
            **statement_fields(statement),
        }
        found: SteeredToken = self._ask(SteeredToken, "/v1/ablate", **query)
        return found

    def generate(
        self,
        text: str,
        max_new_tokens: int = 24,
        k: int = 5,
        options: DecodingOptions | None = None,
        progress: Progress = no_progress,
    ) -> GeneratedText:
        """See `ModelExplorer.generate`."""
        return self.generation.generate(text, max_new_tokens, k, options, progress)
