"""Spaces as files of vectors, each there whole or not at all. What is written reads back as the same words and
numbers.
"""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polysema.core.argument_types import checked_function
from polysema.core.atomic import atomic_files
from polysema.core.errors import ConflictError, UnavailableError, UserError
from polysema.core.space.array_types import AnyArray
from polysema.core.space.space import Space

BLOCK_ROWS = 8192
_NAMES = {" ": "space", "\n": "line end", "\r": "carriage return", "\t": "tab"}


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """A layout that can be written: `endings` choose it, `forbidden` is what its words can't hold, `companion` names
    the second file of a pair, and `padded` says that separators around most words are taken for padding when it is
    read.
    """

    name: str
    endings: tuple[str, ...]
    forbidden: str
    write: Callable[[Space, Path, "Path | None"], None]
    companion: "Callable[[Path], Path] | None" = None
    padded: bool = False


@checked_function
def write_vectors(space: Space, path: "Path | str", form: str | None = None, replace: bool = False) -> tuple[Path, ...]:
    """Write a space as a file of vectors, with the file of words beside it where the layout has one.

    Args:
        space: What is written.
        path: The file.
        form: One of `WRITINGS`; None: the one of the path's ending.
        replace: Whether a file that is there may be replaced.

    Returns:
        The paths of what was written.

    Raises:
        PolysemaError: There is no such layout, or it can't hold a word.
        ConflictError: A file is there already and `replace` is not set.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mine.txt"
        >>> [one.name for one in write_vectors(Space.from_vectors(["bank"], [[1, 0]]), path)]
        ['mine.txt']
    """
    path = Path(path)
    layout, paths = check_target(path, form, replace)
    _check_words(space, layout)
    with _whole(list(paths)) as parts:
        layout.write(space, parts[0], parts[1] if len(parts) > 1 else None)
    return paths


def check_target(
    path: "Path | str", form: str | None = None, replace: bool = False
) -> tuple[WriteOptions, tuple[Path, ...]]:
    """The layout that `write_vectors` would use, and the files it would write; raises as it does, before any work."""
    path = Path(path)
    layout = _layout(path, form)
    paths = [path] if layout.companion is None else [path, layout.companion(path)]
    for taken in paths:
        if taken.is_dir():
            raise ConflictError(f"{taken} is a folder; give the path of a file")
        if taken.exists() and not replace:
            raise ConflictError(f"{taken} is there already; choose another name, or replace it (--replace)")
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent} to write {path.name} into")
    return layout, tuple(paths)


def _layout(path: Path, form: str | None) -> WriteOptions:
    if form is not None:
        if form not in WRITINGS:
            raise UserError(f"vectors are not written as {form!r}; choose one of {', '.join(WRITINGS)}")
        return WRITINGS[form]
    name = path.name.lower().removesuffix(".gz")
    for layout in WRITINGS.values():
        if name.endswith(layout.endings):
            return layout
    endings = ", ".join(ending for layout in WRITINGS.values() for ending in layout.endings)
    raise UserError(f"the ending of {path.name} names no layout of vectors; use one of {endings}, or say which (--to)")


def _check_words(space: Space, layout: WriteOptions) -> None:
    if layout.padded:
        first = space.keys[:BLOCK_ROWS]
        edged = [word for word in first if not word or word != word.strip(" \t")]
        if 2 * len(edged) >= len(first) > 0:
            raise UserError(
                f"most words begin or end with a space or are empty ({edged[0]!r}), which {layout.name} can't "
                "tell from the"
                " spaces between words and numbers; write npy, safetensors or parquet"
            )
    if not layout.forbidden:
        return
    pattern = "[" + layout.forbidden + "]"
    bad = np.flatnonzero(pc.match_substring_regex(space.keys.array, pattern).to_numpy(zero_copy_only=False))
    if len(bad):
        shown = " or ".join(_NAMES[sign] for sign in layout.forbidden)
        raise UserError(
            f"{layout.name} can't hold the word {space.keys[int(bad[0])]!r} (row {int(bad[0]) + 1:,}; "
            f"{len(bad):,} such): "
            f"its words hold no {shown}; write npy, safetensors or parquet"
        )


@contextmanager
def _whole(paths: list[Path]) -> Iterator[list[Path]]:
    """Names to write to beside the files, which take their places when all is written and synced; the first comes
    last.
    """
    try:
        with atomic_files(paths) as parts:
            yield parts
    except OSError as error:
        raise UnavailableError(f"{paths[0]} can't be written: {error.strerror or error}") from None


