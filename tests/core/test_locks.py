"""A lock is the operating system's: freed by a kill, exclusive among threads, and named when it is not had."""

import errno
import subprocess
import sys
import threading
import time
from pathlib import Path

import filelock
import pytest

from polysema.core.errors import BusyError, UnavailableError
from polysema.core.locks import file_lock

ROOT = Path(__file__).parent.parent.parent


def test_who_waits_in_vain_is_told_for_which_file_and_what_to_do(tmp_path: Path) -> None:
    with file_lock(tmp_path / "L", 0, "somebody writes"):
        for wait in (0, 0.05):
            with (
                pytest.raises(BusyError, match=rf"^somebody writes; waited {wait:g} s for the lock .*/L: wait for it$"),
                file_lock(tmp_path / "L", wait, "somebody writes", "wait for it"),
            ):
                raise AssertionError
    with file_lock(tmp_path / "L", 0, "somebody writes", remove=True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    inside = most = 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with file_lock(tmp_path / "L", 30, "a thread works", remove=True):
                with guard:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.0005)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_what_began_in_one_thread_may_end_in_another(tmp_path: Path) -> None:
    lock = file_lock(tmp_path / "L", 0, "x")
    lock.__enter__()
    thread = threading.Thread(target=lock.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    with file_lock(tmp_path / "L", 0, "x"):
        pass


def test_a_kill_lets_go(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom polysema.core.locks import file_lock\n"
        "with file_lock(Path(sys.argv[1]), 0, 'x'): print('locked', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "L")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(BusyError), file_lock(tmp_path / "L", 0, "x"):
            raise AssertionError
        holder.kill()
    with file_lock(tmp_path / "L", 5, "x"):
        pass


def test_a_file_system_without_locks_gets_no_lock_that_a_kill_would_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(fd: int) -> bool:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(filelock._unix, "lock_fd_nonblocking", missing)
    with (
        pytest.raises(UnavailableError, match=r"L can't be locked: .*choose a folder on"),
        file_lock(tmp_path / "L", 0, "x"),
    ):
        raise AssertionError


def test_nothing_needs_a_module_that_windows_lacks_when_it_is_imported() -> None:
    for top in ("app", "core", "indexes"):
        for path in (ROOT / top).rglob("*.py"):
            found = [line for line in path.read_text().splitlines() if line.startswith(("import fcntl", "from fcntl"))]
            assert not found, path
