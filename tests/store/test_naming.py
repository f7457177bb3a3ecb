"""Collections on a file system without hard links: the same promises by exclusive creation."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from polysema.core.errors import ConflictError, CorruptError, StorageError
from polysema.indexes.collection import Collection, CollectionOptions
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.repair import repair
from polysema.indexes.store.verify import verify


class WithoutLinks(Disk):
    error = errno.EPERM

    def link(self, source: Path, target: Path) -> None:
        raise OSError(self.error, os.strerror(self.error), str(source), None, str(target))


def live(root: Path, disk: Disk | None = None) -> None:
    """A collection's life: versions that are collected, a snapshot, a compaction, the way back."""
    c = Collection.create(root, CollectionOptions(keep=3), disk)
    for number in range(40):  # old versions are collected on the way
        c.upsert([f"w{number % 7}"], np.full((1, 3), number + 1), {"n": [number]})
    c.history.snapshot("seven")
    with pytest.raises(ConflictError, match="has a snapshot seven already"):
        c.history.snapshot("seven")
    c.delete(["w1"])
    c.compact()
    assert len(Collection(root)) == 6
    c.history.restore("seven")
    assert sorted(Collection(root).space().column("n")) == list(range(33, 40))
    report = verify(root)
    assert (report.problems, report.leftovers) == ([], [])


@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_collection_lives_without_hard_links(tmp_path: Path, error: int) -> None:
    disk = WithoutLinks()
    disk.error = error
    live(tmp_path / "c", disk)
    assert sorted(path.suffix for path in (tmp_path / "c" / "snapshots").iterdir()) == [".json", ".named"]
    index = next((tmp_path / "c" / "segments").glob("*.parquet"))
    index.write_bytes(index.read_bytes()[:-1])
    repair(tmp_path / "c", disk=disk)  # what is damaged is set aside
    assert verify(tmp_path / "c").problems == []


def test_a_collection_lives_on_a_real_exfat(tmp_path: Path) -> None:
    """Where exfat-fuse and exfatprogs are installed and a loop device may be mounted."""
    if any(shutil.which(one) is None for one in ("mount.exfat-fuse", "mkfs.exfat", "losetup", "umount")):
        pytest.skip("exfat-fuse and exfatprogs are not here")
    image, folder = tmp_path / "image", tmp_path / "exfat"
    with image.open("wb") as file:
        file.truncate(60 << 20)
    folder.mkdir()
    subprocess.run(["mkfs.exfat", str(image)], check=True, stdout=subprocess.DEVNULL)
    loop = subprocess.run(["losetup", "-f", "--show", str(image)], check=False, capture_output=True, text=True)
    device = loop.stdout.strip()
    try:
        subprocess.run(["mount.exfat-fuse", device, str(folder)], check=False, capture_output=True)
        if not folder.is_mount():
            pytest.skip("nothing can be mounted here")
        (folder / "a").touch()
        with pytest.raises(PermissionError):
            os.link(folder / "a", folder / "b")
        live(folder / "c")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["losetup", "-d", device], check=False, stderr=subprocess.DEVNULL)


def test_two_writers_can_not_make_one_version(tmp_path: Path) -> None:
    disk = WithoutLinks()
    c = Collection.create(tmp_path / "c", disk=disk)
    now = c.view().manifest
    layout.publish(disk, tmp_path / "c", now.next("mine"))
    with pytest.raises(ConflictError, match="got version 2 from another writer"):
        layout.publish(disk, tmp_path / "c", now.next("theirs"))
    assert Collection(tmp_path / "c").view().manifest.what == "mine"
    assert [path.suffix for path in (tmp_path / "c" / "manifests").iterdir()] == [".json"] * 2


def test_a_version_that_was_cut_while_it_was_copied_is_that_of_its_draft(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    c.add(["a"], [[1.0, 2.0]])
    path = layout.numbered(c.root, 2)
    whole = path.read_bytes()
    draft = path.with_name(f"{path.name}.0123.tmp")
    for cut in (b"", whole[:50], bytes(len(whole)), whole[:-1]):
        path.write_bytes(cut)
        draft.unlink(missing_ok=True)
        with pytest.raises(CorruptError, match=f"{path.name} is damaged"):
            Collection(c.root)
        draft.write_bytes(whole)
        assert list(Collection(c.root).space().keys) == ["a"]
        assert not verify(c.root).problems
    later = Collection(c.root, CollectionOptions(keep=100))
    for number in range(40):  # the draft stays as long as it stands for the version
        later.upsert([f"b{number}"], [[1.0, 3.0]])
    assert draft.exists()
    assert [one.n_rows for one in later.history.versions()][:3] == [0, 1, 2]
    later.history.collect(2)
    later.history.collect(2)
    assert not draft.exists()
    assert not verify(c.root).problems
    newest = layout.numbered(c.root, later.view().manifest.version)
    sealed = newest.read_bytes()
    newest.write_bytes(sealed[:9])
    newest.with_name(f"{newest.name}.1.tmp").write_bytes(sealed[:-3])  # a draft that isn't whole stands for nothing
    with pytest.raises(CorruptError):
        Collection(c.root)


def test_another_failure_of_a_link_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    disk = WithoutLinks()
    c = Collection.create(tmp_path / "c", disk=disk)
    disk.error = errno.EIO
    before = sorted(path.name for path in (tmp_path / "c").rglob("*"))
    with pytest.raises(StorageError, match="can't change .*Input/output error"):
        c.add(["a"], [[1.0, 2.0]])
    assert sorted(path.name for path in (tmp_path / "c").rglob("*")) == before
    disk.error = errno.EPERM
    c.add(["a"], [[1.0, 2.0]])
    assert len(c) == 1
