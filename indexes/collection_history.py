"""The versions of a collection: what there was, what is kept, and the way back."""

from contextlib import suppress
from dataclasses import replace

from polysema.core.argument_types import checked_arguments
from polysema.core.errors import ConflictError, CorruptError, NotFoundError
from polysema.indexes.collection_files import CollectionFiles
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.layout import translate_os_errors
from polysema.indexes.store.manifest import Manifest, check_name
from polysema.indexes.store.naming import give_name
from polysema.indexes.store.snapshot_marks import (
    SnapshotMark,
    drop_marks,
    marks_of,
    move_mark,
    put_mark,
    snapshot_path,
)
from polysema.indexes.store.version_chain import check_chain
from polysema.indexes.store.view import CollectionView


@checked_arguments
class CollectionHistory:
    """The versions of a collection, and the snapshots that keep one under a name: `collection.history`."""

    def __init__(self, files: CollectionFiles):
        self._files = files

    def versions(self) -> list[Manifest]:
        """The versions that are kept; `restore` goes back to one.

        Returns:
            Their manifests, oldest first.

        Raises:
            CorruptError: One is missing or damaged; the message names its file.
        """
        with translate_os_errors(self._files.root, "read"):
            found, problems = check_chain(self._files.disk, self._files.root)
            if problems:
                raise CorruptError(problems[0])
            return found

    def read_view(self) -> CollectionView | None:
        """The newest version, where it was read already and nothing changed for a second.

        Returns:
            Its view; None where finding out takes longer than a look at one folder.
        """
        return self._files.read_view()

    def snapshots(self) -> dict[str, Manifest]:
        """The versions that were given a name, which are kept until it is taken away.

        Returns:
            A manifest for each name.

        Raises:
            CorruptError: One is missing, damaged, or not the version that got its name; the message names its file.
        """
        return self._files.snapshots()

    def snapshot(self, name: str) -> int:
        """Give the current version a name under which it is kept.

        Args:
            name: Letters, digits, `.`, `-` and `_`.

        Returns:
            The number of the version.

        Raises:
            ConflictError: There is a snapshot of that name.
        """
        disk, root = self._files.disk, self._files.root
        path = snapshot_path(root, check_name(name, "a snapshot"))
        with self._files.writing():
            version = self._files.view().manifest.version
            if path.exists():
                raise ConflictError(f"{root} has a snapshot {name} already; drop it first, or choose another name")
            drop_marks(disk, root, name)
            digest = layout.read_manifest(disk, root, version).sha256
            mark = put_mark(disk, root, SnapshotMark(name, digest, "naming"))
            disk.sync_folder(path.parent)
            give_name(disk, layout.numbered(root, version), path)
            disk.sync_folder(path.parent)
            with suppress(OSError):  # the snapshot is there; what its mark is called doesn't matter
                move_mark(disk, root, mark, "named")
            return version

    def drop_snapshot(self, name: str) -> None:
        """Take a snapshot's name away; its files go when no version needs them.

        Args:
            name: Its name.

        Raises:
            NotFoundError: There is none of that name.
        """
        disk, root = self._files.disk, self._files.root
        path = snapshot_path(root, check_name(name, "a snapshot"))
        with self._files.writing():
            marks = [mark for mark in marks_of(disk, root) if mark.name == name]
            if not path.exists() and not marks:
                there = ", ".join(self.snapshots()) or "none"
                raise NotFoundError(f"{root} has no snapshot {name}; it has {there}")
            for mark in marks:
                move_mark(disk, root, mark, "dropping")
            disk.sync_folder(path.parent)
            if path.exists():
                disk.unlink(path)
                disk.sync_folder(path.parent)
            drop_marks(disk, root, name)

    def restore(self, version: "int | str") -> int:
        """Make an earlier version the current one again.

        Args:
            version: Its number, or the name of a snapshot.

        Returns:
            The number of the new version.

        Raises:
            NotFoundError: It is not kept; the message says which are.
        """
        with self._files.writing():
            now = self._files.view().manifest
            found = self.snapshots().get(str(version))
            if found is None and str(version).isdecimal():
                found = next((one for one in self.versions() if one.version == int(version)), None)
            if found is None:
                numbers = ", ".join(str(one.version) for one in self.versions())
                names = ", ".join(self.snapshots()) or "none"
                raise NotFoundError(
                    f"{self._files.root} keeps the versions {numbers} and the snapshots {names}; got {version!r}"
                )
            what = f"back to {version}"
            again = replace(now.next(what), spaces=found.spaces, columns=found.columns, segments=found.segments)
            self._files.publish(again, discard=False)
            return now.version + 1

    def collect(self, keep: int | None = None) -> int:
        """Remove what only old versions need. Snapshots stay.

        Args:
            keep: The versions to keep, from the newest; None: as `options` says.

        Returns:
            How many files were removed.
        """
        with self._files.writing("clean"):
            return self._files.collect(keep)
