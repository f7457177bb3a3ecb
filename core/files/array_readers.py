"""Tables of numbers in NumPy's and safetensors' files, with their words inside or beside them. Nothing is unpickled."""

import json
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError
from polysema.core.files.readers import Block, VectorSource, check_dim, few, float_table, one_line, paired, strings
from polysema.core.files.vocabulary import words_beside
from polysema.core.space.array_types import AnyArray

# damage is met in many ways: a header that is no Python, sizes beyond any number, members that don't unpack or want a
# password
NPY_FAULTS = (
    ValueError,
    OSError,
    EOFError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    TypeError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
)
NPZ_FAULTS = (*NPY_FAULTS, zlib.error, zipfile.BadZipFile)


def read_npy(source: VectorSource) -> Iterator[Block]:
    """`.npy` with its vocabulary beside it."""
    try:
        table = np.load(source.path, mmap_mode="r", allow_pickle=False)
    except NPY_FAULTS as error:
        raise source.fail(f"not a .npy file of numbers: {one_line(error)}") from None
    table = float_table(source, table, source.path.name)
    yield from paired(source, words_beside(source, len(table)), table, source.path.name)


def read_npz(source: VectorSource) -> Iterator[Block]:
    """`.npz`: its one table of numbers, and its one list of strings, else the vocabulary beside it."""
    try:
        with np.load(source.path, allow_pickle=False) as file:
            headers = {name: _npz_header(source, name) for name in file.files}
            tables = [name for name, (shape, dtype) in headers.items() if len(shape) == 2 and dtype.kind in "fiu"]
            lists = [name for name, (shape, dtype) in headers.items() if len(shape) == 1 and dtype.kind in "US"]
            if len(tables) != 1 or len(lists) > 1:
                current = few([f"{name} {dtype} {shape}" for name, (shape, dtype) in headers.items()])
                raise source.fail(
                    f"one table of numbers (n, dim) and one list of words (n,) are needed; it holds: {current}"
                )
            table = float_table(source, file[tables[0]], tables[0])
            if lists:
                names = file[lists[0]]
                words = pa.array(np.char.decode(names, "utf-8") if names.dtype.kind == "S" else names, pa.string())
            else:
                words = None
    except UserError:
        raise
    except NPZ_FAULTS as error:
        raise source.fail(f"not a .npz file of numbers: {one_line(error)}") from None
    if words is None:
        words = words_beside(source, len(table))
    yield from paired(source, words.cast(pa.large_string()), table, tables[0])


def _npz_header(source: VectorSource, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with zipfile.ZipFile(source.path) as archive, archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(member)
    if dtype.hasobject:
        raise source.fail(f"{name} is an array of Python objects, which only a pickle holds; save the words as strings")
    return shape, dtype


def read_safetensors(source: VectorSource) -> Iterator[Block]:
    """safetensors: its one table of numbers, with the words inside (as they are written here) or beside it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(source.path, framework="np") as tensors:
            shapes = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            tables = [name for name, part in shapes.items() if len(part.get_shape()) == 2]
            if len(tables) != 1:
                current = few([f"{name} {tuple(part.get_shape())}" for name, part in shapes.items()])
                raise source.fail(f"one table (n, dim) is needed; it holds: {current}")
            table = shapes[tables[0]]
            n, dim = table.get_shape()
            check_dim(source, dim)
            if {"words.utf8", "words.ends"} <= set(shapes):
                ends = np.concatenate([np.zeros(1, np.int64), tensors.get_tensor("words.ends").astype(np.int64)])
                raw = tensors.get_tensor("words.utf8").astype(np.uint8).tobytes()
                if (np.diff(ends) < 0).any() or ends[-1] != len(raw):
                    raise source.fail("its list of words is damaged")
                words = strings(source, raw, ends, np.arange(1, len(ends), dtype=np.int64))
            elif len(shapes) > 1 and source.companion is None:
                current = few([f"{name} {tuple(part.get_shape())}" for name, part in shapes.items()])
                raise source.fail(
                    f"its words are neither in words.utf8 and words.ends nor beside it; it holds: {current}"
                )
            else:
                words = words_beside(source, n)
            if table.get_dtype() == "BF16":
                yield from paired(source, words, _bfloat16(source.path, tables[0]), tables[0])
            else:
                yield from paired(source, words, _Slices(lambda start, stop: table[start:stop], (n, dim)), tables[0])
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # NumPy has no 8-bit floats
        raise source.fail(f"can't be read as safetensors: {one_line(error)}") from None


class _Slices:
    """A tensor of a file, read a slice at a time by `read(start, stop)`."""

    def __init__(self, read: Callable[[int, int], AnyArray], shape: tuple[int, int]):
        self._read, self.shape = read, shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> AnyArray:
        return self._read(rows.start, min(rows.stop, self.shape[0]))


def _bfloat16(path: Path, name: str) -> _Slices:
    """A bfloat16 table as float32: NumPy has no such numbers, but they are the upper halves of float32's."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))[name]
    start = 8 + length + int(header["data_offsets"][0])
    shape = tuple(header["shape"])
    halves = np.memmap(path, "<u2", "r", start, shape)

    return _Slices(lambda start, stop: (halves[start:stop].astype(np.uint32) << 16).view(np.float32), shape)
