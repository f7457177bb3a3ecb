"""Folders, files and hub ids that were opened before: kept in POLYSEMA_HOME, newest first."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from polysema.core.atomic import atomic_write
from polysema.core.environment import home
from polysema.core.errors import PolysemaError
from polysema.core.model.catalog import ModelLocation, locate
from polysema.core.space.space import Family

HISTORY_FILE = "opened.json"
MAX_KEPT = 20


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """Something of the user's own that was opened: its path or hub id, and of which family it is."""

    name: str
    family: Family

    @property
    def location(self) -> ModelLocation | None:
        """Where it is; None where it is not there any more."""
        try:
            return locate(self.name)
        except PolysemaError:
            return None


def opened_before() -> tuple[OpenedModel, ...]:
    """What was opened on this machine and is still there, newest first; nothing where the file isn't whole."""
    return tuple(one for one in _kept() if one.location is not None)


def remember(name: str, family: Family) -> None:
    """Put something at the beginning of what was opened before; without room on the disk it is forgotten.

    Args:
        name: A path or a hub id.
        family: Of which family it is.
    """
    _keep([OpenedModel(name, family), *(one for one in _kept() if one.name != name)][:MAX_KEPT])


def forget(name: str) -> None:
    """Take something out of what was opened before."""
    _keep([one for one in _kept() if one.name != name])


def _keep(models: list[OpenedModel]) -> None:
    rows = [{"name": one.name, "family": one.family.value} for one in models]
    with suppress(OSError):  # without room on the disk it is forgotten
        _file().parent.mkdir(parents=True, exist_ok=True)
        atomic_write(_file(), json.dumps(rows, indent=1).encode(), durable=False)


def _kept() -> list[OpenedModel]:
    try:
        rows = json.loads(_file().read_text(encoding="utf-8"))
        return [OpenedModel(str(row["name"]), Family(row["family"])) for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _file() -> Path:
    return home() / HISTORY_FILE
