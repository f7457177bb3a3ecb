"""What a model of the service writes and fills: as `explorer.model(name).generation`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from polysema.app.client.transport import Transport
from polysema.app.explorer.json_reading import from_json
from polysema.core.errors import UserError
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.core.inside.fill_mask import FilledMask
    from polysema.core.inside.generation_results import DecodingOptions, GeneratedText, GenerationStep
    from polysema.core.inside.next_sentence import NextSentence


class RemoteGeneration:
    """What a model of the service writes, step by step, what it fills a gap with, and which sentence follows."""

    def __init__(self, transport: Transport, name: str):
        self._transport, self._name = transport, name

    def _query(self, text: str, max_new_tokens: int, k: int, options: DecodingOptions | None) -> dict[str, object]:
        query: dict[str, Any] = {"text": text, "model": self._name, "max_new_tokens": max_new_tokens, "k": k}
        if options is not None:
            query |= asdict(options) | {"prefix": list(options.prefix)}
        return query

    def generate(
        self,
        text: str,
        max_new_tokens: int = 24,
        k: int = 5,
        options: DecodingOptions | None = None,
        progress: Progress = no_progress,
    ) -> GeneratedText:
        """See `GenerationExplorer.generate`."""
        from polysema.core.inside.generation_results import GeneratedText

        query = self._query(text, max_new_tokens, k, options)
        return self._transport.ask_for(GeneratedText, "/v1/generate", query)

    def stream(
        self,
        text: str,
        max_new_tokens: int = 24,
        k: int = 5,
        options: DecodingOptions | None = None,
        cross_attention: bool = False,
    ) -> Iterator[GenerationStep | GeneratedText]:
        """See `GenerationExplorer.stream`: the steps as the service makes them, and at last the whole text."""
        from polysema.core.inside.generation_results import GeneratedText, GenerationStep

        query = self._query(text, max_new_tokens, k, options) | {"cross_attention": cross_attention}
        for name, value in self._transport.stream("/v1/generate", query):
            yield from_json(GeneratedText, value) if name == "end" else from_json(GenerationStep, value)

    def branch(
        self,
        text: str,
        written: GeneratedText,
        step: int,
        token: int,
        max_new_tokens: int = 24,
        options: DecodingOptions | None = None,
    ) -> GeneratedText:
        """See `GenerationExplorer.branch`; over HTTP the token is given by its id."""
        from polysema.core.inside.generation_results import DecodingOptions

        if not -len(written.ids) <= step < len(written.ids):
            raise UserError(f"the text has the steps 0 to {len(written.ids) - 1}; got {step}")
        at = step % len(written.ids)
        how = replace(options or DecodingOptions(), prefix=(*written.ids[:at], token))
        return self.generate(text, max_new_tokens, len(written.steps[at].candidates), how)

    def fill(self, text: str, k: int = 10, max_pieces: int = 3, space: str | None = None) -> FilledMask:
        """See `GenerationExplorer.fill`."""
        from polysema.core.inside.fill_mask import FilledMask

        query = {"text": text, "model": self._name, "k": k, "max_pieces": max_pieces, "space": space}
        return self._transport.ask_for(FilledMask, "/v1/fill-mask", query)

    def next_sentence(self, first: str, second: str) -> NextSentence:
        """See `GenerationExplorer.next_sentence`."""
        from polysema.core.inside.next_sentence import NextSentence

        query = {"first": first, "second": second, "model": self._name}
        return self._transport.ask_for(NextSentence, "/v1/next-sentence", query)
