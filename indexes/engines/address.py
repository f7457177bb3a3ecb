"""Addresses of collections: `milvus://host:19530/name` on a server, `milvus-lite:///path/of/file.db/name` in a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.errors import UserError
from polysema.indexes.store.manifest import NAME

if TYPE_CHECKING:
    from polysema.indexes.engines.protocol import VectorCollection

ADDRESS_MARK = "ADDRESS"  # in the folder of a name that stands for a collection on another engine
SERVER, LITE = "milvus://", "milvus-lite://"
HOW = f"{SERVER}host:19530/name, or {LITE}/path/of/file.db/name"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a collection is: the `uri` that the engine's client takes, the `name` there, and, where the address goes
    on, the `space` in it.
    """

    uri: str
    name: str
    space: str | None = None
    is_file: bool = False

    def __str__(self) -> str:
        if self.is_file:
            return f"{LITE}{self.uri}/{self.name}"
        return f"{SERVER}{self.uri.removeprefix('http://')}/{self.name}"


def is_address(text: str) -> bool:
    """Whether a text is the address of a collection on another engine, and no path."""
    return text.startswith((SERVER, LITE))


def parse_address(text: str) -> Address:
    """The parts of an address; raises `UserError` that says how one is written."""
    is_file = text.startswith(LITE)
    rest = text.removeprefix(LITE).removeprefix(SERVER)
    if is_file:
        path, sign, names = rest.partition(".db/")
        place = f"{path}.db"
        told = bool(sign and path)
    else:
        place, sign, names = rest.partition("/")
        host, _, port = place.rpartition(":")
        told = bool(sign and host and port.isdecimal() and not set("@?#") & set(place))
    name, _, space = names.rstrip("/").partition("/")
    if not told or not is_address(text) or not all(NAME.fullmatch(one) for one in (name, space or name)):
        raise UserError(f"an address of a collection is {HOW}, a name of A-Z a-z 0-9 _ . -; got {text[:120]!r}")
    return Address(place if is_file else f"http://{place}", name, space or None, is_file)


def folder_of(root: "Path | str") -> Path:
    """The folder of an embedded collection; raises `UserError` for an address, that of no engine too."""
    if is_address(str(root)):
        raise UserError(f"{root} is on another engine: open it with Collection.open({str(root)!r})")
    if "://" in str(root):
        raise UserError(f"{root} is no folder; an address of a collection is {HOW}")
    return Path(root)


def address_in(folder: Path) -> str | None:
    """The address that a folder of the data folder stands for, None where it stands for itself."""
    try:
        return str(parse_address((folder / ADDRESS_MARK).read_text(encoding="utf-8").strip()))
    except (OSError, UnicodeDecodeError):
        return None


def open_at(address: str) -> "VectorCollection":
    """The collection at an address; raises `NotFoundError`, and `UnavailableError` where the engine isn't."""
    from polysema.indexes.engines.milvus.collection import MilvusCollection

    return MilvusCollection(parse_address(address))


def create_at(address: str) -> "VectorCollection":
    """Make an empty collection at an address; raises `ConflictError` where one is."""
    from polysema.indexes.engines.milvus.collection import MilvusCollection

    return MilvusCollection.create(parse_address(address))


def drop_at(address: str) -> None:
    """Remove the collection at an address and all its rows; raises `NotFoundError`."""
    from polysema.indexes.engines.milvus.collection import MilvusCollection

    MilvusCollection(parse_address(address)).drop()