@contextmanager
def _out(path: Path) -> Iterator[IO[bytes]]:
    if path.name.endswith(".gz"):
        with gzip.open(path, "wb", compresslevel=6) as packed:
            yield packed  # type: ignore[misc]
    else:
        with path.open("wb") as file:
            yield file


def _lines(space: Space, separator: str, with_words: bool) -> Iterator[bytes]:
    """The rows as lines of text, some thousand at a time; numbers in the fewest digits that read back as the same
    float.
    """
    dim = space.dim
    for start in range(0, len(space), BLOCK_ROWS):
        vectors = np.asarray(space.vectors[start : start + BLOCK_ROWS], np.float32)
        numbers = pc.cast(pa.array(vectors.ravel()), pa.string())
        rows = pa.ListArray.from_arrays(np.arange(0, vectors.size + 1, dim, dtype=np.int32), numbers)
        lines = pc.binary_join(rows, pa.scalar(separator))
        if with_words:
            words = space.keys.array[start : start + BLOCK_ROWS].cast(pa.string())
            lines = pc.binary_join_element_wise(words, lines, separator)
        whole = pc.binary_join(pa.ListArray.from_arrays(np.array([0, len(lines)], np.int32), lines), "\n")
        yield whole[0].as_buffer().to_pybytes() + b"\n"


def _words(space: Space) -> bytes:
    return "".join(f"{word}\n" for word in space.keys).encode("utf-8")


def _text(space: Space, path: Path, _: Path | None) -> None:
    with _out(path) as file:
        file.write(f"{len(space)} {space.dim}\n".encode())
        for block in _lines(space, " ", with_words=True):
            file.write(block)


def _binary(space: Space, path: Path, _: Path | None) -> None:
    with _out(path) as file:
        file.write(f"{len(space)} {space.dim}\n".encode())
        for start in range(0, len(space), BLOCK_ROWS):
            vectors = np.ascontiguousarray(space.vectors[start : start + BLOCK_ROWS], "<f4")
            words = space.keys[start : start + BLOCK_ROWS]
            file.write(b"".join(w.encode() + b" " + v.tobytes() for w, v in zip(words, vectors, strict=True)))


def _npy(space: Space, path: Path, words: Path | None) -> None:
    assert words is not None
    words.write_bytes(_words(space))
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.asarray(space.vectors), allow_pickle=False)


def _safetensors(space: Space, path: Path, _: Path | None) -> None:
    from safetensors.numpy import save_file

    raw = [word.encode() for word in space.keys]
    tensors: dict[str, AnyArray] = {
        "vectors": np.ascontiguousarray(space.vectors),
        "words.utf8": np.frombuffer(b"".join(raw), np.uint8),
        "words.ends": np.cumsum([len(word) for word in raw], dtype=np.int64),
    }
    save_file(tensors, path, metadata={"words": "row r's name is words.utf8[words.ends[r - 1]:words.ends[r]], UTF-8"})


def _parquet(space: Space, path: Path, _: Path | None) -> None:
    schema = pa.schema([("word", pa.large_string()), ("vector", pa.list_(pa.float32(), space.dim))])
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        for start in range(0, len(space), 8 * BLOCK_ROWS):
            vectors = np.asarray(space.vectors[start : start + 8 * BLOCK_ROWS], np.float32)
            column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), space.dim)
            words = space.keys.array[start : start + 8 * BLOCK_ROWS].cast(pa.large_string())
            writer.write_table(pa.table([words, column], schema=schema))


def _tensorboard(space: Space, path: Path, words: Path | None) -> None:
    assert words is not None
    words.write_bytes(_words(space))
    with path.open("wb") as file:
        for block in _lines(space, "\t", with_words=False):
            file.write(block)


def _metadata(path: Path) -> Path:
    stem = path.name.removesuffix(path.suffix)
    for part in ("vectors", "tensor", "tensors"):
        if stem.endswith(part):
            return path.with_name(stem.removesuffix(part) + "metadata.tsv")
    return path.with_name(f"{stem}_metadata.tsv")


WRITINGS = {
    layout.name: layout
    for layout in (
        WriteOptions("word2vec-text", (".txt", ".vec"), "\n", _text, padded=True),
        WriteOptions("word2vec-binary", (".bin",), " \n", _binary),
        WriteOptions("npy", (".npy",), "\n\r", _npy, lambda path: path.with_suffix(".vocab")),
        WriteOptions("safetensors", (".safetensors",), "", _safetensors),
        WriteOptions("parquet", (".parquet",), "", _parquet),
        WriteOptions("tensorboard", (".tsv",), "\n\r\t", _tensorboard, _metadata),
    )
}
