"""What a version of a collection consists of, and how a version becomes the current one.

    <collection>/
      FORMAT                      which format this is, and the id of the collection; written once
      LOCK, COMPACTING            empty files that writers and compactions lock; readers lock nothing
      VERSIONS-<oldest>-<newest>  an empty file whose name says which versions are kept (`version_span`)
      manifests/<20 digits>.json  a version: immutable, sealed with its own SHA-256; the highest number is current
      snapshots/<name>.json       second names of manifests that are to be kept
      snapshots/<name>.<sha256>…  an empty mark of each (`snapshot_marks`)
      segments/<id>.parquet       ids, columns and vectors of some rows: the truth
      segments/<id>.npy           the same vectors, to be mapped; derived, for large segments
      segments/<id>.faiss         the index of a segment; derived
      segments/<id>.dead          which rows of a segment are deleted or replaced

A commit writes and syncs new files, syncs their folder, writes and syncs the manifest under a temporary name, links it
to the next number (which fails when another writer was there first; see `naming` for disks without links), syncs the
folder of manifests, and only then is acknowledged. Nothing that a version refers to is ever renamed or edited.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from polysema.core.errors import ConflictError, CorruptError, IncompatibleError, NotFoundError, UserError
from polysema.core.space.metric import Metric
from polysema.core.space.space import Origin
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.naming import draft_of, give_name, is_sealed, read_sealed
from polysema.indexes.store.new_file import FileRef, discard, write_file
from polysema.indexes.store.version_span import VersionSpan, begin_span, move_span, read_span, unbroken

FORMAT = 1
KIND = "polysema collection"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NUMBERED = re.compile(r"[0-9]{20}\.json")
FORMAT_FILE, LOCK, COMPACTING = "FORMAT", "LOCK", "COMPACTING"
MANIFESTS, SEGMENTS, SNAPSHOTS = "manifests", "segments", "snapshots"


def check_name(name: str, what: str) -> str:
    """The name back; raises `UserError` for one that could be a path or hide a file."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(
            f"{what} is named with 1 to 64 of A-Z a-z 0-9 _ . - and begins with a letter or digit; got {name!r:.80}"
        )
    return name


@dataclass(frozen=True, slots=True)
class SpaceCard:
    """A space of the collection: how wide its vectors are, how they are compared, where they come from.

    `index` is the recipe of the index that compactions build, as JSON; None for the exact search.
    """

    dim: int
    metric: Metric
    origin: Origin | None = None
    index: dict[str, Any] | None = None

    def to_json(self) -> dict[str, object]:
        """As plain JSON types."""
        origin = self.origin.to_json() if self.origin else None
        return {"dim": self.dim, "metric": self.metric.value, "origin": origin, "index": self.index}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "SpaceCard":
        """The inverse of `to_json`."""
        origin = Origin.from_json(value["origin"]) if value["origin"] else None
        return cls(value["dim"], Metric.parse(value["metric"]), origin, value["index"])


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """Some rows of one space: `data` is the truth, `vectors` and `index` are derived, `dead` marks rows that are
    gone.
    """

    space: str
    rows: int
    data: FileRef
    vectors: FileRef | None = None
    index: FileRef | None = None
    card: dict[str, Any] | None = None
    dead: FileRef | None = None
    n_dead: int = 0

    @property
    def name(self) -> str:
        """What the segment's files are called before the dot."""
        return self.data.name.partition(".")[0]

    def files(self) -> Iterator[FileRef]:
        """Every file that belongs to it."""
        yield from (file for file in (self.data, self.vectors, self.index, self.dead) if file is not None)

    def to_json(self) -> dict[str, object]:
        """As plain JSON types."""
        value: dict[str, Any] = {"space": self.space, "rows": self.rows, "n_dead": self.n_dead, "card": self.card}
        for name in ("data", "vectors", "index", "dead"):
            file = getattr(self, name)
            value[name] = file.to_json() if file else None
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "SegmentRef":
        """The inverse of `to_json`."""
        files = {
            name: FileRef.from_json(value[name]) if value[name] else None
            for name in ("data", "vectors", "index", "dead")
        }
        return cls(space=value["space"], rows=value["rows"], n_dead=value["n_dead"], card=value["card"], **files)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a collection. `columns` is the schema of the columns beside ids and vectors.

    `marked` says that the versions and snapshots that are kept have marks, which tell of one that is gone; `lost` has
    the numbers of versions that a repair found to be gone. `sha256` is that of the file that it was read from.
    """

    collection: str
    version: int = 0
    parent: str = ""
    what: str = "created"
    made: str = ""
    spaces: dict[str, SpaceCard] = field(default_factory=dict)
    columns: pa.Schema = field(default_factory=lambda: pa.schema([]))
    segments: tuple[SegmentRef, ...] = ()
    marked: bool = False
    lost: tuple[int, ...] = ()
    sha256: str = field(default="", compare=False)

    @property
    def n_rows(self) -> int:
        """Rows that are there."""
        return sum(segment.rows - segment.n_dead for segment in self.segments)

    def of(self, space: str) -> tuple[SegmentRef, ...]:
        """The segments of one space, oldest first."""
        return tuple(segment for segment in self.segments if segment.space == space)

    def next(self, what: str) -> "Manifest":
        """The version after this one, which holds the same."""
        made = datetime.now(UTC).isoformat(timespec="milliseconds")
        parent = self.sha256 or hashlib.sha256(self.sealed()).hexdigest()
        return replace(self, version=self.version + 1, parent=parent, what=what, made=made, sha256="")

    def sealed(self) -> bytes:
        """The bytes of its file, JSON and its SHA-256."""
        value: dict[str, Any] = {
            "format": FORMAT,
            "collection": self.collection,
            "version": self.version,
            "parent": self.parent,
            "what": self.what,
            "made": self.made,
            "spaces": {name: card.to_json() for name, card in self.spaces.items()},
            "columns": self.columns.serialize().to_pybytes().hex(),
            "segments": [segment.to_json() for segment in self.segments],
        }
        added = {"marked": self.marked, "lost": list(self.lost)}  # later: what isn't there is left out, as ever
        return seal(value | {name: there for name, there in added.items() if there})

    @classmethod
    def unsealed(cls, data: bytes, path: Path) -> "Manifest":
        """The inverse of `sealed`; raises `CorruptError` naming the file, `IncompatibleError` for a newer format."""
        check_format(value := unseal(data, path), path)
        try:
            return cls._of(value, hashlib.sha256(data).hexdigest())
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # another sealed file in its place
            raise CorruptError(f"{path} is no manifest ({error!r:.80}); {REPAIR}") from None

    @classmethod
    def _of(cls, value: dict[str, Any], sha256: str) -> "Manifest":
        return cls(
            collection=value["collection"],
            version=value["version"],
            parent=value["parent"],
            what=value["what"],
            made=value["made"],
            spaces={name: SpaceCard.from_json(card) for name, card in value["spaces"].items()},
            columns=pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(value["columns"]))),
            segments=tuple(SegmentRef.from_json(segment) for segment in value["segments"]),
            marked=bool(value.get("marked", False)),
            lost=tuple(value.get("lost", ())),
            sha256=sha256,
        )


def seal(value: dict[str, Any]) -> bytes:
    """JSON on a line, its SHA-256 on the next."""
    line = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n"


def unseal(data: bytes, path: Path) -> dict[str, object]:
    """What was sealed; raises `CorruptError` for any other bytes."""
    if not is_sealed(data):
        raise CorruptError(f"{path} is damaged: its seal doesn't fit its {len(data):,} bytes; {REPAIR}")
    value: dict[str, Any] = json.loads(data.partition(b"\n")[0])
    return value


def check_format(value: dict[str, Any], path: Path) -> None:
    """Raise `IncompatibleError` for a format that this version doesn't know."""
    if value.get("format") != FORMAT:
        raise IncompatibleError(
            f"{path} has format {value.get('format')}; this version of polysema reads format {FORMAT}: take a newer one"
        )


