"""Batch export: the word vectors of a stream of texts as Parquet shards with a manifest.

Each shard is there whole or not at all, and the manifest comes last: readers trust only it. An export that was
stopped goes on where it was when it is run again with the same settings.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from polysema.core.errors import ConflictError, UnreadableError, UserError
from polysema.core.model.contextual import Hidden, embed_stream, joined, occurrence_table
from polysema.core.model.load import LanguageModel
from polysema.core.space.formats import MANIFEST
from polysema.core.space.space import Floats
from polysema.core.space.vector_cache import sync

SETTINGS = "settings.json"
SHARD_BYTES = 128 << 20  # of vectors, roughly: what is held at a time
WORDS_A_TEXT = 24
FORMAT = 1

Progress = Callable[[int, int], None]  # texts done, words written


@dataclass(frozen=True, slots=True)
class Source:
    """What the texts are: a name to show, how many there are, and a hash over all of them."""

    name: str
    sha256: str
    lines: int


def export(
    texts: Iterable[str],
    source: Source,
    folder: "Path | str",
    model: LanguageModel,
    layers: Sequence[int],
    pooling: str = "mean",
    progress: Progress = lambda texts, words: None,
) -> dict[str, Any]:
    """Write every word's vector at `layers` to Parquet shards in `folder`; returns the manifest.

    A row is a word at a layer: text_id (from 0), word, start, end (characters), layer, vector (float32). Raises
    `ConflictError` when the folder holds anything else or an export with other settings, `UserError` for a layer
    that isn't there, an unwritable folder or a full disk (what is written so far stays good).
    """
    folder = Path(folder)
    layers = model.check_layers(layers)
    settings = {
        "format": FORMAT,
        "input": {"name": source.name, "sha256": source.sha256, "lines": source.lines},
        "origin": model.origin(None, pooling).to_json(),
        "layers": list(layers),
        "pooling": pooling,
        "shard_texts": shard_texts(len(layers), model.dim),
    }
    try:
        with _claimed(folder, settings):
            return _run(iter(texts), settings, folder, model, progress)
    except OSError as error:
        raise UserError(
            f"can't write to {folder}: {error.strerror or error}; what is finished stays good, run the same command again to go on"
        ) from None


def shard_texts(n_layers: int, dim: int) -> int:
    """How many texts make a shard: a power of two, the same for the same settings."""
    wanted = SHARD_BYTES // (n_layers * dim * 4 * WORDS_A_TEXT)
    return int(min(4096, max(32, 1 << max(0, wanted.bit_length() - 1))))


@contextmanager
def _claimed(folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    """The folder is ours: empty or new, or one that was begun with the same settings; and nobody else works in it."""
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{folder} is a file; give a folder to export into")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    known = _read_settings(folder / SETTINGS) if SETTINGS in there else None
    if known is None and [name for name in there if name not in (f".{SETTINGS}.part", ".lock")]:
        raise ConflictError(f"{folder} holds something else ({there[0]}); export into a new or an empty folder")
    if known is not None and known != settings:
        wrong = ", ".join(key for key in settings if known.get(key) != settings[key])
        raise ConflictError(f"{folder} holds an export with other settings ({wrong}); export into another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                f"another export is writing to {folder}; wait for it or choose another folder"
            ) from None
        if known is None:
            _write_whole(folder / SETTINGS, _json(settings))
        yield
    (folder / ".lock").unlink(missing_ok=True)


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} can't be read: {error}; export into another folder") from None
    return settings if isinstance(settings, dict) else {}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _run(
    texts: Iterator[str], settings: dict[str, Any], folder: Path, model: LanguageModel, progress: Progress
) -> dict[str, Any]:
    shards: list[dict[str, Any]] = []
    first = words = 0
    while batch := list(islice(texts, settings["shard_texts"])):
        path = folder / f"part-{len(shards):05d}.parquet"
        done = folder / f".{path.name}.done"
        shard = _finished(path, done)
        if shard is None:
            parts = []
            for part in embed_stream(model, batch, settings["layers"], settings["pooling"]):
                parts.append(part)
                progress(first, words + sum(len(p.occurrences) for p in parts))
            shard = _write_shard(path, joined(parts), first)
            _write_whole(done, _json(shard))
        shards.append(shard)
        first += len(batch)
        words += shard["words"]
        progress(first, words)
    manifest = {**settings, "texts": first, "words": words, "rows": sum(s["rows"] for s in shards), "shards": shards}
    _write_whole(folder / MANIFEST, _json(manifest))
    for path in folder.glob(".part-*.done"):
        path.unlink()
    return manifest


def _finished(path: Path, done: Path) -> dict[str, Any] | None:
    """The record of a shard that an earlier run finished, if it and its bytes are there."""
    manifest = path.parent / MANIFEST
    try:
        if manifest.is_file():
            records = {shard["name"]: shard for shard in json.loads(manifest.read_text())["shards"]}
            record = records[path.name]
        else:
            record = json.loads(done.read_text())
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == record["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    return record if same else None


def _write_shard(path: Path, hidden: Hidden, first: int) -> dict[str, Any]:
    """One row group a layer, so that a reader of one layer reads no other."""
    dim = hidden.vectors.shape[2]
    part = path.with_name(f".{path.name}.part")
    rows = 0
    with part.open("wb") as out:
        writer = None
        for place, layer in enumerate(hidden.layers):
            table = occurrence_table(hidden.occurrences, layer)
            table = table.set_column(0, "text_id", pa.array([o.text + first for o in hidden.occurrences], pa.int64()))
            table = table.append_column("vector", _vectors(hidden.vectors[place], dim))
            if writer is None:
                writer = pq.ParquetWriter(
                    out,
                    table.schema,
                    compression="none",
                    use_dictionary=["word", "layer"],
                    write_statistics=["layer", "text_id"],
                )
            writer.write_table(table, row_group_size=max(1, table.num_rows))
            rows += table.num_rows
        if writer is not None:
            writer.close()
        _sync(out)
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = part.stat().st_size
    part.rename(path)
    sync(path.parent)
    return {"name": path.name, "rows": rows, "words": len(hidden.occurrences), "bytes": size, "sha256": digest}


def _vectors(vectors: Floats, dim: int) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dim)


def _write_whole(path: Path, content: bytes) -> None:
    """Written beside, synced, renamed: a reader sees the old file or the new one."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as out:
        out.write(content)
        _sync(out)
    part.rename(path)
    sync(path.parent)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
