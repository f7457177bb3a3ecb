"""Any single input or output fails, or all from then on: the old state or the new one, and it goes on afterwards."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polysema.core.errors import UserError
from polysema.indexes.collection import Collection
from polysema.indexes.store.copy import copy
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.repair import repair
from tests.store.disks import Failing
from tests.store.scenario import INDEX, OPTIONS, SMALL_DISK, State, collection_state, rows, sound, state_of

NAMES = [f"w{number}" for number in range(24)]


@pytest.fixture
def base(shm: Path) -> Path:
    """A collection with every kind of file, to be copied for each try."""
    c = Collection.create(shm / "base", OPTIONS, SMALL_DISK)
    c.upsert(*rows(NAMES, 1))
    c.compact(index=INDEX)
    c.upsert(*rows(["w1", "x1"], 2))
    c.history.snapshot("before")
    c.delete(["w2"])
    return shm / "base"


BASE: State = dict.fromkeys(NAMES, 1) | {"w1": 2, "x1": 2}
del BASE["w2"]

CHANGES: dict[str, tuple[Callable[[Collection], object], State]] = {
    "upsert": (lambda c: c.upsert(*rows(["w3", "y"], 5)), BASE | {"w3": 5, "y": 5}),
    "delete": (lambda c: c.delete(["w4"]), {k: v for k, v in BASE.items() if k != "w4"}),
    "where": (lambda c: c.delete(where="value = 2"), {k: v for k, v in BASE.items() if v != 2}),
    "compact": (lambda c: c.compact(index="none"), BASE),
    "index": (lambda c: c.compact(index=INDEX), BASE),
    "snapshot": (lambda c: c.history.snapshot("another"), BASE),
    "restore": (lambda c: c.history.restore("before"), BASE | {"w2": 1}),
    "collect": (lambda c: c.history.collect(1), BASE),
    "drop": (lambda c: c.history.drop_snapshot("before"), BASE),
}


@pytest.mark.parametrize("forever", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize(
    ("what", "links"), [*((what, True) for what in CHANGES), ("upsert", False), ("snapshot", False)]
)
def test_the_nth_step_of_a_change_fails(base: Path, shm: Path, what: str, links: bool, forever: bool) -> None:
    change, after = CHANGES[what]
    failures = 0
    for at in range(1, 500):
        root = shm / "try"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root)
        disk = Failing(error=errno.ENOSPC if at % 2 else errno.EIO, links=links)
        c = Collection(root, OPTIONS, disk)
        disk.count, disk.at, disk.forever = 0, at, forever
        error = None
        try:
            change(c)
        except UserError as caught:
            error = caught
        failed, disk.at = disk.failed, 0
        if not failed:
            assert error is None
            assert collection_state(c) == after
            break
        failures += 1
        if error is None:
            assert collection_state(c) == after, failed  # what failed wasn't needed: leftovers stay a while
        else:
            assert str(root) in str(error), error
            assert "\n" not in str(error)
            assert collection_state(c) in (BASE, after), failed
        found = collection_state(c)
        c.upsert(*rows(["later"], 9))  # the same object goes on
        assert collection_state(c) == found | {"later": 9}
        assert state_of(root) == found | {"later": 9}
        sound(root)
    else:
        raise AssertionError("it never ran without a failure")
    assert failures >= 2


def test_the_nth_step_of_opening_and_searching_fails(base: Path) -> None:
    for at in range(1, 500):
        disk = Failing(at=at)
        try:
            c = Collection(base, OPTIONS, disk)
            found = collection_state(c)
        except UserError as error:
            assert str(base) in str(error)
        else:
            assert found == BASE
            if not disk.failed:
                return
    raise AssertionError("it never ran without a failure")


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("what", ["create", "copy"])
def test_the_nth_step_of_making_a_collection_fails(base: Path, shm: Path, what: str, links: bool) -> None:
    def make(disk: Disk) -> object:
        return Collection.create(shm / "new", OPTIONS, disk) if what == "create" else copy(base, shm / "new", disk=disk)

    for at in range(1, 500):
        shutil.rmtree(shm / "new", ignore_errors=True)
        disk = Failing(at=at, links=links)
        with contextlib.suppress(UserError):
            make(disk)
        if not disk.failed:
            assert state_of(shm / "new") == ({} if what == "create" else BASE)
            return
        if state_of(shm / "new") not in ({}, BASE):
            make(Disk())  # what is left of the first try is in nobody's way
        assert state_of(shm / "new") == ({} if what == "create" else BASE)
    raise AssertionError("it never ran without a failure")


def test_a_repair_that_fails_can_be_run_again(base: Path, shm: Path) -> None:
    for at in range(1, 500):
        root = shm / "try"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root)
        index = next((root / "segments").glob("*.faiss"))
        index.write_bytes(index.read_bytes()[:-1])
        disk = Failing(at=at)
        try:
            repair(root, disk=disk)
        except UserError:
            repair(root)
        assert state_of(root) == BASE
        sound(root)
        if not disk.failed:
            return
    raise AssertionError("it never ran without a failure")


FULL = """
import sys
from pathlib import Path
from polysema.core.errors import UserError
from polysema.indexes.collection import Collection
from tests.store.scenario import OPTIONS, SMALL_DISK, collection_state, rows, state_of, sound

root = Path(sys.argv[1]) / "c"
ballast = Path(sys.argv[1]) / "ballast"
ballast.write_bytes(bytes(600_000))
c = Collection.create(root, OPTIONS, SMALL_DISK)
state, errors = {}, 0
for value in range(3000):
    names = [f"w{value}-{n}" for n in range(40)]
    try:
        c.upsert(*rows(names, value))
    except UserError as error:
        assert "the disk is full" in str(error), error
        errors += 1
        if errors == 1:
            assert collection_state(c) == state
            assert state_of(root) == state
        if errors > 3:
            break
        continue
    state |= dict.fromkeys(names, value)
assert errors > 3, errors
ballast.unlink()
c.upsert(*rows(["later"], 9))
assert collection_state(c) == state | {"later": 9}
assert state_of(root) == state | {"later": 9}
sound(root)
print(len(state), errors)
"""


def test_a_really_full_disk(shm: Path) -> None:
    folder = shm / "full"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=2m tmpfs {folder}"
    env = {**os.environ, "PYTHON": sys.executable}
    script = f'{mount} && exec "$PYTHON" -c "$0" {folder}'
    for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
        if subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False).returncode == 0:
            break
    else:
        pytest.skip("a file system can't be mounted here")
    run = subprocess.run(
        [*unshare, "sh", "-c", script, FULL],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        cwd=Path(__file__).parents[2],
    )
    assert run.returncode == 0, run.stderr
    saved, errors = map(int, run.stdout.split())
    assert saved > 100
    assert errors > 3
