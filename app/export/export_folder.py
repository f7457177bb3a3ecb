"""The folder of an export while it is written: who may write there, which shards are done, and the manifest at last."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polysema.app.export.rows import COUNTS
from polysema.core.atomic import atomic_write, is_part, sweep
from polysema.core.errors import ConflictError, UnreadableError, UserError
from polysema.core.files.formats import MANIFEST
from polysema.core.locks import file_lock

SETTINGS = "settings.json"
PLAN = ".plan.json"  # of a run on several processes: which texts each shard has
RUN = ".run"  # the token of the run that writes now: work of one that was killed is not published any more
SETTINGS_HASH = "settings_sha256"  # in the record of a shard while the export isn't finished

ShardRecord = dict[str, Any]  # what the manifest says of a shard: its files, their bytes and sha256, its rows, counts


@contextmanager
def claimed(folder: Path, settings: Mapping[str, object]) -> Iterator[str]:
    """The folder is ours: empty or new, or one that was begun with the same settings; and nobody else works in it.

    Yields:
        A token of this run, which stands in the folder meanwhile.

    Raises:
        ConflictError: The folder holds anything else, or an export with other settings.
        BusyError: Another process writes there.
    """
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{folder} is a file; give a folder to export into")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    known = read_settings(folder / SETTINGS) if SETTINGS in there else None
    if known is None and [name for name in there if name not in (".lock", RUN) and not is_part(name)]:
        raise ConflictError(f"{folder} holds something else ({there[0]}); export into a new or an empty folder")
    if known is not None and known != settings:
        wrong = ", ".join(key for key in settings if known.get(key) != settings[key])
        raise ConflictError(f"{folder} holds an export with other settings ({wrong}); export into another folder")
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another export is writing to {folder}"
    with file_lock(folder / ".lock", 0, busy, "wait for it or choose another folder", remove=True):
        sweep(folder, locked=True)
        if known is None:
            write_json(folder / SETTINGS, settings)
        token = uuid.uuid4().hex
        atomic_write(folder / RUN, token.encode(), durable=False)
        try:
            yield token
        finally:
            (folder / RUN).unlink(missing_ok=True)


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """What the disk refuses is told in one line, a `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"can't write to {folder}: {error.strerror or error}; what is finished stays good, run the same "
            "command again to go on"
        ) from None


def is_current(folder: Path, token: str) -> bool:
    """Whether the run of that token still is the one that writes to the folder."""
    try:
        return (folder / RUN).read_text(encoding="ascii") == token
    except (OSError, UnicodeDecodeError):
        return False


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of an export; raises `UnreadableError`."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} can't be read: {error}; export into another folder") from None
    return settings if isinstance(settings, dict) else {}


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, whole."""
    content = (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    atomic_write(path, content)


def settings_hash(settings: Mapping[str, object]) -> str:
    """sha256 of the settings of an export, the card of its vectors among them."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def done_path(folder: Path, number: int) -> Path:
    """Where the record of a shard stands until the manifest is written."""
    return folder / f".part-{number:05d}.done"


class FinishedShards:
    """The shards that an earlier run finished, if their files are there, byte for byte."""

    def __init__(self, folder: Path, settings: Mapping[str, object]):
        self._folder, self._hash = folder, settings_hash(settings)
        try:
            self._known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["shards"]
        except (OSError, ValueError, KeyError):
            self._known = []

    def record(self, number: int) -> ShardRecord | None:
        """What is known of a shard; None where it has to be made."""
        try:
            if number < len(self._known):
                shard = self._known[number]
            else:
                shard = json.loads(done_path(self._folder, number).read_text(encoding="utf-8"))
                if shard.pop(SETTINGS_HASH, self._hash) != self._hash:
                    return None
            same = all(fault_of(self._folder / file["name"], file) is None for file in shard["files"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return shard if same else None


def fault_of(path: Path, record: Mapping[str, Any]) -> str | None:
    """What is wrong with a file; None when it is as its record says."""
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != record["bytes"]:
        return f"has {path.stat().st_size:,} bytes, not {record['bytes']:,}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest == record["sha256"] else "has other bytes than were written"


def finish(folder: Path, settings: Mapping[str, Any], shards: Sequence[ShardRecord], n_texts: int) -> dict[str, Any]:
    """Write the manifest, last of all, and remove what only a run that goes on needs; returns the manifest."""
    manifest = {
        **settings,
        "texts": n_texts,
        "rows": sum(shard["rows"] for shard in shards),
        "shards": list(shards),
        "words": sum(shard["rows"] for shard in shards) // len(settings["layers"]),
    } | {count: sum(shard.get(count, 0) for shard in shards) for count in COUNTS}
    write_json(folder / MANIFEST, manifest)
    for path in (*folder.glob(".part-*.done"), folder / PLAN):
        path.unlink(missing_ok=True)
    return manifest
