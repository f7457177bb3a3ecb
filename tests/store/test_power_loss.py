"""The power goes after any step: what was acknowledged is there, and each fsync is needed for it."""

import random
import shutil
from pathlib import Path

import pytest

from polysema.indexes.collection import Collection
from tests.endurance import ENDURE
from tests.store.disks import Recording, RecordingWithoutLinks, Skip, after_power_loss
from tests.store.scenario import NONE, OPTIONS, SMALL_DISK, State, sound, state_of, steps

VARIANTS = 12 if ENDURE else 4


def life(
    folder: Path, skip: Skip = lambda label: False, count: int = 16, kind: type[Recording] = Recording
) -> Recording:
    """The log of a collection's life: creation, changes, compactions, indexes, a snapshot, a way back."""
    folder.mkdir()
    root = folder / "c"
    disk = kind(root, skip=skip)
    state: State = NONE
    disk.note("begin", {})
    c = Collection.create(root, OPTIONS, disk)
    state = {}
    disk.note("ack", state)
    for number, (_, change, effect) in enumerate(steps(random.Random(3), count)):
        disk.note("begin", effect(state))
        change(c)
        state = effect(state)
        disk.note("ack", state)
        if number == count // 2:
            disk.note("begin", state)
            c.history.snapshot("half")
            disk.note("ack", state)
            disk.note("snapshot", "half", state)
            middle = state
    disk.note("begin", middle)
    c.history.restore("half")
    disk.note("ack", middle)
    return disk


def write_state(folder: Path, root: Path, files: dict[Path, bytes], folders: set[Path]) -> None:
    """What a disk holds, below `folder` instead of `root`; what stands in a folder that is not there is lost."""
    for path in sorted(folder / path.relative_to(root) for path in folders):
        if path.parent.is_dir():
            path.mkdir()
    for path, data in files.items():
        here = folder / path.relative_to(root)
        if here.parent.is_dir():
            here.write_bytes(data)


def bad_states(disk: Recording, folder: Path, variants: int, stop_at: int = 1 << 30) -> tuple[int, list[str]]:
    """How many states were tried, and what was wrong with the bad ones.

    Two cuts often leave the same bytes behind: such a state is checked once. Where a sync was left out, the states
    before it are those of the whole life, which have been checked already.
    """
    tried, bad = 0, []
    checked: set[int] = set()
    acked: State = NONE
    coming: State | None = None
    snapshots: dict[str, State] = {}
    for cut, (step, *args) in enumerate(disk.log, 1):
        if step == "begin":
            coming = args[0]
        elif step == "ack":
            acked, coming = args[0], None
        elif step == "snapshot":
            snapshots[args[0]] = args[1]
        if step == "begin" or cut <= disk.first_skip:
            continue
        for variant in range(variants):
            rng = random.Random(1000 * cut + variant)
            files, folders = after_power_loss(
                [one for one in disk.log[:cut] if one[0] not in ("begin", "ack", "snapshot")], variant, rng
            )
            tried += 1
            state = hash((repr((acked, coming, snapshots)), frozenset(files.items()), frozenset(folders)))
            if state in checked:
                continue
            checked.add(state)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            write_state(folder, disk.root.parent, files, folders)
            try:
                check(folder / "c", acked, coming, snapshots)
            except Exception as error:
                bad.append(f"after step {cut}, {step} {args[0] if args else ''}, variant {variant}: {error!r}")
                if len(bad) >= stop_at:
                    return tried, bad
    return tried, bad


def check(root: Path, acked: State, coming: "State | None", snapshots: dict[str, State]) -> None:
    """What must be true after the power came back; the collection goes on from there."""
    found = state_of(root)
    assert found in (acked, coming), (found, acked, coming)
    if found is NONE or found == NONE:
        c = Collection.create(root, OPTIONS, SMALL_DISK)
        found = {}
    else:
        sound(root)
        c = Collection(root, OPTIONS, SMALL_DISK)
    for name in snapshots:
        assert name in c.history.snapshots()
    from tests.store.scenario import collection_state, rows

    c.upsert(*rows(["after"], 99))
    assert collection_state(c) == found | {"after": 99}


@pytest.mark.parametrize(("kind", "count", "least"), [(Recording, 16, 500), (RecordingWithoutLinks, 4, 150)])
def test_hundreds_of_states_after_power_loss(shm: Path, kind: type[Recording], count: int, least: int) -> None:
    disk = life(shm / "life", count=count, kind=kind)
    tried, bad = bad_states(disk, shm / "state", VARIANTS if ENDURE else 2)
    assert not bad, bad[:3]
    assert tried >= least


@pytest.mark.parametrize(("kind", "count"), [(Recording, 16), (RecordingWithoutLinks, 4)])
def test_each_fsync_is_needed(shm: Path, kind: type[Recording], count: int) -> None:
    sites = sorted(life(shm / "all", count=count, kind=kind).sites)
    assert len(sites) >= 10
    if kind is RecordingWithoutLinks:  # what is done instead of a link; two of the others are done twice there
        sites = [label for label in sites if label.startswith(("_copy", "give_name"))]
        assert len(sites) == 6
    unneeded = []
    for number, label in enumerate(sites):
        disk = life(shm / f"life{number}", lambda one, label=label: one == label, count, kind)  # type: ignore[misc]
        _, bad = bad_states(disk, shm / "state", VARIANTS, stop_at=1)
        if not bad:
            unneeded.append(label)
    assert not unneeded
