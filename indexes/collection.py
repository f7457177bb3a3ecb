"""`Collection`: a space on disk that grows, shrinks, is searched, and survives a kill."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy.typing as npt
import pyarrow as pa

from polysema.core.argument_types import checked_arguments
from polysema.core.display import HtmlRepr
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Origin, Space
from polysema.indexes.collection_columns import CollectionColumns
from polysema.indexes.collection_compaction import Compaction, compact
from polysema.indexes.collection_files import CollectionFiles, CollectionOptions
from polysema.indexes.collection_history import CollectionHistory
from polysema.indexes.collection_spaces import CollectionSpaces, named_space, put_rows
from polysema.indexes.engines.address import create_at, folder_of, is_address, open_at
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.filters import Filter
from polysema.indexes.former_names import former_method
from polysema.indexes.index_spec import IndexSpec
from polysema.indexes.store.batch import batch_of, deleted_rows, ids_of
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.layout import make, translate_os_errors
from polysema.indexes.store.matches import Matches, Search
from polysema.indexes.store.single_search import search_alone
from polysema.indexes.store.view import CollectionView
from polysema.indexes.store.view_search import search_view

__all__ = ["Collection", "CollectionOptions", "Matches"]


@checked_arguments
class Collection(HtmlRepr):
    """Vectors with ids, columns and origins in a folder: several spaces, each of one width, metric and origin.

    Any number of processes and threads read while one writes. A change is acknowledged (the call returns) when it is on
    the disk, whole; rows are found as soon as they are acknowledged, and deleted ones never.

    Example:
        >>> import tempfile
        >>> collection = Collection.create(tempfile.mkdtemp())
        >>> collection.add(["a", "b"], [[1.0, 0.0], [0.0, 1.0]], {"layer": [6, 0]})
        2
        >>> collection.search([[0.2, 0.9]], k=1).ids
        [['b']]
        >>> collection.search([[0.2, 0.9]], k=1, where="layer > 3").ids
        [['a']]
        >>> collection.delete(["b"]), len(collection)
        (1, 1)
    """

    def __init__(self, root: "Path | str", options: CollectionOptions | None = None, disk: Disk | None = None):
        """Open the collection in a folder.

        Args:
            root: The folder of a collection.
            options: How long to wait for another writer, and how many versions to keep.
            disk: What reads and writes; the file system where None.

        Raises:
            NotFoundError: There is no collection.
            CorruptError: A file of it is missing or damaged; the message names it.
            IncompatibleError: It was written by a newer version.
        """
        self.root, self.options = folder_of(root), options or CollectionOptions()
        self._files = CollectionFiles(self.root, self.options, disk or Disk())
        self.history = CollectionHistory(self._files)
        self.spaces = CollectionSpaces(self._files)
        self.columns = CollectionColumns(self._files)

    @classmethod
    def create(cls, root: "Path | str", options: CollectionOptions | None = None, disk: Disk | None = None) -> Self:
        """Make an empty collection in a new or empty folder.

        Args:
            root: The folder, or an address of another engine, such as `milvus://host:19530/name`.
            options: How long to wait for another writer, and how many versions to keep.
            disk: What reads and writes; the file system where None.

        Returns:
            The collection, opened.

        Raises:
            ConflictError: Something else is in the folder.
        """
        if is_address(str(root)):
            return cast(Self, create_at(str(root)))
        with translate_os_errors(folder := folder_of(root), "create"):
            make(disk or Disk(), folder)
        return cls(root, options, disk)

    @classmethod
    def open(cls, root: "Path | str") -> VectorCollection:
        """The collection in a folder, or at an address on another engine.

        Args:
            root: A folder, `milvus://host:19530/name`, or `milvus-lite:///path/of/a/folder.db/name`.

        Returns:
            The collection. What the engine can't do, its methods refuse by name.

        Raises:
            PolysemaError: There is none, the engine's client isn't installed, or the server doesn't answer.
        """
        return open_at(str(root)) if is_address(str(root)) else cls(root)

    def __repr__(self) -> str:
        opened = self._files.last_view.manifest  # the version read last: showing an object reads no disk
        spaces = ", ".join(opened.spaces) or "no space yet"
        return f"Collection({str(self.root)!r}, {opened.n_rows:,} rows, {spaces}, version {opened.version})"

    def __len__(self) -> int:
        return self.view().manifest.n_rows

    def __getattr__(self, name: str) -> Callable[..., object]:
        return former_method(self, name)

    def view(self) -> CollectionView:
        """The newest version, opened: every answer of it is of that version.

        Returns:
            The view.

        Raises:
            CorruptError: A file of it is missing or damaged; the message names it.
        """
        return self._files.view()

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
        """The k best rows for each query, of those that pass a condition.

        Args:
            queries: (n_queries, dim)
            k: How many rows for each query, 1 or more; where fewer are there or pass, all of them are the answer.
            where: A condition on the columns, such as `layer >= 6 and word in ("bank", "shore")`.
            space: The space to search, where there are several.
            recall: The least share of the true best, above 0 to 1, wanted of an index; None: as its recipe says.
            exact: Whether the exact answer is wanted.

        Returns:
            Ids and scores, and the recall to expect.

        Raises:
            PolysemaError: k is below 1, a query holds NaN or Inf or (with the cosine) no number, or a wrong condition.
            IncompatibleError: The queries are of another width.
            CorruptError: A file is damaged; the message names it.
        """
        if where is None and not exact and (found := search_alone(self._files, queries, k, space, recall)) is not None:
            return found
        return self._files.read(lambda view: search_view(view, queries, Search(k, space, where, recall, exact)))  # type: ignore[arg-type]

    def get(self, ids: Sequence[str], space: str | None = None) -> Space:
        """The vectors and columns of some ids.

        Args:
            ids: n ids.
            space: Their space, where there are several.

        Returns:
            A space of n rows, in the order of the ids, which are its keys.

        Raises:
            NotFoundError: Some are not there; the message names them.
        """
        wanted = ids_of(ids)
        return self._files.read(lambda view: view.get(space, wanted))

    def space(self, space: str | None = None, where: "str | Filter | None" = None) -> Space:
        """All rows of a space, or those that pass a condition, in memory.

        Args:
            space: Its name, where there are several.
            where: A condition on the columns.

        Returns:
            A space whose keys are the ids.
        """
        return self._files.read(lambda view: view.space(space, where))

    def add(
        self,
        ids: "Sequence[str] | pa.Array",
        vectors: "npt.ArrayLike",
        columns: "pa.Table | Mapping[str, Any] | None" = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """Add rows with ids that are new to the space. All of them or, with an error, none.

        The first rows of an empty collection make its space (`vectors`, compared by cosine) where none is named.

        Args:
            ids: n different ids.
            vectors: (n, dim) finite numbers.
            columns: A table, or a list for each name, of n values.
            space: The space to add to, where there are several.
            origin: Where the vectors come from. A space that has an origin takes only vectors of the same.

        Returns:
            How many rows were added.

        Raises:
            ConflictError: Some ids are there already.
            IncompatibleError: Another width or origin, or another type of a column.
            PolysemaError: NaN, Inf or a wrong id.
        """
        batch = batch_of(ids, vectors, columns, None)
        self._files.commit(lambda draft: put_rows(draft, batch, space, origin, False))
        return len(batch)

    def upsert(
        self,
        ids: "Sequence[str] | pa.Array",
        vectors: "npt.ArrayLike",
        columns: "pa.Table | Mapping[str, Any] | None" = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """As `add`, in the place of rows with the same ids.

        Args:
            ids: n different ids.
            vectors: (n, dim) finite numbers.
            columns: A table, or a list for each name, of n values.
            space: The space to add to, where there are several.
            origin: Where the vectors come from.

        Returns:
            How many of the ids were there before.

        Raises:
            IncompatibleError: Another width or origin, or another type of a column.
            PolysemaError: NaN, Inf or a wrong id.
        """
        batch = batch_of(ids, vectors, columns, None)
        return self._files.commit(lambda draft: put_rows(draft, batch, space, origin, True))

    def delete(
        self,
        ids: "Sequence[str] | pa.Array | None" = None,
        space: str | None = None,
        *,
        where: "str | Filter | None" = None,
    ) -> int:
        """Delete rows: those of some ids, or those that pass a condition.

        Args:
            ids: Their ids; those that aren't there are passed over.
            space: Their space, where there are several.
            where: A condition, in the place of ids.

        Returns:
            How many rows were deleted.

        Raises:
            PolysemaError: The condition is wrong, or both are given, or none.
        """
        wanted = deleted_rows(ids, where)
        if isinstance(wanted, Filter):
            return self._files.commit(lambda draft: draft.delete_where(named_space(draft, space), wanted))
        return self._files.commit(lambda draft: draft.delete(named_space(draft, space), wanted))

    def compact(
        self,
        space: str | None = None,
        index: "IndexSpec | str | None" = None,
        progress: Progress = no_progress,
        *,
        memory_bytes: int | None = None,
        recall: float | None = None,
    ) -> str:
        """Write a space's rows anew as one segment with an index; others read and write meanwhile.

        Args:
            space: Its name, where there are several.
            index: A recipe, its kind, `auto`, `none` (exact search), or None for what was (`auto` the first time).
            progress: Is called with (what, done, total).
            memory_bytes: The most that an index of `auto` may take.
            recall: The recall@10, above 0 and at most 1, that is wanted of an index of `auto`.

        Returns:
            Why that index was taken, in one line.

        Raises:
            BusyError: Another compaction is under way.
        """
        return compact(self._files, Compaction(space, index, memory_bytes, recall), progress)
