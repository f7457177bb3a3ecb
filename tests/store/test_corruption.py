"""Bytes change on the disk: every change is noticed, with an error that names the file, and nothing is returned
wrongly.
"""

import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from polysema.core.errors import CorruptError, UserError
from polysema.indexes.collection import Collection
from polysema.indexes.store.disk import Disk, StoreLimits
from polysema.indexes.store.repair import repair
from polysema.indexes.store.transaction import referenced
from polysema.indexes.store.verify import verify
from tests.endurance import ENDURE
from tests.store.scenario import (
    INDEX,
    INDEX_ENDING,
    OPTIONS,
    SMALL_DISK,
    State,
    collection_state,
    rows,
    sound,
    state_of,
)

COUNT = 5000 if ENDURE else 300
NAMES = [f"w{number}" for number in range(64)]
STATE: State = dict.fromkeys(NAMES, 1) | {"w1": 2, "x1": 2}
del STATE["w2"]


@pytest.fixture
def base(shm: Path) -> Path:
    return made(shm)


def made(shm: Path) -> Path:
    c = Collection.create(shm / "base", OPTIONS, SMALL_DISK)
    c.upsert(*rows(NAMES, 1))
    c.compact(index=INDEX)
    c.upsert(*rows(["w1", "x1"], 2))
    c.history.snapshot("before")
    c.delete(["w2"])
    c.history.collect(1)
    return shm / "base"


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes with a bit flipped, the end cut off, a block zeroed, a block of noise, or something after the end."""
    way = rng.randrange(5) if data else 4
    at = rng.randrange(len(data)) if data else 0
    if way == 0:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if way == 1:
        return data[:at]
    if way in (2, 3):
        length = min(rng.choice((1, 16, 512)), len(data) - at)
        return data[:at] + (bytes(length) if way == 2 else rng.randbytes(length)) + data[at + length :]
    return data + rng.randbytes(rng.choice((1, 512)))


def use(root: Path) -> "str | None":
    """Everything is read: the error that came of it, or None and the answers were right."""
    try:
        c = Collection(root, OPTIONS, SMALL_DISK)
        assert collection_state(c) == STATE
        found = c.search(c.get(["w3"]).vectors, 5, where="value = 1")
        assert found.ids[0][0] == "w3"
        assert len(c.history.snapshots()) == 1
    except CorruptError as error:
        return str(error)
    return None


def test_every_change_of_a_byte_is_noticed(base: Path) -> None:
    rng = random.Random(5)
    files = sorted(path for path in base.rglob("*") if path.is_file())
    kinds = {path.suffix or path.name for path in files}
    assert {"FORMAT", "LOCK", "COMPACTING", ".json", ".parquet", ".npy", ".dead"} | {f".{INDEX_ENDING}"} <= kinds
    noticed: Counter[str] = Counter()
    tried = 0
    while tried < COUNT:
        path = files[tried % len(files)]
        before = path.read_bytes()
        after = damaged(before, rng)
        if after == before:
            continue
        tried += 1
        path.write_bytes(after)
        try:
            message = use(base)
            if message is not None:
                assert str(path) in message, (path, message)
                assert "\n" not in message
                noticed["by use"] += 1
            problems = verify(base).problems
            assert any(str(path) in problem for problem in problems), (path, problems)
            noticed["by verify"] += 1
        finally:
            path.write_bytes(before)
    assert noticed["by verify"] == COUNT
    assert noticed["by use"] > COUNT / 2
    assert use(base) is None


def test_a_missing_file_is_noticed(base: Path) -> None:
    needed = {"FORMAT", *referenced([Collection(base, OPTIONS, SMALL_DISK).view().manifest])}
    for path in sorted(path for path in base.rglob("*") if path.is_file() and path.suffix != ".json"):
        data = path.read_bytes()
        path.unlink()
        if path.name in needed:
            with pytest.raises(CorruptError, match=path.name):
                collection_state(Collection(base, OPTIONS, SMALL_DISK))
        assert any(path.name in problem for problem in verify(base).problems)
        path.write_bytes(data)


def test_a_damaged_current_version_is_no_step_back(base: Path) -> None:
    c = Collection(base, OPTIONS, SMALL_DISK)
    c.upsert(*rows(["y"], 7))
    newest = sorted((base / "manifests").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-2])
    with pytest.raises(CorruptError, match=newest.name):
        Collection(base, OPTIONS, SMALL_DISK)
    mended = repair(base)
    assert any(str(int(newest.stem)) in line and "lost" in line for line in mended.lost)
    assert state_of(base) == STATE
    assert (base / "aside" / newest.name).exists()
    assert len(list((base / "aside").glob("*.parquet"))) == 1  # the rows that only the lost version had
    sound(base)


def test_derived_files_are_made_anew_without_loss(base: Path) -> None:
    for ending in ("npy", INDEX_ENDING):
        for path in (base / "segments").glob(f"*.{ending}"):
            path.write_bytes(damaged(path.read_bytes(), random.Random(1)))
        assert use(base) is not None
        mended = repair(base)
        assert mended.done
        assert not mended.lost_ids
        assert Collection(base, OPTIONS, SMALL_DISK).space().keys is not None
        assert collection_state(Collection(base, OPTIONS, SMALL_DISK)) == STATE
        sound(base)


def test_a_format_file_is_written_anew(base: Path) -> None:
    (base / "FORMAT").write_bytes(b"nonsense")
    with pytest.raises(CorruptError, match="FORMAT"):
        Collection(base, OPTIONS, SMALL_DISK)
    repair(base)
    assert state_of(base) == STATE


def test_lost_rows_are_listed_and_sound_row_groups_kept(shm: Path) -> None:
    root = shm / "c"
    names = [f"w{number}" for number in range(5000)]
    vectors = np.random.default_rng(0).normal(size=(5000, 32)).astype(np.float32)
    c = Collection.create(root, OPTIONS, Disk(StoreLimits(group_rows=1024)))  # each longer than what is hashed at once
    c.add(names, vectors, {"value": list(range(5000))})
    c.delete(["w3", "w4000"])
    large = next((root / "segments").glob("*.parquet"))
    data = bytearray(large.read_bytes())
    data[70_000] ^= 1  # among the vectors of the first row group
    large.write_bytes(data)
    assert any(large.name in problem for problem in verify(root).problems)
    mended = repair(root)
    lost = [name for _, name in mended.lost_ids]
    assert lost == [name for name in names[:1024] if name != "w3"]
    assert any(line.startswith(f"1,023 rows of {large.name} (space vectors)") for line in mended.lost)
    found = Collection(root, OPTIONS, SMALL_DISK).space()
    kept = [number for number in range(1024, 5000) if number != 4000]
    assert list(found.keys) == [names[number] for number in kept]
    assert np.array_equal(found.vectors, vectors[kept])
    assert found.column("value") == kept
    assert (root / "aside" / large.name).exists()
    sound(root)


def test_ids_of_a_file_that_is_wholly_lost_are_listed(base: Path) -> None:
    large = max((base / "segments").glob("*.parquet"), key=lambda path: path.stat().st_size)
    data = bytearray(large.read_bytes())
    data[-100] ^= 1  # the layout itself
    large.write_bytes(data)
    mended = repair(base)
    message = len(mended.lost_ids)
    assert any(f"{62:,} rows of {large.name}" in line for line in mended.lost)
    assert message in (0, 62)
    assert state_of(base) == {"w1": 2, "x1": 2}
    sound(base)


def test_lost_deletions_are_told(base: Path) -> None:
    dead = next((base / "segments").glob("*.dead"))
    for path in (base / "segments").glob("*.dead"):
        path.write_bytes(b"")
    assert str(dead.name)
    mended = repair(base)
    assert any("deletions" in line for line in mended.lost)
    assert state_of(base) == STATE | {"w2": 1}  # the replaced row is known to be replaced, the deleted one isn't
    sound(base)


def test_a_newer_format_is_refused(base: Path) -> None:
    import hashlib
    import json

    path = base / "FORMAT"
    value = json.loads(path.read_bytes().partition(b"\n")[0])
    line = json.dumps(value | {"format": 2}).encode()
    path.write_bytes(line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n")
    with pytest.raises(UserError, match="has format 2; this version of polysema reads format 1"):
        Collection(base, OPTIONS, SMALL_DISK)


def test_faiss_never_sees_a_byte_that_was_not_written(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polysema.indexes import faiss_index

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("FAISS was given a damaged file")

    monkeypatch.setattr(faiss_index, "read_index", never)
    path = next((base / "segments").glob("*.faiss"))
    data = path.read_bytes()
    for at in random.Random(2).sample(range(len(data)), 40):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        c = Collection(base, OPTIONS, SMALL_DISK)
        with pytest.raises(CorruptError, match=path.name):
            c.search(c.get(["w3"]).vectors, 3)
    shutil.rmtree(base)
