"""Finding: the exact search and FAISS behind one interface, filters, and the recall that was measured."""

from polysema.indexes.base import Index
from polysema.indexes.exact import ExactIndex
from polysema.indexes.faiss_index import Building, FaissIndex
from polysema.indexes.filters import Filter
from polysema.indexes.index_spec import Recipe, choose
from polysema.indexes.recall import RecallCurve

__all__ = ["Building", "ExactIndex", "FaissIndex", "Filter", "Index", "RecallCurve", "Recipe", "choose"]
