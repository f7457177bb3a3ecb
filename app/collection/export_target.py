"""An export that goes into a collection, on a disk or on another engine: computed as every export is, by one process,
several or a cluster; stopped and run again, it goes on and ends with each row once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from polysema.app.collection.registry import COLLECTION_MARK, CollectionRegistry
from polysema.app.export.options import COLLECTION, ExportOptions
from polysema.core.environment import home
from polysema.core.errors import UserError
from polysema.core.locks import file_lock
from polysema.core.progress import Progress, in_stage
from polysema.indexes.engines.address import is_address
from polysema.indexes.import_export import ImportOptions, import_into
from polysema.indexes.store.manifest import check_name

Manifest = dict[str, object]


def is_collection_target(place: str, options: ExportOptions) -> bool:
    """Whether an export goes into a collection: an address, a folder that is one, or because it is said so."""
    return options.to == COLLECTION or is_address(place) or (Path(place) / COLLECTION_MARK).is_file()


def export_into(
    registry: CollectionRegistry,
    place: str,
    options: ExportOptions,
    what: object,
    export: Callable[[Path, ExportOptions, Progress], Manifest],
    progress: Progress,
) -> Manifest:
    """Put an export's rows into the collection at a place, made where there is none; returns the manifest.

    The shards stand in a folder beside it until every row is in, so that a run that was stopped goes on; a row that is
    put in again takes its own place.

    Args:
        registry: Opens and makes collections.
        place: A folder, or the address of another engine.
        options: What is exported, and the name of the space.
        what: What else the rows hang on (model, texts, layers): another export gets another folder of shards.
        export: Writes the shards into a folder.
        progress: Told how many texts, then how many rows are done.

    Raises:
        PolysemaError: The options are for files, or the rows don't go with those of the collection.
    """
    chosen = _checked(place, options)
    with _work_folder(place, [what, asdict(replace(chosen, on=""))]) as folder:
        manifest = export(folder, chosen, progress)
        if not manifest["rows"]:
            raise UserError("the texts have no rows to put into a collection")
        with registry.filling(place) as collection:
            put = in_stage(progress, "rows")
            import_into(collection, folder, ImportOptions(options.space or None), put)
    return manifest


def _checked(place: str, options: ExportOptions) -> ExportOptions:
    """How the shards on the way into a collection are written; raises `UserError` for what is meant for files."""
    if options.to not in ("parquet", COLLECTION):
        raise UserError(f"{place} is a collection, which has a layout of its own: leave out {options.to}")
    if options.dtype != "float32" or options.static:
        raise UserError("a collection keeps float32, and one vector a row: leave out the dtype and the static vectors")
    if options.space:
        check_name(options.space, "a space")
    if not is_address(place) and Path(place).exists() and not (Path(place) / COLLECTION_MARK).is_file():
        there = Path(place)
        if not there.is_dir() or any(there.iterdir()):
            raise UserError(f"{place} is no collection; give one, or a folder that isn't there yet")
    return replace(options, to="parquet", text=True, space="")


@contextmanager
def _work_folder(place: str, what: object) -> Iterator[Path]:
    """Where the shards stand until all is in, for this run alone; what an earlier one wrote is there."""
    message = json.dumps([place, what], sort_keys=True, default=str)
    name = f"export-{hashlib.sha256(message.encode()).hexdigest()[:16]}"
    target = Path(place)
    folder = home() / "exports" / name if is_address(place) else target.parent / f".{target.name}.{name}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    gone = folder.with_name(f"{folder.name}.gone")
    busy = f"another export is writing into {place}"
    with file_lock(folder.with_name(f"{folder.name}.lock"), 0, busy, "wait for it", remove=True):
        shutil.rmtree(gone, ignore_errors=True)
        yield folder
        folder.rename(gone)  # whole or gone: half of it would be no export that a run goes on with
        shutil.rmtree(gone, ignore_errors=True)
