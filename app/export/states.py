"""Hidden states computed by several processes or a cluster, in the batches and with the digits of one process."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from polysema.app.export.distributed import connect
from polysema.app.export.worker_model import WorkerModel
from polysema.app.export.workers import Workers
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.contextual import Choose, EmbeddingOptions, embed_batch, embed_stream, planned_batches
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.tokens import Occurrence

PART = "part"
Stream = Callable[..., Iterator[HiddenBatch]]  # as `embed_stream`


@dataclass(frozen=True, slots=True, eq=False)
class StatesTask:
    """The states of some texts, of which the first has the number `first`, for whoever computes them."""

    number: int
    model: WorkerModel
    layers: tuple[int, ...]
    options: EmbeddingOptions
    first: int
    texts: list[str]
    occurrences: list[Occurrence]

    def run(self) -> dict[str, Any]:
        """Compute them.

        Returns:
            The states, under `part`.
        """
        return {
            PART: embed_batch(self.model.load(), self.layers, self.options, self.first, self.texts, self.occurrences)
        }


@contextmanager
def states_on(on: str, model: LanguageModel, location: ModelLocation) -> Iterator[Stream]:
    """What computes states as `embed_stream` does: `embed_stream` where `on` is empty, else workers at that place.

    Args:
        on: `local:4`, `ray://host:10001` and the like; empty for this process.
        model: Whose states are wanted.
        location: Where it is loaded from.

    Yields:
        A function of the model, texts, layers, options and occurrences.

    Raises:
        PolysemaError: There is no such place, or its memory doesn't hold so many models.
    """
    if not on:
        yield embed_stream
        return
    with closing(connect(on)) as workers:
        loading = WorkerModel.of(model, location, workers.device)
        loading.check_memory(workers.n_here)

        def stream(
            model: LanguageModel,
            texts: Iterable[str],
            layers: Sequence[int],
            options: EmbeddingOptions | None = None,
            occurrences: "Sequence[Occurrence] | Choose | None" = None,
        ) -> Iterator[HiddenBatch]:
            how, chosen = options or EmbeddingOptions(), model.check_layers(layers)
            planned = planned_batches(model, texts, chosen, how, occurrences)
            return _in_order(
                workers, (StatesTask(number, loading, chosen, how, *batch) for number, batch in enumerate(planned))
            )

        yield stream


def _in_order(workers: Workers, tasks: Iterator[StatesTask]) -> Iterator[HiddenBatch]:
    """The states of each task, in the order of the texts."""
    waiting: dict[int, HiddenBatch] = {}
    wanted = 0
    for outcome in workers.run(tasks):
        waiting[outcome.number] = outcome.take()[PART]
        while wanted in waiting:
            yield waiting.pop(wanted)
            wanted += 1
