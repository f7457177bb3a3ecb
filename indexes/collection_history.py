"""The versions of a collection: what there was, what is kept, and the way back."""

from polysema.core.argument_types import checked_arguments
from polysema.core.errors import ConflictError, NotFoundError
from polysema.indexes.collection_files import CollectionFiles
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.layout import translate_os_errors
from polysema.indexes.store.manifest import Manifest, check_name
from polysema.indexes.store.naming import give_name
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
        """
        with translate_os_errors(self._files.root, "read"):
            found = []
            for number in layout.versions(self._files.disk, self._files.root):
                try:
                    found.append(layout.read_manifest(self._files.disk, self._files.root, number))
                except FileNotFoundError:  # collected meanwhile
                    continue
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
        path = self._files.root / layout.SNAPSHOTS / f"{check_name(name, 'a snapshot')}.json"
        with self._files.writing():
            version = self._files.view().manifest.version
            try:
                give_name(self._files.disk, layout.numbered(self._files.root, version), path)
            except FileExistsError:
                raise ConflictError(
                    f"{self._files.root} has a snapshot {name} already; drop it first, or choose another name"
                ) from None
            self._files.disk.sync_folder(path.parent)
            return version

    def drop_snapshot(self, name: str) -> None:
        """Take a snapshot's name away; its files go when no version needs them.

        Args:
            name: Its name.

        Raises:
            NotFoundError: There is none of that name.
        """
        path = self._files.root / layout.SNAPSHOTS / f"{check_name(name, 'a snapshot')}.json"
        with self._files.writing():
            try:
                self._files.disk.unlink(path)
            except FileNotFoundError:
                there = ", ".join(self.snapshots()) or "none"
                raise NotFoundError(f"{self._files.root} has no snapshot {name}; it has {there}") from None
            self._files.disk.sync_folder(path.parent)

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
            old = {"spaces": found.spaces, "columns": found.columns, "segments": found.segments}
            self._files.publish(now.next(what, **old), discard=False)
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
