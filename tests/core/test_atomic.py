"""What is written appears whole or not at all, with the right mode, and leftovers of the dead are swept."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from polysema.core import atomic
from polysema.core.atomic import atomic_files, atomic_folder, atomic_write, is_part, prune, scratch_folder, sweep


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_whole_with_the_rights_of_a_new_file(tmp_path: Path) -> None:
    path = atomic_write(tmp_path / "a", b"old")
    before = os.umask(0o027)
    try:
        with pytest.raises(ZeroDivisionError), atomic_files([path]) as (part,):
            part.write_bytes(b"%d" % (1 // 0))
        assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a"])
        atomic_write(path, lambda file: file.write(b"new"))
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["a"]


def test_of_several_files_the_first_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[str] = []
    replace = Path.replace

    def recorded(self: Path, target: Path) -> Path:
        replaced.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", recorded)
    with atomic_files([tmp_path / "table", tmp_path / "words"], durable=False) as parts:
        for part in parts:
            part.write_bytes(b"x")
    assert replaced == ["words", "table"]


@pytest.mark.parametrize(("durable", "synced"), [(True, ["a", "folder"]), (False, [])])
def test_what_must_outlast_a_power_cut_is_synced(
    durable: bool, synced: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(atomic, "sync", lambda path: seen.append("folder" if path.is_dir() else path.name[1:2]))
    atomic_write(tmp_path / "a", b"1", durable)
    assert seen == synced


def test_threads_write_the_same_file_at_once(tmp_path: Path) -> None:
    """Each under a temporary name of its own: what is there at the end is one of theirs, whole."""
    whole = [bytes([number]) * 100_000 for number in range(8)]
    threads = [threading.Thread(target=atomic_write, args=(tmp_path / "a", one, False)) for one in whole]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_bytes() in whole
    assert names(tmp_path) == ["a"]


def test_a_folder_takes_its_place_or_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "new" / "f"
    with atomic_folder(path, mode=0o700) as part:
        (part / "x").write_text("1")
        assert not path.exists()
    assert path.stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError, match="is there already"), atomic_folder(path) as part:
        (part / "x").write_text("2")
    assert (path / "x").read_text() == "1"
    with atomic_folder(path, replace=lambda: True) as part:
        (part / "x").write_text("3")
    assert (path / "x").read_text() == "3"
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "new" / "g"):
        raise RuntimeError
    with scratch_folder(tmp_path / "new") as scratch:
        assert is_part(scratch.name)
    assert names(tmp_path / "new") == ["f"]


def test_the_leftovers_of_the_dead_are_swept_and_the_work_of_the_living_stays(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom polysema.core.atomic import atomic_files, atomic_folder\n"
        "base = Path(sys.argv[1])\n"
        "with atomic_files([base / 'a']) as (part,), atomic_folder(base / 'f') as folder:\n"
        "    (folder / 'x').write_text('half')\n    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    assert len(names(tmp_path)) == 2
    with atomic_files([tmp_path / "b"]) as (part,):
        sweep(tmp_path)
        assert names(tmp_path) == [part.name]
        part.rename(tmp_path / part.name.replace(f"-{os.getpid()}-", "-0-"))  # as another process's, number 0 is nobody
        part.write_bytes(b"")
    (tmp_path / "b").unlink()
    again = tmp_path / f".c.{atomic._MACHINE}-{os.getpid()}-0123456789ab.part"  # of an earlier process with our number
    other = tmp_path / ".d.00000000-1-0123456789ab.part"  # of another machine, perhaps at work
    again.write_bytes(b"")
    other.write_bytes(b"")
    sweep(tmp_path)
    assert not again.exists()
    assert other.exists()
    week = time.time() - atomic.ABANDONED_SECONDS - 10
    os.utime(other, (week, week))
    sweep(tmp_path)
    assert not other.exists()
    other.write_bytes(b"")
    sweep(tmp_path, locked=True)
    assert not other.exists()
    sweep(tmp_path / "missing")


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    now = time.time()

    def fill() -> None:
        for place, name in enumerate(("old.x", "mid.x", "new.x", "old.y")):
            (tmp_path / name).write_bytes(b"12345")
            os.utime(tmp_path / name, (now - 100 + 10 * place,) * 2)

    fill()
    prune(tmp_path, "*.x", max_files=2)
    assert names(tmp_path) == ["mid.x", "new.x", "old.y"]
    prune(tmp_path, "*.x", max_bytes=3)  # the newest stays, though it is larger
    assert names(tmp_path) == ["new.x", "old.y"]
    fill()
    prune(tmp_path, max_age_seconds=85)
    assert names(tmp_path) == ["new.x", "old.y"]
    prune(tmp_path / "missing", max_files=1)
