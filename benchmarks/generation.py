"""What a token costs: polysema's steps, with their candidates and entropy, beside transformers' `generate`.

    python benchmarks/generation.py [rounds]

Both write the same tokens, in turn in one process of one thread; the median of some rounds, in processor time. What the
cross-attention of all steps takes behind them is printed beside it: transformers has none.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from polysema.core.inside.generation import DecodingOptions, Generation, generate
from polysema.core.model.catalog import models_here
from polysema.core.model.load import LanguageModel, load_model

TRANSLATED = "I would like to go to the station with my old friend tomorrow, and then we will take the train to Paris."
CONTINUED = "The swan swam over the lake to the bank, where"
SETTINGS: dict[str, tuple[DecodingOptions, dict[str, Any]]] = {
    "greedy": (DecodingOptions(), {"do_sample": False}),
    "4 beams": (DecodingOptions(num_beams=4), {"do_sample": False, "num_beams": 4}),
    "drawn": (DecodingOptions(temperature=1.2, seed=1), {"do_sample": True, "temperature": 1.2}),
}


def processor_seconds(work: Callable[[], object]) -> float:
    """What one call takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def theirs(model: LanguageModel, text: str, n: int, how: dict[str, Any]) -> list[int]:
    """What transformers writes."""
    ids = torch.tensor([list(model.encode([text])[0].windows[0])])
    torch.manual_seed(1)
    made = model.whole.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, **how)
    return list(made[0, 1 if model.reads_two else ids.shape[1] :].tolist())


def main() -> None:
    """Each model that is here, each way to choose a token."""
    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    chosen = [("marian-en-fr", "decoder", TRANSLATED, 60)]
    if "smollm2-135m" in models_here():
        chosen.append(("smollm2-135m", "encoder", CONTINUED, 24))
    for name, stack, text, n in chosen:
        model = load_model(name, "cpu", "torch", stack=stack)
        for setting, (options, how) in SETTINGS.items():
            found = generate(model, text, n, 5, options)
            assert list(found.ids) == theirs(model, text, n, how)
            rows = []
            for _ in range(rounds):
                generation = Generation(model, text, n, 5, options)
                own, behind = processor_seconds(partial(list, generation)), processor_seconds(generation.result)
                rows.append((own, behind, processor_seconds(partial(theirs, model, text, n, how))))
            own, behind, other = (statistics.median(of) * 1000 / len(found.ids) for of in zip(*rows, strict=True))
            print(
                f"{name:14} {setting:8} {own:6.2f} ms a token, transformers {other:6.2f} ({own / other:.2f} of it); "
                f"behind the steps {behind:.2f}"
            )


if __name__ == "__main__":
    main()
