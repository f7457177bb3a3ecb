"""Batch export: the vectors of a stream of texts as shards with a manifest.

Each file is there whole or not at all, and the manifest comes last: readers trust only it. An export that was
stopped goes on where it was when it is run again with the same settings, and ends in the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from polysema.app.export.export_folder import (
    SETTINGS,
    FinishedShards,
    ShardRecord,
    claimed,
    fault_of,
    finish,
    read_settings,
    writable,
)
from polysema.app.export.options import UNITS, ExportedText, ExportInput, ExportOptions, ExportSource, ShardWork
from polysema.app.export.rows import ShardTexts, shard_batches
from polysema.app.export.shards import DTYPES, WRITERS, narrowed
from polysema.app.export.task import ShardMaker
from polysema.core.errors import UnreadableError, check_list
from polysema.core.files.formats import MANIFEST, read_manifest
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.first_position import first_outliers, first_rows_note
from polysema.core.model.load import LanguageModel
from polysema.core.model.sentences import plan_sentences
from polysema.core.model.text_batches import texts_a_batch
from polysema.core.progress import Progress, no_progress

__all__ = [
    "DTYPES",
    "UNITS",
    "WRITERS",
    "ExportInput",
    "ExportOptions",
    "ExportSource",
    "export",
    "narrowed",
    "shard_texts",
    "verify",
]

SHARD_BYTES = 64 << 20  # of vectors, roughly: what is in memory at a time
WORDS_A_TEXT = 24
CHARACTERS_A_WORD = 6
FORMAT = 2


def export(
    given: ExportInput,
    folder: "Path | str",
    model: LanguageModel,
    layers: Sequence[int],
    wanted: ExportOptions | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Write the vectors at `layers` to shards in `folder`; returns the manifest.

    A row is a word, token or sentence at a layer: text_id (from 0), id where the texts have one, word, start, end
    (characters), layer, vector. Raises `ConflictError` when the folder holds anything else or an export with other
    settings, `UserError` for a layer that isn't there, an unwritable folder or a full disk (what is written so far
    stays good).
    """
    check_list(given.texts, "texts")
    work = shard_work(given.source, folder, model, layers, wanted)
    with writable(work.folder), claimed(work.folder, work.settings) as token:
        return _run(given.texts, replace(work, token=token), model, progress)


def shard_work(
    source: ExportSource,
    folder: "Path | str",
    model: LanguageModel,
    layers: Sequence[int],
    wanted: ExportOptions | None = None,
) -> ShardWork:
    """What an export will write, checked: its settings are the same wherever it is computed."""
    chosen = (wanted or ExportOptions()).checked()
    layers = model.check_layers(layers)
    require_finite(model)
    origin = model.origin(None, chosen.pooling if chosen.unit == "words" else "single tokens")
    alike = [layer for layer in first_outliers(model).alike if layer in layers]
    if chosen.unit == "sentences":
        origin = plan_sentences(model, layers, chosen.pooling, chosen.sentence).origin
    elif alike:
        origin = replace(origin, notes=(*origin.notes, first_rows_note(alike)))
    settings = {
        "format": FORMAT,
        "input": source.to_json(),
        "origin": origin.to_json(),
        "layers": list(layers),
        "unit": chosen.unit,
        "pooling": chosen.pooling,
        "only_words": list(chosen.words),
        "to": chosen.to,
        "dtype": chosen.dtype,
        "static": chosen.static,
        "text": chosen.text or chosen.to == "atlas",
        "limit": chosen.limit,
        "shard": list(chosen.shard),
        "shard_texts": shard_texts(len(layers), model.dim),
    }
    return ShardWork(Path(folder), settings, chosen, source)


def shard_texts(n_layers: int, dim: int) -> int:
    """How many texts make a shard, at most: a power of two, the same for the same settings."""
    wanted = SHARD_BYTES // (n_layers * dim * 4 * WORDS_A_TEXT)
    return int(min(4096, max(texts_a_batch(n_layers, dim), 1 << max(0, wanted.bit_length() - 1))))


def _run(texts: Iterable[ExportedText], work: ShardWork, model: LanguageModel, progress: Progress) -> dict[str, object]:
    """A shard is written while the next one is computed."""
    shards: list[ShardRecord] = []
    done, total = 0, text_count(work)
    finished = FinishedShards(work.folder, work.settings)
    maker = ShardMaker(work, model)
    writing: Future[ShardRecord] | None = None

    def written() -> None:
        nonlocal writing
        if writing is not None:
            shards.append(writing.result())
        writing = None

    def advance(n_texts: int) -> None:
        nonlocal done
        done += n_texts
        progress("texts", done, total)

    with ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        for number, batch in enumerate(work_batches(texts, work)):
            kept = finished.record(number)
            if kept is not None:
                written()
                shards.append(kept)
                advance(len(batch.texts))
                continue
            computed = maker.compute(batch, advance)
            written()
            writing = writer.submit(maker.write, number, computed)
        written()
    return finish(work.folder, work.settings, shards, done)


def text_count(work: ShardWork) -> int:
    """How many texts are exported."""
    options, lines = work.options, work.source.lines
    return len(range(options.shard[0] - 1, min(lines, options.limit or lines), options.shard[1]))


def work_batches(texts: Iterable[ExportedText], work: ShardWork) -> Iterator[ShardTexts]:
    """The texts of each shard of an export."""
    n_texts = work.settings["shard_texts"]
    return shard_batches(texts, work.options, n_texts, n_texts * WORDS_A_TEXT * CHARACTERS_A_WORD)


def verify(folder: "Path | str") -> dict[str, Any]:
    """Read every byte of a finished export and return its manifest.

    Raises `NotFoundError` for an export that isn't finished, `UnreadableError` that names each file that is missing,
    changed, or doesn't belong there.
    """
    folder = Path(folder)
    manifest: dict[str, Any] = dict(read_manifest(folder))
    try:
        files = [file for shard in manifest["shards"] for file in shard["files"]]
        wrong = [
            f"{file['name']} {problem}" for file in files if (problem := fault_of(folder / str(file["name"]), file))
        ]
        if manifest["rows"] != sum(int(shard["rows"]) for shard in manifest["shards"]):
            wrong.append(f"{MANIFEST} counts {manifest['rows']:,} rows, its shards others")
        settings = read_settings(folder / SETTINGS)
        wrong += [
            f"{SETTINGS} and {MANIFEST} differ in {key}" for key in settings if manifest.get(key) != settings[key]
        ]
    except (KeyError, TypeError):
        raise UnreadableError(f"{folder / MANIFEST} is no manifest of an export of this version") from None
    known = {str(file["name"]) for file in files} | {MANIFEST, SETTINGS}
    wrong += [f"{path.name} doesn't belong there" for path in sorted(folder.iterdir()) if path.name not in known]
    if wrong:
        raise UnreadableError(f"{folder} is not as it was exported: {'; '.join(wrong)}")
    return manifest
