"""Vectors in files: read as spaces, and written. Nothing is unpickled.

A file is known by its content, not only by its ending. Its first use converts it to a mapped form that is kept, keyed
by the content (`vector_cache`); every later one opens that.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polysema.core.argument_types import checked_function
from polysema.core.errors import NotFoundError, UnavailableError, UnreadableError, UserError
from polysema.core.files import array_readers, readers, vector_cache
from polysema.core.files.delimited import read_delimited
from polysema.core.files.fasttext_reader import open_fasttext, read_fasttext
from polysema.core.files.readers import BLOCK_BYTES, Notes, Reader, VectorSource
from polysema.core.files.recognition import find_fitting_metadata, layout_of
from polysema.core.files.table_reader import read_json_lines, read_typed
from polysema.core.files.tensorboard_reader import read_tensorboard
from polysema.core.files.text_reader import read_text
from polysema.core.files.typed_tables import dataset_files
from polysema.core.files.unpacking import Encoding, open_text, open_unpacked
from polysema.core.files.vocabulary import find_metadata, find_vocabulary
from polysema.core.files.word2vec_binary import read_word2vec_binary
from polysema.core.files.writers import WRITINGS, write_vectors
from polysema.core.progress import Progress, in_stage, no_progress
from polysema.core.space.space import Family, Keys, Origin, Space

__all__ = [
    "FORMATS",
    "WRITINGS",
    "Format",
    "open_glove",
    "read_export",
    "read_manifest",
    "read_vectors",
    "recognize",
    "space_of_table",
    "stream_export",
    "write_vectors",
]


@dataclass(frozen=True, slots=True)
class Format:
    """A layout of files of vectors: its name, what it is, how it is read, and what counts its places."""

    name: str
    what: str
    reader: Reader
    unit: str = "row"


FORMATS = {
    form.name: form
    for form in (
        Format("text", "word2vec, GloVe or fastText text: a word and its numbers a line", read_text, "line"),
        Format("word2vec-binary", "word2vec's binary layout", read_word2vec_binary),
        Format("fasttext", "fastText's own binary model: words and the n-grams of their letters", read_fasttext),
        Format("npy", "NumPy's .npy with a vocabulary beside it", array_readers.read_npy),
        Format("npz", "NumPy's .npz with the words inside or beside it", array_readers.read_npz),
        Format("safetensors", "safetensors with the words inside or beside it", array_readers.read_safetensors),
        Format("parquet", "Parquet with a column of words and one of vectors", read_typed),
        Format("arrow", "an Arrow or Feather file with a column of words and one of vectors", read_typed),
        Format("dataset", "a folder of Hugging Face's datasets with a column of words and one of vectors", read_typed),
        Format("jsonl", "JSON Lines with a key of words and one of vectors", read_json_lines),
        Format("csv", "delimited text with a column of words, and numbers in columns or as lists", read_delimited),
        Format("tensorboard", "TensorBoard's projector pair of .tsv files", read_tensorboard, "line"),
    )
}


def recognize(path: "Path | str") -> Format:
    """Which of `FORMATS` a file has, by its first bytes.

    Raises `NotFoundError`, or `UnreadableError` that says what the file is where that is known (a pickle, a packed
    archive, a web page) and what to do.
    """
    return FORMATS[layout_of(path)[0]]


def _companion(path: Path, form: str) -> Path | None:
    if form == "npy":
        return find_vocabulary(path)
    if form == "tensorboard":
        return find_metadata(path) or find_fitting_metadata(path)
    if form in ("npz", "safetensors"):
        beside = path.with_suffix(".vocab")
        return beside if beside.is_file() else None
    return None


def _opener(path: Path, form: str, encoding: Encoding) -> Callable[[], Any]:
    if form == "word2vec-binary":
        return lambda: open_unpacked(path)
    return lambda: open_text(path, encoding)


@checked_function
def read_vectors(path: "Path | str", progress: Progress = no_progress, *, block_bytes: int = BLOCK_BYTES) -> Space:
    r"""The static space of a file of vectors, memory-mapped; its first use converts it.

    Args:
        path: A file of any layout that docs/formats.md lists, known by its content.
        progress: Is called with (stage, rows so far, 0).
        block_bytes: Of a file that is converted, about how many bytes are read at a time.

    Returns:
        The space; the `notes` of its origin list what was passed over or mended.

    Raises:
        NotFoundError: There is no such file.
        UnreadableError: It is no file of vectors; the message names the line or row and what is wrong with it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mine.txt"
        >>> _ = path.write_text("bank 1 0\nriver 0 1\n")
        >>> read_vectors(path)["river"].tolist()
        [0.0, 1.0]
    """
    path = Path(path)
    name, encoding = layout_of(path)
    form = FORMATS[name]
    companion = _companion(path, name)
    files = [one for _, one in dataset_files(path)] if name == "dataset" else [path]
    sha256 = vector_cache.fingerprint(files if companion is None else [*files, companion])
    entry = vector_cache.entry(sha256, form.name)
    if entry is None:
        source = VectorSource(path, _opener(path, name, encoding), Notes(form.unit), companion, block_bytes)
        if said := encoding.describe():
            source.notes.say(said)
        with closing(form.reader(source)) as blocks:  # type: ignore[type-var]
            try:
                entry = vector_cache.convert(
                    blocks, source.notes, sha256, form.name, in_stage(progress, f"read {path.name}")
                )
            except UnreadableError as error:
                named = str(error).startswith(str(path)) or str(path) in str(error)
                raise (error if named else UnreadableError(f"{path} {error}")) from None
    notes = entry.notes
    if name == "tensorboard" and companion is not None and find_metadata(path) is None:  # by names, not by content
        notes = (f"the words are those of {companion.name} beside it, which has as many lines", *notes)
    origin = Origin(str(path), Family.STATIC, weights_sha256=entry.sha256, notes=notes)
    subwords = open_fasttext(path).vector if name == "fasttext" else None
    return Space(entry.keys, entry.vectors, origin, entry.columns, subwords)


def open_glove(folder: Path, origin: Origin) -> Space:
    """The packaged GloVe vectors, memory-mapped: (400,000, 50).

    The package keeps its table column by column, in which a word's vector lies in 50 places: it is converted like any
    other file. Where there is no room for that it is read as it is.
    """
    table = folder / "glove_6B_50d_emb.npy"
    names = folder / "glove_6B_index.parquet"
    entry = vector_cache.entry(origin.weights_sha256, "npy")
    if entry is None:
        source = VectorSource(table, lambda: table.open("rb"), Notes("row"), names)
        vectors = np.load(table, mmap_mode="r", allow_pickle=False)
        keys = pq.read_table(names).column("index").combine_chunks()
        try:
            blocks = readers.paired(source, keys.cast(pa.large_string()), vectors)
            entry = vector_cache.convert(blocks, source.notes, origin.weights_sha256, "npy")
        except UnavailableError:
            return Space(Keys(keys), vectors, origin)
    return Space(entry.keys, entry.vectors, origin)


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

    `layer` may be left out when the export holds one. Of Parquet only that layer's row groups are read. Raises
    `UserError` for a layer that isn't there or a format that isn't read back here, `UnreadableError` for a shard that
    is missing or has another size than it had.
    """
    origin, tables = _layer_of(Path(folder), layer)
    return space_of_table(pa.concat_tables(tables), origin)


