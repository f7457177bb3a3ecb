"""The forward pass: all layers at once, for batches planned by length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polysema.core.space.space import Floats

TOKEN_BUDGET = 1024  # 512 to 1,024 tokens a batch were fastest on two cores, 4,096 slowest
GPU_TOKEN_BUDGET = 16_384


def plan_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Which items go together: sorted by length, so that a batch of `budget` padded tokens holds little padding.

    Returns every item's number exactly once; an item longer than the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    longest = 0
    for item in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        longest = max(longest, lengths[item])
        if batches and longest * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(item)
        else:
            batches.append([item])
            longest = lengths[item]
    return batches


@dataclass(frozen=True, slots=True)
class TorchEngine:
    """Runs a module of transformers. `stack` is the module whose hidden states are meant (a model, or its encoder)."""

    stack: Any
    pad_id: int
    device: str
    name: str = "torch"

    def hidden_states(self, windows: Sequence[Sequence[int]], layers: Sequence[int]) -> list[Floats]:
        """For each window (n_layers, n_tokens, dim) float32, the layers in the order asked for.

        Layer 0 is the embedding output, layer n the last block's, as transformers counts: where a model ends in a
        norm of its own (the decoders), layer n is after it and the layers before are not.
        """
        import torch

        budget = TOKEN_BUDGET if self.device == "cpu" else GPU_TOKEN_BUDGET
        out: list[Floats] = [np.empty(0, np.float32)] * len(windows)
        with torch.inference_mode():
            for batch in plan_batches([len(window) for window in windows], budget):
                width = max(len(windows[item]) for item in batch)
                ids = torch.full((len(batch), width), self.pad_id, dtype=torch.long)
                mask = torch.zeros((len(batch), width), dtype=torch.long)
                for row, item in enumerate(batch):
                    ids[row, : len(windows[item])] = torch.as_tensor(windows[item])
                    mask[row, : len(windows[item])] = 1
                states = self.stack(
                    input_ids=ids.to(self.device),
                    attention_mask=mask.to(self.device),
                    output_hidden_states=True,
                    return_dict=True,
                ).hidden_states
                chosen = (
                    torch.stack([states[layer] for layer in layers]).float().cpu().numpy()
                )  # (layers, batch, width, dim)
                for row, item in enumerate(batch):
                    out[item] = chosen[:, row, : len(windows[item])]
        return out
