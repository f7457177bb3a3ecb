"""Files that were handed over in the browser: known by their content, kept on this machine until they are in a
collection.

An upload is a folder `uploads/<key>` of the home folder, there whole or not at all; one that nobody has used for a day
is removed. `uploads/known/` remembers, by content, which collections a file went into.
"""

import hashlib
import json
import os
import re
import shlex
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from polysema.app.collection.upload_kind import SNIFFED_BYTES, has_only_numbers
from polysema.app.collection.uploaded_files import Upload, check_unpacked_size, messages_name_files
from polysema.core.atomic import atomic_folder, atomic_write, prune, sweep
from polysema.core.environment import home
from polysema.core.errors import BusyError, NotFoundError, UnreadableError, UserError
from polysema.core.files.typed_tables import dataset_files, typed_kind
from polysema.core.files.vector_cache import fingerprint
from polysema.core.locks import file_lock
from polysema.core.progress import Progress, no_progress

KEPT_SECONDS = 86_400
UPLOADS = "[0-9a-f]" * 32  # the names of their folders
MAX_SNIFFED_FILES = 2000
MAX_FILES = 20


@dataclass(frozen=True, slots=True)
class UploadColumns:
    """Where a content went before: the file's name then, the collection, its spaces, and when."""

    name: str
    collection: str
    spaces: tuple[str, ...]
    when: str


def key_of(files: Sequence[tuple[str, bytes]]) -> str:
    """What these files are called among the uploads: the same for the same names and contents."""
    named = [[name, hashlib.sha256(content).hexdigest()] for name, content in files]
    return hashlib.sha256(json.dumps(named).encode("utf-8", "replace")).hexdigest()[:32]


def receive(files: Sequence[tuple[str, bytes]], most_bytes: int) -> Upload:
    """Keep uploaded files (name, content); the same ones once more are not written again.

    Raises `UserError` for none, too many, or more than `most_bytes` of them, `UnreadableError` for an empty one and for
    a packed one that would unfold beyond measure.
    """
    if not 1 <= len(files) <= MAX_FILES:
        raise UserError(f"give 1 to {MAX_FILES} files; got {len(files)}")
    size = sum(len(content) for _, content in files)
    if size > most_bytes:
        raise UserError(
            f"{size:,} bytes are more than the {most_bytes:,} that are taken here (POLYSEMA_MAX_UPLOAD sets it): "
            f"open it by its path, or run `polysema export {_shell_name(files)} out` for texts, `polysema collection "
            f"import mine {_shell_name(files)}` for vectors, which have no limit"
        )
    names, read = _arranged(_plain_names([name for name, _ in files]), [content for _, content in files])
    for name, (_, content) in zip(names, files, strict=True):
        if not content:
            raise UnreadableError(f"{name} is empty")
    _sweep()
    key = key_of(files)
    folder = _root() / key
    if folder.is_dir():
        os.utime(folder)
    else:
        _write(folder, list(zip(names, [content for _, content in files], strict=True)), most_bytes)
    hashes = sorted(hashlib.sha256(content).hexdigest() for _, content in files)
    sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    shown = ", ".join(name for name, _ in files)[:120]
    return Upload(shown, folder, tuple(folder / name for name in read), key, sha256, size)


def _shell_name(files: Sequence[tuple[str, bytes]]) -> str:
    return shlex.quote(Path(files[0][0]).name or "FILE")


def open_path(given: str, progress: Progress = no_progress) -> Upload:
    """A file of this machine, or a folder that Hugging Face's `datasets` saved, read where it lies.

    Raises `NotFoundError` and `UserError` for what isn't there, is another folder or no file, or can't be read.
    """
    path = Path(given.strip()).expanduser()
    if not given.strip():
        raise UserError("give the path of a file on this machine, such as /home/me/reviews.parquet")
    try:
        path = path.resolve()
        if not path.exists():
            raise NotFoundError(f"there is no file {path}")
        if path.is_dir() and not typed_kind(path):
            raise UserError(f"{path} is a folder: give one of its files, or a folder that datasets saved")
        if not path.is_dir() and not path.is_file():
            raise UserError(f"{path} is no file: give a file of texts or of vectors")
        progress(f"read {path.name}", 0, 0)
        files = [one for _, one in dataset_files(path)] if path.is_dir() else [path]
        sha256 = fingerprint(files)
        size = sum(one.stat().st_size for one in files)
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from None
    if not size:
        raise UnreadableError(f"{path} is empty")
    key = hashlib.sha256(f"{path}\0{sha256}".encode("utf-8", "replace")).hexdigest()[:32]
    folder = _root() / key
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.utime(folder)
    except OSError as error:
        raise UserError(f"what is made of it can't be kept in {_root()}: {error.strerror or error}") from None
    return Upload(path.name, folder, (path,), key, sha256, size, by_path=True)


