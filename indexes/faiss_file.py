"""A user's own FAISS file, read at arm's length: in a child process with limited memory and time.

FAISS's reader is not meant for files that somebody else made or that a disk has damaged. The child reads, decodes the
vectors and writes them to an `.npy` file; whatever happens to it, this process goes on.

    python -m polysema.indexes.faiss_file          (the child: one request a line on standard input, one answer a line)
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from polysema.core.errors import NotFoundError, UnreadableError, UserError
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints

if TYPE_CHECKING:
    from faiss import IndexIVF

MEMORY_MB = 4_096
SECONDS = 60.0
STARTING_SECONDS = 120.0  # seconds that Python and FAISS may take to be imported, on a busy machine
MAX_LOOPS = 100_000_000
MAX_DIM = 1 << 20
EXACT_CLASSES = (
    "IndexFlat",
    "IndexFlatIP",
    "IndexFlatL2",
    "IndexFlat1D",
    "IndexHNSWFlat",
    "IndexIVFFlat",
    "IndexNSGFlat",
)


@dataclass(frozen=True, slots=True, eq=False)
class ForeignIndex:
    """What a FAISS file was: its class, metric and, for one that numbers its rows itself, their `ids` (n,).

    `decoded` says that the vectors come from codes, so that they are near those that were added, not the same.
    """

    kind: str
    metric: Metric | None
    decoded: bool
    ids: Ints | None


def read_foreign_faiss(
    path: "str | Path", memory_mb: int = MEMORY_MB, seconds: float = SECONDS
) -> tuple[Floats, ForeignIndex]:
    """The vectors (n, dim) float32 of a FAISS file of the user's own, and what it was.

    Raises `NotFoundError`, and `UnreadableError` in one line for a file that isn't one, that holds no vectors or odd
    ones (NaN, Inf), or that takes more than `memory_mb` MiB or `seconds` to read.
    """
    with ForeignReader(memory_mb, seconds) as reader:
        return reader.read(path)


class ForeignReader:
    """Reads many files with one child process, which is started anew when a file has ended it."""

    def __init__(self, memory_mb: int = MEMORY_MB, seconds: float = SECONDS):
        if not 1 <= memory_mb <= 1 << 20:
            raise UserError(f"memory_mb must be from 1 to 1,048,576 MiB; got {memory_mb}")
        if not 0 < seconds <= 86_400:
            raise UserError(f"seconds must be above 0 and at most a day; got {seconds}")
        self._memory_mb, self._seconds = memory_mb, seconds
        self._child: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._folder = tempfile.TemporaryDirectory(prefix="polysema-foreign-")

    def __enter__(self) -> "ForeignReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()
        self._folder.cleanup()

    def read(self, path: "str | Path") -> tuple[Floats, ForeignIndex]:
        """As `read_foreign_faiss` does."""
        source = Path(path)
        if not source.is_file():
            raise NotFoundError(f"there is no file {path}")
        if source.stat().st_size > self._memory_mb << 20:
            raise UnreadableError(
                f"{path} has {source.stat().st_size:,} bytes, more than the {self._memory_mb} MiB it may take"
            )
        out, ids = (Path(self._folder.name) / name for name in ("vectors.npy", "ids.npy"))
        for old in (out, ids):
            old.unlink(missing_ok=True)
        answer = self._asked({"path": str(source.resolve()), "out": str(out), "ids": str(ids)}, path)
        if "error" in answer:
            raise UnreadableError(f"{path} can't be read as a FAISS index: {answer['error']}")
        vectors: Floats = np.load(out, allow_pickle=False)
        numbers: Ints | None = np.load(ids, allow_pickle=False) if ids.exists() else None
        if vectors.ndim != 2 or vectors.dtype != np.float32 or (numbers is not None and len(numbers) != len(vectors)):
            raise UnreadableError(f"{path} can't be read as a FAISS index: its vectors came back odd")
        metric = Metric(answer["metric"]) if answer["metric"] else None
        return vectors, ForeignIndex(answer["kind"], metric, bool(answer["decoded"]), numbers)

    def _asked(self, request: dict[str, Any], path: "str | Path") -> dict[str, Any]:
        child = self._child if self._child is not None and self._child.poll() is None else self._start()
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            line = self._answers.get(timeout=self._seconds)
        except queue.Empty:
            self._end()
            raise UnreadableError(
                f"{path} was not read within {self._seconds:g} seconds; raise the limit if it is a large index of yours"
            ) from None
        except OSError:
            line = ""
        if not line:
            child.wait()
            self._end()
            raise UnreadableError(
                f"{path} ended the process that read it: it is damaged, or needs more than {self._memory_mb} MiB"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _start(self) -> "subprocess.Popen[str]":
        self._end()
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        child = subprocess.Popen(  # noqa: S603  (this Python, this module)
            [sys.executable, "-m", "polysema.indexes.faiss_file", str(self._memory_mb), str(self._seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | threads,
        )
        self._child, self._answers = child, queue.SimpleQueue()
        threading.Thread(target=_listen, args=(child, self._answers), daemon=True).start()
        try:
            ready = self._answers.get(timeout=STARTING_SECONDS)
        except queue.Empty:
            ready = ""
        if not ready:
            self._end()
            raise UserError("the process that reads FAISS files apart from this one could not be started")
        return child

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
            self._child = None


def _listen(child: "subprocess.Popen[str]", answers: "queue.SimpleQueue[str]") -> None:
    """Hand on the child's lines; an empty one when it has ended."""
    assert child.stdout is not None
    try:
        for line in child.stdout:
            answers.put(line)
    except ValueError:  # closed meanwhile
        pass
    answers.put("")


