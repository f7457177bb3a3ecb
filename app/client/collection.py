"""`RemoteCollection`: a collection of the service, with the verbs of `polysema.indexes.collection.Collection`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.app.client.collection_parts import RemoteColumns, RemoteHistory, RemoteSpaces
from polysema.app.client.transport import Transport, matrix, part, sent
from polysema.app.explorer.embedding import TextVectors
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats, Origin
from polysema.indexes.former_names import former_method

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


class RemoteCollection:
    """A collection of a service, with the verbs of `polysema.indexes.collection.Collection`.

    Its versions are `history`, its spaces are `spaces`, its columns `columns`.
    """

    def __init__(self, client: Transport, name: str):
        self.name = name
        self._client = client
        self._path = f"/v1/collections/{part(name)}"
        self.history = RemoteHistory(client, self._path)
        self.spaces = RemoteSpaces(client, self._path)
        self.columns = RemoteColumns(client, self._path)

    def __getattr__(self, name: str) -> Callable[..., object]:
        return former_method(self, name)

    def __len__(self) -> int:
        return int(self.info()["rows"])

    def info(self) -> dict[str, Any]:
        """Its spaces with their provenance, rows, columns and version."""
        found: dict[str, Any] = self._client.ask("GET", self._path)
        return found

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
    ) -> dict[str, Any]:
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

    def delete(self, ids: Sequence[str] | None = None, space: str | None = None, *, where: str | None = None) -> int:
        """See `Collection.delete`."""
        body = {"ids": None if ids is None else list(ids), "where": where, "space": space}
        return int(self._client.ask("POST", f"{self._path}/delete", body)["deleted"])

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

    def embed(self, texts: Sequence[str], progress: Progress = no_progress, **how: object) -> dict[str, Any]:
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


def _encoded(numbers: Floats) -> str:
    import base64

    return base64.b64encode(np.ascontiguousarray(numbers, "<f4").tobytes()).decode()
