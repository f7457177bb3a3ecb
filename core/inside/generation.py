"""What a model writes, token by token, and how sure it is of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import require_hooks
from polysema.core.inside.hooks import one_reading, token_name
from polysema.core.inside.output_head import find_head
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family

MAX_NEW_TOKENS = 200


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """What a model wrote: `text`, its `tokens` with the `probabilities` that they had, and for each the best `others`
    (itself first). `ended` says that the model itself ended it. `surety` is the geometric mean of the probabilities.
    """

    json_properties: ClassVar[tuple[str, ...]] = ("surety",)

    text: str
    tokens: tuple[str, ...]
    probabilities: tuple[float, ...]
    others: tuple[tuple[tuple[str, float], ...], ...]
    ended: bool

    @property
    def surety(self) -> float:
        """Geometric mean of the tokens' probabilities; 0 where nothing was written."""
        if not self.probabilities:
            return 0.0
        return float(np.exp(np.mean(np.log(np.maximum(self.probabilities, 1e-30)))))


def write(
    model: LanguageModel, text: str, new: int = 24, k: int = 5, progress: Progress = no_progress
) -> GeneratedText:
    """At most `new` tokens that a decoder writes after `text`, or an encoder-decoder for it, each the most probable
    one.

    What `progress` raises ends the work. Raises `UserError` for a model that doesn't write, a text longer than its
    window, and numbers out of range.
    """
    import torch

    if model.family is Family.ENCODER:
        raise UserError(f"{model.name} is an encoder: it reads and doesn't write; choose a decoder")
    if not 1 <= new <= MAX_NEW_TOKENS:
        raise UserError(f"1 to {MAX_NEW_TOKENS} tokens are written; got {new}")
    if not 1 <= k <= len(model.input_table):
        raise UserError(f"k goes from 1 to the {len(model.input_table):,} tokens of {model.name}; got {k}")
    require_hooks(model)
    if find_head(model) is None:
        raise UserError(f"{model.name} has no head that scores words, so it writes nothing")
    step = _decoder(model, text) if model.family is Family.DECODER else _pair(model, text)
    ends = end_tokens(model)
    ids: list[int] = []
    probabilities: list[float] = []
    others: list[tuple[tuple[str, float], ...]] = []
    ended = False
    with torch.inference_mode():
        for number in range(new):
            progress("write", number, new)
            logits = step(ids)
            if logits is None:
                break
            best = logits.float().softmax(-1).topk(k)
            chosen = int(best.indices[0])
            if chosen in ends:
                ended = True
                break
            ids.append(chosen)
            probabilities.append(float(best.values[0]))
            pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            others.append(tuple((token_name(model, i), float(p)) for i, p in pairs))
    written = str(model.tokenizer.decode(ids, skip_special_tokens=True))
    return GeneratedText(written, tuple(token_name(model, i) for i in ids), tuple(probabilities), tuple(others), ended)


def _decoder(model: LanguageModel, text: str) -> Callable[[list[int]], Any]:
    """Logits of the next token, given what was written so far; None where the window is full."""
    import torch

    start = list(one_reading(model, text).ids)
    device = model.whole.device
    past: list[Any] = [None]

    def step(ids: list[int]) -> Any:
        if len(start) + len(ids) > model.window:
            return None
        fresh = torch.tensor([ids[-1:] if ids else start], device=device)
        mask = torch.ones((1, len(start) + len(ids)), dtype=torch.long, device=device)
        out = model.whole(
            input_ids=fresh, attention_mask=mask, past_key_values=past[0], use_cache=True, return_dict=True
        )
        past[0] = out.past_key_values
        return out.logits[0, -1]

    return step


def _pair(model: LanguageModel, source: str) -> Callable[[list[int]], Any]:
    """The same of an encoder-decoder, whose encoder reads the source once."""
    import torch

    window = model.one_window(model.encode([source])[0], "the source").windows[0]
    device = model.whole.device
    read = torch.tensor([list(window)], device=device)
    kept: list[Any] = [None, None]

    def step(ids: list[int]) -> Any:
        if 1 + len(ids) > model.window:
            return None
        if kept[0] is None:
            kept[0] = model.whole.get_encoder()(input_ids=read, attention_mask=torch.ones_like(read), return_dict=True)
        fresh = torch.tensor([[ids[-1] if ids else model.start_token]], device=device)
        out = model.whole(
            encoder_outputs=kept[0],
            attention_mask=torch.ones_like(read),
            decoder_input_ids=fresh,
            past_key_values=kept[1],
            use_cache=True,
            return_dict=True,
        )
        kept[1] = out.past_key_values
        return out.logits[0, -1]

    return step


def end_tokens(model: LanguageModel) -> set[int]:
    """The ids with which a model ends what it writes."""
    found: set[int] = set()
    for holder in (getattr(model.whole, "generation_config", None), model.whole.config):
        ids = getattr(holder, "eos_token_id", None)
        found |= set(ids) if isinstance(ids, list) else {ids} if isinstance(ids, int) else set()
    return found
