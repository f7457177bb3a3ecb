"""Which versions are kept, in the name of an empty file beside the manifests: `VERSIONS-<oldest>-<newest>`.

A manifest that is deleted leaves no trace of its own. A commit renames this file after its manifest is durable, a
collection of garbage before it removes any, and a name changes whole or not at all. So every version from the oldest
to the newest must be there; after a kill the file may lag behind the newest manifest, and never runs before it.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from polysema.indexes.store.disk import Disk
from polysema.indexes.store.new_file import discard

_NAMED = re.compile(r"VERSIONS-(\d{20})-(\d{20})")


@dataclass(frozen=True, slots=True)
class VersionSpan:
    """The numbers of the oldest and of the newest version that are kept; none where `newest` is below `oldest`."""

    oldest: int
    newest: int

    @property
    def name(self) -> str:
        """What the file is called."""
        return f"VERSIONS-{self.oldest:020d}-{self.newest:020d}"


def spans(disk: Disk, root: Path) -> list[VersionSpan]:
    """What the files of that name say: one file, except after a power loss."""
    found = (_NAMED.fullmatch(name) for name in disk.names(root))
    return [VersionSpan(int(one[1]), int(one[2])) for one in found if one]


def read_span(disk: Disk, root: Path) -> VersionSpan | None:
    """The versions that must be there; None in a collection that was last changed before there was such a file."""
    found = spans(disk, root)
    if not found:
        return None
    return VersionSpan(max(one.oldest for one in found), max(one.newest for one in found))


def begin_span(disk: Disk, root: Path, span: VersionSpan) -> None:
    """The first file; durable when the folder is synced."""
    os.close(disk.open(root / span.name, new=True))


def move_span(disk: Disk, root: Path, oldest: int | None = None, newest: int | None = None) -> None:
    """Say what is kept from now on; durable when the folder is synced."""
    before = read_span(disk, root)
    if before is None:
        return
    after = VersionSpan(before.oldest if oldest is None else oldest, before.newest if newest is None else newest)
    files = sorted((one for one in spans(disk, root) if one != after), key=lambda one: (one.newest, one.oldest))
    if files:
        if not (root / after.name).exists():
            with suppress(FileNotFoundError):
                disk.rename(root / files.pop().name, root / after.name)
        for one in files:  # of renamings that a power loss undid by half
            discard(disk, root / one.name)


def unbroken(numbers: list[int], newest: int) -> int:
    """The oldest version from which on all are there to the newest; the one after it where it isn't there itself."""
    there, oldest = set(numbers), newest + 1
    while oldest - 1 in there:
        oldest -= 1
    return oldest
