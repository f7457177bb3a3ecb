"""Damaged and lying files of vectors: refused with one line or read right, in little memory, by a process that lives
on.

Run as a program it is that process: `python test_hostile_files.py FOLDER` reads every file of a folder.
"""

import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS, DIM = 40, 8
MUTANTS = int(os.environ.get("POLYSEMA_MUTANTS", "100"))  # of each format
SECONDS = 5  # for one file
HEADROOM = 2 << 30  # of addresses, above what the process has when it begins
GROWTH = 300 << 10  # of memory in use, in kB: a file here has some kB

Row = tuple[str, list[float]]
Outcome = dict[str, object]


# The process that reads


def _kilobytes(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


def read_all(folder: Path) -> None:
    """A line of JSON for each file: what was read, the error of the user's, or what else was raised."""
    import resource

    from polysema.core.errors import UserError
    from polysema.core.files.formats import read_vectors

    for path in sorted((folder / "good").iterdir()):
        if path.suffix != ".vocab":
            read_vectors(path)
    most = (_kilobytes("VmSize") << 10) + HEADROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    before = _kilobytes("VmRSS")
    for path in sorted((folder / "bad").iterdir()):
        if path.suffix == ".vocab":
            continue
        outcome: Outcome = {"file": path.name}
        signal.alarm(SECONDS)
        try:
            space = read_vectors(path)
            outcome |= {"keys": list(space.keys), "vectors": space.vectors.tolist(), "notes": list(space.origin.notes)}
        except UserError as error:
            outcome["error"] = str(error)
        except Exception as error:
            outcome["raised"] = f"{type(error).__name__}: {error}"
        signal.alarm(0)
        print(json.dumps(outcome), flush=True)
    print(json.dumps({"grown": _kilobytes("VmHWM") - before}))


# Good files


def _words() -> list[str]:
    return [f"wörd{row}" if row % 9 == 0 else f"word{row}" for row in range(ROWS)]


def _write_words(path: Path) -> None:
    path.write_text("\n".join(_words()) + "\n", encoding="utf-8")


def good_files(folder: Path) -> dict[str, bytes]:
    """Each format as it is written here, and as others write them: bfloat16, columns of numbers, words beside a
    table.
    """
    from polysema.core.files.formats import write_vectors
    from polysema.core.space.space import Family, Keys, Origin, Space

    vectors = np.random.default_rng(1).standard_normal((ROWS, DIM)).astype(np.float32)
    space = Space(Keys(_words()), vectors, Origin("test", Family.STATIC))
    for name in ("plain.safetensors", "v.bin", "v.txt", "v.parquet", "table.npy"):
        write_vectors(space, folder / name)
    halves = (vectors.view(np.uint32) >> 16).astype("<u2").tobytes()
    (folder / "halves.safetensors").write_bytes(tensors({"t": ("BF16", [ROWS, DIM], [0, len(halves)])}, halves))
    table = pa.table({"word": _words(), **{f"d{column}": vectors[:, column] for column in range(DIM)}})
    pq.write_table(table, folder / "columns.parquet", compression="none")
    np.savez(folder / "v.npz", vectors=vectors, words=np.array(_words()))
    _write_words(folder / "halves.vocab")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".vocab"}


def tensors(
    entries: dict[str, tuple[str, list[int], list[int]]], data: bytes = b"", length: int | None = None
) -> bytes:
    """A file of safetensors with whatever header."""
    header = json.dumps(
        {name: {"dtype": kind, "shape": shape, "data_offsets": ends} for name, (kind, shape, ends) in entries.items()}
    ).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


# Bad ones


def mutants(good: bytes, seed: int) -> Iterator[bytes]:
    """Bits flipped (often near the ends, where headers are), cut, zeroed, doubled and missing parts."""
    rng = np.random.default_rng(seed)
    n = len(good)
    while True:
        bad = bytearray(good)
        kind = rng.integers(8)
        near = [int(rng.integers(n)), int(rng.integers(min(n, 200))), n - 1 - int(rng.integers(min(n, 400)))]
        at = near[int(rng.integers(3))]
        size = int(rng.integers(1, 300))
        if kind < 4:
            for _ in range(int(rng.integers(1, 4))):
                bad[(at + int(rng.integers(16))) % n] ^= 1 << int(rng.integers(8))
        elif kind == 4:
            del bad[at:]
        elif kind == 5:
            bad[at : at + size] = bytes(len(bad[at : at + size]))
        elif kind == 6:
            bad[at:at] = bad[at : at + size]
        else:
            del bad[at : at + size]
        yield bytes(bad)


