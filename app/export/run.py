"""Batch export: the vectors of a stream of texts as shards with a manifest.

Each file is there whole or not at all, and the manifest comes last: readers trust only it. An export that was
stopped goes on where it was when it is run again with the same settings, and ends in the same bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from polysema.app.export.options import UNITS, ExportOptions, ExportSource
from polysema.app.export.rows import COUNTS, ExportedText, StaticVectors, compute_shard, shard_batches
from polysema.app.export.shards import DTYPES, WRITERS, ShardRows, narrowed, write_shard
from polysema.core.atomic import atomic_write, is_part, sweep
from polysema.core.errors import ConflictError, UnreadableError, UserError, check_list
from polysema.core.files.formats import MANIFEST, read_manifest
from polysema.core.locks import file_lock
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.first_position import first_outliers, first_rows_note
from polysema.core.model.load import LanguageModel
from polysema.core.model.sentences import plan_sentences
from polysema.core.model.text_batches import texts_a_batch
from polysema.core.progress import Progress, no_progress

__all__ = ["DTYPES", "UNITS", "WRITERS", "ExportOptions", "ExportSource", "export", "narrowed", "shard_texts", "verify"]

SETTINGS = "settings.json"
SHARD_BYTES = 64 << 20  # of vectors, roughly: what is in memory at a time
WORDS_A_TEXT = 24
CHARACTERS_A_WORD = 6
FORMAT = 2


def export(
    texts: Iterable[ExportedText],
    source: ExportSource,
    folder: "Path | str",
    model: LanguageModel,
    layers: Sequence[int],
    wanted: ExportOptions | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Write the vectors at `layers` to shards in `folder`; returns the manifest. `texts` may be pairs of id and text,
    or the records of a corpus, whose columns go along.

    A row is a word, token or sentence at a layer: text_id (from 0), id where the texts have one, word, start, end
    (characters), layer, vector. Raises `ConflictError` when the folder holds anything else or an export with other
    settings, `UserError` for a layer that isn't there, an unwritable folder or a full disk (what is written so far
    stays good).
    """
    check_list(texts, "texts")
    folder, chosen = Path(folder), (wanted or ExportOptions()).checked()
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
    try:
        with _claimed(folder, settings):
            return _run(texts, source, settings, folder, model, chosen, progress)
    except OSError as error:
        raise UserError(
            f"can't write to {folder}: {error.strerror or error}; what is finished stays good, run the same "
            "command again to go on"
        ) from None


def shard_texts(n_layers: int, dim: int) -> int:
    """How many texts make a shard, at most: a power of two, the same for the same settings."""
    wanted = SHARD_BYTES // (n_layers * dim * 4 * WORDS_A_TEXT)
    return int(min(4096, max(texts_a_batch(n_layers, dim), 1 << max(0, wanted.bit_length() - 1))))


@contextmanager
def _claimed(folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    """The folder is ours: empty or new, or one that was begun with the same settings; and nobody else works in it."""
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{folder} is a file; give a folder to export into")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    known = _read_settings(folder / SETTINGS) if SETTINGS in there else None
    if known is None and [name for name in there if name != ".lock" and not is_part(name)]:
        raise ConflictError(f"{folder} holds something else ({there[0]}); export into a new or an empty folder")
    if known is not None and known != settings:
        wrong = ", ".join(key for key in settings if known.get(key) != settings[key])
        raise ConflictError(f"{folder} holds an export with other settings ({wrong}); export into another folder")
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another export is writing to {folder}"
    with file_lock(folder / ".lock", 0, busy, "wait for it or choose another folder", remove=True):
        sweep(folder, locked=True)
        if known is None:
            _write_json(folder / SETTINGS, settings)
        yield


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} can't be read: {error}; export into another folder") from None
    return settings if isinstance(settings, dict) else {}


