"""`Space`: vectors with names, and the card that says where they come from."""

import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.argument_types import checked_arguments
from polysema.core.display import HtmlRepr
from polysema.core.errors import IncompatibleError, UnknownWordError, UserError
from polysema.core.space.spelling import SpellingVariants, encoded, spelling_note

Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]

MAX_SCANS = (
    4  # look-ups by scanning; from the next one on the names are sorted, which takes as long as some hundred scans
)
MAX_CACHED_NAMES = 65_536  # look-ups that are remembered
MAX_SINGLE_NAMES = 1000  # names that are taken one by one: for an array of rows Arrow would import pandas
SCAN_ROWS = 4096  # fewer names than this are always scanned
BATCH_LOOKUP = 8  # from this many words on, one hash table of all keys beats a scan for each


class Family(Enum):
    """How the vectors of an origin come about."""

    STATIC = "static"
    ENCODER = "encoder"
    DECODER = "decoder"
    ENCODER_DECODER = "encoder-decoder"


@dataclass(frozen=True, slots=True, repr=False)
class Origin(HtmlRepr):
    """The provenance card of a space: what made its vectors, and what is to be known of them.

    Args:
        source: A name of the catalog, a folder, a hub id or a file.
        family: How the vectors come about.
        weights_sha256: Tells two revisions of a file or a model apart.
        revision: Of a model of the hub.
        layer: As transformers counts (0 the embedding output, n the last block), None for a static space.
        pooling: How sub-words become a word, or words a text.
        transform: What was done to the vectors of a whole space (`raw`, `centered`, …).
        normalized: Whether every vector has length 1.
        dtype: Of the weights.
        engine: What computed them.
        stack: `encoder` or `decoder`, for an encoder-decoder.
        final_norm: `after` or `before`, for a stack that ends in a norm: where its last layer is taken.
        windows: How texts longer than the model's window were read.
        versions: Name and version of each library that counts.
        notes: What was passed over or mended when the vectors were read, and what is to be known of the words of an answer.
        prompt: Stood before each text; a question and what it finds may have different ones.
        beginning: A token put before each text.

    Example:
        >>> Origin("mine.txt", transform="centered")
        Origin(mine.txt, static, centered)
    """

    source: str
    family: Family = Family.STATIC
    weights_sha256: str = ""
    revision: str = ""
    layer: int | None = None
    pooling: str = ""
    transform: str = "raw"
    normalized: bool = False
    dtype: str = "float32"
    engine: str = ""
    stack: str = ""
    final_norm: str = ""
    windows: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    prompt: str = ""
    beginning: str = ""

    def __repr__(self) -> str:
        return f"Origin({self.card()})"

    def card(self) -> str:
        """The card on one line: what differs between two spaces can be read from it.

        Returns:
            Its parts with commas between them.
        """
        parts = [self.source, self.family.value]
        if self.layer is not None:
            parts.append(f"layer {self.layer}")
        if self.stack == "decoder":
            parts.append("its decoder")
        if self.final_norm == "before":
            parts.append("before the final norm")
        if self.pooling:
            parts.append(self.pooling if " " in self.pooling else f"{self.pooling} of sub-words")
        if self.beginning:
            parts.append(f"behind {self.beginning}")
        if self.prompt:
            parts.append(f"prompt {self.prompt!r}")
        if self.transform != "raw":
            parts.append(self.transform)
        if self.weights_sha256:
            parts.append(f"weights {self.weights_sha256[:12]}")
        if self.engine.endswith("int8"):
            parts.append(f"engine {self.engine}: not exact")
        return ", ".join(parts)

    def require_same(self, other: "Origin") -> None:
        """Check that vectors of the two may be compared.

        Args:
            other: The card of the other vectors.

        Raises:
            IncompatibleError: They are of another model, layer, pooling or transform; the message has both cards.
        """
        names = (
            "source",
            "family",
            "weights_sha256",
            "stack",
            "layer",
            "final_norm",
            "pooling",
            "transform",
            "beginning",
        )
        if any(getattr(self, name) != getattr(other, name) for name in names):
            raise IncompatibleError(
                f"these vectors don't belong together: [{self.card()}] and [{other.card()}]; take both from the same "
                "model, layer and pooling"
            )

    def with_notes(self, *notes: str) -> "Origin":
        """The same card with what is to be said of one answer: each note once, none that is empty.

        Args:
            *notes: One sentence each.

        Returns:
            A new card, or this one where there is nothing new to say.
        """
        more = tuple(note for note in dict.fromkeys(notes) if note and note not in self.notes)
        return replace(self, notes=(*self.notes, *more)) if more else self

    def to_json(self) -> dict[str, Any]:
        """The card as plain JSON types.

        Returns:
            A value for each field.
        """
        card = asdict(self)
        card["family"] = self.family.value
        card["versions"] = dict(self.versions)
        card["notes"] = list(self.notes)
        return card

    @classmethod
    def from_json(cls, card: dict[str, Any]) -> "Origin":
        """The inverse of `to_json`.

        Args:
            card: Its fields; those that a newer version added are ignored.

        Returns:
            The card.
        """
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in card.items() if name in known}
        values["family"] = Family(values.get("family", "static"))
        values["versions"] = tuple(sorted(dict(values.get("versions", {})).items()))
        values["notes"] = tuple(values.get("notes", ()))
        # cards that were written when transforms had British names
        values["transform"] = str(values.get("transform", "raw")).replace("centred", "centered")
        return cls(**values)


