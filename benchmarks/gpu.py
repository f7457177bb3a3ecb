"""Sentence vectors on a GPU beside sentence-transformers, in turn: MiniLM and a BERT of BERT-base's size, three dtypes.

    python benchmarks/gpu.py [rounds] [sentences] [device]

The peer is measured at its best batch size. Beside the speed stands what a half-precision vector differs by from the
one of float32. Where no GPU is, one line says so; with the device cpu it tries itself on few sentences.
"""

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from contextual_vectors import sentences

from polysema.core.model.catalog import locate
from polysema.core.model.load import load_model
from polysema.core.model.sentences import embed_sentences

DTYPES = ("float32", "bfloat16", "float16")
BATCH_SIZES = (64, 256, 1024)  # of the peer


@contextmanager
def folders() -> Iterator[dict[str, Path]]:
    """MiniLM, and a seeded model of BERT-base's size with its tokenizer."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    minilm = locate("minilm-l6").path
    assert minilm is not None
    with tempfile.TemporaryDirectory() as made:
        torch.manual_seed(0)
        BertModel(BertConfig()).save_pretrained(made)
        AutoTokenizer.from_pretrained(minilm).save_pretrained(made)
        yield {"minilm-l6": minilm, "a BERT of BERT-base's size": Path(made)}


def seconds_of(work: Callable[[], object], device: str) -> float:
    """What one call takes, with all that it left for the GPU to do."""
    start = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(name: str, folder: Path, texts: list[str], rounds: int, device: str) -> None:
    """Every dtype: sentences a second of ours and of the peer's best, and what half precision costs."""
    from sentence_transformers import SentenceTransformer

    exact = None
    for dtype in DTYPES:
        model = load_model(str(folder), device, "torch", dtype)
        peer = SentenceTransformer(str(folder), device=device, model_kwargs={"dtype": getattr(torch, dtype)})
        ways: dict[str, Callable[[], object]] = {"ours": lambda model=model: embed_sentences(model, texts)}
        for size in BATCH_SIZES:
            ways[f"{size} a batch"] = lambda size=size, peer=peer: peer.encode(texts, batch_size=size)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds + 1):
            for way, work in ways.items():
                spent = seconds_of(work, device)
                if number:  # the first round warms up
                    times[way].append(spent)
        best = min(itertools.islice(ways, 1, None), key=lambda way: statistics.median(times[way]))
        ratios = [b / a for a, b in zip(times["ours"], times[best], strict=True)]
        vectors = embed_sentences(model, texts[:256]).vectors[0]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        exact = vectors if exact is None else exact
        off = 1 - (vectors * exact).sum(1)
        print(
            f"{name}, {dtype}: {len(texts) / statistics.median(times['ours']):,.0f} sentences/s, "
            f"{statistics.median(ratios):.2f} times as fast as sentence-transformers ({min(ratios):.2f} to "
            f"{max(ratios):.2f}; its best: {best})"
            + ("" if dtype == "float32" else f"; cosine to float32 off by {off.mean():.1e}, at most {off.max():.1e}")
        )


def main(rounds: int = 5, n_sentences: int = 8192, device: str = "cuda") -> None:
    """Both models, or one line where there is no GPU."""
    if device != "cpu" and not torch.cuda.is_available():
        print("no GPU is here (torch.cuda.is_available() is false): sentence vectors on a GPU are not measured")
        return
    print(torch.cuda.get_device_name() if device != "cpu" else "the processor")
    texts = list(itertools.islice(itertools.cycle(sentences(2500)), n_sentences))
    with folders() as models:
        for name, folder in models.items():
            compare(name, folder, texts, rounds, device)


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:3]]
    main(*numbers, *sys.argv[3:4])