def numbered(root: Path, version: int) -> Path:
    """Where a version's manifest is."""
    return root / MANIFESTS / f"{version:020d}.json"


def versions(disk: Disk, root: Path) -> list[int]:
    """The numbers of the manifests that are kept, oldest first; raises `NotFoundError` where no collection is."""
    try:
        names = disk.names(root / MANIFESTS)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"{root} holds no collection; make one with `polysema collection create {root}` or `polysema "
            "collection import`"
        ) from None
    return [int(name[:20]) for name in names if NUMBERED.fullmatch(name)]


def read_manifest(disk: Disk, root: Path, version: int) -> Manifest:
    """A version; `FileNotFoundError` when it was collected meanwhile, `CorruptError` when it is damaged."""
    path = numbered(root, version)
    manifest = Manifest.unsealed(read_sealed(disk, path), path)
    if manifest.version != version:
        raise CorruptError(f"{path} holds version {manifest.version}: it was renamed; {REPAIR}")
    return manifest


def current(disk: Disk, root: Path) -> Manifest:
    """The newest version. A damaged one is an error: there is no silent step back to the one before."""
    for _ in range(100):
        span = read_span(disk, root)  # before the manifests are listed, which can only become more
        numbers = versions(disk, root)
        if not numbers:
            raise CorruptError(f"{root / MANIFESTS} holds no manifest: the collection's versions are lost; {REPAIR}")
        if span is not None and span.newest > numbers[-1]:
            raise CorruptError(f"{numbered(root, span.newest)} is missing, the newest version; {REPAIR}")
        try:
            return read_manifest(disk, root, numbers[-1])
        except FileNotFoundError:  # collected between the two
            continue
    raise CorruptError(f"{root / MANIFESTS} changes faster than it can be read")


def publish(disk: Disk, root: Path, manifest: Manifest) -> Manifest:
    """Make `manifest` the current version, durably, and give it back as it was written; raises `ConflictError` when
    another writer was first.

    The segments' files are synced already; their names are synced here. What marks the versions that are kept is there
    before the first manifest that says so.
    """
    folder = root / MANIFESTS
    if read_span(disk, root) is None:
        before = manifest.version - 1
        begin_span(disk, root, VersionSpan(unbroken(versions(disk, root), before), before))
        if before:
            disk.sync_folder(root)
    manifest = replace(manifest, marked=True)
    disk.sync_folder(root / SEGMENTS)
    target = numbered(root, manifest.version)
    draft = draft_of(target)
    write_file(disk, draft, manifest.sealed())
    try:
        give_name(disk, draft, target)
    except FileExistsError:
        discard(disk, draft)
        raise ConflictError(
            f"{root} got version {manifest.version} from another writer, and nothing was written here; try again"
        ) from None
    except OSError:
        if not target.exists():
            discard(disk, draft)
        raise
    disk.sync_folder(folder)
    with suppress(OSError):  # it lags behind until the next version
        move_span(disk, root, newest=manifest.version)
    discard(disk, draft)
    return manifest
