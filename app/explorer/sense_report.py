"""The yardstick of the corpus of senses, over several models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.app.explorer.options import DEFAULT_MODEL
from polysema.app.explorer.results import SenseReport
from polysema.core.errors import list_of
from polysema.core.measure.senses import SenseCorpus, load_senses, most_frequent_sense
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer


def sense_report(
    explorer: Explorer,
    models: Sequence[str] = (DEFAULT_MODEL,),
    progress: Progress = no_progress,
    corpus: SenseCorpus | None = None,
) -> SenseReport:
    """Leave-one-out sense accuracy of the nearest neighbor: each model's static vectors and every layer.

    Args:
        explorer: What loads the models.
        models: Their names.
        progress: Told of each stage; what it raises ends the work.
        corpus: Sentences with annotated words; by default those that ship with the package.

    Returns:
        A row for each model and layer, beside what the most frequent sense alone would reach.
    """
    corpus = corpus or load_senses()
    words, names = [s.word for s in corpus.senses], [s.sense for s in corpus.senses]
    found = [
        explorer.model(name, progress=progress).senses.accuracy(progress, corpus) for name in list_of(models, "models")
    ]
    return SenseReport(
        len(words),
        len(corpus.words),
        len(set(zip(words, names, strict=True))),
        most_frequent_sense(words, names),
        tuple(row for rows, _ in found for row in rows),
        tuple(note for _, notes in found for note in notes),
    )
