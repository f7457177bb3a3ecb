"""The corpus of senses, embedded by a model at its layers, and the baselines read off it."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from polysema.app.explorer.cache import digest, keep_file
from polysema.app.explorer.models import Models
from polysema.app.explorer.options import BASELINE_TEXTS, DEFAULT_MODEL, MAP_LAYERS
from polysema.app.export.run import ExportSource, export
from polysema.core.environment import home
from polysema.core.errors import BusyError, UserError
from polysema.core.files.formats import read_export
from polysema.core.measure.anisotropy import random_pair_cosine
from polysema.core.measure.senses import load_senses
from polysema.core.model.contextual import embed
from polysema.core.model.first_position import FIRST_ROWS_KEPT, first_ends, first_outliers, left_out_note
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, in_stage, no_progress
from polysema.core.space.space import Space

RECHECK_SECONDS = 0.5  # seconds


class Corpora(Models):
    """Holds the corpus of senses as models see it."""

    def baselines(self, model: str = DEFAULT_MODEL, progress: Progress = no_progress) -> tuple[float, ...]:
        """For each layer the mean cosine of random pairs of words of the corpus of senses; kept on disk.

        Where a decoder's first state of a text is an outlier, first words are left out.
        """
        loaded = self.model(model)
        alike = first_outliers(loaded).alike
        parts = ("baseline 2", alike) if alike else ("baseline 1",)
        key = digest(*parts, load_senses().sha256, loaded.weights_sha256, loaded.revision, loaded.name, BASELINE_TEXTS)
        path = home() / "baselines" / f"{key}.json"

        def make() -> tuple[float, ...]:
            try:
                return tuple(float(value) for value in json.loads(path.read_text()))
            except (OSError, ValueError, TypeError):
                pass
            progress("baseline", 0, 1)
            texts = load_senses().texts[:: max(1, len(load_senses().texts) // BASELINE_TEXTS)]
            hidden = embed(loaded, texts)
            later = hidden.without_first()
            values = tuple(
                random_pair_cosine(part.vectors[layer], [o.text for o in part.occurrences])
                for layer in hidden.layers
                for part in (later if layer in alike else hidden,)
            )
            keep_file(path, json.dumps(values))
            progress("baseline", 1, 1)
            return values

        return self._small.get(("baseline", key), make)

    def corpus_layers(self, model: str = DEFAULT_MODEL) -> tuple[int, ...]:
        """The layers at which the corpus of senses is kept: all, or 13 evenly spaced ones of a deep model."""
        n_layers = self.model(model).n_layers
        if n_layers < MAP_LAYERS:
            return tuple(range(n_layers + 1))
        return tuple(sorted({round(step * n_layers / (MAP_LAYERS - 1)) for step in range(MAP_LAYERS)}))

    def corpus(self, model: str = DEFAULT_MODEL, layer: int = -1, progress: Progress = no_progress) -> Space:
        """Every word of the corpus of senses at one layer, with the column `sense` where it is annotated.

        Where a decoder's first state of a text is an outlier, first words are left out, and a note says so. Embedded
        once, as an export in the cache folder, and read from there afterwards.
        """
        progress(f"load {model}", 0, 1)
        loaded = self.model(model)
        layers = self.corpus_layers(model)
        (layer,) = loaded.check_layers([layer])
        if layer not in layers:
            raise UserError(f"the corpus of {model} is kept at the layers {', '.join(map(str, layers))}; got {layer}")
        senses = load_senses()
        key = digest(
            "corpus 2", senses.sha256, loaded.weights_sha256, loaded.revision, loaded.name, layers, loaded.engine.name
        )
        folder = home() / "corpora" / f"senses-{key}"

        def make() -> Space:
            with self._corpus_lock:
                total, stage = len(senses.texts), "embed the corpus"
                source = ExportSource("senses", senses.sha256, total)
                while not (folder / "manifest.json").is_file():
                    progress(stage, 0, total)
                    try:
                        export(
                            senses.texts,
                            source,
                            folder,
                            loaded,
                            layers,
                            progress=in_stage(progress, stage),
                        )
                    except BusyError:  # another process is at it, and is waited for
                        progress("wait for another process that embeds the corpus", 0, 1)
                        time.sleep(RECHECK_SECONDS)
            space = read_export(folder, layer)
            marked = {(s.text_id, s.start, s.end): s.sense for s in senses.senses}
            places = zip(space.column("text_id"), space.column("start"), space.column("end"), strict=True)
            sense = pa.array([marked.get(place, "") for place in places], pa.string())
            assert space.columns is not None
            ids = space.columns.column("text_id").combine_chunks().cast(pa.int32())
            text = pa.DictionaryArray.from_arrays(ids, pa.array(senses.texts))
            columns = space.columns.append_column("sense", sense).append_column("text", text)
            return _without_first(loaded, replace(space, columns=columns), senses.texts)

        return self._corpora.get((key, layer), make)


def _without_first(model: LanguageModel, space: Space, texts: Sequence[str]) -> Space:
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
