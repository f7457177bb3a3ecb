"""Contextual word vectors and their export against what else there is: everything in turn, in one process, two threads.

    python benchmarks/contextual_vectors.py [rounds] [sentences]

A peer is measured at its best batch size. flair and minicons take part where they are installed.
"""

import importlib.util
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gensim
import numpy as np
import torch

from polysema.app.export.options import ExportInput, ExportSource
from polysema.app.export.run import export
from polysema.core.measure.int8 import differences_text, int8_difference
from polysema.core.model.catalog import locate
from polysema.core.model.contextual import embed
from polysema.core.model.engine import padded, plan_batches
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.onnx_engine import THREADS, int8_folder

REST = 0.2  # seconds between two ways: the threads of the one before spin for a while


def sentences(many: int) -> list[str]:
    """Real English sentences: Lee's news texts, which ship with gensim."""
    path = Path(gensim.__file__).parent / "test" / "test_data" / "lee_background.cor"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    parts = [part.strip() for line in lines for part in re.split(r"(?<=[.!?])\s+", line)]
    return [part for part in parts if 20 < len(part) < 400][:many]


def in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round; a round has an order of its own, since what ran before a way slows it."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in random.Random(number).sample(list(ways), len(ways)):
            time.sleep(REST)
            start = time.perf_counter()
            ways[name]()
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return times


