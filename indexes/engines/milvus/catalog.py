"""What Milvus keeps about a collection of ours: its spaces with their provenance cards and indexes, and its columns.

It stands in the properties of collections of Milvus' own that hold no rows, and is read before every write and every
question: it takes some milliseconds, and nothing is compared with a card that has changed meanwhile.

Properties are written where such a collection is created and never altered: Milvus 2.3 forgets what was altered when it
starts again. A change makes the next of them, under the next number, and only one client can be the one that makes it.
"""

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from polysema.core.errors import ConflictError, IncompatibleError, NotFoundError, UserError
from polysema.indexes.engines.milvus.connection import CONSISTENCY, Connection
from polysema.indexes.engines.milvus.keys import collection_name, entry_name, entry_number
from polysema.indexes.store.manifest import SpaceCard

FORMAT = 1
PROPERTY = "polysema"
CHANGE_TRIES = 5  # to change what another client changes at the same moment


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known about the collection; it is `Contents` but for the rows. `indexes` are the cards of the indexes by
    space: the recipe, and what it was measured to find; `change` is drawn for each change. Of the spaces in
    `dropped` rows may still be there, where their removal was killed.
    """

    collection: str
    what: str = "created"
    spaces: Mapping[str, SpaceCard] = field(default_factory=dict)
    columns: pa.Schema = field(default_factory=lambda: pa.schema([]))
    indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    change: str = ""

    def to_json(self) -> str:
        """As the text that Milvus keeps."""
        value = {
            "format": FORMAT,
            "collection": self.collection,
            "what": self.what[:200],
            "spaces": {name: card.to_json() for name, card in self.spaces.items()},
            "columns": self.columns.serialize().to_pybytes().hex(),
            "indexes": dict(self.indexes),
            "dropped": list(self.dropped),
            "change": self.change,
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
            tuple(value.get("dropped", ())),
            value.get("change", ""),
        )


class Catalog:
    """Reads and changes the entry of a collection."""

    def __init__(self, connection: Connection):
        self.connection = connection
        self.name = collection_name(connection.address.name)
        self._number: int | None = None  # of the newest entry that was seen
        self._changing = threading.Lock()

    def make(self) -> None:
        """Make the entry of an empty collection; raises `ConflictError` where there is one."""
        if self.connection.has(self.name):
            raise ConflictError(f"there is a collection {self.connection.address} already; choose another name")
        self._drop_entries()  # of a collection whose removal was killed
        entry = Entry(uuid.uuid4().hex)
        self._write(self.name, entry)
        if self.read().collection != entry.collection:
            raise ConflictError(f"a collection {self.connection.address} was made meanwhile; choose another name")

    def read(self) -> Entry:
        """What is known now; raises `NotFoundError` where there is no collection."""
        return self._newest()[1]

    def change(self, apply: Callable[[Entry], Entry]) -> Entry:
        """Change what is known, again where another client changed it at the same moment."""
        with self._changing:
            for _ in range(CHANGE_TRIES):
                number, before = self._newest()
                wanted = apply(before)
                if wanted == before:
                    return before
                wanted = replace(wanted, change=uuid.uuid4().hex)
                with suppress(UserError):  # another client made that number: what is there is read
                    self._write(entry_name(self.name, number + 1), wanted)
                if self._at(number + 1) == wanted:
                    self._number = number + 1
                    self._drop_entries(before=number + 1)
                    return wanted
            raise ConflictError(f"{self.connection.address} is changed by others all the time; try again")

    def drop(self) -> None:
        """Remove the entry."""
        self.connection.call("drop_collection", self.name)
        self._drop_entries()

    def _newest(self) -> tuple[int, Entry]:
        """The number and the entry that stand now."""
        if self._number is not None and not self.connection.has(entry_name(self.name, self._number + 1)):
            there = self._at(self._number)
            if there is not None:
                return self._number, there
        for _ in range(CHANGE_TRIES):
            numbers = self._numbers()
            there = self._at(max(numbers, default=0))
            if there is not None:
                self._number = max(numbers, default=None)
                return max(numbers, default=0), there
            if not numbers:
                break
        self._number = None
        address = self.connection.address
        raise NotFoundError(
            f"there is no collection {address}; make one with `polysema collection create {address}` or `polysema "
            "collection import`"
        )

    def _at(self, number: int) -> Entry | None:
        """The entry of a number; None where it is gone."""
        address, name = self.connection.address, entry_name(self.name, number)
        if not self.connection.has(name):
            return None
        try:
            return Entry.from_json(self.connection.properties(name)[PROPERTY])
        except (KeyError, ValueError, TypeError) as error:
            if isinstance(error, IncompatibleError):
                raise IncompatibleError(f"{address}: {error}") from None
            if not self.connection.has(name):  # it went while it was read
                return None
            raise NotFoundError(f"{address} is no collection of polysema: it has no card") from None

    def _numbers(self) -> list[int]:
        """The numbers of the entries that are there, but for that of the making."""
        names = self.connection.call("list_collections")
        return [number for name in names if (number := entry_number(self.name, name))]

    def _drop_entries(self, before: int | None = None) -> None:
        for number in self._numbers():
            if before is None or number < before:
                self.connection.call("drop_collection", entry_name(self.name, number))

    def _write(self, name: str, entry: Entry) -> None:
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, description="a collection of polysema")
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        named: dict[str, Any] = {"schema": schema, "consistency_level": CONSISTENCY}
        self.connection.call("create_collection", name, properties={PROPERTY: entry.to_json()}, **named)
