"""The rows that two spaces share: the same words, or the same places in the same texts."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import IncompatibleError
from polysema.core.space.space import Ints, Space

PLACE_COLUMN = ("text_id", "start", "end")


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """`rows[i]` (m,) are the rows of space i that are the same things in every space, in the first one's order.

    `by` says what makes two rows the same; `left_out` counts for each space the rows that the others don't have, and
    second rows of the same name or place.
    """

    rows: tuple[Ints, ...]
    by: str
    left_out: tuple[int, ...]


def matching(spaces: "list[Space] | tuple[Space, ...]") -> Matching:
    """Match spaces row by row: occurrences by text, start and end, static vectors by their word as it is written.

    Raises `IncompatibleError` with the cards where occurrences meet static vectors, or where nothing is shared.
    """
    placed = [is_placed(space) for space in spaces]
    cards = " and ".join(f"[{space.origin.card()}]" for space in spaces)
    if any(placed) and not all(placed):
        raise IncompatibleError(
            f"occurrences and static vectors can't be matched row by row: {cards}; take two contextual spaces, such as "
            "minilm-l6@0 and minilm-l6@6, or two of words"
        )
    first, *others = [_names(space, spaces[0]) if placed[0] else space.keys.array for space in spaces]
    n = len(first)
    # only the first row of a name, and no row without one (a place in a text that the first space doesn't have)
    shared = (pc.index_in(first, value_set=first).to_numpy(zero_copy_only=False) == np.arange(n)) & _valid(first)
    theirs: list[Ints] = []
    for names in others:
        at = pc.index_in(first, value_set=names).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        shared &= at >= 0
        theirs.append(at)
    mine = np.flatnonzero(shared).astype(np.int64)
    by = "text, start and end" if placed[0] else "word"
    if not len(mine):
        raise IncompatibleError(f"these spaces share no row (matched by {by}): {cards}")
    rows = (mine, *(at[mine] for at in theirs))
    return Matching(rows, by, tuple(len(space) - len(mine) for space in spaces))


def is_placed(space: Space) -> bool:
    """Whether a space's rows are places in texts."""
    return space.columns is not None and set(PLACE_COLUMN) <= set(space.columns.column_names)


def _valid(names: pa.Array) -> "np.typing.NDArray[np.bool_]":
    valid: np.typing.NDArray[np.bool_] = names.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _names(space: Space, first: Space) -> pa.Array:
    """A name for each place: its text's number in the first space, start, end, and the word that stands there.

    By the texts themselves where both have them: two corpora may number other texts alike.
    """
    assert space.columns is not None and first.columns is not None  # noqa: PT018
    table = space.columns
    if "text" in table.column_names and "text" in first.columns.column_names:
        known = pc.unique(_strings(first.columns, "text"))
        text = pc.index_in(_strings(table, "text"), value_set=known)  # null where the first has no such text
    else:
        text = table.column("text_id").combine_chunks()
    parts = [text, table.column("start").combine_chunks(), table.column("end").combine_chunks()]
    strings = [part.cast(pa.large_string()) for part in parts]
    return pc.binary_join_element_wise(*strings, space.keys.array, pa.scalar("\t", pa.large_string()))


def _strings(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks().cast(pa.large_string())


def choose(n_rows: int, n: int | None, placed: bool) -> tuple[Ints, str]:
    """Which of the matched rows are shown, and the rule in words: all, the first n words, or n occurrences spread
    evenly.

    Files of word vectors list the most frequent words first, so the first are the known ones; occurrences stand in
    the order of their texts, and the first would be a few texts'.
    """
    if n is None or n >= n_rows:
        return np.arange(n_rows), f"all {n_rows:,} rows that match"
    if not placed:
        return np.arange(n), f"the first {n:,} of {n_rows:,} words that match"
    spread = np.linspace(0, n_rows - 1, n).round().astype(np.int64)
    return spread, f"{n:,} of {n_rows:,} occurrences that match, spread evenly over the texts"
