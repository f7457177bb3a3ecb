"""What one pass over a text takes: bytes by what plain attention lays out, seconds by a product timed here."""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from polysema.core.model.load import MAX_WINDOW, LanguageModel

TABLES = 3  # of all heads by all pairs of tokens: scores, scores with the mask, weights
PROBE_DIM = 384  # of the product that is timed


@dataclass(frozen=True, slots=True)
class PassCost:
    """Bytes beside the weights, and seconds on this machine."""

    MAX_BYTES: ClassVar[int] = 2 << 30

    n_bytes: int
    seconds: float

    @property
    def affordable(self) -> bool:
        """Whether one pass may take that much."""
        return self.n_bytes <= self.MAX_BYTES

    def __str__(self) -> str:
        size = f"{_short(self.n_bytes / 1e9)} GB" if self.n_bytes >= 1e8 else f"{_short(self.n_bytes / 1e6)} MB"
        return f"{size} of memory and {_short(max(self.seconds, 0.1))} s"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def pass_cost(model: LanguageModel, n_tokens: int) -> PassCost:
    """What one pass of a model over so many tokens takes.

    Args:
        model: Any that is loaded.
        n_tokens: Of the text.

    Returns:
        An estimate: the tables of attention of one layer and the states of all, and the products with every weight.
    """
    itemsize = next(model.whole.parameters()).element_size()
    tables = TABLES * model.n_heads * n_tokens**2 * max(itemsize, 4)
    states = (model.n_layers + 8) * n_tokens * model.dim * itemsize
    weights = sum(parameter.numel() for parameter in model.module.parameters()) - model.input_table.numel()
    products = 2 * n_tokens * weights + 4 * model.n_layers * n_tokens**2 * model.dim
    return PassCost(tables + states, products / _products_per_second(str(model.whole.device)))


def longest_pass(model: LanguageModel) -> int:
    """The most tokens that a model has positions for; its window where that is its own limit and not ours."""
    positions = getattr(model.whole.config.get_text_config(), "max_position_embeddings", None)
    if model.window < MAX_WINDOW or model.stack:
        return model.window
    return max(model.window, positions) if isinstance(positions, int) else 1 << 20


@lru_cache(maxsize=8)
def _products_per_second(device: str) -> float:
    import torch

    one = torch.ones(PROBE_DIM, PROBE_DIM, device=device)
    float((one @ one)[0, 0])
    start = time.perf_counter()
    for _ in range(3):
        float((one @ one)[0, 0])
    return 3 * 2 * PROBE_DIM**3 / max(time.perf_counter() - start, 1e-6)
