"""Contextual vectors of real text, as many as requested, cached between runs.

    python benchmarks/index_data.py [rows]

Every word occurrence of Lee's news texts, and beyond 60,000 of the Wikipedia articles that ship with gensim, at the
last layer of MiniLM; beyond the number of words in the texts, rows are resampled with jitter.
"""

import bz2
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import gensim
import numpy as np

from polysema.core.environment import home
from polysema.core.model.contextual import embed
from polysema.core.model.load import load_model

LEE_ROWS = 60_000
JITTER = 0.35  # of a vector's length: the cosine with the row that it was drawn from is 0.94
TEXTS = Path(gensim.__file__).parent / "test" / "test_data"
AT_ONCE = 2_048


def sentences(wiki: bool) -> Iterator[str]:
    lines = (TEXTS / "lee_background.cor").read_text(encoding="utf-8", errors="replace").splitlines()
    yield from split(lines)
    if not wiki:
        return
    from gensim.corpora.wikicorpus import extract_pages, filter_wiki

    with bz2.open(TEXTS / "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2") as file:
        for _, text, _ in extract_pages(file):
            yield from split(re.sub(r"[='*|{}]+", " ", filter_wiki(text)).splitlines())


def split(lines: list[str]) -> Iterator[str]:
    for line in lines:
        for part in re.split(r"(?<=[.!?])\s+", line.strip()):
            if 40 < len(part) < 400 and part[-1] in ".!?":
                yield part


def base(folder: Path, wiki: bool) -> tuple[np.ndarray, list[str]]:
    """Vectors of real occurrences (n, 384), mapped, and their words."""
    stem = folder / ("minilm-l6-wiki" if wiki else "minilm-l6-lee")
    if not stem.with_suffix(".npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        model, texts = load_model("minilm-l6", "cpu"), sentences(wiki)
        parts, words = [], []
        while some := list(islice(texts, AT_ONCE)):
            hidden = embed(model, some, [-1])
            parts.append(hidden.vectors[0].astype(np.float16))
            words += [o.word.lower() for o in hidden.occurrences]
            print(f"embedded {len(words):,} occurrences", file=sys.stderr, flush=True)
        stem.with_suffix(".txt").write_text("\n".join(word.replace("\n", " ") for word in words), encoding="utf-8")
        np.save(stem.with_suffix(".part.npy"), np.concatenate(parts).astype(np.float32))
        stem.with_suffix(".part.npy").rename(stem.with_suffix(".npy"))
    return np.load(stem.with_suffix(".npy"), mmap_mode="r"), stem.with_suffix(".txt").read_text(encoding="utf-8").split(
        "\n"
    )


def contextual(n: int) -> tuple[np.ndarray, list[str], np.ndarray]:
    """(n, 384) float32, mapped; the word of each row; and 1,000 queries that are none of them, jittered anew."""
    folder = home() / "benchmarks"
    path = folder / f"contextual-{n}.npy"
    real, words = base(folder, n > 2 * LEE_ROWS)
    rng = np.random.default_rng(0)
    drawn = (
        rng.permutation(len(real))[:n]
        if n <= len(real)
        else np.concatenate([np.arange(len(real)), rng.integers(0, len(real), n - len(real))])
    )
    rng.shuffle(drawn)
    if not path.exists():
        made = np.lib.format.open_memmap(path.with_suffix(".part.npy"), "w+", np.float32, (n, real.shape[1]))
        seen = np.zeros(len(real), bool)
        for start in range(0, n, 16_384):
            rows = drawn[start : start + 16_384]
            made[start : start + len(rows)] = jittered(real[rows], rng, seen[rows])
            seen[rows] = True
        made.flush()
        path.with_suffix(".part.npy").rename(path)
    queries = jittered(real[np.random.default_rng(1).integers(0, len(real), 1_000)], np.random.default_rng(2), None)
    return np.load(path, mmap_mode="r"), [words[row] for row in drawn], queries


def jittered(rows: np.ndarray, rng: np.random.Generator, which: np.ndarray | None) -> np.ndarray:
    noise = rng.standard_normal(rows.shape, np.float32) * (JITTER / rows.shape[1] ** 0.5)
    noise *= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows + (noise if which is None else noise * which[:, None])


if __name__ == "__main__":
    vectors, words, _ = contextual(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    print(vectors.shape, len(set(words)), "words")
