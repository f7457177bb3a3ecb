"""The corpus of senses as a model reads it: its annotated words, and its rows without those that are outliers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from polysema.app.export.options import ExportInput, ExportSource
from polysema.app.export.run import export
from polysema.core.errors import BusyError
from polysema.core.measure.senses import SenseCorpus, load_senses
from polysema.core.model.contextual import embed_stream
from polysema.core.model.first_position import FIRST_ROWS_KEPT, first_ends, first_outliers, left_out_note
from polysema.core.model.hidden_batch import HiddenBatch, joined
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, in_stage
from polysema.core.space.space import Space

RECHECK_SECONDS = 0.5


def without_first(model: LanguageModel, space: Space, texts: Sequence[str]) -> Space:
    """A space of words in texts without those that stand first, where their states are outliers at its layer."""
    layer = space.origin.layer
    if layer not in first_outliers(model).alike:
        return space
    ends = np.array(first_ends(model, texts))
    assert space.columns is not None
    table = space.columns
    text_ids, starts = (table.column(name).to_numpy() for name in ("text_id", "start"))
    later = starts >= ends[text_ids]
    note = left_out_note([layer], int((~later).sum()))
    others = (one for one in space.origin.notes if not one.startswith(FIRST_ROWS_KEPT))  # of the export; here they go
    return replace(space.take(np.flatnonzero(later)), origin=replace(space.origin, notes=(*others, note)))


def marked(model: LanguageModel, space: Space) -> Space:
    """The corpus of senses as a space, with its texts and its senses beside the rows."""
    senses = load_senses()
    known = {(s.text_id, s.start, s.end): s.sense for s in senses.senses}
    places = zip(space.column("text_id"), space.column("start"), space.column("end"), strict=True)
    sense = pa.array([known.get(place, "") for place in places], pa.string())
    assert space.columns is not None
    ids = space.columns.column("text_id").combine_chunks().cast(pa.int32())
    text = pa.DictionaryArray.from_arrays(ids, pa.array(senses.texts))
    columns = space.columns.append_column("sense", sense).append_column("text", text)
    return without_first(model, replace(space, columns=columns), senses.texts)


def embedded_senses(model: LanguageModel, corpus: SenseCorpus, stage: str, progress: Progress) -> HiddenBatch:
    """The annotated occurrences of a corpus of senses at every layer. What `progress` raises ends the work."""
    parts, done = [], 0
    progress(stage, done, len(corpus.texts))
    for part in embed_stream(model, corpus.texts, range(model.n_layers + 1), occurrences=corpus.occurrences()):
        parts.append(part)
        done += part.n_texts
        progress(stage, done, len(corpus.texts))
    return joined(parts)


def export_senses(model: LanguageModel, layers: Sequence[int], folder: Path, progress: Progress) -> None:
    """Embed the corpus into a folder, unless it is there. What `progress` raises ends the work."""
    senses = load_senses()
    total, stage = len(senses.texts), "embed the corpus"
    texts = ExportInput(senses.texts, ExportSource("senses", senses.sha256, total))
    while not (folder / "manifest.json").is_file():
        progress(stage, 0, total)
        try:
            export(texts, folder, model, layers, progress=in_stage(progress, stage))
        except BusyError:  # another process is at it, and is waited for
            progress("wait for another process that embeds the corpus", 0, 1)
            time.sleep(RECHECK_SECONDS)