def ratio(times: dict[str, list[float]], ours: str, theirs: list[str]) -> str:
    best = times[min(theirs, key=lambda name: statistics.median(times[name]))]  # a peer at its best batch size
    ratios = [b / a for a, b in zip(times[ours], best, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def plain_onnx(model: LanguageModel, windows: list[tuple[int, ...]]) -> Callable[[], object]:
    """What one would write oneself: ONNX Runtime with its defaults, batches sorted by length."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(
        str(int8_folder(model) / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )

    def run() -> list[object]:
        out: list[object] = [None] * len(windows)
        for batch in plan_batches([len(w) for w in windows], 1024):
            ids, mask = padded([windows[item] for item in batch], 0)
            (states,) = session.run([f"layer_{model.n_layers}"], {"input_ids": ids, "attention_mask": mask})
            for row, item in enumerate(batch):
                out[item] = states[row, : len(windows[item])]
        return out

    return run


def products(tokens: int) -> tuple[Callable[[], object], float]:
    """The matrix products of MiniLM's six layers for so many tokens, and their GFLOP: the machine's own rate."""
    rows = 512
    x, y = torch.randn(rows, 384), torch.randn(rows, 1536)
    weights = [torch.randn(out, inner) for out, inner in ((1152, 384), (384, 384), (1536, 384), (384, 1536))]
    batches = max(1, tokens // rows)

    def one(_: int) -> None:
        with torch.inference_mode():
            for _layer in range(6):
                for weight in weights:
                    torch.nn.functional.linear(y if weight.shape[1] == 1536 else x, weight)

    def run() -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, range(batches)))
        torch.set_num_threads(before)

    return run, batches * rows * 6 * 2 * sum(w.numel() for w in weights) / 1e9


def run(rounds: int, many: int) -> None:
    from sentence_transformers import SentenceTransformer
    from transformers import pipeline

    texts = sentences(many)
    exact, int8 = load_model("minilm-l6", "cpu"), load_model("minilm-l6", "cpu", "onnx-int8")
    plain = load_model("minilm-l6", "cpu", "torch")
    windows = [e.windows[0] for e in exact.encode(texts)]
    tokens = sum(map(len, windows))
    print(f"{len(texts)} sentences, {tokens / len(texts):.1f} tokens each; auto chose {exact.engine.name}")
    folder = locate("minilm-l6").path
    peer = SentenceTransformer(str(folder), device="cpu")
    hub = pipeline("feature-extraction", model=plain.module, tokenizer=plain.tokenizer, device="cpu")
    gemm, gflop = products(tokens)
    source = ExportSource("lee", "0" * 64, len(texts))

    def written() -> None:
        with tempfile.TemporaryDirectory() as out:
            export(ExportInput(texts, source), out, exact, [-1])

    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: embed(exact, texts, [-1]),
        "int8": lambda: embed(int8, texts, [-1]),
        "torch": lambda: embed(plain, texts, [-1]),
        "all layers": lambda: embed(exact, texts),
        "export": written,
        "plain onnx": plain_onnx(exact, windows),
        "products": gemm,
        "pipeline 32": lambda: hub(texts, batch_size=32),
    }
    for size in (16, 32, 64):
        ways[f"st {size}"] = lambda size=size: peer.encode(texts, output_value="token_embeddings", batch_size=size)
    if importlib.util.find_spec("flair"):
        ways["flair"] = flair(str(folder), texts)
    few = texts[:16]
    if importlib.util.find_spec("minicons"):
        from minicons import cwe

        words = [(text, text.split()[0]) for text in few]
        minicons = cwe.CWE(str(folder), device="cpu")
        ways["minicons"] = lambda: minicons.extract_representation(words, layer=6)
    t = in_turn(ways, rounds)
    rate = {name: len(texts) / statistics.median(values) for name, values in t.items()}
    for name in ways:
        if name not in ("products", "minicons"):
            print(f"  {name}: {rate[name]:.0f} sentences/s")
    print("times as fast, the median of the rounds (least to most):")
    peers = [f"st {size}" for size in (16, 32, 64)]
    print(f"  exact against sentence-transformers' token embeddings at its best: {ratio(t, 'ours', peers)}")
    print(f"  int8 against the same: {ratio(t, 'int8', peers)}")
    print(f"  exact against the feature-extraction pipeline in batches of 32: {ratio(t, 'ours', ['pipeline 32'])}")
    print(f"  exact against a plain ONNX Runtime loop, sorted by length: {ratio(t, 'ours', ['plain onnx'])}")
    if "flair" in t:
        print(f"  exact against flair: {ratio(t, 'ours', ['flair'])}")
    if "minicons" in t:
        ours = statistics.median(t["ours"]) / tokens
        theirs = statistics.median(t["minicons"]) / len(few)  # it takes a sentence for each word
        print(f"  exact against minicons, a word: {theirs / ours:.0f}")
    print(f"  all seven layers cost {1 / float(ratio(t, 'all layers', ['ours']).split()[0]):.2f} times the last alone")
    print(f"  export to Parquet costs {1 / float(ratio(t, 'export', ['ours']).split()[0]):.2f} times the computing")
    attention = sum(2 * 2 * len(w) ** 2 * 384 * 6 for w in windows) / 1e9
    mine = (tokens * 6 * 2 * (4 * 384 * 384 + 2 * 384 * 1536) / 1e9 + attention) / statistics.median(t["ours"])
    machine = gflop / statistics.median(t["products"])
    print(f"  {mine:.0f} GFLOP/s of the machine's {machine:.0f} in bare products at these shapes: {mine / machine:.0%}")
    print(f"  peak memory of this process: {peak()} MB, all peers included")
    for line in differences_text(int8, (exact.n_layers,), int8_difference(int8)):
        print(f"  {line}")


def flair(folder: str, texts: list[str]) -> Callable[[], object]:
    from flair.data import Sentence
    from flair.embeddings import TransformerWordEmbeddings

    embeddings = TransformerWordEmbeddings(folder, layers="-1", subtoken_pooling="mean", fine_tune=False)
    return lambda: [embeddings.embed([Sentence(t) for t in texts[i : i + 32]]) for i in range(0, len(texts), 32)]


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) >> 10  # type: ignore[index]


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]]
    np.set_printoptions(precision=3)
    run(numbers[0] if numbers else 5, numbers[1] if len(numbers) > 1 else 512)
