"""A user's own FAISS files: read right, or refused in one line, whatever is in them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import pytest

from polysema.core.errors import NotFoundError, UnreadableError, UserError
from polysema.core.space.metric import Metric
from polysema.indexes.faiss_file import ForeignReader, read_foreign_faiss

MUTATIONS = int(os.environ.get("POLYSEMA_MUTATIONS", "150"))
MEMORY_MB = 256


def data(n: int = 300, dim: int = 16) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)


def made(factory: str, metric: int = faiss.METRIC_L2, ids: np.ndarray | None = None) -> "faiss.Index":
    before = faiss.omp_get_max_threads()  # torch computes with the same threads: other tests need theirs
    faiss.omp_set_num_threads(1)
    index = faiss.index_factory(16, factory, metric)
    for clustering in [faiss.extract_index_ivf(index).cp] if "IVF" in factory else []:
        clustering.min_points_per_centroid = 1
    index.train(data())
    index.add(data()) if ids is None else index.add_with_ids(data(), ids)
    faiss.omp_set_num_threads(before)
    return index


@pytest.fixture(scope="module")
def reader() -> Iterator[ForeignReader]:
    with ForeignReader(MEMORY_MB, 30) as reader:
        yield reader


@pytest.mark.parametrize(
    ("factory", "kind", "off"),
    [
        ("Flat", "IndexFlatL2", 0),
        ("HNSW8,Flat", "IndexHNSWFlat", 0),
        ("IVF8,Flat", "IndexIVFFlat", 0),
        ("SQ8", "IndexScalarQuantizer", 0.02),
        ("IVF8,SQ8", "IndexIVFScalarQuantizer", 0.02),
        ("PQ8x4fs,Refine(SQ8)", "IndexRefine", 0.02),
        ("IVF4,PQ8x4", "IndexIVFPQ", 3),
        ("PCA16,Flat", "IndexPreTransform", 1e-4),
    ],
)
def test_the_vectors_of_any_kind(factory: str, kind: str, off: float, reader: ForeignReader, tmp_path: Path) -> None:
    path = tmp_path / "mine.faiss"
    faiss.write_index(made(factory), str(path))
    vectors, info = reader.read(path)
    assert (info.kind, info.metric, info.ids) == (kind, Metric.EUCLIDEAN, None)
    assert info.decoded == (off > 0)
    assert np.abs(vectors - data()).max() <= off


@pytest.mark.parametrize("factory", ["IDMap,Flat", "IDMap2,SQ8", "IVF8,Flat"])
def test_ids_of_the_users_own(factory: str, reader: ForeignReader, tmp_path: Path) -> None:
    path = tmp_path / "mine.faiss"
    numbers = np.random.default_rng(1).permutation(300).astype(np.int64) * 7 + 5
    faiss.write_index(made(factory, faiss.METRIC_INNER_PRODUCT, numbers), str(path))
    vectors, info = reader.read(path)
    assert info.ids is not None
    assert info.metric is Metric.INNER_PRODUCT
    order = np.argsort(info.ids)
    assert info.ids[order].tolist() == sorted(numbers.tolist())
    assert np.abs(vectors[order] - data()[np.argsort(numbers)]).max() < 0.02


def test_what_is_no_index_is_refused(reader: ForeignReader, tmp_path: Path) -> None:
    path = tmp_path / "mine.faiss"
    for content in (b"", b"hello", b"\x00" * 5000, os.urandom(5000)):
        path.write_bytes(content)
        with pytest.raises(UnreadableError, match=r"mine.faiss can't be read as a FAISS index") as caught:
            reader.read(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(NotFoundError, match="there is no file"):
        reader.read(tmp_path / "none.faiss")
    odd = data()
    odd[7, 3] = np.nan
    index = faiss.IndexFlatL2(16)
    index.add(odd)
    faiss.write_index(index, str(path))
    with pytest.raises(UnreadableError, match="its vector 7 holds NaN or Inf"):
        reader.read(path)
    faiss.write_index(faiss.IndexFlatL2(16), str(path))
    with pytest.raises(UnreadableError, match="it says that it holds 0 vectors of width 16"):
        reader.read(path)


def test_memory_and_time_are_limited(reader: ForeignReader, tmp_path: Path) -> None:
    big = tmp_path / "big.faiss"
    index = faiss.IndexFlatL2(1024)
    index.add(np.zeros((50_000, 1024), np.float32))  # 205 MB, and as much again for its vectors
    faiss.write_index(index, str(big))
    with pytest.raises(UnreadableError, match="more than .*256 MiB"):
        reader.read(big)
    with pytest.raises(UnreadableError, match=r"big.faiss has 204,800,\d+ bytes, more than the 8 MiB it may take"):
        read_foreign_faiss(big, memory_mb=8)
    with pytest.raises(UnreadableError, match="was not read within 0.001 seconds"):
        read_foreign_faiss(big, seconds=0.001)
    with pytest.raises(UserError, match="memory_mb must be from 1"):
        ForeignReader(0)


def test_mutated_files_are_refused_or_read(reader: ForeignReader, tmp_path: Path) -> None:
    kinds = ["Flat", "HNSW8,Flat", "IVF8,Flat", "IVF8,SQ8", "IVF4,PQ8x4", "PQ8x4fs,Refine(SQ8)"]
    sources = []
    for kind in kinds:
        faiss.write_index(made(kind), str(tmp_path / "source.faiss"))
        sources.append((tmp_path / "source.faiss").read_bytes())
    rng, path, refused, started = np.random.default_rng(3), tmp_path / "mutated.faiss", 0, time.perf_counter()
    for number in range(MUTATIONS):
        content = bytearray(sources[number % len(sources)])
        # half of the places are in what the file says of itself, where it hurts
        place = int(rng.integers(0, min(200, len(content)) if rng.random() < 0.5 else len(content)))
        way = number % 4
        if way == 0:
            content[place] ^= 1 << int(rng.integers(8))
        elif way == 1:
            del content[place:]
        elif way == 2:
            content[place : place + 64] = bytes(len(content[place : place + 64]))
        else:
            content[place : place + 8] = b"\xff" * len(content[place : place + 8])
        path.write_bytes(content)
        try:
            vectors, _ = reader.read(path)
        except UnreadableError as error:
            refused += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
        else:
            assert vectors.ndim == 2
            assert np.isfinite(vectors).all()
            assert vectors.nbytes <= MEMORY_MB << 20
    assert refused > MUTATIONS // 5
    assert time.perf_counter() - started < 30 * MUTATIONS  # and none hung