class Keys(HtmlRepr, Sequence[str]):
    """The names of the rows: a sequence of strings kept as one Arrow array, so that 400,000 of them open at once.

    Args:
        names: One for each row; they may repeat.

    Example:
        >>> keys = Keys(["bank", "river", "bank"])
        >>> keys.row("bank"), keys.all_rows("bank").tolist(), "shore" in keys
        (0, [0, 2], False)
    """

    def __init__(self, names: "pa.Array | pa.ChunkedArray | Iterable[str]"):
        if isinstance(names, pa.ChunkedArray):
            names = names.combine_chunks()
        if not isinstance(names, pa.Array):
            names = pa.array(list(names), pa.large_string())
        self.array = names if names.type == pa.large_string() else names.cast(pa.large_string())
        self._asked = 0
        self._known: dict[str, int] = {}

    def __repr__(self) -> str:
        shown = ", ".join(repr(name) for name in self[:3])
        return f"Keys({len(self):,}: {shown}{', …' if len(self) > 3 else ''})"

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return self.array[row].to_pylist()
        return self.array[int(row)].as_py()

    def __iter__(self) -> Iterator[str]:
        return iter(self.array.to_pylist())

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.row(word) >= 0

    def row(self, word: str) -> int:
        """First row of that name. After some scans a sorted order of the names is made and used.

        Args:
            word: The name, letter by letter.

        Returns:
            A row from 0, or -1 when there is none.
        """
        if (row := self._known.get(word)) is not None:
            return row
        self._asked += 1
        name = encoded(word)
        row = self._scan(name) if self._asked <= MAX_SCANS or len(self) < SCAN_ROWS else self._bisect(name)
        if len(self._known) < MAX_CACHED_NAMES:
            self._known[word] = row
        return row

    def row_otherwise(self, word: str, ignore_case: bool = False, letters: bool = True) -> int:
        """First row whose name is the same text written otherwise (see `spelling.fold`).

        Args:
            word: A text.
            ignore_case: Whether capitals count for small letters.
            letters: Whether letters that stand for others (ß for ss) count for them.

        Returns:
            A row from 0, or -1 when there is none.
        """
        return self._otherwise.row(word, self.row, ignore_case, letters)

    @cached_property
    def _otherwise(self) -> SpellingVariants:
        return SpellingVariants(self.array)

    def _scan(self, name: bytes) -> int:
        """The first row whose bytes these are, narrowed down byte by byte. (Arrow's own search would import pandas.)"""
        starts, data = self._text
        rows = np.flatnonzero(np.diff(starts) == len(name))
        letters = np.frombuffer(data, np.uint8)
        for place, letter in enumerate(name):
            rows = rows[letters[starts[rows] + place] == letter]
        return int(rows[0]) if len(rows) else -1

    def _bisect(self, name: bytes) -> int:
        at = bisect_left(self._order, name, key=lambda row: self.array[row].as_buffer().to_pybytes())
        if at < len(self._order) and self.array[row := int(self._order[at])].as_buffer().to_pybytes() == name:
            return row
        return -1

    @cached_property
    def _order(self) -> Ints:
        """The rows in the order of their names' bytes, equal names in row order: (n,)."""
        order: Ints = pc.sort_indices(self.array).to_numpy()
        return order

    def rows(self, words: Sequence[str]) -> Ints:
        """First row of each name.

        Args:
            words: n names.

        Returns:
            (n,) rows from 0, -1 where there is none.
        """
        if len(words) < BATCH_LOOKUP:
            return np.array([self.row(word) for word in words], np.int64)
        try:
            names = pa.array(words, self.array.type)
        except UnicodeEncodeError:
            names = pa.array([encoded(word) for word in words], pa.large_binary())  # raises for the one that can't be
        found = pc.index_in(names, value_set=self.array)
        return found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)

    def all_rows(self, word: str) -> Ints:
        """Every row of that name.

        Args:
            word: The name, letter by letter.

        Returns:
            (m,) rows, ascending.
        """
        return np.flatnonzero(pc.equal(self.array, word).to_numpy(zero_copy_only=False)).astype(np.int64)

    def take(self, rows: Ints) -> list[str]:
        """The names of these rows.

        Args:
            rows: (n,) rows from 0.

        Returns:
            n names.
        """
        if len(rows) >= MAX_SINGLE_NAMES:
            return self.array.take(pa.array(rows)).to_pylist()
        starts, data = self._text
        return [str(data[starts[row] : starts[row + 1]], "utf-8") for row in rows]

    @cached_property
    def _text(self) -> tuple[Ints, memoryview]:
        """Where each name begins, (n + 1,), and the bytes of all of them."""
        _, offsets, data = self.array.buffers()
        starts = np.frombuffer(offsets, np.int64)[self.array.offset : self.array.offset + len(self) + 1]
        return starts, memoryview(data if data is not None else b"")

    @cached_property
    def _spellings(self) -> list[str]:
        return self.array[:SPELLINGS].to_pylist()

    def nearest_spellings(self, word: str, limit: int = 5) -> tuple[str, ...]:
        """The names most like a word; of equal ones the earlier row, which is the more frequent word.

        Args:
            word: A word that may be misspelt.
            limit: The most that are given.

        Returns:
            Names of the first 200,000 rows, best first; none for a word of over 100 letters.
        """
        if len(word) > 100:
            return ()
        from rapidfuzz import fuzz, process

        found = process.extract(word.lower(), self._spellings, scorer=fuzz.ratio, limit=limit, score_cutoff=60)
        return tuple(str(name) for name, _, _ in sorted(found, key=lambda hit: (-round(hit[1]), hit[2])))


SPELLINGS = 200_000  # spellings are looked for among this many of the first (most frequent) names


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

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise IncompatibleError(
                f"a space holds (n, dim) float32 vectors; got {self.vectors.dtype} of shape {self.vectors.shape}"
            )
        if len(self.keys) != len(self.vectors):
            raise IncompatibleError(f"{len(self.keys):,} names for {len(self.vectors):,} vectors; they must be as many")
        if self.columns is not None and self.columns.num_rows != len(self.vectors):
            raise IncompatibleError(f"a table of {self.columns.num_rows:,} rows for {len(self.vectors):,} vectors")
        if self.vectors.flags.writeable:
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
        shown = word if len(word) <= 60 else word[:57] + "…"
        hint = f"; nearest spellings: {', '.join(suggestions)}" if suggestions else ""
        return UnknownWordError(
            f"{shown!r} is not among the {len(self):,} words of {self.origin.source}{hint}", word, suggestions
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
        return self.columns.column(name).to_pylist()
