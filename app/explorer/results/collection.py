"""Answers about collections: what they hold, what changed, what was found."""

from dataclasses import dataclass
from typing import Any

from polysema.core.space.metric import Metric
from polysema.core.space.space import Origin


@dataclass(frozen=True, slots=True)
class CollectionNames:
    """The collections that are there."""

    collections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CollectionSpace:
    """One space of a collection; `index` says which index how many of its rows have."""

    rows: int
    dim: int
    metric: Metric
    origin: Origin | None
    segments: int
    index: str


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What a collection holds; `what` is the change that made its `version`."""

    name: str
    rows: int
    version: int
    what: str
    snapshots: tuple[str, ...]
    columns: dict[str, str]
    spaces: dict[str, CollectionSpace]


@dataclass(frozen=True, slots=True)
class CollectionDeleted:
    """The collection that is no more."""

    deleted: str


@dataclass(frozen=True, slots=True)
class RowsAdded:
    """How many rows are new, and how many there are now."""

    added: int
    rows: int
    version: int


@dataclass(frozen=True, slots=True)
class RowsReplaced:
    """How many rows took the place of others, and how many there are now."""

    replaced: int
    rows: int
    version: int


@dataclass(frozen=True, slots=True)
class RowsDeleted:
    """How many rows went, and how many there are now."""

    deleted: int
    rows: int
    version: int


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """For each query its rows, best first: `id`, `score`, `rank` and their columns; the version that was searched, and
    the recall to expect (None: never measured).
    """

    answers: tuple[tuple[dict[str, Any], ...], ...]
    version: int
    recall: float | None
    space: str


@dataclass(frozen=True, slots=True)
class CollectionVersion:
    """A version that one can go back to, and the name under which it is kept, if it has one."""

    version: int
    made: str
    rows: int
    what: str
    snapshot: str | None


@dataclass(frozen=True, slots=True)
class CollectionVersions:
    """The versions that are kept, oldest first."""

    versions: tuple[CollectionVersion, ...]


@dataclass(frozen=True, slots=True)
class SnapshotMade:
    """A version that has a name."""

    snapshot: str
    version: int


@dataclass(frozen=True, slots=True)
class SnapshotDropped:
    """The name that was taken away."""

    dropped: str


@dataclass(frozen=True, slots=True)
class VersionRestored:
    """The new version, which is as an earlier one was."""

    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class RecallPoint:
    """What an index was measured to find at a setting, and its queries per second."""

    rows: int
    kind: str
    setting: dict[str, float]
    recall_10: float
    recall_100: float | None
    single: float
    batch: float


@dataclass(frozen=True, slots=True)
class RecallAnswer:
    """The measures of a space's indexes; none where every answer is exact."""

    space: str
    points: tuple[RecallPoint, ...]
