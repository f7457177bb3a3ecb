"""`RemoteContexts` and `RemoteWords`: any word of any texts of the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polysema.app.client.transport import Transport
from polysema.app.explorer.results.contexts import SenseAxisAnswer, VerdictsAnswer, WordCounts, WordOccurrences
from polysema.core.errors import UserError, list_of
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.app.explorer.context_cloud import SpaceTexts


def texts_fields(texts: SpaceTexts | None) -> dict[str, Any]:
    """Where a word is looked for, as requests have it."""
    if texts is None:
        return {}
    if not isinstance(texts.space, str):
        raise UserError("over HTTP a space of texts is given by its name, SpaceTexts('mine')")
    return {"space": texts.space, "label": texts.label, "limit": texts.limit}


def source_fields(texts: Sequence[str] | SpaceTexts) -> dict[str, object]:
    """Texts of one's own, or a space whose texts are meant, as requests have them."""
    from polysema.app.explorer.context_cloud import SpaceTexts

    return texts_fields(texts) if isinstance(texts, SpaceTexts) else {"texts": list_of(texts, "texts")}


class RemoteWords:
    """The words in the texts of a space of the service."""

    def __init__(self, transport: Transport, space: str):
        self._transport, self._space = transport, space

    def words(self, prefix: str = "", k: int = 20, progress: Progress = no_progress) -> WordCounts:
        """See `SpaceContexts.words`."""
        query = {"space": self._space, "prefix": prefix, "k": k}
        return self._transport.ask_for(WordCounts, "/v1/contexts/words", query)

    def occurrences(self, word: str, k: int = 400, label: str = "") -> WordOccurrences:
        """See `SpaceContexts.occurrences`."""
        query = {"space": self._space, "word": word, "k": k, "label": label}
        return self._transport.ask_for(WordOccurrences, "/v1/contexts/occurrences", query)


class RemoteContexts:
    """A word in the contexts in which it stands, as a model of the service reads them."""

    def __init__(self, transport: Transport, model: str):
        self._transport, self._model = transport, model

    def verdicts(
        self,
        word: str,
        sentences: Sequence[str],
        layer: int = -1,
        k: int = 5,
        by: str = "labels",
        texts: SpaceTexts | None = None,
    ) -> VerdictsAnswer:
        """See `ContextExplorer.verdicts`."""
        query = {"word": word, "sentences": list_of(sentences, "sentences"), "layer": layer, "k": k, "by": by}
        query |= {"model": self._model, **texts_fields(texts)}
        return self._transport.ask_for(VerdictsAnswer, "/v1/contexts/verdicts", query)

    def axis(
        self,
        word: str,
        ends: tuple[str, str] | None = None,
        layer: int = -1,
        by: str = "labels",
        texts: SpaceTexts | None = None,
    ) -> SenseAxisAnswer:
        """See `ContextExplorer.axis`."""
        query = {"word": word, "ends": None if ends is None else list(ends), "layer": layer, "by": by}
        query |= {"model": self._model, **texts_fields(texts)}
        return self._transport.ask_for(SenseAxisAnswer, "/v1/contexts/axis", query)