def lies() -> dict[str, bytes]:
    """Headers that claim what isn't there."""
    data = np.ones((ROWS, DIM), "<f4").tobytes()
    end = len(data)
    words = ("U8", [3], [end, end + 3]), b"abc"

    def table(shape: list[int], kind: str = "F32", ends: list[int] | None = None) -> bytes:
        return tensors({"t": (kind, shape, ends or [0, end])}, data)

    def listed(ends: list[int]) -> bytes:
        raw = np.array(ends, "<i8").tobytes()
        entries = {
            "t": ("F32", [ROWS, DIM], [0, end]),
            "words.utf8": words[0],
            "words.ends": ("I64", [len(ends)], [end + 3, end + 3 + len(raw)]),
        }
        return tensors(entries, data + words[1] + raw)

    rows = b"".join(b"w%d " % row + bytes(4 * DIM) for row in range(ROWS))
    lines = b"".join(b"w%d" % row + b" 1.5" * DIM + b"\n" for row in range(ROWS))
    bad = {
        "rows.safetensors": table([10**12, DIM]),
        "wide.safetensors": table([1, 10**12]),
        "product.safetensors": table([2**32, 2**32]),
        "none.safetensors": table([0, DIM], ends=[0, 0]),
        "thin.safetensors": table([ROWS, 0], ends=[0, 0]),
        "backwards.safetensors": table([ROWS, DIM], ends=[end, 0]),
        "beyond.safetensors": table([ROWS, DIM], ends=[end, 2 * end]),
        "kind.safetensors": table([ROWS, DIM], "F128"),
        "eights.safetensors": tensors({"t": ("F8_E4M3", [ROWS, DIM], [0, ROWS * DIM])}, bytes(ROWS * DIM)),
        "half.safetensors": table([10**12, DIM], "BF16"),
        "deep.safetensors": struct.pack("<Q", 100_000) + b'{"t":' + b"[" * 99_995,
        "long.safetensors": struct.pack("<Q", 1 << 62) + b'{"t": 1}' + data,
        "longer.safetensors": struct.pack("<Q", (1 << 64) - 1) + b"{" * 100,
        "many.safetensors": tensors({f"t{i}": ("F32", [0, 8], [0, 0]) for i in range(20_000)}),
        "ends.safetensors": listed([10**15] * ROWS),
        "negative.safetensors": listed([-5, 3]),
        "few.safetensors": listed([1, 2, 3]),
        "text.safetensors": tensors({"t": ("F32", [ROWS, DIM], [0, end]), "words.utf8": words[0]}, data + words[1]),
        "rows.bin": b"1000000000000 8\n" + rows,
        "most.bin": b"999999999999999999 65536\n" + rows,
        "wide.bin": b"40 1000000000000\n" + rows,
        "spaces.bin": b"40 " + b" " * 200 + b"8\n" + rows,
        "word.bin": b"40 8\n" + b"w" * 300_000 + b" " + bytes(32),
        "minus.bin": b"-40 8\n" + rows,
        "zero.bin": b"40 0\n" + rows,
        "rows.txt": b"1000000000000 8\n" + lines,
        "most.txt": b"999999999999999999 65536\n" + lines,
        "digits.txt": b"9" * 5000 + b" 8\n" + lines,
        "number.txt": lines + b"long" + b" 1" * (DIM - 1) + b" " + b"9" * 5000 + b"\n",
        "header.txt": b"40 8\n",
        "exponent.txt": lines + b"long" + b" 1e999999999999" * DIM + b"\n",
        "line.txt": b"w" + b" 1" * 900_000,
        "signs.txt": b"w 1 2\nv + -\n",
        "brackets.txt": b"{" * 300_000,
    }
    good = pq_bytes(pa.table({"word": ["a", "b"], "vector": [[1.0, 2.0], [3.0, 4.0]]}))
    for name, length in (("none", 0), ("long", 1 << 31), ("longest", (1 << 32) - 1)):
        bad[f"{name}.parquet"] = good[:-8] + struct.pack("<I", length) + b"PAR1"
    many = [f"w{row}" for row in range(10_000)]
    for name, table_of in {
        "widths": {"word": many, "vector": [[1.0, 2.0]] * 9_000 + [[1.0, 2.0, 3.0]] * 1_000},
        "ragged": {"word": ["a", "b"], "vector": [[1.0, 2.0], [3.0]]},
        "null": {"word": ["a", "b"], "vector": [[1.0, 2.0], None]},
        "hole": {"word": ["a", None], "vector": [[1.0, None], [1.0, 2.0]]},
        "empty": {"word": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float32()))},
        "nothing": {"word": ["a"], "vector": pa.array([[]], pa.list_(pa.float32()))},
        "strings": {"word": ["a"], "vector": [["x", "y"]]},
        "columns": {"word": ["a"], **{f"d{column}": [1.0] for column in range(5_000)}},
        "double": {"word": ["a", "b"], "vector": [[1e300, 2.0], [3.0, 4.0]]},
    }.items():
        bad[f"{name}.parquet"] = pq_bytes(pa.table(table_of))
    return bad


