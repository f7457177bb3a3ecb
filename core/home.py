"""The folder where polysema keeps what it pulled and computed."""

import os
from pathlib import Path


def home() -> Path:
    """Where pulled weights and everything derived is kept: POLYSEMA_HOME, else a folder of the user's cache."""
    chosen = os.environ.get("POLYSEMA_HOME")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "polysema"
