"""Finding: the exact search and FAISS behind one interface, filters, and the recall that was measured."""

from polysema.indexes.base import Index
from polysema.indexes.exact import ExactIndex
from polysema.indexes.faiss_building import BuildOptions
from polysema.indexes.faiss_index import FaissIndex
from polysema.indexes.filters import Filter
from polysema.indexes.index_spec import IndexSpec, choose
from polysema.indexes.recall import RecallCurve

__all__ = ["BuildOptions", "ExactIndex", "FaissIndex", "Filter", "Index", "IndexSpec", "RecallCurve", "choose"]
