"""What Milvus keeps about a collection of ours: its spaces with their provenance cards and indexes, and its columns.

It stands in the properties of a collection of Milvus' own that holds no rows, and is read before every write and every
question: it takes some milliseconds, and nothing is compared with a card that has changed meanwhile.
"""

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from polysema.core.errors import ConflictError, IncompatibleError, NotFoundError
from polysema.indexes.engines.milvus.connection import CONSISTENCY, Connection
from polysema.indexes.engines.milvus.keys import collection_name
from polysema.indexes.store.manifest import SpaceCard

FORMAT = 1
PROPERTY = "polysema"
CHANGE_TRIES = 5  # to change what another client changes at the same moment


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known about the collection; it is `Contents` but for the rows. `indexes` are the cards of the indexes by
    space: the recipe, and what it was measured to find.
    """

    collection: str
    what: str = "created"
    spaces: Mapping[str, SpaceCard] = field(default_factory=dict)
    columns: pa.Schema = field(default_factory=lambda: pa.schema([]))
    indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> str:
        """As the text that Milvus keeps."""
        value = {
            "format": FORMAT,
            "collection": self.collection,
            "what": self.what[:200],
            "spaces": {name: card.to_json() for name, card in self.spaces.items()},
            "columns": self.columns.serialize().to_pybytes().hex(),
            "indexes": dict(self.indexes),
        }
        return json.dumps(value)

    @classmethod
    def from_json(cls, text: str) -> "Entry":
        """The inverse of `to_json`; raises `IncompatibleError` for a newer format."""
        value = json.loads(text)
        if value["format"] != FORMAT:
            raise IncompatibleError(f"it has format {value['format']}; this version of polysema reads format {FORMAT}")
        return cls(
            value["collection"],
            value["what"],
            {name: SpaceCard.from_json(card) for name, card in value["spaces"].items()},
            pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(value["columns"]))),
            value["indexes"],
        )


class Catalog:
    """Reads and changes the entry of a collection."""

    def __init__(self, connection: Connection):
        self.connection = connection
        self.name = collection_name(connection.address.name)
        self._changing = threading.Lock()

    def make(self) -> None:
        """Make the entry of an empty collection; raises `ConflictError` where there is one."""
        from pymilvus import DataType, MilvusClient

        if self.connection.has(self.name):
            raise ConflictError(f"there is a collection {self.connection.address} already; choose another name")
        schema = MilvusClient.create_schema(auto_id=False, description="a collection of polysema")
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        entry = Entry(uuid.uuid4().hex)
        named: dict[str, Any] = {"schema": schema, "consistency_level": CONSISTENCY}
        self.connection.call("create_collection", self.name, properties={PROPERTY: entry.to_json()}, **named)
        if self.read().collection != entry.collection:
            raise ConflictError(f"a collection {self.connection.address} was made meanwhile; choose another name")

    def read(self) -> Entry:
        """What is known now; raises `NotFoundError` where there is no collection."""
        address = self.connection.address
        if not self.connection.has(self.name):
            raise NotFoundError(
                f"there is no collection {address}; make one with `polysema collection create {address}` or `polysema "
                "collection import`"
            )
        try:
            return Entry.from_json(self.connection.properties(self.name)[PROPERTY])
        except (KeyError, ValueError, TypeError) as error:
            if isinstance(error, IncompatibleError):
                raise IncompatibleError(f"{address}: {error}") from None
            raise NotFoundError(f"{address} is no collection of polysema: it has no card") from None

    def change(self, apply: Callable[[Entry], Entry]) -> Entry:
        """Change what is known, again where another client changed it at the same moment."""
        with self._changing:
            for _ in range(CHANGE_TRIES):
                before = self.read()
                wanted = apply(before)
                if wanted == before:
                    return before
                self.connection.call("alter_collection_properties", self.name, {PROPERTY: wanted.to_json()})
                now = self.read()
                if apply(now) == replace(now, what=apply(now).what):
                    return now
            raise ConflictError(f"{self.connection.address} is changed by others all the time; try again")

    def drop(self) -> None:
        """Remove the entry."""
        self.connection.call("drop_collection", self.name)
