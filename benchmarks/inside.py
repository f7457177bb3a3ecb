"""Attention and lens of 64 tokens on SmolLM2 against TransformerLens, in turn: time, and the peak of memory.

    python benchmarks/inside.py [rounds]

Each way has a process of its own in every round, since a peak can't be taken back. What counts is the time of one
processor: in wall time, threads wait for whatever else runs. TransformerLens is no dependency: `pip install --no-deps
--target FOLDER transformer-lens beartype better-abc einops fancy-einsum jaxtyping typeguard wadler-lindig datasets dill
multiprocess sentencepiece wandb ...`, and the folder in PYTHONPATH.
"""

import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from polysema.core.inside.attention import AttentionView
from polysema.core.inside.lens import LensView
from polysema.core.inside.observation import observe
from polysema.core.model.catalog import locate
from polysema.core.model.load import load_model

MODEL, N_TOKENS, N_BEST, REPEATS = "smollm2-135m", 64, 5, 5
SENTENCE = "The swan swam over the lake to the bank, where people were waiting for the boat to the other side. "


def peak() -> float:
    """The most memory that this process ever had, in MB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1024 * 1024 if sys.platform == "darwin" else 1024)


def ours() -> tuple[Callable[[], object], Callable[[], object]]:
    """A plain pass, and every head's attention with the five best tokens at every layer."""
    model = load_model(MODEL, "cpu", "torch")
    ids = model.tokenizer(SENTENCE * 8)["input_ids"][:N_TOKENS]
    text = model.tokenizer.decode(ids)

    def plain() -> None:
        with torch.inference_mode():
            model.whole(torch.tensor([ids]))

    def run() -> None:
        found = observe(model, text, None, AttentionView(unit="tokens"), LensView(k=N_BEST))
        assert found.attention[0].weights.shape == (model.n_layers, model.n_heads, N_TOKENS, N_TOKENS)

    return plain, run


def theirs(only: bool) -> tuple[Callable[[], object], Callable[[], object]]:
    """The same by `run_with_cache`; with `only` its cache holds no more than what is looked at."""
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer

    folder = str(locate(MODEL).path)
    model: Any = TransformerBridge.boot_transformers(folder, device="cpu", dtype=torch.float32)
    ids = torch.tensor([AutoTokenizer.from_pretrained(folder)(SENTENCE * 8)["input_ids"][:N_TOKENS]])
    layers = range(model.cfg.n_layers)
    wanted = [f"blocks.{layer}.attn.hook_pattern" for layer in layers]
    states = ["blocks.0.hook_resid_pre", *(f"blocks.{layer}.hook_resid_post" for layer in layers)]

    def plain() -> None:
        with torch.inference_mode():
            model(ids)

    def run() -> None:
        with torch.inference_mode():
            kept = {"names_filter": [*wanted, *states]} if only else {}
            _, cache = model.run_with_cache(ids, **kept)
            for name in states:
                model.unembed(model.ln_final(cache[name])).softmax(-1).topk(N_BEST)
            assert all(cache[name].shape[-1] == N_TOKENS for name in wanted)

    return plain, run


WAYS: dict[str, Callable[[], tuple[Callable[[], object], Callable[[], object]]]] = {
    "polysema": ours,
    "run_with_cache": lambda: theirs(False),
    "run_with_cache, names_filter": lambda: theirs(True),
}


def measure(way: str) -> dict[str, float]:
    """Seconds (the median of some runs) and peaks in MB of one way, in this process."""
    torch.set_num_threads(1)
    plain, run = WAYS[way]()
    plain()  # weights that are mapped are in memory from here on
    before = peak()
    times = []
    for _ in range(REPEATS + 1):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return {"seconds": statistics.median(times[1:]), "peak": peak(), "above": peak() - before}


def main() -> None:
    """Every way in turn, and what ours takes of the others."""
    if len(sys.argv) > 2:
        print(json.dumps(measure(sys.argv[2])))
        return
    there = importlib.util.find_spec("transformer_lens") is not None
    ways = [way for way in WAYS if there or way == "polysema"]
    if not there:
        print("transformer_lens is not installed: polysema alone is measured")
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        for way in ways:
            out = subprocess.run(
                [sys.executable, __file__, "0", way], capture_output=True, text=True, check=True
            ).stdout
            found[way].append(json.loads(out.splitlines()[-1]))
    own = {name: statistics.median(row[name] for row in found["polysema"]) for name in ("seconds", "peak", "above")}
    for way, rows in found.items():
        seconds, most, above = (statistics.median(row[name] for row in rows) for name in ("seconds", "peak", "above"))
        print(
            f"{way:30} {seconds:.3f} s   peak {most:.0f} MB, {above:.0f} MB above a plain pass"
            f"   ({own['seconds'] / seconds:.2f} of its time, {own['above'] / max(above, 1):.2f} of what it adds)"
        )


if __name__ == "__main__":
    main()
