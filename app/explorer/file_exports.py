"""`ExportExplorer`: what is written to files: exports of texts, static tables, spaces in another layout."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from polysema.app.explorer.results.exports import ExportAnswer, WrittenVectors
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import UserError
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Space

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.model_explorer import ModelExplorer
    from polysema.app.explorer.word_space import WordSpace
    from polysema.app.export.options import ExportOptions
    from polysema.core.corpus import Corpus
    from polysema.core.model.distill import TableOptions


@checked_arguments
class ExportExplorer:
    """What is written to files: `explorer.exports`.

    Example:
        `explorer.exports.write("glove-6b-50d", "glove.safetensors").rows` is `400000`.
    """

    def __init__(self, explorer: Explorer):
        self._explorer = explorer

    def texts(
        self,
        model: str | ModelExplorer,
        corpus: Corpus,
        folder: Path | str,
        layers: Sequence[int] | None = (-1,),
        options: ExportOptions | None = None,
        progress: Progress = no_progress,
    ) -> ExportAnswer:
        """Write the vectors of a corpus to shards in a folder, text by text: the corpus is never whole in memory.

        Args:
            model: A model, or its name.
            corpus: Of `polysema.core.corpus.open_records`, whose columns go along.
            folder: Where the shards go; or a collection (its folder, or `milvus://host:19530/name`), or, where the
                options say `to="collection"`, one that is made. What was stopped goes on where it was.
            layers: 0 to n; -1 is the last; None: all.
            options: The unit, the pooling, the format and the like.
            progress: Told how many texts are done; what it raises ends the work.

        Returns:
            How many rows were written, of how many texts.

        Raises:
            ConflictError: The folder holds anything else, or an export with other settings.
            PolysemaError: There is no such layer, or the disk is full.
        """
        from polysema.app.collection.export_target import export_into, is_collection_target
        from polysema.app.export.options import ExportInput, ExportSource
        from polysema.app.export.run import export

        chosen = (options or _default_options()).checked()
        handle = self._model(model)
        which = handle.model.check_layers(range(handle.model.n_layers + 1) if layers is None else layers)

        def made(place: Path | str, how: ExportOptions, tell: Progress) -> dict[str, object]:
            if how.on:
                return self._on_workers(handle, corpus, place, which, how, tell)
            return export(ExportInput.of(corpus), place, handle.model, which, how, tell)

        if is_collection_target(str(folder), chosen):
            what = [handle.model.weights_sha256, handle.model.origin(None, chosen.pooling).to_json(), which]
            what.append(ExportSource.of(corpus).to_json())
            registry = self._explorer.collections
            return ExportAnswer.of(str(folder), export_into(registry, str(folder), chosen, what, made, progress))
        return ExportAnswer.of(str(folder), made(folder, chosen, progress))

    def _on_workers(
        self,
        handle: ModelExplorer,
        corpus: Corpus,
        folder: Path | str,
        layers: Sequence[int],
        options: ExportOptions,
        progress: Progress,
    ) -> dict[str, object]:
        """The manifest of an export that other processes compute."""
        from polysema.app.export.distributed import connect, export_on
        from polysema.app.export.options import ExportSource
        from polysema.app.export.run import shard_work
        from polysema.app.export.worker_model import WorkerModel
        from polysema.core.model.load import on_torch

        location = self._explorer.names.locate(handle.name)
        with closing(connect(options.on)) as workers:
            loaded = on_torch(handle.model) if workers.device == "cuda" else handle.model
            work = shard_work(ExportSource.of(corpus), folder, loaded, layers, options)
            return export_on(workers, corpus.records, work, WorkerModel.of(loaded, location, workers.device), progress)

    def verify(self, folder: Path | str) -> ExportAnswer:
        """Read every byte of a finished export and compare it with its manifest.

        Args:
            folder: Where it is.

        Returns:
            What it holds.

        Raises:
            UnreadableError: A file is missing, or isn't as it was written; the message names it.
        """
        from polysema.app.export.run import verify

        return ExportAnswer.of(str(folder), verify(folder))

    def static_table(
        self,
        model: str | ModelExplorer,
        words: Sequence[str] | None = None,
        corpus: Corpus | None = None,
        options: TableOptions | None = None,
        progress: Progress = no_progress,
        on: str = "",
    ) -> WordSpace:
        """A table of static vectors made from a model, as a space.

        Args:
            model: A model, or its name.
            words: The only words wanted; alone: each has its input embedding, the mean of its sub-words.
            corpus: Texts over which each word's hidden states are averaged (Bommasani et al. 2020).
            options: With a corpus: the layer, the case, and which words are left out.
            progress: Told how many texts are read.
            on: With a corpus: who computes its states, such as `local:4` or `ray`; empty: this process.

        Returns:
            The space, (n_words, dim).

        Raises:
            PolysemaError: There is neither a list of words nor a corpus, or no word is left.
        """
        from polysema.app.export.states import states_on
        from polysema.core.model.distill import TableOptions, distill
        from polysema.core.model.static import word_table

        if not words and corpus is None:
            raise UserError("give words, a corpus, or both")
        handle, how = self._model(model), options or TableOptions()
        loaded = handle.model
        if corpus is None:
            if on:
                raise UserError("words alone have their input embeddings, which no pass computes: on needs a corpus")
            return self._explorer.hold(word_table(loaded, list(dict.fromkeys(words or ()))))

        def tell(_stage: str, done: int, _total: int) -> None:
            progress("texts", done, corpus.lines)

        with states_on(on, loaded, self._explorer.names.locate(handle.name)) as stream:
            return self._explorer.hold(distill(loaded, corpus, words, how, tell, stream))

    def write(
        self, space: str | Space | WordSpace, path: Path | str, layout: str | None = None, replace: bool = False
    ) -> WrittenVectors:
        """Write the vectors of a space to a file, in the layout of its ending or another.

        Args:
            space: A space, or its name.
            path: The file.
            layout: word2vec-text, word2vec-binary, npy, safetensors, parquet or tensorboard; None: by the ending.
            replace: Whether a file that is there may be replaced.

        Returns:
            The files that were written.

        Raises:
            ConflictError: A file is there already.
        """
        from polysema.core.files.formats import write_vectors

        current = self._explorer.space(space).space
        paths = write_vectors(current, path, layout, replace)
        return WrittenVectors(tuple(map(str, paths)), len(current), current.dim, current.origin)

    def _model(self, model: str | ModelExplorer) -> ModelExplorer:
        return self._explorer.model(model) if isinstance(model, str) else model


def _default_options() -> ExportOptions:
    from polysema.app.export.options import ExportOptions

    return ExportOptions()
