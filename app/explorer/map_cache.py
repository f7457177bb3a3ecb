"""Maps and neighbors of points, kept on disk under the content they were made of, so that nobody waits twice.

A file `maps/<key>.npz` of the home folder holds arrays alone (no pickle) and is there whole or not at all. One that is
damaged or that something else wrote is passed over, and the map is made anew.
"""

import hashlib
import json
import os
import zipfile
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.atomic import atomic_write, prune, sweep
from polysema.core.environment import home
from polysema.core.errors import UserError
from polysema.core.maps.distortion import Distortion
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MapOptions, changed_options
from polysema.core.maps.pca import Plane
from polysema.core.maps.projection import Map
from polysema.core.space.space import Floats

LAYOUT = 1  # counts up when the files, or what a method makes of the same input, change
MAX_CACHE_BYTES = 2_000_000_000  # bytes; beyond it what was used longest ago goes
BLOCK_BYTES = 65_536
LATER_OPTIONS = ("metric", "target", "target_metric", "target_weight")
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    UserError,
)

Arrays = dict[str, Any]


def content_key(vectors: Floats) -> str:
    """The content of (n, dim) vectors as one key."""
    digest = hashlib.blake2b(repr((LAYOUT, vectors.shape)).encode(), digest_size=20)
    for start in range(0, len(vectors), BLOCK_BYTES):
        digest.update(np.ascontiguousarray(vectors[start : start + BLOCK_BYTES], "<f4").data)
    return digest.hexdigest()


def read_neighbors(content: str, n: int, k: int, options: MapOptions) -> Neighbors | None:
    """The neighbors kept for this content, when there are at least k of each of the n points."""
    found = _read(_path(content, *_neighbor_key(options)))
    try:
        if found is None or found["rows"].shape[0] != n or found["rows"].shape[1] < k or int(found["rows"].max()) >= n:
            return None
        return Neighbors(found["rows"].astype(np.int64), found["distances"].astype(np.float32))
    except _DAMAGE:
        return None


def keep_neighbors(content: str, options: MapOptions, knn: Neighbors) -> None:
    """Keep the neighbors of this content."""
    _keep(_path(content, *_neighbor_key(options)), {"rows": knn.rows.astype(np.int32), "distances": knn.distances})


def read_map(
    content: str, n: int, method: str, options: MapOptions, k: int
) -> tuple[Map, Distortion | None, Floats] | None:
    """The map kept for this content and these options, its distortion, and what each of the n points kept."""
    found = _read(_path(content, method, _option_key(options), k))
    if found is None:
        return None
    try:
        card = json.loads(found["card"].tobytes())
        positions, kept = found["positions"], found["kept"]
        right = positions.shape == (n, options.n_components) and kept.shape == (n,)
        if not right or positions.dtype != np.float32 or not np.isfinite(positions).all():
            return None
        plane = Plane(found["mean"], found["axes"], found["explained"]) if "axes" in found else None
        report = None
        if card["distortion"] is not None:
            report = Distortion(rows=found["measured"], kept=found["measured_kept"], **card["distortion"])
        return Map(positions, method, options, float(card["scale"]), plane, tuple(card.get("notes", ()))), report, kept
    except _DAMAGE:
        return None


def keep_map(content: str, k: int, laid: Map, report: Distortion | None, kept: Floats) -> None:
    """Keep a map of this content."""
    arrays: Arrays = {"positions": laid.positions, "kept": kept}
    card: dict[str, Any] = {"scale": laid.scale, "notes": laid.notes, "distortion": None}
    if laid.plane is not None:
        arrays |= {"mean": laid.plane.mean, "axes": laid.plane.axes, "explained": laid.plane.explained}
    if report is not None:
        arrays |= {"measured": report.rows, "measured_kept": report.kept}
        names = ("k", "preservation", "trustworthiness", "by_chance")
        card["distortion"] = {name: getattr(report, name) for name in names}
    arrays["card"] = np.frombuffer(json.dumps(card).encode(), np.uint8)
    _keep(_path(content, laid.method, _option_key(laid.options), k), arrays)


def _neighbor_key(options: MapOptions) -> tuple[object, ...]:
    """What neighbors depend on beside the content."""
    cosine = options.metric == MapOptions().metric
    return ("neighbors", options.seed) if cosine else ("neighbors", options.seed, options.metric)


def _option_key(options: MapOptions) -> dict[str, object]:
    """The options as a part of a key; those that came later are in it only where they are not as by default, so that
    what was kept before is found.
    """
    changed = changed_options(options)
    return {name: value for name, value in asdict(options).items() if name not in LATER_OPTIONS or name in changed}


def _path(content: str, *what: object) -> Path:
    key = hashlib.blake2b(repr((LAYOUT, content, *what)).encode(), digest_size=20).hexdigest()
    return home() / "maps" / f"{key}.npz"


def _read(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except _DAMAGE:
        return None
    with suppress(OSError):
        os.utime(path)  # it was used
    return arrays


def _keep(path: Path, arrays: Arrays) -> None:
    """Where there is no room, or no right to write, the map is made again next time."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        atomic_write(path, lambda file: np.savez(file, **arrays))
        prune(path.parent, "*.npz", max_bytes=MAX_CACHE_BYTES)
