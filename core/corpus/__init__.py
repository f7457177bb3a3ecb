"""Texts from files, as a stream: a text a line, CSV, TSV, JSON, JSON Lines, Parquet, Arrow, Excel, packed or not."""

from polysema.core.corpus.corpus import Corpus, CorpusLimits, open_corpus
from polysema.core.corpus.detection import find_layout
from polysema.core.corpus.layout import CorpusLayout, Dialect
from polysema.core.corpus.own_ids import open_records
from polysema.core.corpus.records import TextBatch, TextRecord
from polysema.core.corpus.sources import KINDS, kind_of

__all__ = [
    "KINDS",
    "Corpus",
    "CorpusLayout",
    "CorpusLimits",
    "Dialect",
    "TextBatch",
    "TextRecord",
    "find_layout",
    "kind_of",
    "open_corpus",
    "open_records",
]
