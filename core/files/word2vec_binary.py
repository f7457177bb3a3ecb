"""word2vec's binary layout: `count width`, then each word, a space and its little-endian floats, perhaps a line end.

A word ends at its first space, which words with spaces of their own break (gensim writes such files): what follows is
read as numbers, and the rest of the numbers as the next word. Where that may be, every space that could end the word is
tried, and the rows are aligned so that words are text and numbers have a likely size.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polysema.core.errors import UnreadableError
from polysema.core.files.readers import Block, VectorSource, check_dim, is_utf8, read_errors, strings
from polysema.core.files.text_lines import is_header
from polysema.core.space.array_types import Floats, Ints

MAX_WORD_BYTES = 1 << 16
MAX_PHRASE_BYTES = 512  # of a word with spaces
MAX_HEADER_BYTES = 1 << 16
LOOKAHEAD_ROWS = 8  # that an alignment is judged by
SETTLED_ROWS = 5  # of these, those that are taken; the others are looked at again
LEAST_DIM = 8  # of vectors by which the ends of words are found: fewer numbers are likely by chance
MAX_PATHS = 24
MISSING_COST, NO_TEXT_COST = 10, 6  # in numbers of an unlikely size
MAX_ROWS = 1 << 20
WILD_EXPONENTS = (77, 160)  # of float32: numbers below 1e-15 or above 1e10 are wild whatever the file
LEAST_NUMBERS = 2000  # of which a median says something
USUAL_BELOW, USUAL_ABOVE = 22, 16  # powers of two around the median of a file, beyond which its numbers are unlikely
_CONTROL = bytes([*range(32), 127])
_SPACES = re.compile(rb"[^\x00-\x1f\x7f]{0,%d}? " % MAX_PHRASE_BYTES)


def read_word2vec_binary(source: VectorSource) -> Iterator[Block]:
    """word2vec's binary layout, words with spaces included."""
    with read_errors(source), source.opened() as file:
        header = file.readline(MAX_HEADER_BYTES)
        if not is_header(header):
            raise source.fail("line 1: the number of vectors and their width were expected")
        count, dim = (int(part) for part in header.split())
        check_dim(source, dim, "line 1: ")
        rows = _Rows(source, dim, count)
        ended = False
        while not ended:
            chunk = file.read(source.block_bytes)
            ended = not chunk
            yield from rows.take(chunk, ended)
    if rows.n == 0:
        raise source.fail(f"{count:,} vectors of width {dim:,} are promised, and not one whole one is there")
    if rows.left.strip(b"\n"):
        source.notes.found("cut", [rows.n + 1])
    if rows.n_phrases and (dim < LEAST_DIM or rows.n != count):
        raise rows.shifted(rows.phrase, f"{rows.phrase_row:,}")
    if rows.n_phrases:
        source.notes.say(
            f"{rows.n_phrases:,} words hold spaces ({rows.phrase!r} first), which this layout ends words at: "
            "where they end"
            " was found by their numbers"
        )
    if rows.n != count:
        source.notes.say(f"line 1 promises {count:,} vectors, {rows.n:,} whole ones are there: these are read")


