"""How a model of the service comes to its answer: as `explorer.model(name).circuits`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from polysema.app.client.internals import layer_list
from polysema.app.client.transport import BASE64, Transport
from polysema.core.inside.move_axis import AxisChoice

if TYPE_CHECKING:
    from polysema.app.explorer.inside_options import AttentionOptions
    from polysema.app.explorer.results.inside import MoveAnswer
    from polysema.core.inside.explained_move import MoveOptions
    from polysema.core.inside.head_computation import HeadComputation
    from polysema.core.inside.head_statistics import HeadStatistics
    from polysema.core.inside.patch_inputs import PatchOptions
    from polysema.core.inside.patching import Patching
    from polysema.core.inside.surprisal import Surprisal
    from polysema.core.progress import Progress


class RemoteCircuits:
    """What carries an answer in a model of the service, how one head works, how a text surprises."""

    def __init__(self, transport: Transport, name: str):
        self._transport, self._name = transport, name

    def patch(
        self,
        texts: tuple[str, str | None],
        answer: str,
        against: str | None = None,
        options: PatchOptions | None = None,
        target: str | None = None,
        progress: Progress | None = None,
    ) -> Patching:
        """See `CircuitExplorer.patch`.

        With a `progress` it is a job of the service, which may be longer; what `progress` raises cancels it.
        """
        from polysema.app.explorer.json_reading import from_json
        from polysema.core.inside.patching import Patching

        query: dict[str, Any] = {"clean": texts[0], "corrupted": texts[1], "answer": answer, "against": against}
        query |= {"model": self._name, "target": target}
        if options is not None:
            query |= {"part": options.part, "layers": layer_list(options.layers), "head": options.head}
            query |= {"words": None if options.at_words is None else list(options.at_words), "into": options.into}
            query |= {"at": options.place, "stack": options.stack}
            query |= {"noise": None if options.noise is None else asdict(options.noise)}
        if progress is not None:
            found: Patching = from_json(Patching, self._transport.done("patch", progress, **query))
            return found
        return self._transport.ask_for(Patching, "/v1/patch", query, BASE64)

    def head_computation(
        self, text: str, layer: int, head: int, cross: bool = False, stack: str = "", target: str | None = None
    ) -> HeadComputation:
        """See `CircuitExplorer.head_computation`."""
        from polysema.core.inside.head_computation import HeadComputation

        query = {"text": text, "layer": layer, "head": head, "cross": cross, "stack": stack, "target": target}
        return self._transport.ask_for(HeadComputation, "/v1/head-computation", query | {"model": self._name}, BASE64)

    def head_statistics(
        self,
        texts: Iterable[str] = (),
        by: str = "induction",
        layers: Sequence[int] | None = None,
        random: int = 0,
        stack: str = "",
    ) -> HeadStatistics:
        """See `CircuitExplorer.head_statistics`; the texts of one request."""
        from polysema.core.inside.head_statistics import HeadStatistics

        query: dict[str, Any] = {"texts": list(texts), "by": by, "layers": layer_list(layers), "random": random}
        query |= {"model": self._name, "stack": stack}
        return self._transport.ask_for(HeadStatistics, "/v1/head-statistics", query)

    def surprisal(self, text: str, method: str = "auto", unit: str = "tokens", target: str | None = None) -> Surprisal:
        """See `CircuitExplorer.surprisal`."""
        from polysema.core.inside.surprisal import Surprisal

        query = {"text": text, "method": method, "unit": unit, "target": target, "model": self._name}
        return self._transport.ask_for(Surprisal, "/v1/surprisal", query)

    def explain_move(
        self,
        word: str,
        text: str,
        axis: str | AxisChoice | None = None,
        layer: int = -1,
        options: MoveOptions | None = None,
        reads: AttentionOptions | None = None,
    ) -> MoveAnswer:
        """See `CircuitExplorer.explain_move`."""
        from polysema.app.explorer.results.inside import MoveAnswer

        chosen = axis if isinstance(axis, AxisChoice) else AxisChoice(axis)
        query: dict[str, Any] = {"word": word, "text": text, "model": self._name, "layer": layer, "axis": chosen.ends}
        query |= {"toward": list(chosen.toward), "away": list(chosen.away)}
        if options is not None:
            query |= {"nth": options.nth, "seed": options.seed, "shuffles": options.shuffles}
            if axis is None and options.axis != AxisChoice():
                query |= {"axis": options.axis.ends, "toward": list(options.axis.toward)}
                query |= {"away": list(options.axis.away)}
        if reads is not None:
            query |= {"stack": reads.stack, "target": reads.target}
        return self._transport.ask_for(MoveAnswer, "/v1/explain-move", query, BASE64)
