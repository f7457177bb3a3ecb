"""What a collection can do, whichever engine holds it: `Collection` on a disk, `MilvusCollection` on a server."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy.typing as npt
import pyarrow as pa

from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints, Origin, Space

if TYPE_CHECKING:
    from polysema.indexes.filters import Filter
    from polysema.indexes.index_spec import IndexSpec
    from polysema.indexes.store.batch import Batch
    from polysema.indexes.store.manifest import Manifest, SpaceCard
    from polysema.indexes.store.matches import Matches


class IndexedPart(NamedTuple):
    """Some rows of a space that are searched together: how many are there, how many were when they were put together,
    and the card of their index (its recipe and what it was measured to find), None where each of them is compared.
    """

    rows: int
    built: int
    card: "Mapping[str, Any] | None"


class Contents(Protocol):
    """What is in a collection: `version` counts its changes (0 where the engine counts none), `what` is the last."""

    @property
    def collection(self) -> str:
        """The id that no other collection has."""

    @property
    def version(self) -> int:
        """Which version it is."""

    @property
    def what(self) -> str:
        """The change that made the version."""

    @property
    def spaces(self) -> "Mapping[str, SpaceCard]":
        """The spaces by name."""

    @property
    def columns(self) -> pa.Schema:
        """The columns beside ids and vectors."""

    @property
    def n_rows(self) -> int:
        """Rows of all spaces together."""


class MatchedRows(Protocol):
    """Where the rows of a search's answer are read: `places` and `rows` say which, as in `Matches`."""

    @property
    def manifest(self) -> Contents:
        """What was searched."""

    @property
    def schema(self) -> pa.Schema:
        """The `id` and the columns."""

    def card(self, space: str | None) -> "SpaceCard":
        """The card of a space."""

    def table(self, space: str, places: Ints, rows: Ints, names: Sequence[str] | None = None) -> pa.Table:
        """The id and the columns (all, or those named) of rows."""

    def vectors(self, space: str, places: Ints, rows: Ints) -> Floats:
        """The vectors of rows: (n, dim)."""


class View(Protocol):
    """What a collection holds, to be read."""

    @property
    def manifest(self) -> Contents:
        """Its spaces, columns and version."""

    @property
    def schema(self) -> pa.Schema:
        """What conditions and tables can be made of: `id` and the columns."""

    def name(self, space: str | None) -> str:
        """The space that is meant: the only one where none is named."""

    def card(self, space: str | None) -> "SpaceCard":
        """The card of a space."""

    def n_rows(self, space: str | None = None, where: "str | Filter | None" = None) -> int:
        """Rows that are there in one space, or those that pass."""

    def parts(self, space: str) -> "list[IndexedPart]":
        """The rows of a space by the index that they have."""

    def batches(self, space: str | None, where: "str | Filter | None" = None) -> "Iterator[Batch]":
        """The rows of a space, or those that pass, some thousands at a time."""


class Spaces(Protocol):
    """The spaces of a collection, each of one width, metric and origin."""

    def names(self) -> list[str]:
        """Their names, in the order in which they were made."""

    def create(self, name: str, dim: int, metric: "Metric | str" = ..., origin: Origin | None = None) -> None:
        """Make an empty space; the same once more is no change."""

    def drop(self, name: str) -> None:
        """Take a space and its rows out."""


class History(Protocol):
    """The versions of a collection; an engine without them says so when one is wanted of it."""

    def read_view(self) -> "View | None":
        """The newest version where it was read already; None where finding out takes longer than a look."""

    def versions(self) -> "list[Manifest]":
        """What one can go back to, oldest first."""

    def snapshots(self) -> "dict[str, Manifest]":
        """The versions that have a name."""

    def snapshot(self, name: str) -> int:
        """Give the current version a name under which it is kept."""

    def drop_snapshot(self, name: str) -> None:
        """Take a snapshot's name away."""

    def restore(self, version: "int | str") -> int:
        """Make an earlier version the current one again."""

    def collect(self, keep: int | None = None) -> int:
        """Remove what only old versions need."""


class Columns(Protocol):
    """The columns of a collection."""

    def widen(self, column: str, kind: "str | pa.DataType") -> str:
        """Give a column a type that holds all of its values and more."""


class VectorCollection(Protocol):
    """A collection on any engine; `Collection` says what each method takes, gives and raises."""

    @property
    def root(self) -> "Path | str":
        """Its folder, or its address."""

    @property
    def spaces(self) -> Spaces:
        """Its spaces."""

    @property
    def history(self) -> History:
        """Its versions."""

    @property
    def columns(self) -> Columns:
        """Its columns."""

    def __len__(self) -> int: ...

    def view(self) -> View:
        """What it holds now."""

    def search(
        self,
        queries: "npt.ArrayLike",
        k: int = 10,
        where: "str | Filter | None" = None,
        *,
        space: str | None = None,
        recall: float | None = None,
        exact: bool = False,
    ) -> "Matches":
        """The k best rows for each query, of those that pass a condition."""

    def get(self, ids: Sequence[str], space: str | None = None) -> Space:
        """The vectors and columns of some ids."""

    def space(self, space: str | None = None, where: "str | Filter | None" = None) -> Space:
        """All rows of a space, or those that pass a condition, in memory."""

    def add(
        self,
        ids: "Sequence[str] | pa.Array",
        vectors: "npt.ArrayLike",
        columns: "pa.Table | Mapping[str, Any] | None" = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """Add rows with ids that are new to the space; how many."""

    def upsert(
        self,
        ids: "Sequence[str] | pa.Array",
        vectors: "npt.ArrayLike",
        columns: "pa.Table | Mapping[str, Any] | None" = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """As `add`, in the place of rows with the same ids; how many of these were there."""

    def delete(
        self,
        ids: "Sequence[str] | pa.Array | None" = None,
        space: str | None = None,
        *,
        where: "str | Filter | None" = None,
    ) -> int:
        """Delete rows of some ids, or those that pass a condition; how many."""

    def compact(
        self,
        space: str | None = None,
        index: "IndexSpec | str | None" = None,
        progress: Progress = no_progress,
        *,
        memory_bytes: int | None = None,
        recall: float | None = None,
    ) -> str:
        """Put a space's rows together and build its index; why that one was taken."""
