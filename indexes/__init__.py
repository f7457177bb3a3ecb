"""Finding: the exact search and FAISS behind one interface."""

from polysema.indexes.base import Index
from polysema.indexes.exact import ExactIndex
from polysema.indexes.faiss_index import FaissIndex, Recipe

__all__ = ["ExactIndex", "FaissIndex", "Index", "Recipe"]
