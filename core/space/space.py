"""`Space`: vectors with names, and the card that says where they come from."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from polysema.core.argument_types import checked_arguments
from polysema.core.display import HtmlRepr, clip_text
from polysema.core.errors import IncompatibleError, UnknownWordError, UserError
from polysema.core.space.array_types import Floats, Ints
from polysema.core.space.keys import Keys
from polysema.core.space.origin import Family, Origin
from polysema.core.space.spelling import spelling_note

__all__ = ["Family", "Floats", "Ints", "Keys", "Origin", "Space"]


@checked_arguments
@dataclass(frozen=True, eq=False, repr=False)
class Space(HtmlRepr):
    """Vectors with names. Static or contextual, it is the same thing.

    Args:
        keys: The names of the rows.
        vectors: (n, dim) float32, read-only and possibly memory-mapped.
        origin: Where the vectors come from.
        columns: A table with one row a vector (word, text_id, start, end, layer, …), or None.
        subwords: Makes the vector of a word that has no row, of its letters; None where nothing does.
        label: What it was opened as, such as a collection's name; empty where its source says it.

    Raises:
        IncompatibleError: The parts don't have the same number of rows.

    Example:
        >>> space = Space.from_vectors(["bank", "river"], [[1, 0], [0, 1]], "mine")
        >>> space
        Space(2 x 2, mine, static)
        >>> list(space), space.dim, space[["river", "bank"]].tolist()
        (['bank', 'river'], 2, [[0.0, 1.0], [1.0, 0.0]])
    """

    keys: Keys
    vectors: Floats
    origin: Origin
    columns: "pa.Table | None" = None
    subwords: "Callable[[str], Floats | None] | None" = None
    label: str = ""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise IncompatibleError(
                f"a space holds (n, dim) float32 vectors; got {self.vectors.dtype} of shape {self.vectors.shape}"
            )
        if len(self.keys) != len(self.vectors):
            raise IncompatibleError(f"{len(self.keys):,} names for {len(self.vectors):,} vectors; they must be as many")
        if self.columns is not None and self.columns.num_rows != len(self.vectors):
            raise IncompatibleError(f"a table of {self.columns.num_rows:,} rows for {len(self.vectors):,} vectors")
        if isinstance(self.vectors, np.ndarray) and self.vectors.flags.writeable:  # else read from files
            view = self.vectors.view()
            view.flags.writeable = False
            object.__setattr__(self, "vectors", view)

    @classmethod
    def from_vectors(
        cls, keys: Iterable[str], vectors: npt.ArrayLike, source: str = "vectors", columns: "pa.Table | None" = None
    ) -> "Space":
        """A static space of names and vectors that are in memory.

        Args:
            keys: One name a row; names may repeat, and the first row of a name is the one that is found.
            vectors: (n, dim) finite numbers of any float or integer type; they are kept as float32.
            source: What the provenance card calls them.
            columns: A table with one row a vector.

        Returns:
            A space of n rows.

        Raises:
            TypeError: `keys` is one string, or a key is no string.
            PolysemaError: The vectors are no (n, dim) numbers, or hold NaN or Inf.
            IncompatibleError: There are more or fewer keys than rows.

        Example:
            >>> Space.from_vectors(["bank", "river"], [[1, 0], [0, 1]])["river"].tolist()
            [0.0, 1.0]
        """
        names = list(keys)
        for row, name in enumerate(names):
            if not isinstance(name, str):
                raise TypeError(f"every key must be a string; key {row} is {name!r:.60}, of type {type(name).__name__}")
        try:
            array = np.ascontiguousarray(vectors, np.float32)
        except (TypeError, ValueError) as error:
            raise UserError(f"vectors must be an array (n, dim) of numbers: {error}") from None
        if array.ndim != 2:
            raise UserError(f"vectors must be an array (n, dim) of numbers; got the shape {array.shape}")
        if not (finite := np.isfinite(array).all(axis=1)).all():
            raise UserError(f"vectors must be finite; row {int(np.flatnonzero(~finite)[0])} holds NaN or Inf")
        return cls(Keys(names), array, Origin(source), columns)

    @property
    def name(self) -> str:
        """What messages call it: its label, otherwise where its vectors come from, with the layer of hidden states."""
        layer = "" if self.origin.layer is None else f"@{self.origin.layer}"
        return self.label or f"{self.origin.source}{layer}"

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[str]:
        """The names of the rows, in order."""
        return iter(self.keys)

    def __contains__(self, word: object) -> bool:
        return word in self.keys

    def __getitem__(self, word: "str | Sequence[str]") -> Floats:
        """The vector of one word, or of each of a list of words, found as `resolve` does.

        Args:
            word: A word, or a list of n words.

        Returns:
            (dim,) for a word, (n, dim) for a list.

        Raises:
            UnknownWordError: A word is not in the space (it is a `KeyError`, with the nearest spellings).
            TypeError: Something else than a word or a list of words was given; rows are in `vectors`.
        """
        if isinstance(word, str):
            return self.vector(word)
        if isinstance(word, Sequence) and all(isinstance(one, str) for one in word):
            rows = np.array([self.resolve(one) for one in word], np.int64)
            found: Floats = np.asarray(self.vectors[rows])
            return found
        raise TypeError(
            f"a space is indexed by a word or a list of words; got {word!r:.60} (rows are in space.vectors)"
        )

    def __repr__(self) -> str:
        columns = f", columns {', '.join(self.columns.column_names)}" if self.columns is not None else ""
        return f"Space({len(self):,} x {self.dim}, {self.origin.card()}{columns})"

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.vectors.shape[1])

    def resolve(self, word: str) -> int:
        """The row of a word: as it is written, else in lower case (GloVe's words are lower-cased).

        Where there is none, the same text written otherwise is taken (composed, another apostrophe or space), with a
        warning.

        Args:
            word: A word.

        Returns:
            Its first row, from 0.

        Raises:
            UnknownWordError: There is no such word; `suggestions` are the nearest spellings.
            TypeError: Something else than a word was given.
        """
        for spelling in (word, word.lower()):
            if (row := self.keys.row(spelling)) >= 0:
                return row
        for spelling in (word, word.lower()):
            if (row := self.keys.row_otherwise(spelling)) >= 0:
                warnings.warn(spelling_note(word, self.keys[row]), stacklevel=2)
                return row
        raise self.unknown(word)

    def unknown(self, word: str) -> UnknownWordError:
        """The error for a word that isn't here.

        Args:
            word: The word.

        Returns:
            The error to raise, with the nearest spellings.
        """
        suggestions = self.keys.nearest_spellings(word)
        shown = clip_text(word)
        if self.columns is not None and {"word", "start"} <= set(self.columns.column_names) and len(self):
            return UnknownWordError(
                f"{shown!r} is not among the {len(self):,} ids of {self.name}, such as {self.keys[0]!r}: its rows are "
                "words in texts, which `polysema contexts` and the page Contexts find",
                word,
                suggestions,
            )
        hint = f"; nearest spellings: {', '.join(suggestions)}" if suggestions else ""
        return UnknownWordError(
            f"{shown!r} is not among the {len(self):,} words of {self.name}{hint}", word, suggestions
        )

    def vector(self, word: str) -> Floats:
        """The vector of a word.

        Args:
            word: A word, found as `resolve` does.

        Returns:
            (dim,)

        Raises:
            UnknownWordError: There is no such word.
        """
        try:
            vector: Floats = np.asarray(self.vectors[self.resolve(word)])
        except UnknownWordError:
            made = self.subwords(word) if self.subwords is not None else None
            if made is None:
                raise
            return made
        return vector

    def take(self, rows: "Ints | Sequence[int]") -> "Space":
        """A space of some rows.

        Args:
            rows: (m,) rows from 0, in the order that is wanted.

        Returns:
            A space of m rows, with their names and columns.
        """
        chosen = np.asarray(rows, np.int64)
        columns = None if self.columns is None else self.columns.take(pa.array(chosen))
        return replace(
            self, keys=Keys(self.keys.array.take(pa.array(chosen))), vectors=self.vectors[chosen], columns=columns
        )

    def column(self, name: str) -> list[Any]:
        """One column of the table.

        Args:
            name: The name of the column.

        Returns:
            n Python values.

        Raises:
            PolysemaError: There is no such column; the message names those that exist.
        """
        if self.columns is None or name not in self.columns.column_names:
            there = ", ".join(self.columns.column_names) if self.columns is not None else "none"
            raise UserError(f"this space has no column {name!r}; it has: {there}")
        values: list[Any] = self.columns.column(name).to_pylist()
        return values
