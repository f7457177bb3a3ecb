"""Vectors in files: read as spaces. Nothing is unpickled.

Text (GloVe without a header, word2vec and fastText `.vec` with one; gzip of them), word2vec binary, `.npy` with a
vocabulary beside it (`NAME.vocab`, one word a line), and the folder of an export.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polysema.core.errors import NotFoundError, UnreadableError, UserError
from polysema.core.space.space import Family, Floats, Keys, Origin, Space

TEXT_ENDINGS = (".txt", ".vec", ".glove")
MAX_DIM = 65_536
BLOCK_LINES = 4096
SNIFF_BYTES = 1 << 16


def is_vector_file(path: Path) -> bool:
    """Whether the ending is one that `read_vectors` takes."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((*TEXT_ENDINGS, ".bin", ".npy"))


def read_vectors(path: Path) -> Space:
    """The static space of a file of vectors, by its ending.

    Raises `NotFoundError`, or `UnreadableError` that names the file, the line and what is wrong with it.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    name = path.name.lower()
    if name.endswith(".npy"):
        return _read_npy(path)
    if name.endswith(".bin"):
        return _read_word2vec_binary(path)
    if name.removesuffix(".gz").endswith(TEXT_ENDINGS):
        return _read_text(path)
    raise UnreadableError(
        f"{path} has no ending of a file of vectors: .txt, .vec, .glove (or these with .gz), .bin, .npy"
    )


def open_glove(folder: Path, origin: Origin) -> Space:
    """The packaged GloVe vectors, memory-mapped: (400,000, 50)."""
    vectors = _load_npy(folder / "glove_6B_50d_emb.npy")
    keys = pq.read_table(folder / "glove_6B_index.parquet", memory_map=True).column("index")
    return Space(Keys(keys), vectors, origin)


def _load_npy(path: Path) -> Floats:
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UnreadableError(f"{path} is not a .npy file of numbers: {error}") from None
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise UnreadableError(f"{path} holds {vectors.dtype} of shape {vectors.shape}; (words, dim) floats are needed")
    return vectors if vectors.dtype == np.float32 else vectors.astype(np.float32)


def _read_npy(path: Path) -> Space:
    vectors = _load_npy(path)
    vocabulary = path.with_suffix(".vocab")
    if not vocabulary.is_file():
        raise NotFoundError(
            f"{path} needs a vocabulary beside it: {vocabulary.name}, one word a line, in the rows' order"
        )
    try:
        words = vocabulary.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{vocabulary} is not UTF-8: {error.reason} at byte {error.start}") from None
    if len(words) != len(vectors):
        raise UnreadableError(f"{vocabulary} has {len(words):,} words for the {len(vectors):,} rows of {path.name}")
    return _static(words, vectors, path)


def _static(words: list[str], vectors: Floats, path: Path) -> Space:
    if not words:
        raise UnreadableError(f"{path} holds no vectors")
    bad = np.flatnonzero(~np.isfinite(np.asarray(vectors)).all(axis=1))
    if len(bad):
        raise UnreadableError(f"{path}: the vector of {words[int(bad[0])]!r} (row {int(bad[0]) + 1}) holds NaN or Inf")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Space(Keys(words), vectors, Origin(str(path), Family.STATIC, weights_sha256=digest))


def _lines(path: Path) -> Iterator[bytes]:
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path, "rb") as packed:
                yield from packed
        else:
            with path.open("rb") as file:
                yield from file
    except (gzip.BadGzipFile, EOFError, OSError) as error:
        raise UnreadableError(f"{path} can't be read to its end: {error}") from None


def _is_header(line: bytes) -> bool:
    parts = line.split()
    return len(parts) == 2 and all(part.isdigit() for part in parts)


def _read_text(path: Path) -> Space:
    words: list[str] = []
    blocks: list[Floats] = []
    dim, promised, number = 0, None, 0
    texts: list[bytes] = []
    first = 1

    def flush() -> None:
        if not texts:
            return
        try:
            numbers = np.fromstring(b" ".join(texts).decode("ascii", "replace"), dtype=np.float32, sep=" ")
        except (ValueError, DeprecationWarning):
            numbers = np.empty(0, np.float32)
        if len(numbers) != len(texts) * dim:
            raise _bad_line(path, texts, dim, first)
        blocks.append(numbers.reshape(len(texts), dim))
        texts.clear()

    for line in _lines(path):
        number += 1
        line = line.rstrip(b"\r\n ")
        if number == 1 and _is_header(line):
            promised, dim = (int(part) for part in line.split())
            if not 1 <= dim <= MAX_DIM:
                raise UnreadableError(f"{path}, line 1: vectors {dim:,} wide; 1 to {MAX_DIM:,} are read")
            continue
        if not line:
            raise UnreadableError(f"{path}, line {number}: an empty line; each line holds a word and its numbers")
        if not dim:
            dim = len(line.split(b" ")) - 1
            if not 1 <= dim <= MAX_DIM:
                raise UnreadableError(f"{path}, line {number}: a word and numbers were expected; got {_peek(line)}")
        parts = line.rsplit(b" ", dim)
        if len(parts) != dim + 1:
            raise UnreadableError(f"{path}, line {number}: {len(parts) - 1} numbers; the lines before have {dim}")
        try:
            words.append(parts[0].decode("utf-8"))
        except UnicodeDecodeError:
            raise UnreadableError(f"{path}, line {number}: the word is not UTF-8") from None
        first = first if texts else number
        texts.append(b" ".join(parts[1:]))
        if len(texts) == BLOCK_LINES:
            flush()
    flush()
    if promised is not None and promised != len(words):
        raise UnreadableError(f"{path}: the header promises {promised:,} vectors, the file holds {len(words):,}")
    vectors = np.concatenate(blocks) if blocks else np.empty((0, 1), np.float32)
    return _static(words, vectors, path)


def _peek(line: bytes) -> str:
    return repr(line[:40].decode("utf-8", "replace") + ("…" if len(line) > 40 else ""))


def _bad_line(path: Path, texts: list[bytes], dim: int, first: int) -> UnreadableError:
    for offset, text in enumerate(texts):
        try:
            if len([float(part) for part in text.split()]) == dim:
                continue
        except ValueError:
            pass
        return UnreadableError(f"{path}, line {first + offset}: {dim} numbers were expected; got {_peek(text)}")
    return UnreadableError(f"{path}: lines {first} to {first + len(texts) - 1} don't hold {dim} numbers each")


def _read_word2vec_binary(path: Path) -> Space:
    data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    head = bytes(data[:64])
    end = head.find(b"\n")
    if end < 0 or not _is_header(head[:end]):
        raise UnreadableError(f"{path} is not a word2vec binary file: its first line is not 'count width'")
    count, dim = (int(part) for part in head[:end].split())
    if not 1 <= dim <= MAX_DIM or count * dim * 4 > len(data):
        raise UnreadableError(f"{path}: {count:,} vectors of width {dim:,} don't fit into its {len(data):,} bytes")
    vectors = np.empty((count, dim), np.float32)
    words: list[str] = []
    at = end + 1
    for row in range(count):
        chunk = bytes(data[at : at + SNIFF_BYTES])
        space = chunk.find(b" ")
        if space < 0 or at + space + 1 + 4 * dim > len(data):
            raise UnreadableError(f"{path} ends within vector {row + 1:,} of {count:,}")
        words.append(chunk[:space].lstrip(b"\n").decode("utf-8", "replace"))
        at += space + 1
        vectors[row] = (
            data[at : at + 4 * dim].view("<f4") if at % 4 == 0 else np.frombuffer(bytes(data[at : at + 4 * dim]), "<f4")
        )
        at += 4 * dim
    return _static(words, vectors, path)


MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> dict[str, object]:
    """The manifest of an export; raises `NotFoundError` when the export has not been finished."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(
            f"{folder} holds no finished export ({MANIFEST} is missing); run the export again to finish it"
        ) from None
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{folder / MANIFEST} can't be read: {error}") from None
    if not isinstance(manifest, dict) or "shards" not in manifest or "origin" not in manifest:
        raise UnreadableError(f"{folder / MANIFEST} is not the manifest of an export")
    return manifest


