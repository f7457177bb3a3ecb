"""Bring a file over HTTP: what has arrived is kept, and the next try goes on behind it."""

import hashlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polysema.core.errors import UnavailableError

CHUNK = 1 << 20
WAIT_SECONDS = 20.0  # seconds in which the other side has to send something
TRIES = 4  # times that a connection may be cut at one place
HASH_NAMES = {64: "sha256", 40: "git's sha1"}
SCHEMES = ("https://", "http://")
FAULTS = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file elsewhere: its path below the folder it is put into, its address, and what is known of its bytes.

    `bytes` is 0 and `digest` empty where that is unknown; a digest is a sha256 (64 digits) or, as the hub tells it of
    small files, git's sha1 of the content (40 digits).
    """

    path: str
    address: str
    bytes: int = 0
    digest: str = ""


def fetch(file: RemoteFile, target: Path, advance: Callable[[int], None]) -> None:
    """Bring a file, from where an earlier try ended, and compare it with its digest.

    Args:
        file: What is brought.
        target: Where it is put; what is there already is its beginning.
        advance: Told how many bytes of it are there; what it raises ends the work, and what has arrived stays.

    Raises:
        UnavailableError: It can't be reached, the connection is cut again and again, or it has other bytes: then it is
            deleted.
    """
    tries = 0
    while True:
        before = _size(target)
        try:
            _append(file, target, advance)
            break
        except urllib.error.HTTPError as error:
            raise UnavailableError(f"{file.address} could not be brought: {error.code} {error.reason}") from None
        except FAULTS as error:
            if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
                raise  # of the disk
            tries = 0 if _size(target) > before else tries + 1
            if tries >= TRIES or (not before and _size(target) == 0):
                kept = "; what has arrived is kept, and the next try goes on behind it" if _size(target) else ""
                raise UnavailableError(f"{file.address} could not be brought ({_reason(error)}){kept}") from None
    check(file, target)


def read_json(address: str) -> dict[str, Any]:
    """What an address answers, an object of JSON.

    Args:
        address: Of an API.

    Returns:
        Its fields.

    Raises:
        UnavailableError: It can't be reached, or answers something else.
    """
    try:
        with _open(address, {}) as answer:
            fields = json.loads(answer.read())
            return fields if isinstance(fields, dict) else {}
    except urllib.error.HTTPError as error:
        raise UnavailableError(f"{address} answers {error.code} {error.reason}") from None
    except FAULTS as error:
        raise UnavailableError(f"{address} can't be reached ({_reason(error)})") from None


def check(file: RemoteFile, target: Path) -> None:
    """Compare a file with what is known of it; one with other bytes is deleted.

    Args:
        file: What it should be.
        target: Where it is.

    Raises:
        UnavailableError: It has another size or another digest.
    """
    size = target.stat().st_size
    found = sha256_of(target) if len(file.digest) != 40 else git_sha1_of(target)
    if (file.bytes and size != file.bytes) or (file.digest and found != file.digest):
        target.unlink()
        name = HASH_NAMES.get(len(file.digest), "size")
        raise UnavailableError(
            f"{file.path} from {file.address} has other bytes than its {name} says ({size:,} bytes, {found[:16]}…); "
            "nothing of it was kept. Try again, or see who answers in the place of the hub"
        )


def sha256_of(path: Path) -> str:
    """sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_sha1_of(path: Path) -> str:
    """What git calls a file with this content, 40 hexadecimal digits."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _append(file: RemoteFile, target: Path, advance: Callable[[int], None]) -> None:
    """The rest of a file, or all of it where the other side doesn't send parts."""
    there = _size(target)
    if file.bytes and there == file.bytes:
        return
    if file.bytes and there > file.bytes:
        target.unlink()
        there = 0
    with _open(file.address, {"Range": f"bytes={there}-"} if there else {}) as answer:
        whole = answer.status != 206
        expected = int(answer.headers.get("Content-Length") or 0) + (0 if whole else there)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb" if whole else "ab") as out:
            done = 0 if whole else there
            advance(done)
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                done += len(chunk)
                if file.bytes and done > file.bytes:
                    break  # `check` says that it is another file
                advance(done)
    if done < (file.bytes or expected):
        raise http.client.IncompleteRead(b"", (file.bytes or expected) - done)


def _open(address: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    if not address.startswith(SCHEMES):
        raise ValueError(f"an address begins with {' or '.join(SCHEMES)}; got {address[:80]!r}")
    request = urllib.request.Request(address, headers={"User-Agent": "polysema", **headers})  # noqa: S310
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=WAIT_SECONDS)  # noqa: S310
    return answer


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{str(reason)[:120] or type(error).__name__}"