class _Rows:
    """The rows of a stream: `data` from byte `at` on is what isn't taken yet, `n` counts the rows that are."""

    def __init__(self, source: VectorSource, dim: int, count: int):
        self.source, self.dim, self.width, self.count = source, dim, 4 * dim, count
        self.data, self.at, self.n = b"", 0, 0
        self.n_phrases, self.phrase, self.phrase_row = 0, "", 0
        self._usual: tuple[int, int] | None = None  # the exponents of this file's numbers
        self._window = MAX_ROWS  # that are parted at once: few where words with spaces are met, then more again
        self._wild_before = False  # whether the last row that was taken has numbers of an unlikely size

    @property
    def left(self) -> bytes:
        """The bytes that aren't taken."""
        return self.data[self.at :]

    def take(self, chunk: bytes, ended: bool) -> Iterator[Block]:
        """The blocks that are whole with this chunk; the last row waits for the next, whose word shows where it
        ended.
        """
        self.data, self.at = self.left + chunk, 0
        while True:
            words, starts = self._plain()
            last = ended and len(starts) < self._window
            if not starts or (len(starts) == 1 and not last):
                break
            vectors = self._vectors(starts)
            if self._usual is None:
                self._usual = _usual_exponents(vectors)
            wild = _count_beyond(vectors, WILD_EXPONENTS)
            bad = [not _is_text(word) for word in words] if _any_bad(words) else []
            doubtful = self._doubtful(starts, _count_beyond(vectors, self._usual), bad)
            many = (len(words) if last else len(words) - 1) if doubtful is None else max(doubtful - 1, 0)
            yield from self._give(words[:many], vectors[:many], wild[:many])
            self.at = starts[many - 1] + self.width if many else self.at
            if doubtful is None:
                self._window = min(2 * self._window, MAX_ROWS)
                continue
            if not ended and len(self.data) - self.at < (LOOKAHEAD_ROWS + 2) * (self.width + MAX_PHRASE_BYTES):
                return
            self._window = SETTLED_ROWS * 2
            yield from self._realigned(ended)
        left = self.data[self.at : self.at + MAX_WORD_BYTES]
        if len(self.data) - self.at > self.width + MAX_WORD_BYTES and b" " not in left:
            raise self.source.fail(f"row {self.n + 1:,}: no space after its word; this is no word2vec binary file")

    def _plain(self) -> tuple[list[bytes], list[int]]:
        """The next whole rows, a word ending at its first space: the words and where their numbers begin."""
        data, width = self.data, self.width
        words: list[bytes] = []
        starts: list[int] = []
        at = self.at
        while len(words) < self._window:
            space = data.find(b" ", at, at + MAX_WORD_BYTES)
            if space < 0 or space + 1 + width > len(data):
                break
            words.append(data[at:space].lstrip(b"\n"))
            starts.append(space + 1)
            at = space + 1 + width
        return words, starts

    def _vectors(self, starts: list[int]) -> Floats:
        """The vectors that begin at these bytes: (n, dim)."""
        raw = b"".join([self.data[start : start + self.width] for start in starts])
        vectors: Floats = np.frombuffer(raw, "<f4").reshape(len(starts), self.dim).astype(np.float32, copy=False)
        return vectors

    def _doubtful(self, starts: list[int], unlikely: Ints, bad: list[bool]) -> int | None:
        """The first row whose word may go on after its first space; None when there is none."""
        suspect = unlikely > 0
        if bad:
            suspect |= np.array(bad) | np.array([*bad[1:], False])
        for row in np.arange(len(starts)) if self.n_phrases else np.flatnonzero(suspect):
            if _SPACES.match(self.data, starts[row], starts[row] + MAX_PHRASE_BYTES):
                return int(row)
        return None

    def _give(self, words: list[bytes], vectors: Floats, wild: Ints) -> Iterator[Block]:
        """These rows as a block. Raises `UnreadableError` where a word is no text beside numbers that are wild."""
        if not words:
            return
        if _any_bad(words):
            before = [self._wild_before, *(wild[:-1] > 0)]
            for row, word in enumerate(words):
                if b"\n" in word or b"\0" in word or (not _is_text(word) and (wild[row] > 0 or before[row])):
                    raise self.shifted(word.decode("utf-8", "replace"), f"{self.n + row + 1:,}")
        self._wild_before = bool(wild[-1] > 0)
        ends = np.zeros(len(words) + 1, np.int64)
        np.cumsum([len(word) for word in words], out=ends[1:])
        places = np.arange(self.n + 1, self.n + 1 + len(words), dtype=np.int64)
        self.n += len(words)
        yield Block(strings(self.source, b"".join(words), ends, places), vectors, places)

    def shifted(self, word: str, row: str) -> UnreadableError:
        """The error for a word that can't be told from the numbers around it."""
        shown = repr(word if len(word) <= 40 else word[:39] + "…")
        return self.source.fail(
            f"row {row}: where its word begins or ends can't be found ({shown}): a line end, a NUL or numbers "
            "within it, or"
            " spaces, at which this layout ends words. The file is damaged, or its words hold spaces: write it as text"
        )

    def _realigned(self, ended: bool) -> Iterator[Block]:
        """The next rows, their words ending where it is likeliest."""
        reach = self.at + (LOOKAHEAD_ROWS + 2) * (self.width + MAX_WORD_BYTES)
        data, last = self.data[self.at : reach], ended and reach >= len(self.data)
        rest = self.count - self.n if last else None
        usual = self._usual or WILD_EXPONENTS
        plain = _best_path(data, self.width, usual, rest, first_spaces=True)
        best = _best_path(data, self.width, usual, rest)
        if not plain.is_doubted and best.cost >= 1:
            best = plain  # its words are text: only rows without any doubt are better
        path = [(self.at + start, self.at + space) for start, space in best.rows]
        settled = path if ended and len(path) < LOOKAHEAD_ROWS else path[:SETTLED_ROWS]
        words = [self.data[start:space].lstrip(b"\n") for start, space in settled]
        starts = [space + 1 for _, space in settled]
        for row, word in enumerate(words, self.n + 1):
            if b" " in word:
                if not self.n_phrases:
                    self.phrase, self.phrase_row = word.decode("utf-8", "replace"), row
                self.n_phrases += 1
        vectors = self._vectors(starts)
        yield from self._give(words, vectors, _count_beyond(vectors, WILD_EXPONENTS))
        self.at = starts[-1] + self.width