def _write(folder: Path, files: list[tuple[str, bytes]], most_bytes: int) -> None:
    try:
        with atomic_folder(folder, durable=False, mode=0o700) as part:
            for name, content in files:
                (part / name).write_bytes(content)
            with messages_name_files(part):
                for name, _ in files:
                    check_unpacked_size(part / name, most_bytes)
    except OSError as error:
        if not folder.is_dir():  # else another session was first
            raise UserError(f"the upload can't be kept in {_root()}: {error.strerror or error}") from None


@contextmanager
def in_use(upload: Upload) -> Iterator[None]:
    """While it lasts nobody's `forget` removes the upload; raises `UserError` when somebody's has."""
    gone = f"{upload.name} is no longer here; upload it again"
    mine = _root() / f"{_locks(upload)}{uuid.uuid4().hex}.lock"
    with ExitStack() as stack:
        try:
            with _gate(upload):
                if not upload.folder.is_dir():
                    raise UserError(gone)
                stack.enter_context(file_lock(mine, 0, f"{upload.name} is in use", remove=True))
        except OSError:
            raise UserError(gone) from None
        yield


def forget(upload: Upload) -> None:
    """Remove the files of an upload and what was begun with them; not while somebody else works with them, who does it
    then.
    """
    with suppress(OSError, BusyError), _gate(upload):
        for path in _root().glob(f"{_locks(upload)}*.lock"):
            with file_lock(path, 0, f"{upload.name} is in use", remove=True):
                pass  # its owner was killed
        shutil.rmtree(upload.folder, ignore_errors=True)


def _locks(upload: Upload) -> str:
    """What the names of the lock files of those begin with who work with an upload: one each."""
    return f".{upload.key}.in-use-"


def _gate(upload: Upload) -> AbstractContextManager[None]:
    """A lock taken for a moment by a request for an upload and by the one that removes it."""
    return file_lock(_root() / f".{upload.key}.lock", 30, f"{upload.name} is being removed", remove=True)


def remember(upload: Upload, collection: str, spaces: Sequence[str]) -> None:
    """Note that a content went into a collection."""
    folder = _root() / "known"
    path = folder / f"{upload.sha256}.json"
    rows = [[known.name, known.collection, list(known.spaces), known.when] for known in _noted(path)]
    rows = [row for row in rows if row[1] != collection or row[2] != list(spaces)][-19:]
    rows.append([upload.name, collection, list(spaces), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")])
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write(path, json.dumps(rows).encode("utf-8", "replace"), durable=False)
        sweep(folder)
        prune(folder, "*.json", max_files=MAX_SNIFFED_FILES)


def went_into(sha256: str) -> tuple[UploadColumns, ...]:
    """Where this content went before, newest last (the collections may be gone since)."""
    return _noted(_root() / "known" / f"{sha256}.json")


def _noted(path: Path) -> tuple[UploadColumns, ...]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            UploadColumns(str(name), str(one), tuple(map(str, spaces)), str(when)) for name, one, spaces, when in rows
        )
    except (OSError, ValueError, TypeError):
        return ()


def _root() -> Path:
    return home() / "uploads"


def _sweep() -> None:
    """Remove uploads, and parts of them, that nothing has touched for a day."""
    sweep(_root())
    prune(_root(), UPLOADS, max_age_seconds=KEPT_SECONDS)


def _plain_names(names: Sequence[str]) -> list[str]:
    """Names that are files of one folder, whatever was given, each once; the ending stays."""
    plain: list[str] = []
    for place, name in enumerate(names):
        last = re.split(r"[/\\]", name)[-1]
        kept = re.sub(r"[^\w.-]+", "_", last).lstrip(".")[-100:].lstrip(".") or f"file-{place + 1}"
        plain.append(f"{place + 1}-{kept}" if kept in plain else kept)
    return plain


def _arranged(names: list[str], contents: list[bytes]) -> tuple[list[str], list[str]]:
    """Under which names files are kept, and which of them are read: of a table of vectors and its words beside it the
    table, and the words get the name that is looked for.
    """
    if len(names) != 2:
        return names, names
    tables = [content.startswith((b"\x93NUMPY", b"PK")) or content[8:9] == b"{" for content in contents]
    if tables.count(True) == 1:
        main, ending = tables.index(True), ".vocab"
    elif all(name.lower().endswith(".tsv") for name in names):
        numbers = [has_only_numbers(content[:SNIFFED_BYTES]) for content in contents]
        if numbers.count(True) != 1:
            return names, names
        main, ending = numbers.index(True), "_metadata.tsv"
    else:
        return names, names
    kept = list(names)
    kept[1 - main] = f"{Path(names[main]).name.removesuffix(Path(names[main]).suffix)}{ending}"
    return kept, [names[main]]
