"""How a file gets its final name, once and for all, also where the file system has no hard links (FAT, exFAT, SMB).

With hard links the whole, synced draft gets a second name, which fails when the name is taken: a compare-and-swap.
Without them the file is made exclusively under its final name, which is the same compare-and-swap, and the draft's
bytes are copied into it. What is cut then (by a kill, a power loss) has its draft beside it, whose name was made
durable before: `read_sealed` gives the draft's bytes for a copy that isn't whole.
"""

import errno
import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path

from polysema.indexes.store.disk import Disk
from polysema.indexes.store.new_file import discard, read_file, writing

NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
DRAFT_ENDING = ".tmp"
COPIED_AT_ONCE = 1 << 22  # bytes


def draft_of(target: Path) -> Path:
    """A new name beside `target` for what is to become it."""
    return target.with_name(f"{target.name}.{uuid.uuid4().hex}{DRAFT_ENDING}")


def give_name(disk: Disk, source: Path, target: Path) -> None:
    """Give a whole, synced file another name; raises `FileExistsError` when it is taken. The folder is still to be
    synced.

    A `source` that is no draft of `target` (a manifest that becomes a snapshot) is copied to one first where there are
    no links.
    """
    try:
        disk.link(source, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, "it is there already", str(target)) from None
        draft = source
        if not _is_draft(source.name, target):
            draft = draft_of(target)
            _copy(disk, source, draft)
        disk.sync_folder(target.parent)  # the draft's name is durable before the copy's may be
        _copy(disk, draft, target)
        if draft != source:
            disk.sync_folder(target.parent)
            discard(disk, draft)


def move(disk: Disk, source: Path, target: Path) -> None:
    """Another name for a file, in the place of its own; raises `FileExistsError` when it is taken."""
    try:
        disk.link(source, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _copy(disk, source, target)
    disk.sync_folder(target.parent)
    disk.unlink(source)


def _copy(disk: Disk, source: Path, target: Path) -> None:
    """The bytes of a file under a new name, synced; nothing is left where that fails."""
    with writing(disk, target) as file:
        fd = disk.open(source)
        try:
            at = 0
            while piece := disk.read_at(fd, source, at, COPIED_AT_ONCE):
                file.write(piece)
                at += len(piece)
        finally:
            os.close(fd)


def _is_draft(name: str, target: Path) -> bool:
    return name.startswith(f"{target.name}.") and name.endswith(DRAFT_ENDING)


def is_sealed(data: bytes) -> bool:
    """Whether a line of JSON is followed by its SHA-256, and nothing else."""
    line, _, rest = data.partition(b"\n")
    return rest == hashlib.sha256(line).hexdigest().encode() + b"\n"


def read_sealed(disk: Disk, path: Path) -> bytes:
    """The bytes of a sealed file; of one that was cut while it was copied, those of its draft."""
    data = read_file(disk, path)
    if is_sealed(data):
        return data
    drafts = set()
    for name in disk.names(path.parent):
        if _is_draft(name, path):
            with suppress(FileNotFoundError):
                drafts.add(read_file(disk, path.with_name(name)))
    whole = {draft for draft in drafts if is_sealed(draft)}
    if len(whole) == 1:
        return whole.pop()
    return read_file(disk, path)  # perhaps whole by now


def is_needed(disk: Disk, draft: Path) -> bool:
    """Whether a draft stands for a file that was cut while it was copied."""
    name = draft.name.removesuffix(DRAFT_ENDING).rpartition(".")[0]
    if not name:
        return False
    try:
        return not is_sealed(read_file(disk, draft.with_name(name)))
    except OSError:
        return False
