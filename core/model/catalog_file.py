"""The rows of a catalog file, in TOML or JSON: that of polysema and a user's own."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polysema.core.errors import UnreadableError, UserError
from polysema.core.space.space import Family

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
TEXTS = (
    *("summary", "license", "package", "version", "folder", "extra", "convert", "reads"),
    *("hub", "revision", "path", "url", "sha256"),
)
FIELDS = {"name", "family", "wheel_bytes", "shipped", "unpinned", "converted", "files", *TEXTS}


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the weights: its path in the package or repository, its size, and its sha256.

    Of a file of the hub `bytes` may be 0 and `sha256` empty: then what the hub itself states is taken.
    """

    path: str
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One row of the catalog. `members` are the files that hold the weights and what they need.

    `folder` is the path below site-packages where an installed package has them. An entry that is `shipped` is part of
    polysema itself: `folder` is below `polysema/`. `reads` says what the model was made for: `texts`, `letters` (of one
    word) or short `sentences`. An entry of the hub has `hub`, `owner/name`, and `revision` in place of a package: a
    commit, or, where it is `unpinned`, a branch; the files of `converted` are those of the pull request that holds them
    as safetensors. One of an archive has its `url`, and its size and hash in `wheel_bytes` and `sha256`; one of a
    user's own catalog may have the `path` of a folder or file on the machine.
    """

    name: str
    family: Family
    summary: str
    license: str
    package: str
    version: str
    wheel_bytes: int
    folder: str
    members: tuple[Member, ...]
    extra: str = ""
    convert: str = ""
    shipped: bool = False
    reads: str = "texts"
    hub: str = ""
    revision: str = ""
    path: str = ""
    url: str = ""
    sha256: str = ""
    unpinned: bool = False
    converted: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """What is pinned: the requirement that pip understands; of a shipped entry polysema and the version of the
        weights; of one of the hub its id and commit; of a file or folder of a user's own nothing.
        """
        if self.hub:
            return f"{self.hub}@{self.revision}" if self.revision else self.hub
        if self.path or self.url:
            return self.url
        return f"{self.package} (weights {self.version})" if self.shipped else f"{self.package}=={self.version}"


def check_model_name(name: str) -> None:
    """Refuse what can't be the name of a model.

    Args:
        name: Any text.

    Raises:
        PolysemaError: It is a path, or has other characters than a name.
    """
    if NAME.fullmatch(name) is None or ".." in name:
        raise UserError(
            "a name of a model has small letters, digits, '-', '_' and single dots, at most 64, and no path; got "
            f"{name!r:.80}"
        )


def read_catalog(path: Path) -> tuple[CatalogEntry, ...]:
    """The rows of a catalog file.

    Args:
        path: A `.toml` file with `[[model]]` tables, or a `.json` file with a list under `model`.

    Returns:
        A row a model, in the file's order.

    Raises:
        UnreadableError: The file can't be read, or a row of it is wrong: the message names it.
    """
    try:
        text = path.read_text(encoding="utf-8")
        fields = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise UnreadableError(f"the catalog {path} can't be read: {error}") from None
    rows = fields.get("model") if isinstance(fields, dict) else None
    if not isinstance(rows, list):
        raise UnreadableError(f"the catalog {path} has no list of models: write [[model]] before the fields of each")
    entries = tuple(_entry(path, number, row) for number, row in enumerate(rows, 1))
    names = [entry.name for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UnreadableError(f"the catalog {path} has two models of the name {twice!r}")
    return entries


def _entry(path: Path, number: int, row: object) -> CatalogEntry:
    """One row; raises `UnreadableError` naming what is wrong with it."""
    fields: dict[str, Any] = row if isinstance(row, dict) else {}
    name = fields.get("name")
    where = f"the catalog {path}, model {number}" + (f" ({name!r:.60})" if name is not None else "")
    if not isinstance(name, str) or NAME.fullmatch(name) is None or ".." in name:
        raise UnreadableError(f"{where}: it needs a name of small letters, digits, '-', '_' and single dots")
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise UnreadableError(f"{where}: {unknown[0]!r} is no field; there are {', '.join(sorted(FIELDS))}")
    wrong = next((field for field in TEXTS if not isinstance(fields.get(field, ""), str)), None)
    if wrong is not None:
        raise UnreadableError(f"{where}: {wrong} is a string; got {fields[wrong]!r:.60}")
    family = fields.get("family")
    if family not in {one.value for one in Family}:
        allowed = ", ".join(one.value for one in Family)
        raise UnreadableError(f"{where}: family {family!r:.60} does not exist; choose one of {allowed}")
    sources = [source for source in ("package", "hub", "path", "url") if fields.get(source)]
    if len(sources) != 1:
        raise UnreadableError(
            f"{where}: say where it is by one of package, hub and path; got {len(sources)} of them (url: an archive)"
        )
    if fields.get("hub"):
        _check_hub(where, fields)
    if fields.get("url"):
        _check_archive(where, fields)
    members = tuple(_member(where, file) for file in fields.get("files", []))
    if fields.get("package") and (not members or not all(member.sha256 for member in members)):
        raise UnreadableError(f"{where}: files of a package need path, bytes and sha256 each")
    texts = {field: fields.get(field, "") for field in TEXTS}
    return CatalogEntry(
        **{**texts, "reads": texts["reads"] or "texts", "version": texts["version"] or texts["revision"][:12]},
        name=name,
        family=Family(family),
        wheel_bytes=int(fields.get("wheel_bytes", 0)),
        members=members,
        shipped=bool(fields.get("shipped", False)),
        unpinned=bool(fields.get("unpinned", False)),
        converted=tuple(map(str, fields.get("converted", ()))),
    )


def _check_hub(where: str, fields: dict[str, Any]) -> None:
    if HUB_ID.fullmatch(fields["hub"]) is None or ".." in fields["hub"]:
        raise UnreadableError(f"{where}: hub is an id such as owner/name; got {fields['hub']!r:.60}")
    if COMMIT.fullmatch(fields.get("revision", "")) is None and not (fields.get("unpinned") and fields.get("revision")):
        raise UnreadableError(
            f"{where}: revision is a commit of the hub, 40 hexadecimal digits (or, with unpinned = true, a branch)"
        )


def _check_archive(where: str, fields: dict[str, Any]) -> None:
    if not fields["url"].startswith("https://"):
        raise UnreadableError(f"{where}: url begins with https://; got {fields['url']!r:.80}")
    if SHA256.fullmatch(fields.get("sha256", "")) is None or not fields.get("files"):
        raise UnreadableError(f"{where}: an archive needs its sha256 (64 hexadecimal digits), and the files in it")


def _member(where: str, file: object) -> Member:
    fields: dict[str, Any] = file if isinstance(file, dict) else {}
    path, size, sha256 = fields.get("path"), fields.get("bytes", 0), fields.get("sha256", "")
    if not isinstance(path, str) or not path or Path(path).is_absolute() or ".." in Path(path).parts:
        raise UnreadableError(f"{where}: a file needs a path below its folder; got {path!r:.60}")
    if not isinstance(size, int) or size < 0 or (sha256 and SHA256.fullmatch(str(sha256)) is None):
        raise UnreadableError(f"{where}: {path} needs bytes (a whole number) and sha256 (64 hexadecimal digits)")
    return Member(path, size, str(sha256))