def stream_export(folder: "Path | str", layer: int | None = None) -> Iterator[Space]:
    """As `read_export`, a space for each shard, so that an export of any size is read."""
    origin, tables = _layer_of(Path(folder), layer)
    for table in tables:
        if table.num_rows:
            yield space_of_table(table, origin)


def _layer_of(folder: Path, layer: int | None) -> tuple[Origin, Iterator[pa.Table]]:
    """The card of a layer of an export, and its rows, shard by shard."""
    manifest: dict[str, Any] = dict(read_manifest(folder))
    layers = [int(value) for value in manifest["layers"]]
    n_unknown = int(manifest.get("unknown", 0))
    if layer is None and len(layers) == 1:
        layer = layers[0]
    if layer not in layers:
        given = "none was given" if layer is None else f"got {layer}"
        raise UserError(f"choose one layer of {folder}: it holds {', '.join(map(str, layers))}; {given}")
    form = manifest.get("to", "parquet")
    if form not in ("parquet", "atlas", "arrow"):
        raise UserError(
            f"{folder} was exported to {form}; exports to parquet, arrow and atlas are read back as a space"
        )

    def tables() -> Iterator[pa.Table]:
        for file in (file for shard in manifest["shards"] for file in shard.get("files", [shard])):
            path = folder / str(file["name"])
            if not path.is_file() or path.stat().st_size != file["bytes"]:
                raise UnreadableError(
                    f"{path} is missing or has another size than the manifest says; run the export again"
                )
            if form == "arrow":
                with pa.memory_map(str(path)) as mapped:
                    yield pa.ipc.open_file(mapped).read_all().filter(pc.field("layer") == layer)
            else:
                yield pq.read_table(path, filters=pc.field("layer") == layer)

    origin = replace(Origin.from_json(manifest["origin"]), layer=layer)
    if n_unknown:
        origin = origin.with_notes(
            f"its tokenizer doesn't know {n_unknown:,} of the {int(manifest['words']):,} "
            f"{manifest.get('unit', 'words')}, wholly "
            "or in part: what it reads there is the same for every unknown word"
        )
    return origin, tables()


def space_of_table(table: pa.Table, origin: Origin) -> Space:
    """A space from a table with the column `vector`: fixed-size lists of float32, float16, or int8 with a `scale` a
    row.

    Its keys are the column `word` (else `token`, `id`, `text_id`).
    """
    column = table.column("vector").combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    if vectors.dtype == np.int8:
        scale = table.column("scale").to_numpy()
        vectors = vectors.astype(np.float32) * scale[:, None].astype(np.float32)
        origin = replace(origin, dtype="int8 with scales")
    elif vectors.dtype == np.float16:
        vectors, origin = vectors.astype(np.float32), replace(origin, dtype="float16")
    key = next(name for name in ("word", "token", "id", "text_id") if name in table.column_names)
    kept = [name for name in table.column_names if name not in ("vector", "scale", "static_scale")]
    return Space(Keys(table.column(key).cast(pa.large_string())), vectors, origin, table.select(kept))
