"""Rows of a space by what they are called, exactly or in part."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import UserError
from polysema.core.space.space import Ints, Space
from polysema.core.space.spelling import encoded

WORD, TEXT = "word", "text"
TITLE_LETTERS = 40


@dataclass(frozen=True, slots=True, eq=False)
class LabelMatch:
    """The rows that were found, up to the requested number, of `total`; `exactly`, or only with the text in their
    name, or, `in_text`, with the text in the text that they stand for.
    """

    rows: Ints
    total: int
    exactly: bool
    in_text: bool = False


def labels_of(space: Space) -> pa.Array:
    """What the rows are called: the column `word` where there is one (a collection's keys are its ids), else the
    keys.
    """
    if space.columns is None or WORD not in space.columns.column_names:
        return space.keys.array
    words = space.columns.column(WORD)
    if not (pa.types.is_string(words.type) or pa.types.is_large_string(words.type)):
        return space.keys.array
    words = words.combine_chunks().cast(pa.large_string())
    # a row without a word is called by its key
    return pc.coalesce(words, space.keys.array) if words.null_count else words


def titles_of(space: Space, letters: int = TITLE_LETTERS) -> pa.Array:
    """What the rows are called on a picture: their label, or where the rows are whole texts the first words of each."""
    if space.columns is None or TEXT not in space.columns.column_names or WORD in space.columns.column_names:
        return labels_of(space)
    texts = space.columns.column(TEXT)
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        return labels_of(space)
    texts = pc.utf8_trim_whitespace(texts.combine_chunks().cast(pa.large_string()))
    texts = pc.replace_substring_regex(pc.utf8_slice_codeunits(texts, 0, 4 * letters), r"\s+", " ")
    start = pc.utf8_slice_codeunits(texts, 0, letters)
    whole = pc.less_equal(pc.utf8_length(texts), letters)
    mark, nothing = pa.scalar("…", pa.large_string()), pa.scalar("", pa.large_string())
    cut = pc.binary_join_element_wise(pc.replace_substring_regex(start, r"\s+\S*$", ""), mark, nothing)
    titles = pc.if_else(whole, texts, cut)
    return pc.if_else(pc.fill_null(pc.equal(titles, ""), True), space.keys.array, titles)


def spot(space: Space, text: str, most: int = 300) -> LabelMatch:
    """The rows called `text`: as it is written, else whatever its case, else by key, else those with it in their name,
    else those with it in their text, else those with all its words in their text.

    Raises `UnknownWordError` with the nearest spellings where there is none, `UserError` where the rows are texts.
    """
    text = text.strip()
    if not text:
        raise UserError("write the name of a row to find, such as bank")
    encoded(text, "what is looked for")
    labels = labels_of(space)
    lower = text.lower()
    searches: tuple[tuple[bool, Callable[[], pa.BooleanArray]], ...] = (
        (True, lambda: pc.equal(labels, text)),
        (True, lambda: pc.equal(pc.utf8_lower(labels), lower)),
        (True, lambda: pc.equal(space.keys.array, text)),
        (False, lambda: pc.match_substring(labels, text, ignore_case=True)),
    )
    for exactly, found in searches:
        rows = np.flatnonzero(found().to_numpy(zero_copy_only=False)).astype(np.int64)
        if len(rows):
            return LabelMatch(rows[:most], len(rows), exactly)
    return _spot_in_texts(space, text, most)


def _spot_in_texts(space: Space, text: str, most: int) -> LabelMatch:
    """The rows whose text holds it as it stands, whatever its case, else all its words in any order."""
    if space.columns is None or TEXT not in space.columns.column_names:
        raise space.unknown(text)
    texts = space.columns.column(TEXT).combine_chunks()
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise space.unknown(text)
    for wanted in ([text], text.split()):
        holds = [pc.match_substring(texts, part, ignore_case=True).fill_null(False) for part in wanted]
        rows = np.flatnonzero(np.logical_and.reduce([each.to_numpy(zero_copy_only=False) for each in holds]))
        if len(rows):
            return LabelMatch(rows[:most].astype(np.int64), len(rows), exactly=False, in_text=True)
    if WORD in space.columns.column_names:
        raise space.unknown(text)
    raise UserError(f"none of the {len(space):,} texts of {space.name} holds {text!r}")
