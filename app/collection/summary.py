"""The collections of the data folder: what each holds, what it takes on the disk, what is wrong with it; and their
rows as files.
"""

import hashlib
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from polysema.app.collection.registry import CollectionRegistry
from polysema.core.atomic import prune, scratch_folder
from polysema.core.environment import home
from polysema.core.errors import UserError
from polysema.core.progress import Progress, no_progress
from polysema.indexes.collection import Collection
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.import_export import export_from
from polysema.indexes.store.columns import fitting

IN_BROWSER = 100 << 20  # bytes of vectors that are handed to a browser; more is left in a folder
KEPT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """One collection: its spaces by name with their rows and widths, versions that are kept, bytes on the disk, when it
    was last changed (seconds since 1970), and why it can't be opened (`problem`), in which case the rest is empty.
    """

    name: str
    spaces: dict[str, tuple[int, int]]
    version: int
    versions: int
    bytes: int
    changed: float
    problem: str = ""

    @property
    def rows(self) -> int:
        """Of all spaces together."""
        return sum(rows for rows, _ in self.spaces.values())


@dataclass(frozen=True, slots=True)
class DownloadLayout:
    """A kind of file that rows are written to: for people, its ending, its media type, and what it keeps."""

    name: str
    ending: str
    media: str
    keeps: str


@dataclass(frozen=True, slots=True)
class Download:
    """Which rows are written as which file: those of a `space` of the collection `name`, or those of them that pass
    `where`. One that isn't kept goes after a day.
    """

    name: str
    space: str
    where: str | None
    form: DownloadLayout
    keep: bool = False


LAYOUTS = (
    DownloadLayout(
        "Parquet", ".parquet", "application/vnd.apache.parquet", "ids, columns, vectors and the provenance card"
    ),
    DownloadLayout("CSV", ".csv", "text/csv", "ids, columns, and a column for each number"),
    DownloadLayout("NumPy .npy", ".npy", "application/zip", "vectors, and the ids in a .vocab file; as a zip"),
    DownloadLayout("word2vec text", ".txt", "text/plain", "ids and vectors, as gensim reads them"),
    DownloadLayout("safetensors", ".safetensors", "application/octet-stream", "ids and vectors"),
    DownloadLayout("Arrow (Feather)", ".feather", "application/vnd.apache.arrow.file", "ids, columns and vectors"),
    DownloadLayout("JSON Lines", ".jsonl", "application/jsonl", "an object a row: id, columns and the vector"),
    DownloadLayout(
        "TensorBoard pair", ".tsv", "application/zip", "vectors.tsv, and metadata.tsv with ids and columns; as a zip"
    ),
)


def holdings(shelf: CollectionRegistry) -> tuple[CollectionSummary, ...]:
    """Every collection of the data folder, by name; a damaged one has its `problem`."""
    return tuple(_holding(shelf, name) for name in shelf.names())


def _holding(shelf: CollectionRegistry, name: str) -> CollectionSummary:
    root = shelf.folder / name
    size, changed = _on_disk(root)
    try:
        collection = shelf.get(name)
        view = collection.view()
        spaces = {space: (view.n_rows(space), card.dim) for space, card in view.manifest.spaces.items()}
        versions = len(collection.history.versions()) if isinstance(collection, Collection) else 0
        return CollectionSummary(name, spaces, view.manifest.version, versions, size, changed)
    except UserError as error:
        return CollectionSummary(name, {}, 0, 0, size, changed, str(error))


def _on_disk(root: Path) -> tuple[int, float]:
    size, changed = 0, 0.0
    for folder, _, names in os.walk(root):
        for name in names:
            with suppress(OSError):  # collected meanwhile
                found = (Path(folder) / name).stat()
                size, changed = size + found.st_size, max(changed, found.st_mtime)
    return size, changed


def layout(name: str) -> DownloadLayout:
    """The layout of that name; raises `UserError`."""
    for one in LAYOUTS:
        if one.name == name:
            return one
    raise UserError(f"rows are not written as {name!r}; choose one of {', '.join(one.name for one in LAYOUTS)}")


def write_out(collection: VectorCollection, wanted: Download, progress: Progress = no_progress) -> Path:
    """A file (of pairs a zip) with the rows of a space, or those that pass, in `exports` of the home folder.

    It is there whole or not at all. The same rows of the same version are not written again.
    """
    name, space, where, form = wanted.name, wanted.space, wanted.where, wanted.form
    folder = home() / "exports" if wanted.keep else home() / "exports" / "day"
    manifest = collection.view().manifest
    which = "" if where is None else f"-{hashlib.sha256(where.encode()).hexdigest()[:8]}"
    stem = f"{name}-{space}-v{manifest.version}-{manifest.collection[:6]}{which}"  # another of that name is another
    zipped = form.media == "application/zip"
    final = folder / f"{stem}{form.ending}{'.zip' if zipped else ''}"
    prune(home() / "exports" / "day", max_age_seconds=KEPT_SECONDS)
    if final.exists():
        return final
    progress(f"write {form.name}", 0, 0)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with scratch_folder(folder) as part:
            made = part / f"{stem}{form.ending}"
            export_from(collection, made, space, where)
            progress(f"write {form.name}", 0, 0)
            if zipped:
                made = part / final.name
                with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                    for path in sorted(path for path in part.iterdir() if path != made):
                        archive.write(path, path.name)
                        progress("zip it", 0, 0)
            made.replace(final)
    except UserError as error:
        raise type(error)(str(error).replace(f"{collection.root}", name).replace(f"{part}/", "")) from None
    except OSError as error:
        raise UserError(f"can't write to {folder}: {error.strerror or error}; make room there") from None
    return final


def first_rows(collection: VectorCollection, space: str, where: str | None, count: int) -> pa.Table:
    """The first rows of a space, or of those that pass, in the order in which they were added: id and columns."""
    view = collection.view()
    schema = view.schema
    parts, left = [], count
    for batch in view.batches(space, where or None):
        arrays = [batch.ids, *fitting(batch.columns, len(batch), view.manifest.columns)]
        parts.append(pa.table(arrays, schema=schema).slice(0, left))
        left -= len(parts[-1])
        if left <= 0:
            break
    return pa.concat_tables(parts) if parts else schema.empty_table()


def count_rows(collection: VectorCollection, space: str, where: str) -> int:
    """How many rows of a space pass a condition."""
    return collection.view().n_rows(space, where)
