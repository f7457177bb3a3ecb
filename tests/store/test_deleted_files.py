"""Files that are deleted, swapped, doubled, cut or flipped: each is noticed, and a repair makes the rest whole."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from polysema.core.errors import CorruptError, UserError
from polysema.indexes.collection import Collection
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.manifest import Manifest, seal
from polysema.indexes.store.repair import repair
from polysema.indexes.store.verify import verify
from tests.endurance import ENDURE
from tests.store.scenario import INDEX, OPTIONS, SMALL_DISK, collection_state, rows, sound, state_of

COUNT = 3000 if ENDURE else 80
NAMES = [f"w{number}" for number in range(24)]


@pytest.fixture
def base(shm: Path) -> Path:
    c = Collection.create(shm / "base", OPTIONS, SMALL_DISK)
    c.upsert(*rows(NAMES, 1))
    c.history.snapshot("one")
    c.compact(index=INDEX)
    c.upsert(*rows(["w1", "x1"], 2))
    c.history.snapshot("two")
    c.delete(["w2"])
    c.upsert(*rows(["y1"], 3))
    return shm / "base"


def files_of(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def use(root: Path) -> object:
    """What a reader sees of it: rows, versions and snapshots."""
    c = Collection(root, OPTIONS, SMALL_DISK)
    snapshots = {name: one.version for name, one in c.history.snapshots().items()}
    return collection_state(c), snapshots, [one.version for one in c.history.versions()]


def mutations(root: Path, rng: random.Random) -> Iterator[str]:
    """Change one thing, named in words."""
    files = files_of(root)
    while True:
        path = rng.choice(files)
        data = path.read_bytes()
        way = rng.choice(["cut", "swap", "delete", "flip", "double", "append"])
        if way == "delete":
            path.unlink()
        elif way == "append":
            path.write_bytes(data + b"x")
        elif way == "double":
            others = [one for one in files if one.suffix == path.suffix and one.parent == path.parent and one != path]
            if path.parent.name != "snapshots" or path.suffix != ".json" or not others:
                continue
            path.with_name("copy.json").write_bytes(data)
        elif way == "swap":
            other = rng.choice(files)
            if other.read_bytes() == data:
                continue
            path.write_bytes(other.read_bytes())
            other.write_bytes(data)
        elif not data:
            continue
        elif way == "cut":
            path.write_bytes(data[: rng.randrange(len(data))])
        else:
            at = rng.randrange(len(data))
            path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        yield f"{way} {path.relative_to(root)}"
        return


def test_every_mutation_is_noticed_and_no_answer_is_wrong(base: Path, shm: Path) -> None:
    right = use(base)
    rng = random.Random(11)
    repaired = 0
    for number in range(COUNT):
        root = shm / "try"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root)
        (what,) = mutations(root, rng)
        try:
            found = use(root)
        except UserError as error:
            assert str(root) in str(error), what
            assert "\n" not in str(error)
        else:
            assert found == right, what
        assert verify(root).problems, what
        if number % 5 == 0:
            repair(root, disk=SMALL_DISK)
            sound(root)
            state_of(root)
            use(root)
            repaired += 1
    assert repaired == COUNT // 5


def test_the_newest_manifest_is_missing(base: Path) -> None:
    c = Collection(base, OPTIONS, SMALL_DISK)
    newest = layout.numbered(base, c.view().manifest.version)
    newest.unlink()
    with pytest.raises(CorruptError, match=f"{newest.name} is missing, the newest version"):
        Collection(base, OPTIONS, SMALL_DISK)
    with pytest.raises(CorruptError, match=newest.name):
        c.get(["w1"])
    mended = repair(base, disk=SMALL_DISK)
    assert any("what it acknowledged last is lost" in line for line in mended.lost)
    state = dict.fromkeys(NAMES, 1) | {"w1": 2, "x1": 2}
    del state["w2"]
    assert state_of(base) == state
    assert [path.suffix for path in (base / "aside").iterdir()].count(".parquet") >= 1  # of the lost version
    sound(base)


def test_an_older_manifest_is_missing(base: Path) -> None:
    versions = Collection(base, OPTIONS, SMALL_DISK).history.versions()
    path = layout.numbered(base, versions[-2].version)
    path.unlink()
    c = Collection(base, OPTIONS, SMALL_DISK)
    with pytest.raises(CorruptError, match=f"{path.name} is missing"):
        c.history.versions()
    mended = repair(base, disk=SMALL_DISK)
    assert mended.lost == [f"version {versions[-2].version}: its manifest is missing, it can't be gone back to"]
    assert [one.version for one in Collection(base, OPTIONS).history.versions()][-1] == versions[-1].version + 1
    sound(base)


def test_snapshots_that_are_missing_swapped_and_doubled(base: Path) -> None:
    before = use(base)
    one, two = base / "snapshots" / "one.json", base / "snapshots" / "two.json"
    data = one.read_bytes(), two.read_bytes()
    one.write_bytes(data[1])
    two.write_bytes(data[0])
    (base / "snapshots" / "three.json").write_bytes(data[0])
    c = Collection(base, OPTIONS, SMALL_DISK)
    with pytest.raises(CorruptError, match=r"(one|three|two)\.json"):
        c.history.snapshots()
    with pytest.raises(CorruptError):
        c.history.restore("one")
    assert len([line for line in verify(base).problems if "/snapshots/" in line]) == 3
    mended = repair(base, disk=SMALL_DISK)
    assert not mended.lost
    assert use(base) == before
    sound(base)
    one.unlink()
    with pytest.raises(CorruptError, match="one.json is missing"):
        Collection(base, OPTIONS, SMALL_DISK).history.snapshots()
    assert any("the snapshot one" in line for line in repair(base, disk=SMALL_DISK).lost)
    assert list(Collection(base, OPTIONS, SMALL_DISK).history.snapshots()) == ["two"]
    sound(base)


def test_bytes_in_files_that_are_empty_are_taken_out(base: Path) -> None:
    inode = (base / "LOCK").stat().st_ino
    for name in ("LOCK", "COMPACTING"):
        (base / name).write_bytes(b"noise")
    assert len(verify(base).problems) == 2
    mended = repair(base)
    assert mended.done == ["LOCK, which had bytes, is empty again", "COMPACTING, which had bytes, is empty again"]
    assert (base / "LOCK").stat().st_ino == inode  # others may hold a lock on it
    assert (base / "aside" / "LOCK.1").read_bytes() == b"noise"
    sound(base)


def test_a_collection_of_a_time_before_the_marks_opens_and_gets_them(base: Path) -> None:
    before = use(base)
    for path in [*(base / "snapshots").glob("*.named"), *base.glob("VERSIONS-*")]:
        path.unlink()
    parent = None
    for path in sorted((base / "manifests").iterdir()):  # as they were written before: without `marked`
        old = layout.unseal(path.read_bytes(), path)
        if parent is not None:
            old["parent"] = parent
        path.write_bytes(seal({key: value for key, value in old.items() if key not in ("marked", "lost")}))
        parent = Manifest.unsealed(path.read_bytes(), path).sha256
    for path in (base / "snapshots").glob("*.json"):
        old = layout.unseal(path.read_bytes(), path)
        path.write_bytes(seal({key: value for key, value in old.items() if key != "marked"}))
    assert use(base) == before
    sound(base)
    c = Collection(base, OPTIONS, SMALL_DISK)
    c.upsert(*rows(["z"], 4))
    assert list(c.history.snapshots()) == ["one", "two"]
    sound(base)
    next((base / "snapshots").glob("one.json")).unlink()
    assert any("one.json is missing" in line for line in verify(base).problems)
