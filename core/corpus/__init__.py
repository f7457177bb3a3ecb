"""Texts from files, as a stream: a text a line, CSV, TSV, JSON, JSON Lines, Parquet and Excel, packed or not."""

from polysema.core.corpus.corpus import Corpus, Most, open_corpus
from polysema.core.corpus.detection import find_layout
from polysema.core.corpus.layout import Dialect, Layout
from polysema.core.corpus.sources import KINDS, kind_of

__all__ = ["KINDS", "Corpus", "Dialect", "Layout", "Most", "find_layout", "kind_of", "open_corpus"]