# The child


def _serve(memory_mb: int, seconds: float) -> None:
    import resource

    import faiss

    f: Any = faiss
    # what the file says of its own sizes is believed up to here, before any of it is allocated
    f.set_deserialization_vector_byte_limit(memory_mb << 20)
    f.set_deserialization_loop_limit(MAX_LOOPS)
    used = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if Path("/proc").is_dir() else 0
    )
    most = used + (memory_mb << 20)  # for the index and its vectors
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what FAISS prints is no answer
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        spent = resource.getrusage(resource.RUSAGE_SELF)
        cpu = int(spent.ru_utime + spent.ru_stime + seconds) + 5  # ends it even when nobody waits for it any more
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, resource.RLIM_INFINITY))
        try:
            reply = _read(f, request, memory_mb << 20)
        except (RuntimeError, ValueError, AttributeError, TypeError, OverflowError) as error:
            said = " ".join((str(error).rpartition("Error: ")[2] or repr(error)).split())[:200]
            reply = {"error": said}
        except (MemoryError, SystemError, OSError):
            reply = {"error": f"it needs more than {memory_mb} MiB"}
        _answer(answers, reply)


def _answer(answers: TextIO, reply: dict[str, Any]) -> None:
    answers.write(json.dumps(reply) + "\n")
    answers.flush()


def _read(f: ModuleType, request: dict[str, Any], most: int) -> dict[str, Any]:
    whole = f.read_index(request["path"], f.IO_FLAG_SKIP_PRECOMPUTE_TABLE)
    index, ids = whole, None
    if hasattr(whole, "id_map"):
        ids = f.vector_to_array(whole.id_map).astype(np.int64)
        index = f.downcast_index(whole.index)  # which `whole` goes on owning
    n, dim = index.ntotal, index.d
    if n < 1 or dim < 1 or dim > MAX_DIM:
        raise ValueError(f"it says that it holds {n} vectors of width {dim}")
    if n * dim * 4 > most:
        raise MemoryError
    if ids is not None and len(ids) != n:
        raise ValueError(f"it has {len(ids)} ids for {n} vectors")
    core = f.downcast_index(index.refine_index) if hasattr(index, "refine_index") else index
    vectors = np.empty((n, dim), np.float32)
    cells = f.try_extract_index_ivf(core)
    own = _own_ids(f, cells) if cells is not None else None
    if own is None:
        core.reconstruct_n(0, n, vectors)
    else:
        if ids is not None or len(own) != n:
            raise ValueError(f"it has {len(own)} ids in its cells for {n} vectors")
        ids = _from_cells(f, cells, own, vectors)
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ValueError(f"its vector {row} holds NaN or Inf")
    np.save(request["out"], vectors)
    if ids is not None:
        np.save(request["ids"], ids)
    names = {f.METRIC_INNER_PRODUCT: "inner_product", f.METRIC_L2: "euclidean"}
    return {
        "kind": type(index).__name__,
        "metric": names.get(whole.metric_type, ""),
        "decoded": type(core).__name__ not in EXACT_CLASSES,
    }


def _own_ids(f: ModuleType, cells: "IndexIVF") -> Ints | None:
    """Cell, place and id of every row (n, 3) where the ids are the user's own; None where they count from 0."""
    parts, lists = [], cells.invlists
    assert lists is not None
    for cell in range(cells.nlist):
        size = lists.list_size(cell)
        if size > cells.ntotal:
            raise ValueError(f"it says that cell {cell} holds {size} of {cells.ntotal} vectors")
        current = f.rev_swig_ptr(lists.get_ids(cell), size).copy() if size else []
        parts.append(np.stack([np.full(size, cell), np.arange(size), np.asarray(current, np.int64)], axis=1))
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows[:, 2], kind="stable")]
    if len(rows) == cells.ntotal and (rows[:, 2] == np.arange(len(rows))).all():
        cells.make_direct_map()
        return None
    return rows


def _from_cells(f: ModuleType, cells: "IndexIVF", own: Ints, vectors: Floats) -> Ints:
    for row, (cell, place, _) in enumerate(own.tolist()):
        cells.reconstruct_from_offset(cell, place, f.swig_ptr(vectors[row]))
    ids: Ints = own[:, 2].copy()
    return ids


if __name__ == "__main__":
    _serve(int(sys.argv[1]), float(sys.argv[2]))
