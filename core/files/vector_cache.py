"""Files of vectors, converted once to a form that opens at once: mapped, and keyed by their content.

An entry is a folder `vectors/<key>` of the home folder: `vectors.npy` (n, dim) float32, `words.arrow`,
`columns.arrow` where the file has other columns, and `entry.json`. It is there whole or not at all. `vectors/opened/`
remembers, by path, size and times, which content a file had, so that opening it again reads none of it.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.atomic import atomic_folder, atomic_write
from polysema.core.environment import home
from polysema.core.errors import UnavailableError, UnreadableError
from polysema.core.files.readers import Block, Notes
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats, Ints, Keys

LAYOUT = 5  # counts up when the layout, or a rule by which files are read, changes
HEADER = 128  # bytes before the numbers of vectors.npy
COLUMNS = "columns.arrow"
COPY_ROWS = 1 << 16
TICK_ROWS = 20_000_000  # nanoseconds within which two changes of a file may have the same time


@dataclass(frozen=True, slots=True, eq=False)
class CacheEntry:
    """What a file was converted to. `sha256` is that of the file as it lies there."""

    keys: Keys
    vectors: Floats
    sha256: str
    form: str
    notes: tuple[str, ...]
    columns: pa.Table | None = None


def fingerprint(files: Sequence[Path]) -> str:
    """The content of these files as one key: remembered while their sizes and times stay the same."""
    stamp = _stamp(files)
    if 0 <= time.time_ns() - max(times[2] for times in stamp) < TICK_ROWS:
        time.sleep(TICK_ROWS / 1e9)  # a change within the clock's tick would go unseen
        stamp = _stamp(files)
    note = _root() / "opened" / f"{hashlib.sha256(repr([str(f.resolve()) for f in files]).encode()).hexdigest()}.json"
    with suppress(OSError, ValueError):
        known = json.loads(note.read_text())
        if known["stamp"] == stamp:
            return str(known["sha256"])
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    key = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    if _stamp(files) != stamp:
        raise UnreadableError(f"{files[0]} changed while it was read; try again when it is complete")
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(note, json.dumps({"stamp": stamp, "sha256": key}).encode(), durable=False)
    return key


def _root() -> Path:
    return home() / "vectors"


def _stamp(files: Sequence[Path]) -> list[list[int]]:
    return [[s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev] for s in (path.stat() for path in files)]


def entry(sha256: str, form: str) -> CacheEntry | None:
    """The entry of that content, read as `form`; None when there is none, or none that is whole."""
    folder = _folder(sha256, form)
    try:
        card = json.loads((folder / "entry.json").read_text())
        rows, dim = int(card["rows"]), int(card["dim"])
        if (folder / "vectors.npy").stat().st_size != HEADER + 4 * rows * dim:
            return None
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        words = pa.ipc.open_file(pa.memory_map(str(folder / "words.arrow"))).read_all().column("word")
        if vectors.shape != (rows, dim) or len(words) != rows:
            return None
        columns = _open_columns(folder, rows) if card["columns"] else None
        return CacheEntry(Keys(words), vectors, sha256, form, tuple(card["notes"]), columns)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid):
        return None


def _open_columns(folder: Path, rows: int) -> pa.Table:
    columns = pa.ipc.open_file(pa.memory_map(str(folder / COLUMNS))).read_all()
    if columns.num_rows != rows:
        raise ValueError(f"{columns.num_rows} rows of columns for {rows} vectors")
    return columns


def _folder(sha256: str, form: str) -> Path:
    return _root() / hashlib.sha256(f"{LAYOUT} {form} {sha256}".encode()).hexdigest()[:40]


def drop(sha256: str, form: str) -> None:
    """Remove the entry of that content, if there is one; whoever has it open keeps it."""
    shutil.rmtree(_folder(sha256, form), ignore_errors=True)


def convert(
    blocks: Iterable[Block], notes: Notes, sha256: str, form: str, progress: Progress = no_progress
) -> CacheEntry:
    """Write the entry of some content, block by block, and open it. `progress` hears of the rows so far.

    Vectors with NaN or Inf are left out, of a word that comes again the first is kept: both are noted. Raises
    `UnreadableError` when nothing is left, `UnavailableError` when there is no room.
    """
    target = _folder(sha256, form)
    try:
        with (
            suppress(FileExistsError),  # another process was first
            atomic_folder(target, replace=lambda: entry(sha256, form) is None) as part,
        ):
            _write(part, blocks, notes, form, progress)
    except OSError as error:
        raise _no_room(error) from None
    pa.default_memory_pool().release_unused()  # Arrow keeps what it needed for its thread: 87 MB after 400,000 words
    made = entry(sha256, form)
    if made is None:
        raise UnreadableError(f"what was written to {target} can't be read back; is the disk sound?")
    return made


def _no_room(error: OSError) -> UnavailableError:
    return UnavailableError(
        f"the converted vectors can't be kept in {_root()}: {error.strerror or error}; make room there, or set"
        " POLYSEMA_HOME to a folder that can be written"
    )


def _write(part: Path, blocks: Iterable[Block], notes: Notes, form: str, progress: Progress) -> None:
    words: list[pa.Array] = []
    places: list[Ints] = []
    dim = rows = 0
    columns = _Columns(part / COLUMNS)
    with (part / "vectors.npy").open("wb") as file:
        file.write(bytes(HEADER))
        for block in _finite(blocks, notes):
            dim = block.vectors.shape[1]
            file.write(np.ascontiguousarray(block.vectors, "<f4").data)
            words.append(block.words)
            places.append(block.places)
            columns.add(block.columns)
            rows += len(block.words)
            progress("read", rows, 0)
        if not rows:
            raise UnreadableError("holds no vectors")
        names = pa.chunked_array(words).combine_chunks()
        names = pa.concat_arrays(names.chunks) if isinstance(names, pa.ChunkedArray) else names
        kept = _first_rows(names, np.concatenate(places), notes)
        if len(kept) < rows:
            _move_up(part / "vectors.npy", file, kept, (rows, dim))
            names, rows = names.take(pa.array(kept)), len(kept)
        file.truncate(HEADER + 4 * rows * dim)
        file.seek(0)
        file.write(_header(rows, dim))
        file.flush()
    columns.finish(kept)
    table = pa.table({"word": names})
    with pa.OSFile(str(part / "words.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=max(1, rows))
    card = {"rows": rows, "dim": dim, "form": form, "notes": list(notes.lines()), "columns": columns.written}
    (part / "entry.json").write_text(json.dumps(card))


def _finite(blocks: Iterable[Block], notes: Notes) -> Iterator[Block]:
    """The rows whose numbers are finite; those that are all zeros or have an empty word stay, and are noted."""
    for block in blocks:
        empty = np.flatnonzero(pc.equal(pc.binary_length(block.words), 0))
        if len(empty):
            notes.found("empty word", block.places[empty])
        with np.errstate(invalid="ignore"):  # NaN, which has its rule below
            there = block.vectors.any(axis=1)
        if not there.all():
            zero = np.flatnonzero(~there)
            notes.found("zero", block.places[zero], block.words.take(pa.array(zero[:5])).to_pylist())
        good = np.isfinite(block.vectors).all(axis=1)
        if good.all():
            yield block
            continue
        bad = np.flatnonzero(~good)
        notes.found("not finite", block.places[bad], block.words.take(pa.array(bad[:5])).to_pylist())
        columns = None if block.columns is None else block.columns.filter(pa.array(good))
        yield Block(block.words.filter(pa.array(good)), block.vectors[good], block.places[good], columns)


class _Columns:
    """The other columns of a table, written batch by batch beside the vectors."""

    def __init__(self, path: Path):
        self._path, self._part = path, path.with_suffix(".part")
        self._writer: Any = None

    @property
    def written(self) -> bool:
        """Whether there were any."""
        return self._writer is not None

    def add(self, batch: "pa.RecordBatch | None") -> None:
        """Write the rows of a block."""
        if batch is None:
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(self._path.with_suffix(".part"), batch.schema.remove_metadata())
        self._writer.write_batch(batch.replace_schema_metadata(None))

    def finish(self, rows: Ints) -> None:
        """Close the file, with these rows of all."""
        if self._writer is None:
            return
        self._writer.close()
        whole = pa.ipc.open_file(pa.memory_map(str(self._part)))
        with pa.OSFile(str(self._path), "wb") as sink, pa.ipc.new_file(sink, whole.schema) as writer:
            start = 0
            for place in range(whole.num_record_batches):
                batch = whole.get_batch(place)
                chosen = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + batch.num_rows)] - start
                start += batch.num_rows
                writer.write_batch(batch if len(chosen) == batch.num_rows else batch.take(pa.array(chosen)))
        self._part.unlink()


def _first_rows(words: pa.Array, places: Ints, notes: Notes) -> Ints:
    """The rows where a word comes first; those where it comes again are noted."""
    codes = pc.dictionary_encode(words).indices.to_numpy(zero_copy_only=False)
    # codes count up in order of first appearance: a row is a first one when its code is above all before it
    again = codes <= np.maximum.accumulate(np.concatenate([[-1], codes[:-1]]))
    double = np.flatnonzero(again)
    notes.found("duplicate", places[double], words.take(pa.array(double[:5])).to_pylist())
    return np.flatnonzero(~again)


def _move_up(path: Path, file: IO[bytes], rows: Ints, shape: tuple[int, int]) -> None:
    """Move the rows that stay up within the file."""
    file.flush()
    table = np.memmap(path, np.float32, "r+", HEADER, shape)
    for start in range(0, len(rows), COPY_ROWS):
        chosen = rows[start : start + COPY_ROWS]
        table[start : start + len(chosen)] = table[chosen]
    table.flush()
    del table


def _header(rows: int, dim: int) -> bytes:
    """The first 128 bytes of a .npy file of float32 (NumPy enhancement proposal 1)."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}".encode()
    return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + text.ljust(HEADER - 11) + b"\n"
