"""Rows of a space by what they are called, exactly or in part."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import UserError
from polysema.core.space.space import Ints, Space

WORD = "word"


@dataclass(frozen=True, slots=True, eq=False)
class Spotted:
    """The rows that were found, at most as many as asked for, of `total`; `exactly` or only with the text in their name."""

    rows: Ints
    total: int
    exactly: bool


def labels_of(space: Space) -> pa.Array:
    """What the rows are called: the column `word` where there is one (a collection's keys are its ids), else the keys."""
    if space.columns is None or WORD not in space.columns.column_names:
        return space.keys.array
    words = space.columns.column(WORD)
    if not (pa.types.is_string(words.type) or pa.types.is_large_string(words.type)):
        return space.keys.array
    words = words.combine_chunks().cast(pa.large_string())
    # a row without a word is called by its key
    return pc.coalesce(words, space.keys.array) if words.null_count else words


def spot(space: Space, text: str, most: int = 300) -> Spotted:
    """The rows called `text`: as it is written, else whatever its case, else by key, else those with it in their name.

    Raises `UnknownWordError` with the nearest spellings where there is none.
    """
    text = text.strip()
    if not text:
        raise UserError("write the name of a row to find, such as bank")
    labels = labels_of(space)
    lower = text.lower()
    for exactly, found in (
        (True, lambda: pc.equal(labels, text)),
        (True, lambda: pc.equal(pc.utf8_lower(labels), lower)),
        (True, lambda: pc.equal(space.keys.array, text)),
        (False, lambda: pc.match_substring(labels, text, ignore_case=True)),
    ):
        rows = np.flatnonzero(found().to_numpy(zero_copy_only=False)).astype(np.int64)
        if len(rows):
            return Spotted(rows[:most], len(rows), exactly)
    raise space.unknown(text)
