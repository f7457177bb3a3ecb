"""Which files are meant, and what they are: by their ending, by their first bytes where those say more."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from polysema.core.errors import NotFoundError, UnreadableError
from polysema.core.files.typed_tables import dataset_files, typed_kind

KINDS = {
    ".txt": "text",
    ".text": "text",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "excel",
    ".xlsm": "excel",
}
PACKINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
# what is taken out of a folder; the rest is read when it is named, since folders hold settings and notes too
FOLDER_ENDINGS = (".txt", ".text", ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".arrow", ".feather")
STDIN = "-"
MAX_NAMES_SHOWN = 3


def find_files(given: str) -> tuple[list[Path], tuple[str, ...]]:
    """The files that a path, folder, glob or `-` stands for, and notes of what was left out of a folder."""
    if given == STDIN:
        return [_spooled(sys.stdin.buffer)], ()
    path = Path(given).expanduser()
    if path.is_dir():
        return ([one for _, one in dataset_files(path)], ()) if typed_kind(path) else _of_folder(path)
    if not path.exists() and any(sign in given for sign in "*?["):
        base = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        found = sorted(p for p in base.glob(pattern) if p.is_file())
        if not found:
            raise NotFoundError(f"no file is named like {given}")
        return found, ()
    if not path.exists():
        raise NotFoundError(f"there is no file {path}")
    if not path.is_file():
        raise UnreadableError(f"{path} is no file: give a file of texts, or a folder of them")
    return [path], ()


def ending_of(path: Path) -> str:
    """The last ending before that of the packing, in lower case: `.csv` of `a.CSV.gz`."""
    endings = [ending.lower() for ending in path.suffixes]
    while endings and endings[-1] in PACKINGS:
        endings.pop()
    return endings[-1] if endings else ""


def kind_of(path: Path) -> str:
    """`text`, `csv`, `tsv`, `json`, `jsonl`, `parquet`, `arrow` or `excel`, by the ending, and by content where that
    says more.
    """
    if found := typed_kind(path):
        return found.lower()
    return KINDS.get(ending_of(path), "text")


def shown_names(paths: Sequence["Path | str"]) -> str:
    """Names for a message, the first of many."""
    shown = ", ".join(
        "standard input" if str(one) == STDIN else str(Path(one).name or one) for one in paths[:MAX_NAMES_SHOWN]
    )
    more = len(paths) - MAX_NAMES_SHOWN
    return shown + (f" and {more:,} more" if more > 0 else "")


def _of_folder(path: Path) -> tuple[list[Path], tuple[str, ...]]:
    there = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
    for endings in (FOLDER_ENDINGS, tuple(KINDS)):
        found = [p for p in there if _plain_ending(p) in endings]
        if found:
            left = [p for p in there if p not in set(found)]
            note = f"{len(left):,} files of {path} were left out: {shown_names(left)}; name a file to have it read"
            return found, (note,) if left else ()
    raise NotFoundError(f"{path} holds no file of texts: none ends in {', '.join(KINDS)} (or those with .gz)")


def _plain_ending(path: Path) -> str:
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


_SPOOLED: list[object] = []  # kept open: the file goes with the process


def _spooled(stream: IO[bytes]) -> Path:
    spooled = tempfile.NamedTemporaryFile(prefix="polysema-", suffix="")  # noqa: SIM115 -- lives as long as the process
    shutil.copyfileobj(stream, spooled)
    spooled.flush()
    _SPOOLED.append(spooled)
    return Path(spooled.name)
