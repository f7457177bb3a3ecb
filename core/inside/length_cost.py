"""What one pass costs against the length of the text, measured: products, tables of attention, milliseconds."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polysema.core.errors import UserError
from polysema.core.inside.family_card import one_pass
from polysema.core.inside.pass_cost import longest_pass
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.core.model.load import LanguageModel

N_PASSES = 3
MAX_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class LengthCost:
    """One pass over `n_tokens` (of an encoder-decoder on each side).

    `flops` are all products, two for each multiplication with its addition; `attention_flops` those between tokens, of
    queries with keys and weights with values. `attention_bytes` is the largest table of all tokens by all tokens that
    the pass laid out, with plain attention; `milliseconds` the median of some passes on this machine.
    """

    n_tokens: int
    flops: int
    attention_flops: int
    attention_bytes: int
    milliseconds: float


def cost_by_length(
    model: "LanguageModel", lengths: Sequence[int], progress: Progress = no_progress
) -> tuple[LengthCost, ...]:
    """What one pass costs at each of some lengths.

    Args:
        model: Any on the engine torch.
        lengths: Numbers of tokens, each from 2 to what the model has positions for, 4,096 at most.
        progress: Told after each length.

    Returns:
        A row for each length, as measured now.

    Raises:
        UserError: A length is out of range.
    """
    most = min(longest_pass(model), MAX_TOKENS)
    for length in lengths:
        if not 2 <= length <= most:
            raise UserError(f"{model.name} is measured at 2 to {most:,} tokens; got {length:,}")
    found = []
    for number, length in enumerate(lengths, 1):
        found.append(_measured(model, length))
        progress("measure lengths", number, len(lengths))
    return tuple(found)


def _measured(model: "LanguageModel", n_tokens: int) -> LengthCost:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode

    largest = 0

    class Tables(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self,
            func: Callable[..., object],
            types: object,
            args: tuple[object, ...] = (),
            kwargs: dict[str, object] | None = None,
        ) -> object:
            nonlocal largest
            made = func(*args, **(kwargs or {}))
            if isinstance(made, torch.Tensor) and made.ndim >= 3 and made.shape[-2:] == (n_tokens, n_tokens):
                largest = max(largest, made.numel() * made.element_size())
            return made

    ids = torch.arange(n_tokens, device=model.whole.device)[None] % min(1000, len(model.input_table))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if model.family.value == "encoder-decoder":
        inputs["decoder_input_ids"] = ids
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), Tables(), counter:  # type: ignore[no-untyped-call]
        one_pass(model, inputs)
    between = sum(n for op, n in counter.get_flop_counts()["Global"].items() if "bmm" in str(op))
    times = []
    for _ in range(N_PASSES):
        start = time.perf_counter()
        one_pass(model, inputs)
        times.append((time.perf_counter() - start) * 1000)
    return LengthCost(n_tokens, int(counter.get_total_flops()), int(between), largest, statistics.median(times))