def pq_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


# What a file says, read another way


def says(name: str, raw: bytes) -> list[Row]:
    """Every row that stands in a file that was read: slowly, one by one."""
    return _SAYS[name.rsplit(".", 1)[1]](raw)


def _bin(raw: bytes) -> list[Row]:
    head, _, rest = raw.partition(b"\n")
    dim, rows = int(head.split()[1]), []
    while (space := rest.find(b" ")) >= 0 and len(rest) > space + 4 * dim:
        word, rest = rest[:space].lstrip(b"\n"), rest[space + 1 :]
        rows.append((word.decode("utf-8", "replace"), np.frombuffer(rest[: 4 * dim], "<f4").tolist()))
        rest = rest[4 * dim :]
    return rows


@np.errstate(over="ignore")
def _txt(raw: bytes) -> list[Row]:
    """Every reading of every line: the width is the reader's to find."""
    rows = []
    for line in raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n"):
        parts = line.rstrip("\r \t").replace("\t", " ").split(" ")
        numbers: list[float] = []
        for at in range(len(parts) - 1, 0, -1):
            try:
                numbers.insert(0, float(np.float32(float(parts[at]))))
            except ValueError:
                break
            if numbers:
                rows.append((line[: len(" ".join(parts[:at]))], list(numbers)))
    return rows


def _safe(raw: bytes) -> list[Row]:
    length = int.from_bytes(raw[:8], "little")
    header = {k: v for k, v in json.loads(raw[8 : 8 + length]).items() if k != "__metadata__"}

    def part(name: str) -> bytes:
        start, stop = header[name]["data_offsets"]
        return raw[8 + length + start : 8 + length + stop]

    (name,) = (name for name, entry in header.items() if len(entry["shape"]) == 2)
    kind = header[name]["dtype"]
    if kind == "BF16":
        table = (np.frombuffer(part(name), "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        kinds = {
            "F16": "<f2",
            "F32": "<f4",
            "F64": "<f8",
            "I64": "<i8",
            "I32": "<i4",
            "U32": "<u4",
            "U16": "<u2",
            "I16": "<i2",
        }
        table = np.frombuffer(part(name), kinds[kind]).astype(np.float32)
    words = _words()
    if "words.utf8" in header:
        ends = [0, *np.frombuffer(part("words.ends"), "<i8").tolist()]
        text = part("words.utf8")
        words = [text[a:b].decode("utf-8", "replace") for a, b in pairwise(ends)]
    return list(zip(words, table.reshape(header[name]["shape"]).tolist(), strict=True))


@np.errstate(over="ignore")
def _parquet(raw: bytes) -> list[Row]:
    table = pq.read_table(pa.BufferReader(raw))
    words = ["" if word is None else word for word in table.column("word").to_pylist()]
    names = [name for name in table.column_names if name != "word"]
    if names == ["vector"]:
        vectors = table.column("vector").to_pylist()
    else:
        vectors = list(map(list, zip(*(table.column(name).to_pylist() for name in names), strict=True)))
    return [
        (word, [float("nan") if v is None else float(np.float32(v)) for v in vector])
        for word, vector in zip(words, vectors, strict=True)
        if vector is not None
    ]


@np.errstate(over="ignore")
def _npy(raw: bytes) -> list[Row]:
    return list(zip(_words(), np.load(io.BytesIO(raw)).astype(np.float32).tolist(), strict=True))


@np.errstate(over="ignore")
def _npz(raw: bytes) -> list[Row]:
    with np.load(io.BytesIO(raw)) as file:
        table, words = sorted((file[name] for name in file.files), key=lambda part: -part.ndim)
    return list(zip(words.tolist(), table.astype(np.float32).tolist(), strict=True))


_SAYS: dict[str, Callable[[bytes], list[Row]]] = {
    "bin": _bin,
    "txt": _txt,
    "safetensors": _safe,
    "parquet": _parquet,
    "npy": _npy,
    "npz": _npz,
}


# The test


@pytest.fixture(scope="module")
def outcomes() -> "Iterator[tuple[Path, dict[str, Outcome], int]]":
    # what is read is synced, a file at a time: in memory, where there is such a place, that costs nothing
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield _outcomes(Path(folder))


def _outcomes(folder: Path) -> "tuple[Path, dict[str, Outcome], int]":
    (folder / "good").mkdir()
    (folder / "bad").mkdir()
    bad = {}
    for seed, (name, good) in enumerate(good_files(folder / "good").items()):
        for number, content in zip(range(MUTANTS), mutants(good, seed), strict=False):
            stem, ending = name.split(".")
            bad[f"{stem}-{number:03d}.{ending}"] = content
    for name, content in lies().items():
        bad[f"lie-{name}"] = content
    for name, content in bad.items():
        (folder / "bad" / name).write_bytes(content)
        if name.startswith(("halves", "table", "lie-half")):
            _write_words((folder / "bad" / name).with_suffix(".vocab"))
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "POLYSEMA_HOME": str(folder / "home")},
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    events = {line["file"]: line for line in lines if "file" in line}
    missing = sorted(set(bad) - set(events))
    assert done.returncode == 0, f"ended with {done.returncode} at {missing[:1]}: {done.stderr[-2000:]}"
    assert not missing
    return folder / "bad", events, lines[-1]["grown"]


