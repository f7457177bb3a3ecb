"""fastText's own binary models: words and the n-grams of their letters, so that an unknown word has its vector too.

Bojanowski et al. 2017. A word's vector is the mean of its own row and those of its n-grams, which are hashed (FNV-1a)
into a number of buckets.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from polysema.core.errors import UnreadableError
from polysema.core.files.readers import Block, VectorSource
from polysema.core.space.space import Floats, Ints

MAGIC, VERSION = 793_712_314, 12
HEADER = struct.Struct("<2i12id")  # magic, version, twelve numbers of the training, and a threshold
COUNTS = struct.Struct("<3i2q")  # of entries, words, labels, tokens and pruned n-grams
SHAPE = struct.Struct("<?2q")  # whether the matrix is quantized, its rows and its columns
ENTRY_TAIL = struct.Struct("<qb")  # how often an entry was seen, and whether it is a label
SUPERVISED = 3  # of the three ways to train: its output matrix has a row a label, else a row a word
WORD, END_OF_LINE = 0, "</s>"
BLOCK_WORDS = 20_000
FNV_START, FNV_PRIME, WIDTH = 2_166_136_261, 16_777_619, 0xFFFFFFFF


@dataclass(frozen=True, slots=True, eq=False)
class FastTextModel:
    """A model that lies open in a file: `words` by row, and `matrix` (n_words + n_buckets, dim), mapped."""

    words: list[str]
    matrix: Floats
    n_buckets: int
    shortest: int
    longest: int

    def ngram_rows(self, word: str) -> list[int]:
        """The rows of the n-grams of a word, each as often as it stands there.

        Args:
            word: Any word.

        Returns:
            Rows of the matrix, from the number of words on.
        """
        if not self.n_buckets or not self.longest or word == END_OF_LINE:
            return []
        data = f"<{word}>".encode("utf-8", "surrogatepass")
        starts = [place for place, byte in enumerate(data) if byte & 0xC0 != 0x80]
        ends = [*starts[1:], len(data)]
        rows = []
        for first, start in enumerate(starts):
            code = FNV_START
            for length, end in enumerate(ends[first : first + self.longest], 1):
                for byte in data[start:end]:
                    # bytes are signed there
                    code = ((code ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * FNV_PRIME) & WIDTH
                start = end
                if length >= self.shortest and not (length == 1 and (first == 0 or end == len(data))):
                    rows.append(len(self.words) + code % self.n_buckets)
        return rows

    def vector(self, word: str) -> Floats | None:
        """The vector of a word that has no row of its own.

        Args:
            word: Any word.

        Returns:
            (dim,) the mean of its n-grams' rows, None for a word without an n-gram.
        """
        rows = self.ngram_rows(word)
        if not rows:
            return None
        vector: Floats = self.matrix[rows].mean(axis=0, dtype=np.float32)
        return vector


def open_fasttext(path: Path) -> FastTextModel:
    """The model in a file of fastText.

    Args:
        path: A `.bin` file.

    Returns:
        Its words and its matrix, which is mapped.

    Raises:
        UnreadableError: It is cut off, of another version, or quantized.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _opened(path, data)
    except UnreadableError:
        raise
    except (struct.error, ValueError, OSError) as error:
        raise UnreadableError(f"{path} can't be read as fastText's binary: {error}; is it whole?") from None


def check_fasttext(path: Path) -> None:
    """Refuse a file of fastText that isn't whole, from its header and from what its length says must be at its end.

    Args:
        path: A `.bin` file.

    Raises:
        UnreadableError: As `open_fasttext`, which is called only where something is not as expected.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER.size + COUNTS.size)
            _, version, dim, *numbers = HEADER.unpack_from(head, 0)
            _, n_words, n_labels, _, _ = COUNTS.unpack_from(head, HEADER.size)
            n_out = n_labels if numbers[6] == SUPERVISED else n_words
            place = path.stat().st_size
            # from the end: the output matrix, and before it that of words and n-grams, each behind its shape
            for n_rows in (n_out, n_words + numbers[7]):
                place -= SHAPE.size + 4 * n_rows * dim
                file.seek(place)
                if version != VERSION or SHAPE.unpack(file.read(SHAPE.size)) != (False, n_rows, dim):
                    break
            else:
                return
    except (struct.error, ValueError, OSError):
        pass
    open_fasttext(path)


def _opened(path: Path, data: mmap.mmap) -> FastTextModel:
    magic, version, dim, *numbers = HEADER.unpack_from(data, 0)
    if magic != MAGIC:
        raise UnreadableError(f"{path} is packed: unpack it first, so that its vectors can be mapped")
    if version != VERSION:
        raise UnreadableError(f"{path} is of fastText's layout {version}; {VERSION} is read")
    n_buckets, shortest, longest = numbers[7:10]
    n_entries, n_words, _, _, n_pruned = COUNTS.unpack_from(data, HEADER.size)
    place = HEADER.size + COUNTS.size
    words: list[str] = []
    for _ in range(n_entries):
        end = data.find(b"\0", place)
        if end < 0:
            raise UnreadableError(f"{path} ends among its words, {len(words):,} of {n_entries:,}; it is cut off")
        _, kind = ENTRY_TAIL.unpack_from(data, end + 1)
        if kind == WORD:
            words.append(data[place:end].decode("utf-8", "backslashreplace"))
        place = end + 1 + ENTRY_TAIL.size
    place += 8 * max(n_pruned, 0)
    quantized, n_rows, columns = SHAPE.unpack_from(data, place)
    if quantized or n_pruned > 0:
        raise UnreadableError(
            f"{path} is a quantized model of fastText (.ftz), which is not read: give the .bin before it"
        )
    place += SHAPE.size
    if len(words) != n_words or columns != dim or n_rows != n_words + n_buckets or dim < 1:
        raise UnreadableError(f"{path} is damaged: {n_rows:,} rows of {columns} numbers for {n_words:,} words")
    if place + 4 * n_rows * dim > len(data):
        raise UnreadableError(f"{path} is cut off: {n_rows:,} rows of {dim} numbers are not there whole")
    matrix = np.memmap(path, "<f4", "r", place, (n_rows, dim))
    return FastTextModel(words, matrix, n_buckets, shortest, longest)


def read_fasttext(source: VectorSource) -> Iterator[Block]:
    """The vectors of the words, each the mean of its own row and those of its n-grams.

    Args:
        source: The file.

    Yields:
        Some thousand words at a time.
    """
    model = open_fasttext(source.path)
    for first in range(0, len(model.words), BLOCK_WORDS):
        words = model.words[first : first + BLOCK_WORDS]
        rows = [[first + number, *model.ngram_rows(word)] for number, word in enumerate(words)]
        sizes: Ints = np.array([len(of) for of in rows], np.int64)
        flat = np.concatenate([np.array(of, np.int64) for of in rows])
        vectors: Floats = np.add.reduceat(model.matrix[flat], np.cumsum(sizes) - sizes, axis=0)
        vectors /= sizes.astype(np.float32)[:, None]
        places = np.arange(first + 1, first + len(words) + 1)
        yield Block(pa.array(words, pa.large_string()), vectors, places)