def _count_beyond(vectors: Floats, usual: tuple[int, int]) -> npt.NDArray[np.int64]:
    """How many numbers of each row have another exponent than these, or are NaN: (n,). Zeros don't count."""
    exponents = (vectors.view(np.uint32) >> 23) & 0xFF
    beyond = (exponents > usual[1]) | ((exponents < usual[0]) & (vectors != 0))
    counts: npt.NDArray[np.int64] = np.count_nonzero(beyond, axis=1)
    return counts


def _usual_exponents(vectors: Floats) -> tuple[int, int]:
    """The exponents around the median one of these numbers, which a few shifted rows don't move."""
    exponents = (vectors[vectors != 0].view(np.uint32) >> 23) & 0xFF
    if len(exponents) < LEAST_NUMBERS:
        return WILD_EXPONENTS
    middle = int(np.median(exponents))
    return middle - USUAL_BELOW, middle + USUAL_ABOVE


def _any_bad(words: list[bytes]) -> bool:
    raw = b"".join(words)
    return raw.translate(None, _CONTROL) != raw or not is_utf8(raw)


def _is_text(word: bytes) -> bool:
    return word.translate(None, _CONTROL) == word and is_utf8(word)


@dataclass(frozen=True, slots=True)
class _Path:
    """A way to part the bytes into rows: its cost, each row's first byte and the space that ends its word, and whether
    a word of it is no text or a row is missing or too many.
    """

    cost: float = 0.0
    rows: tuple[tuple[int, int], ...] = ()
    is_doubted: bool = False


def _best_path(data: bytes, width: int, usual: tuple[int, int], rest: int | None, first_spaces: bool = False) -> _Path:
    """The likeliest of the ways to part the beginning of `data` into rows, or the one where each word ends at its first
    space. `rest` is how many rows the data should hold, None where it goes on.
    """
    paths = {0: _Path()}
    finished: list[_Path] = []
    for _ in range(LOOKAHEAD_ROWS):
        reached: dict[int, _Path] = {}
        for at, path in paths.items():
            steps = list(_steps(data, at, width, usual))[: 1 if first_spaces else None]
            if not steps:
                finished.append(_finished(path, data[at:], rest))
            for space, cost, is_text in steps:
                stop, whole = space + 1 + width, path.cost + cost
                if stop not in reached or whole < reached[stop].cost:
                    reached[stop] = _Path(whole, (*path.rows, (at, space)), path.is_doubted or not is_text)
        paths = dict(sorted(reached.items(), key=lambda item: item[1].cost)[:MAX_PATHS])
        if not paths:
            break
    return min([*finished, *paths.values()], key=lambda path: path.cost)


def _finished(path: _Path, left: bytes, rest: int | None) -> _Path:
    """A path at the end of the data: bytes that are left and rows that aren't as many as they should be cost."""
    if rest is None:
        return path
    wrong = bool(left.strip(b"\n")) + (len(path.rows) != rest)
    return _Path(path.cost + MISSING_COST * wrong, path.rows, path.is_doubted or wrong > 0)


def _steps(data: bytes, at: int, width: int, usual: tuple[int, int]) -> Iterator[tuple[int, float, bool]]:
    """The spaces that may end the word that begins at `at`, what each costs (unlikely words and numbers), and whether
    the word is text.
    """
    start = at
    while data[start : start + 1] == b"\n":
        start += 1
    led = -0.5 if start > at else 0.0
    space, n_spaces = data.find(b" ", start, start + MAX_WORD_BYTES), 0
    while space >= 0 and space + 1 + width <= len(data):
        word = data[start:space]
        numbers = np.frombuffer(data, "<f4", width // 4, space + 1)[None]
        cost = led + int(_count_beyond(numbers, usual)[0]) + 0.1 * n_spaces + (2 if not word.strip() else 0)
        is_text = _is_text(word)
        yield space, cost + (0 if is_text else NO_TEXT_COST), is_text
        following = data.find(b" ", space + 1, start + MAX_PHRASE_BYTES)
        between = data[start:following]
        if following < 0 or between.translate(None, _CONTROL) != between:
            return
        space, n_spaces = following, n_spaces + 1