def read_export(folder: "Path | str", layer: int | None = None) -> Space:
    """One layer of an export as a space: a row a word occurrence, `columns` text_id, word, start, end, layer.

    `layer` may be left out when the export holds one. Only that layer's row groups are read. Raises `UserError` for
    a layer that isn't there, `UnreadableError` for a shard that is missing or has another size than it had.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    layers = [int(value) for value in manifest["layers"]]  # type: ignore[attr-defined]
    if layer is None and len(layers) == 1:
        layer = layers[0]
    if layer not in layers:
        given = "none was given" if layer is None else f"got {layer}"
        raise UserError(f"choose one layer of {folder}: it holds {', '.join(map(str, layers))}; {given}")
    tables = []
    for shard in manifest["shards"]:  # type: ignore[attr-defined]
        path = folder / str(shard["name"])
        if not path.is_file() or path.stat().st_size != shard["bytes"]:
            raise UnreadableError(f"{path} is missing or has another size than the manifest says; run the export again")
        tables.append(pq.read_table(path, filters=pc.field("layer") == layer))
    table = pa.concat_tables(tables)
    origin = replace(Origin.from_json(manifest["origin"]), layer=layer)  # type: ignore[arg-type]
    return space_of_table(table, origin)


def space_of_table(table: pa.Table, origin: Origin) -> Space:
    """A space from a table with the columns `word` and `vector` (fixed-size lists of float32)."""
    column = table.column("vector").combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    return Space(Keys(table.column("word").cast(pa.large_string())), vectors, origin, table.drop_columns(["vector"]))
