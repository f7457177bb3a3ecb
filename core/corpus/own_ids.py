"""Texts with everything of their files: all columns, and the ids that they have there."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from polysema.core.corpus.corpus import Corpus, CorpusLimits, file_faults, open_corpus
from polysema.core.corpus.detection import find_layout
from polysema.core.corpus.layout import Dialect
from polysema.core.corpus.sources import STDIN, find_files
from polysema.core.errors import UnreadableError
from polysema.core.files.table_columns import find_column

OWN_ID_NAMES = ("id", "ids", "_id", "uuid", "guid", "doc_id", "docid", "document_id")


def open_records(
    inputs: "Path | str | Sequence[Path | str]",
    column: str | None = None,
    id_column: str | None = None,
    most: CorpusLimits | None = None,
    dialect: Dialect | None = None,
    columns: Sequence[str] | None = None,
) -> Corpus:
    """A corpus with everything of its files: as `open_corpus`, with all columns unless some are named, and with their
    own ids.

    Without an `id_column` the ids are those of a column `id` (`_id`, `uuid`, `doc_id`, ...) in which every row has
    one of its own; one that repeats goes along like the others. Raises what `open_corpus` raises.
    """
    found = None if id_column is not None else _own_ids(inputs, column, dialect)
    if found is not None:
        try:
            corpus = open_corpus(inputs, column, found, most, dialect, columns)
        except UnreadableError:
            corpus = None
        if corpus is not None and not corpus.repeated_ids:
            return replace(corpus, notes=(*corpus.notes, f"the ids are those of the column {found!r}"))
        corpus = open_corpus(inputs, column, None, most, dialect, columns)
        note = f"the values of the column {found!r} don't tell rows apart: rows are named by their numbers"
        return replace(corpus, notes=(*corpus.notes, note))
    return open_corpus(inputs, column, id_column, most, dialect, columns)


def _own_ids(inputs: "Path | str | Sequence[Path | str]", column: str | None, dialect: Dialect | None) -> str | None:
    """The column of ids that all files have by one name; None where they have none."""
    given = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
    if STDIN in map(str, given):  # standard input is read once
        return None
    found: set[str | None] = set()
    for path in (path for one in given for path in find_files(str(one))[0]):
        with file_faults(path):
            layout = find_layout(path, dialect)
        names = [name for name in layout.columns if name not in (column or layout.column,)]
        found.add(find_column(names, OWN_ID_NAMES) or None)
    return found.pop() if len(found) == 1 else None
