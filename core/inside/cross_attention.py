"""How much each token that is written looks at each token of the source, also while the text is being written."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from polysema.core.inside.attention_modules import find_attentions
from polysema.core.inside.hooks import twin_of
from polysema.core.inside.next_token import NextTokenModel
from polysema.core.inside.part_plans import CROSS
from polysema.core.model.load import LanguageModel

Shares = tuple[tuple[float, ...], ...]


def cross_attention(model: LanguageModel, writer: NextTokenModel, ids: Sequence[int]) -> Shares:
    """How much each token that a decoder writes looks at each token of the source: the mean of all layers and heads.

    Args:
        model: The decoder of an encoder-decoder.
        writer: What has read the source.
        ids: What the decoder writes.

    Returns:
        For each token that is written as many shares as the source has tokens; they add up to 1.
    """
    with cross_attention_reader(model, writer) as read:
        return read(ids)


@contextmanager
def cross_attention_reader(model: LanguageModel, writer: NextTokenModel) -> Iterator[Callable[[Sequence[int]], Shares]]:
    """A function of ids as `cross_attention`, for many texts behind the same source: the hooks are put on once.

    Args:
        model: The decoder of an encoder-decoder.
        writer: What has read the source.
    """
    import torch

    modules = find_attentions(model)
    total: list[Any] = []
    with twin_of(model) as twin:
        for layer in range(1, model.n_layers + 1):
            modules.tap(twin, layer, CROSS, lambda weights: total.append(weights.float().mean(0)))

        def read(ids: Sequence[int]) -> Shares:
            total.clear()
            rows = torch.tensor([[model.start_token, *ids[:-1]]], device=model.whole.device)
            given = {"decoder_input_ids": rows, "use_cache": False, "return_dict": True}
            if twin.requested:
                given["output_attentions"] = True
            with torch.inference_mode():
                twin.root(**writer.encoder_states(1), **given)
            mean = sum(total) / len(total)
            return tuple(tuple(row) for row in mean.tolist())

        yield read
