"""`MilvusCollection`: the methods of `Collection` on a Milvus server or cluster, or on milvus-lite."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy.typing as npt
import pyarrow as pa

from polysema.core.argument_types import checked_arguments
from polysema.core.display import HtmlRepr
from polysema.core.errors import UserError
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import Metric
from polysema.core.space.space import Origin, Space
from polysema.indexes.collection_compaction import Compaction
from polysema.indexes.engines.address import Address
from polysema.indexes.engines.milvus.catalog import Catalog
from polysema.indexes.engines.milvus.compaction import MilvusCompaction
from polysema.indexes.engines.milvus.connection import Connection
from polysema.indexes.engines.milvus.reading import MilvusView
from polysema.indexes.engines.milvus.searching import search
from polysema.indexes.engines.milvus.writing import Writer
from polysema.indexes.filters import Filter
from polysema.indexes.index_spec import IndexSpec
from polysema.indexes.store.batch import batch_of, deleted_rows, ids_of
from polysema.indexes.store.manifest import Manifest, SpaceCard
from polysema.indexes.store.matches import Matches, Search


class MilvusSpaces:
    """The spaces of a collection on Milvus, each a collection of Milvus' own."""

    def __init__(self, writer: Writer):
        self._writer = writer

    def names(self) -> list[str]:
        """Their names, in the order in which they were made."""
        return list(self._writer.view().entry.spaces)

    def create(self, name: str, dim: int, metric: "Metric | str" = Metric.COSINE, origin: Origin | None = None) -> None:
        """Make an empty space; the same once more is no change. Raises `ConflictError` for another of that name."""
        self._writer.create_space(name, SpaceCard(int(dim), Metric.parse(metric), origin))

    def drop(self, name: str) -> None:
        """Take a space and its rows out; raises `NotFoundError`."""
        self._writer.drop_space(self._writer.view().name(name))


class MilvusHistory:
    """Milvus keeps no versions: what one would do with them is refused by name, with the way that there is."""

    def __init__(self, address: Address):
        self._address = address

    def read_view(self) -> None:
        """Nothing is known without asking Milvus."""
        return

    def versions(self) -> list[Manifest]:
        """None is kept; refused."""
        self._refuse("versions")

    def snapshots(self) -> dict[str, Manifest]:
        """There are none."""
        return {}

    def snapshot(self, name: str) -> int:
        """Refused."""
        self._refuse("snapshots")

    def drop_snapshot(self, name: str) -> None:
        """Refused."""
        self._refuse("snapshots")

    def restore(self, version: "int | str") -> int:
        """Refused."""
        self._refuse("versions to restore")

    def collect(self, keep: int | None = None) -> int:
        """Refused."""
        self._refuse("versions to collect")

    def _refuse(self, what: str) -> NoReturn:
        raise UserError(
            f"{self._address}: Milvus has no {what}; copy it to a folder with `polysema collection copy "
            f"{self._address} FOLDER`, whose every change is a version"
        )


class MilvusColumns:
    """The columns of a collection on Milvus."""

    def __init__(self, address: Address):
        self._address = address

    def widen(self, column: str, kind: "str | pa.DataType") -> str:
        """Refused: rows that are there would have to be written anew."""
        raise UserError(
            f"{self._address}: Milvus can't give the column {column!r:.80} another type; copy the collection to a "
            f"folder with `polysema collection copy {self._address} FOLDER`, widen the column there, and copy it back"
        )


@checked_arguments
class MilvusCollection(HtmlRepr):
    """A collection on Milvus; `Collection.open` and `Collection.create` make one of an address.

    A change is acknowledged when Milvus has it in its log; rows are found as soon as they are acknowledged. Rows of a
    batch may be seen before its last one is there. Safe to share between threads.
    """

    def __init__(self, address: Address):
        """Open the collection at an address; raises `NotFoundError`, `UnavailableError`."""
        self.address, self.root = address, str(address)
        self._connection = Connection(address)
        self._catalog = Catalog(self._connection)
        self._writer = Writer(self._connection, self._catalog)
        self.spaces, self.history = MilvusSpaces(self._writer), MilvusHistory(address)
        self.columns = MilvusColumns(address)
        self._catalog.read()

    @classmethod
    def create(cls, address: Address) -> "MilvusCollection":
        """Make an empty collection at an address; raises `ConflictError` where there is one."""
        Catalog(Connection(address)).make()
        return cls(address)

    def __repr__(self) -> str:
        return f"MilvusCollection({self.root!r})"

    def __len__(self) -> int:
        return self.view().manifest.n_rows

    def view(self) -> MilvusView:
        """What it holds now."""
        return MilvusView(self._connection, self._catalog.read())

    def search(
        self,
        queries: "npt.ArrayLike",
        k: int = 10,
        where: "str | Filter | None" = None,
        *,
        space: str | None = None,
        recall: float | None = None,
        exact: bool = False,
    ) -> Matches:
        """The k best rows for each query, of those that pass a condition. See `Collection.search`."""
        return search(self.view(), queries, Search(k, space, where, recall, exact))  # type: ignore[arg-type]

    def get(self, ids: Sequence[str], space: str | None = None) -> Space:
        """The vectors and columns of some ids. See `Collection.get`."""
        return self.view().get(space, ids_of(ids))

    def space(self, space: str | None = None, where: "str | Filter | None" = None) -> Space:
        """All rows of a space, or those that pass a condition, in memory. See `Collection.space`."""
        return self.view().space(space, where)

    def add(
        self,
        ids: "Sequence[str] | pa.Array",
        vectors: "npt.ArrayLike",
        columns: "pa.Table | Mapping[str, Any] | None" = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """Add rows with ids that are new to the space. See `Collection.add`."""
        return self._writer.put(space, batch_of(ids, vectors, columns, None), origin, False)

    def upsert(
        self,
        ids: "Sequence[str] | pa.Array",
        vectors: "npt.ArrayLike",
        columns: "pa.Table | Mapping[str, Any] | None" = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """As `add`, in the place of rows with the same ids. See `Collection.upsert`."""
        return self._writer.put(space, batch_of(ids, vectors, columns, None), origin, True)

    def delete(
        self,
        ids: "Sequence[str] | pa.Array | None" = None,
        space: str | None = None,
        *,
        where: "str | Filter | None" = None,
    ) -> int:
        """Delete rows of some ids, or those that pass a condition. See `Collection.delete`."""
        wanted = deleted_rows(ids, where)
        if isinstance(wanted, Filter):
            return self._writer.delete_where(space, wanted)
        return self._writer.delete(space, wanted)

    def compact(
        self,
        space: str | None = None,
        index: "IndexSpec | str | None" = None,
        progress: Progress = no_progress,
        *,
        memory_bytes: int | None = None,
        recall: float | None = None,
    ) -> str:
        """Build a space's index: its rows are written together, its recall is measured. See `Collection.compact`."""
        how = Compaction(space, index, memory_bytes, recall)
        return MilvusCompaction(self._connection, self._catalog, progress).run(how)

    def drop(self) -> None:
        """Remove the collection and all its rows from Milvus."""
        self._writer.drop()
