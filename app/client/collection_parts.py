"""What a collection of a service is made of: its versions and its spaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from polysema.app.client.transport import Transport, part
from polysema.core.space.space import Origin


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A version that one can go back to, and the name under which it is kept, if it has one."""

    version: int
    made: str
    rows: int
    what: str
    snapshot: str | None


class RemoteHistory:
    """The versions of a collection of a service, with the verbs of `CollectionHistory`."""

    def __init__(self, client: Transport, path: str):
        self._client, self._path = client, path

    def versions(self) -> list[RemoteVersion]:
        """See `CollectionHistory.versions`."""
        return [RemoteVersion(**row) for row in self._client.ask("GET", f"{self._path}/versions")["versions"]]

    def snapshot(self, name: str) -> int:
        """See `CollectionHistory.snapshot`."""
        return int(self._client.ask("PUT", f"{self._path}/snapshots/{part(name)}")["version"])

    def drop_snapshot(self, name: str) -> None:
        """See `CollectionHistory.drop_snapshot`."""
        self._client.ask("DELETE", f"{self._path}/snapshots/{part(name)}")

    def restore(self, version: int | str) -> int:
        """See `CollectionHistory.restore`."""
        return int(self._client.ask("POST", f"{self._path}/restore", {"version": version})["version"])


class RemoteSpaces:
    """The spaces of a collection of a service, with the verbs of `CollectionSpaces`."""

    def __init__(self, client: Transport, path: str):
        self._client, self._path = client, path

    def names(self) -> list[str]:
        """See `CollectionSpaces.names`."""
        return list(self._client.ask("GET", self._path)["spaces"])

    def create(self, name: str, dim: int, metric: str = "cosine", origin: Origin | None = None) -> None:
        """See `CollectionSpaces.create`."""
        body = {"dim": dim, "metric": metric, "origin": origin.to_json() if origin else None}
        self._client.ask("PUT", f"{self._path}/spaces/{part(name)}", body)

    def drop(self, name: str) -> None:
        """See `CollectionSpaces.drop`."""
        self._client.ask("DELETE", f"{self._path}/spaces/{part(name)}")

    def recall(self, space: str | None = None) -> list[dict[str, Any]]:
        """What each index was measured to find, a dictionary for each setting."""
        found = self._client.ask("GET", f"{self._path}/recall", params={"space": space} if space else None)
        return list(found["points"])


class RemoteColumns:
    """The columns of a collection of the service."""

    def __init__(self, client: Transport, path: str):
        self._client, self._path = client, path

    def widen(self, column: str, kind: str) -> str:
        """See `CollectionColumns.widen`."""
        found = self._client.ask("POST", f"{self._path}/widen", {"column": column, "type": kind})
        return str(found["columns"][column])

    def write(
        self, column: str, values: Mapping[str, str | int | float | bool | None], space: str | None = None
    ) -> dict[str, Any]:
        """Write what a column says of some rows; see `polysema.app.collection.column_values.write_column`. Returns what
        the collection holds then.
        """
        body = {"column": column, "values": dict(values), "space": space}
        found: dict[str, Any] = self._client.ask("POST", f"{self._path}/column", body)
        return found