def test_every_file_is_refused_with_one_line_or_read(outcomes: "tuple[Path, dict[str, Outcome], int]") -> None:
    folder, events, _ = outcomes
    assert not [(name, message["raised"]) for name, message in events.items() if "raised" in message]
    for name, message in events.items():
        if "error" in message:
            line = str(message["error"])
            assert "\n" not in line, (name, line)
            assert len(line) < 700, (name, line)
            assert str(folder / name) in line, (name, line)
    kept = [name for name, message in events.items() if "keys" in message]
    assert (
        len(events) // 10 < len(kept) < len(events) * 9 // 10
    )  # the mutants are neither all the same nor all hopeless


def test_what_is_read_stands_in_the_file(outcomes: "tuple[Path, dict[str, Outcome], int]") -> None:
    folder, events, _ = outcomes
    for name, message in events.items():
        if "keys" not in message:
            continue
        there: dict[str, list[list[float]]] = {}
        rows = says(name, (folder / name).read_bytes())
        for word, vector in rows:
            there.setdefault(word, []).append(vector)
        keys, vectors = message["keys"], message["vectors"]
        assert isinstance(keys, list)
        assert isinstance(vectors, list)
        assert len(set(keys)) == len(keys), name
        assert len({len(vector) for vector in vectors}) == 1, name
        for word, vector in zip(keys, vectors, strict=True):
            assert np.isfinite(vector).all(), name
            assert vector in there.get(word, []), (name, word)
        if not name.endswith(".txt") and len(keys) < len(rows):
            assert message["notes"], name  # nothing is left out in silence


def test_memory_is_the_files_not_what_they_claim(outcomes: "tuple[Path, dict[str, Outcome], int]") -> None:
    assert outcomes[2] < GROWTH


def test_lies_are_told(outcomes: "tuple[Path, dict[str, Outcome], int]") -> None:
    for name, message in {
        "rows.bin": "line 1 promises 1,000,000,000,000 vectors, 40 whole ones are there",
        "rows.txt": "line 1 promises 1,000,000,000,000 vectors, the file holds 40",
        "wide.bin": "vectors of dimension 1,000,000,000,000; 1 to 65,536 are read",
        "header.txt": "holds no vectors",
        "rows.safetensors": "can't be read as safetensors",
        "many.safetensors": "one table",
        "widths.parquet": "not all have one dimension",
        "long.parquet": "can't be read as Parquet",
    }.items():
        notes = outcomes[1][f"lie-{name}"]
        assert message in str(notes.get("error", notes.get("notes"))), (name, notes)


if __name__ == "__main__":
    read_all(Path(sys.argv[1]))
