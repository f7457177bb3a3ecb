"""What the machine gives: the folder where polysema keeps what it pulled and computed, and the cores."""

import os
from pathlib import Path


def home() -> Path:
    """Where pulled weights and everything derived is kept: POLYSEMA_HOME, else a folder of the user's cache.

    Returns:
        The folder, which need not be there yet: `~/.cache/polysema` on Linux (in XDG_CACHE_HOME where that is set),
        `~/Library/Caches/polysema` on macOS, `%LOCALAPPDATA%\\polysema\\Cache` on Windows.
    """
    chosen = os.environ.get("POLYSEMA_HOME")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("polysema", appauthor=False).expanduser()


def cores() -> int:
    """The cores that the process may run on, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wait_without_spinning() -> None:
    """Let the threads of OpenMP (torch, FAISS, scikit-learn) sleep while they wait for each other.

    By default they spin. Where something else wants the same cores, each spinning thread keeps the one that it waits
    for from running: a sentence through a small model then takes up to five times the processor time. The runtime reads
    the variable as it is loaded, so this comes first; a value that is set already stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
