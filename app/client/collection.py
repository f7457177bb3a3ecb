"""`RemoteCollection`: a collection of the service, with the verbs of `polysema.indexes.collection.Collection`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.app.client.transport import Transport, matrix, part, sent
from polysema.app.explorer.embedding import TextVectors
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats, Origin

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RemoteMatches:
    """What a search found: for each query ids and scores, best first, the rows themselves, and the version searched."""

    ids: list[list[str]]
    scores: list[list[float]]
    rows: list[list[dict[str, Any]]]
    version: int
    recall: float | None


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A version that one can go back to, and the name under which it is kept, if it has one."""

    version: int
    made: str
    rows: int
    what: str
    snapshot: str | None


class RemoteCollection:
    """A collection of a service, with the verbs of `polysema.indexes.collection.Collection`."""

    def __init__(self, client: Transport, name: str):
        self.name = name
        self._client = client
        self._path = f"/v1/collections/{part(name)}"

    def __len__(self) -> int:
        return int(self.info()["rows"])

    def info(self) -> dict[str, Any]:
        """Its spaces with their provenance, rows, columns and version."""
        found: dict[str, Any] = self._client.ask("GET", self._path)
        return found

    def create_space(self, name: str, dim: int, metric: str = "cosine", origin: Origin | None = None) -> None:
        """See `Collection.create_space`."""
        body = {"dim": dim, "metric": metric, "origin": origin.to_json() if origin else None}
        self._client.ask("PUT", f"{self._path}/spaces/{part(name)}", body)

    def drop_space(self, name: str) -> None:
        """See `Collection.drop_space`."""
        self._client.ask("DELETE", f"{self._path}/spaces/{part(name)}")

    def add(
        self,
        ids: Sequence[str],
        vectors: npt.ArrayLike,
        columns: Mapping[str, Any] | None = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """See `Collection.add`."""
        return int(self._put("POST", ids, vectors, columns, space, origin)["added"])

    def upsert(
        self,
        ids: Sequence[str],
        vectors: npt.ArrayLike,
        columns: Mapping[str, Any] | None = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """See `Collection.upsert`."""
        return int(self._put("PUT", ids, vectors, columns, space, origin)["replaced"])

    def _put(
        self,
        method: str,
        ids: Sequence[str],
        vectors: npt.ArrayLike,
        columns: Mapping[str, Any] | None,
        space: str | None,
        origin: Origin | None,
    ) -> Any:
        numbers = matrix(vectors)
        body = {
            "ids": list(ids),
            "vectors": _encoded(numbers),
            "dim": numbers.shape[1],
            "space": space,
            "columns": {name: list(values) for name, values in columns.items()} if columns else None,
            "origin": origin.to_json() if origin else None,
        }
        return self._client.ask(method, f"{self._path}/rows", body)

    def delete(self, ids: Sequence[str], space: str | None = None) -> int:
        """See `Collection.delete`."""
        return int(self._client.ask("POST", f"{self._path}/delete", {"ids": list(ids), "space": space})["deleted"])

    def delete_where(self, where: str, space: str | None = None) -> int:
        """See `Collection.delete_where`."""
        return int(self._client.ask("POST", f"{self._path}/delete", {"where": where, "space": space})["deleted"])

    def widen(self, column: str, kind: str) -> str:
        """See `Collection.widen`."""
        found = self._client.ask("POST", f"{self._path}/widen", {"column": column, "type": kind})
        return str(found["columns"][column])

    def get(self, ids: Sequence[str], space: str | None = None) -> TextVectors:
        """See `Collection.get`."""
        params = {"id": list(ids)} | ({"space": space} if space else {})
        return self._client.ask_rows("GET", f"{self._path}/rows", params=params)

    def search(
        self,
        queries: npt.ArrayLike,
        k: int = 10,
        where: str | None = None,
        *,
        space: str | None = None,
        recall: float | None = None,
        exact: bool = False,
    ) -> RemoteMatches:
        """See `Collection.search`."""
        query = {"vectors": sent(queries), "k": k, "where": where, "space": space, "recall": recall, "exact": exact}
        found = self._client.ask("POST", f"{self._path}/search", query)
        rows = found["answers"]
        return RemoteMatches(
            [[row["id"] for row in one] for one in rows],
            [[row["score"] for row in one] for one in rows],
            rows,
            found["version"],
            found["recall"],
        )

    def embed(self, texts: Sequence[str], progress: Progress = no_progress, **how: Any) -> dict[str, Any]:
        """Embed texts into it, as a job: see `EmbedIntoCollectionRequest` for `ids`, `columns`, `space`, `model`,
        `layer`, `unit`, `word`, `pooling`.
        """
        found: dict[str, Any] = self._client.done("embed", progress, collection=self.name, texts=list(texts), **how)
        return found

    def compact(self, space: str | None = None, index: str | None = None, progress: Progress = no_progress) -> str:
        """See `Collection.compact`."""
        return str(self._client.done("compact", progress, collection=self.name, space=space, index=index)["index"])

    def verify(self, progress: Progress = no_progress) -> dict[str, Any]:
        """See `polysema.indexes.store.verify`: the files, bytes, problems and leftovers."""
        found: dict[str, Any] = self._client.done("verify", progress, collection=self.name)
        return found

    def versions(self) -> list[RemoteVersion]:
        """See `Collection.versions`."""
        return [RemoteVersion(**row) for row in self._client.ask("GET", f"{self._path}/versions")["versions"]]

    def snapshot(self, name: str) -> int:
        """See `Collection.snapshot`."""
        return int(self._client.ask("PUT", f"{self._path}/snapshots/{part(name)}")["version"])

    def drop_snapshot(self, name: str) -> None:
        """See `Collection.drop_snapshot`."""
        self._client.ask("DELETE", f"{self._path}/snapshots/{part(name)}")

    def restore(self, version: int | str) -> int:
        """See `Collection.restore`."""
        return int(self._client.ask("POST", f"{self._path}/restore", {"version": version})["version"])

    def recall(self, space: str | None = None) -> list[dict[str, Any]]:
        """What each index was measured to find, a dictionary for each setting."""
        found = self._client.ask("GET", f"{self._path}/recall", params={"space": space} if space else None)
        return list(found["points"])


def _encoded(numbers: Floats) -> str:
    import base64

    return base64.b64encode(np.ascontiguousarray(numbers, "<f4").tobytes()).decode()