def _write_json(path: Path, value: Any) -> None:
    content = (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    atomic_write(path, content)


def _run(
    texts: Iterable[ExportedText],
    source: ExportSource,
    settings: dict[str, Any],
    folder: Path,
    model: LanguageModel,
    wanted: ExportOptions,
    progress: Progress,
) -> dict[str, Any]:
    """A shard is written while the next one is computed."""
    shards: list[dict[str, Any]] = []
    done = 0
    total = len(range(wanted.shard[0] - 1, min(source.lines, wanted.limit or source.lines), wanted.shard[1]))
    finished = _finished(folder)
    characters = settings["shard_texts"] * WORDS_A_TEXT * CHARACTERS_A_WORD
    statics = StaticVectors(model) if wanted.static else None
    writing: Future[dict[str, Any]] | None = None

    def written(future: "Future[dict[str, Any]] | None") -> None:
        if future is not None:
            shards.append(future.result())

    def advance(n_texts: int) -> None:
        nonlocal done
        done += n_texts
        progress("texts", done, total)

    with ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        for number, batch in enumerate(shard_batches(texts, wanted, settings["shard_texts"], characters)):
            kept = finished(number)
            if kept is not None:
                written(writing)
                writing = None
                shards.append(kept)
                advance(len(batch.texts))
                continue
            layers, counts = compute_shard(batch, model, settings, wanted, source, statics, advance)
            written(writing)
            writing = writer.submit(_write, folder, number, settings, layers, counts)
        written(writing)
    manifest = {
        **settings,
        "texts": done,
        "rows": sum(s["rows"] for s in shards),
        "shards": shards,
        "words": sum(s["rows"] for s in shards) // len(settings["layers"]),
    } | {count: sum(s.get(count, 0) for s in shards) for count in COUNTS}
    _write_json(folder / MANIFEST, manifest)
    for path in folder.glob(".part-*.done"):
        path.unlink()
    return manifest


def _write(
    folder: Path, number: int, settings: dict[str, Any], layers: Sequence[ShardRows], counts: dict[str, int]
) -> dict[str, Any]:
    files = write_shard(folder, number, settings["to"], settings["dtype"], layers)
    shard = {"files": files, "rows": sum(len(rows.vectors) for rows in layers), **counts}
    _write_json(folder / f".part-{number:05d}.done", shard)
    return shard


def _finished(folder: Path) -> Callable[[int], dict[str, Any] | None]:
    """Looks up the record of a shard that an earlier run finished, if its files are there, byte for byte."""
    try:
        known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["shards"]
    except (OSError, ValueError, KeyError):
        known = []

    def record(number: int) -> dict[str, Any] | None:
        try:
            shard = (
                known[number]
                if number < len(known)
                else json.loads((folder / f".part-{number:05d}.done").read_text(encoding="utf-8"))
            )
            same = all(_sound(folder / file["name"], file) is None for file in shard["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return shard if same else None

    return record


def _sound(path: Path, record: dict[str, Any]) -> str | None:
    """What is wrong with a file; None when it is as its record says."""
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != record["bytes"]:
        return f"has {path.stat().st_size:,} bytes, not {record['bytes']:,}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest == record["sha256"] else "has other bytes than were written"


def verify(folder: "Path | str") -> dict[str, Any]:
    """Read every byte of a finished export and return its manifest.

    Raises `NotFoundError` for an export that isn't finished, `UnreadableError` that names each file that is missing,
    changed, or doesn't belong there.
    """
    folder = Path(folder)
    manifest: dict[str, Any] = dict(read_manifest(folder))
    try:
        files = [file for shard in manifest["shards"] for file in shard["files"]]
        wrong = [f"{file['name']} {problem}" for file in files if (problem := _sound(folder / str(file["name"]), file))]
        if manifest["rows"] != sum(int(shard["rows"]) for shard in manifest["shards"]):
            wrong.append(f"{MANIFEST} counts {manifest['rows']:,} rows, its shards others")
        settings = _read_settings(folder / SETTINGS)
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


# The rows
