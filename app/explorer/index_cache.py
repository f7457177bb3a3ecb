"""FAISS indexes kept on disk under the vectors they are of, so that the next process doesn't build them again.

An index is two files of the folder `indexes` of the home folder: `<key>.faiss`, FAISS's, and `<key>.json`, its card
with their size and checksum, which is written last. What is damaged, or what something else wrote, is built anew.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from polysema.app.explorer.cache import digest
from polysema.app.explorer.index_builds import check_build
from polysema.app.explorer.map_cache import content_key
from polysema.core.atomic import atomic_write
from polysema.core.environment import home
from polysema.core.errors import UserError
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats
from polysema.indexes.faiss_index import FaissIndex
from polysema.indexes.index_spec import IndexSpec

FORMAT = 1  # counts up when the files, or what is built of the same vectors, change
MIN_ROWS = 2_000  # fewer rows than this are indexed as soon as read
MAX_CACHE_BYTES = 8_000_000_000  # beyond it what was used longest ago goes


def kept_index(vectors: Floats, spec: IndexSpec, max_bytes: int = MAX_CACHE_BYTES) -> FaissIndex:
    """The cosine index of (n, dim) vectors by a spec: read where it was built before, else built and kept.

    Args:
        vectors: The vectors; they stay where they are.
        spec: The kind of index, and its parameters.
        max_bytes: How many bytes all kept indexes may take together.

    Returns:
        The index, measured as it was when it was built.

    Raises:
        UserError: It isn't there, and is more than may be built (see `index_builds`).
    """
    if len(vectors) < MIN_ROWS:
        check_build(spec, *vectors.shape)
        return FaissIndex(vectors, Metric.COSINE, spec)
    folder = home() / "indexes"
    key = digest(FORMAT, content_key(vectors), Metric.COSINE.value, repr(spec))
    file, card = folder / f"{key}.faiss", folder / f"{key}.json"
    there = _read(file, card, vectors)
    if there is not None:
        return there
    check_build(spec, *vectors.shape)
    built = FaissIndex(vectors, Metric.COSINE, spec)
    with suppress(OSError, UserError):  # where there is no room, or no right to write, it is built again next time
        folder.mkdir(parents=True, exist_ok=True)
        _keep(built, file, card)
        _sweep(folder, key, max_bytes)
    return built


def _read(file: Path, card: Path, vectors: Floats) -> FaissIndex | None:
    try:
        said = json.loads(card.read_text(encoding="utf-8"))
        if file.stat().st_size != said["bytes"] or _checksum(file) != said["sha256"]:
            return None
        index = FaissIndex.read(file, vectors, Metric.COSINE, said["card"])
    except (OSError, ValueError, KeyError, TypeError):  # a UserError is a ValueError
        return None
    for path in (file, card):
        with suppress(OSError):
            os.utime(path)  # it was used
    return index


def _keep(index: FaissIndex, file: Path, card: Path) -> None:
    atomic_write(file, lambda out: index.write(out.write))
    said = {"bytes": file.stat().st_size, "sha256": _checksum(file), "card": index.card()}
    atomic_write(card, json.dumps(said).encode())


def _checksum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sweep(folder: Path, newest: str, max_bytes: int) -> None:
    """Drop what was used longest ago until the folder holds at most so many bytes; the newest stays."""
    known = [(path.stat().st_mtime_ns, path.stat().st_size, path) for path in folder.glob("*.faiss")]
    total = sum(size for _, size, _ in known)
    for _, size, path in sorted(known):
        if total <= max_bytes:
            break
        if path.stem != newest:
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            total -= size
