"""A collection of its own out of the current version of another."""

import shutil
import uuid
from pathlib import Path

from polysema.core.errors import ConflictError, CorruptError
from polysema.core.progress import Progress, no_progress
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.layout import make, open_format, translate_os_errors
from polysema.indexes.store.manifest import Manifest
from polysema.indexes.store.new_file import writing
from polysema.indexes.store.sealed_file import SealedFile


def copy(root: "Path | str", target: "Path | str", progress: Progress = no_progress, disk: Disk | None = None) -> int:
    """Copy the current version to a new folder, each byte checked on its way; returns the number of rows.

    The copy is a collection of its own. Raises `ConflictError` when something is in `target`.
    """
    root, target, disk = Path(root), Path(target), disk or Disk()
    with translate_os_errors(root, "copy"):
        collection = open_format(disk, root)
        source = layout.current(disk, root)
        if source.collection != collection:
            raise CorruptError(f"{root} mixes the files of two collections; {REPAIR}")
        files = {file.name: file for segment in source.segments for file in segment.files()}
        total = sum(file.bytes for file in files.values())
        done = 0

        def fill(folder: Path) -> Manifest:
            nonlocal done
            for file in files.values():
                sealed = SealedFile(disk, root / layout.SEGMENTS / file.name, file)
                with writing(disk, folder / layout.SEGMENTS / file.name) as out:
                    for start in range(0, file.bytes, 1 << 22):
                        out.write(sealed.read(start, min(start + (1 << 22), file.bytes)))
                        progress("bytes", done + out.tell(), total)
                if out.ref.sha256 != file.sha256:
                    raise CorruptError(f"{sealed.path} changed while it was copied; {REPAIR}")
                done += file.bytes
            return source

        if target.exists():
            raise ConflictError(f"{target} is there already; name a new folder")
        draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.copying")
        try:
            make(disk, draft, fill)
            draft.rename(target)  # whole and synced: it is there, or it is not
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        disk.sync_folder(target.parent)
    return source.n_rows
