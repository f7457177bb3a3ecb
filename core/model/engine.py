"""The forward pass: all layers at once, for batches planned by length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import Any, Protocol

import numpy as np

from polysema.core.errors import UserError
from polysema.core.progress import go_on
from polysema.core.space.space import Floats, Ints

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


Take = Callable[[int, "list[Floats]"], None]  # a window's number, and its states at each layer, (n_tokens, dim)


class Engine(Protocol):
    """What runs the forward passes of one stack of a model."""

    @property
    def name(self) -> str:
        """What the provenance card calls it: `torch`, `onnx`, `onnx-int8`."""

    def run(
        self,
        windows: Sequence[Sequence[int]],
        layers: Sequence[int],
        take: Take,
        sources: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """Give each window's hidden states to `take`: a float32 array (n_tokens, dim) for each of `layers`.

        Layer 0 is the embedding output, layer n the last block's, as transformers counts. `take` is called once for
        each window, in any order and from several threads; what it wants to keep it copies. `sources` are the ids that
        an encoder reads beside each window of a decoder with cross-attention.
        """


def hidden_states(
    engine: Engine,
    windows: Sequence[Sequence[int]],
    layers: Sequence[int],
    sources: Sequence[Sequence[int]] | None = None,
) -> list[Floats]:
    """For each window (n_layers, n_tokens, dim) float32, the layers in the requested order."""
    out: list[Floats] = [np.empty(0, np.float32)] * len(windows)

    def take(item: int, states: list[Floats]) -> None:
        out[item] = np.stack(states)

    engine.run(windows, layers, take, sources)
    return out


def padded(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Ints, Ints]:
    """Ids and their mask, both (n_rows, longest), filled up on the right."""
    width = max(len(row) for row in rows)
    ids = np.full((len(rows), width), pad_id, np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return ids, mask


# families whose layers mix a token with its neighbors whatever the mask says: by a convolution, by embeddings of three
SEES_PADDING = {"convbert", "mobilebert"}


@dataclass(frozen=True, slots=True)
class TorchEngine:
    """Runs a module of transformers: a model, the encoder of one, or a whole encoder-decoder for its decoder's states.

    Where a stack ends in a norm of its own (the decoders, T5, ModernBERT), its last layer is after that norm, as
    transformers has it; with `norm` (that module) it is what goes into the norm.
    """

    module: Any
    pad_id: int
    device: str
    norm: Any = None
    name: str = "torch"

    def run(
        self,
        windows: Sequence[Sequence[int]],
        layers: Sequence[int],
        take: Take,
        sources: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """See `Engine`."""
        import torch

        budget = TOKEN_BUDGET if self.device == "cpu" else GPU_TOKEN_BUDGET
        lengths = (
            [len(w) + len(s) for w, s in zip(windows, sources, strict=True)] if sources else list(map(len, windows))
        )
        with torch.inference_mode():
            for batch in self._batches(lengths, budget):
                go_on()
                states = self._states(
                    [windows[item] for item in batch], [sources[item] for item in batch] if sources else None
                )
                chosen = [states[layer].float().cpu().numpy() for layer in layers]  # (batch, width, dim) each
                self._check_width(chosen, max(len(windows[item]) for item in batch))
                for row, item in enumerate(batch):
                    take(item, [state[row, : len(windows[item])] for state in chosen])

    def _batches(self, lengths: Sequence[int], budget: int) -> list[list[int]]:
        """Which rows go through the model together: each alone where padding beside a text changes its states."""
        if self.module.config.model_type in SEES_PADDING:
            return [[item] for item in range(len(lengths))]
        return plan_batches(lengths, budget)

    def _check_width(self, states: Sequence[Floats], n_tokens: int) -> None:
        """Raise `UserError` for a model whose layers have fewer states than there are tokens, as Funnel's do."""
        for state in states:
            if state.shape[1] != n_tokens:
                raise UserError(
                    f"a layer of {type(self.module).__name__} has {state.shape[1]} states for {n_tokens} tokens, so "
                    "no word has one of its own there: it is not read here; choose another model"
                )

    def _states(self, rows: Sequence[Sequence[int]], sources: Sequence[Sequence[int]] | None) -> Sequence[Any]:
        def tensors(of: Sequence[Sequence[int]]) -> tuple[object, object]:
            import torch

            ids, mask = padded(of, self.pad_id)
            return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)

        ids, mask = tensors(rows)
        given = {"input_ids": ids, "attention_mask": mask}
        if sources is not None:
            source_ids, source_mask = tensors(sources)
            given = {
                "input_ids": source_ids,
                "attention_mask": source_mask,
                "decoder_input_ids": ids,
                "decoder_attention_mask": mask,
                "use_cache": False,
            }
        before: list[Any] = []
        mine = get_ident()

        def keep(_norm: object, inputs: tuple[object, ...]) -> None:
            if get_ident() == mine:  # another thread may use the same modules now
                before.append(inputs[0])

        hook = self.norm.register_forward_pre_hook(keep) if self.norm else None
        try:
            answer = self.module(**given, output_hidden_states=True, return_dict=True)
        finally:
            if hook is not None:
                hook.remove()
        states = list(answer.decoder_hidden_states if sources is not None else answer.hidden_states)
        if before:
            states[-1] = before[-1]
        return states
