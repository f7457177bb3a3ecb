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
