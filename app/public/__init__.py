"""Polysema explores embedding spaces: one word, one static vector, and as many hidden states as it has contexts.

>>> import polysema
>>> space = polysema.Space.from_vectors(["king", "queen", "swan"], [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
>>> space["queen"].tolist()
[0.8999999761581421, 0.10000000149011612]
>>> polysema.ExactIndex(space.vectors).search(space.vectors[:1], k=1, exclude=[0]).rows.tolist()
[[1]]

The names in `__all__` are the public interface, with their public methods; whatever else the package holds may change
from one release to the next. Each name is imported when it is first used, so that `import polysema` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polysema.app.client.client import Client
    from polysema.app.dashboard.sharing.notebook import show
    from polysema.app.explorer import Explorer
    from polysema.core.errors import PolysemaError, UnknownWordError
    from polysema.core.files.formats import read_vectors, write_vectors
    from polysema.core.model.load import load_model
    from polysema.core.space.space import Origin, Space
    from polysema.indexes.collection import Collection
    from polysema.indexes.exact import ExactIndex
    from polysema.indexes.faiss_index import FaissIndex

    __version__: str

MODULES = {
    "Client": "polysema.app.client.client",
    "Collection": "polysema.indexes.collection",
    "ExactIndex": "polysema.indexes.exact",
    "Explorer": "polysema.app.explorer",
    "FaissIndex": "polysema.indexes.faiss_index",
    "Origin": "polysema.core.space.origin",
    "PolysemaError": "polysema.core.errors",
    "Space": "polysema.core.space.space",
    "UnknownWordError": "polysema.core.errors",
    "load_model": "polysema.core.model.load",
    "read_vectors": "polysema.core.files.formats",
    "show": "polysema.app.dashboard.sharing.notebook",
    "write_vectors": "polysema.core.files.formats",
}
__all__ = [
    "Client",
    "Collection",
    "ExactIndex",
    "Explorer",
    "FaissIndex",
    "Origin",
    "PolysemaError",
    "Space",
    "UnknownWordError",
    "__version__",
    "load_model",
    "read_vectors",
    "show",
    "write_vectors",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("polysema")
    elif name in MODULES:
        value = getattr(import_module(MODULES[name]), name)
    else:
        raise AttributeError(f"module 'polysema' has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
