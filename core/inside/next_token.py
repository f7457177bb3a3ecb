"""The logits of the next token of a text that is being written: each token goes through the model once."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from polysema.core.errors import UserError
from polysema.core.inside.readings import Unit, one_reading, token_name
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokenizer import Tokenizer
from polysema.core.model.tokens import Span
from polysema.core.progress import go_on
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from torch import Tensor

_NAMES: "WeakKeyDictionary[Tokenizer, dict[int, str]]" = WeakKeyDictionary()  # of tokens that were shown, by tokenizer


class NextTokenModel:
    """A decoder behind a text, or an encoder-decoder behind its source, that keeps the keys and values of what it read.

    Args:
        model: A decoder, or the decoder of an encoder-decoder.
        text: What stands before, or what the encoder reads.
        prefix: Ids of the tokens that the text to write begins with.

    Raises:
        UserError: The text is longer than the model's window.
    """

    def __init__(self, model: LanguageModel, text: str, prefix: Sequence[int] = ()):
        self.model = model
        self.prefix = tuple(prefix)
        self.two = model.family is Family.ENCODER_DECODER
        self.units = source_units(model, text) if self.two else one_reading(model, text).tokens
        self._source = model.encode([text])[0].windows[0] if self.two else ()
        self.start = (model.start_token,) if self.two else one_reading(model, text).ids
        self._past: Any = None
        self._encoded: Any = None
        self._encoder_rows: dict[int, dict[str, Any]] = {}
        self._names = _NAMES.setdefault(model.tokenizer, {})
        parameters = inspect.signature(model.whole.forward).parameters
        self._keeps = "logits_to_keep" in parameters
        if len(self.start) > model.window:
            raise UserError(
                f"the text has {len(self.start):,} tokens, and {model.name} reads {model.window:,}: nothing can be "
                "written behind it; give a shorter text"
            )

    @property
    def room(self) -> int:
        """The most tokens that can be written, those of the prefix included."""
        return self.model.window - len(self.start) + 1

    def name(self, number: int) -> str:
        """A token as text."""
        if number not in self._names:
            self._names[number] = token_name(self.model, number)
        return self._names[number]

    def decode(self, ids: Sequence[int]) -> str:
        """The text that tokens make, without special ones."""
        return str(self.model.tokenizer.decode(list(ids), skip_special_tokens=True))

    def begin(self) -> "Tensor":
        """Read what stands before and the prefix: the logits (len(prefix) + 1, vocabulary) behind each place from the
        first that is written on.
        """
        n = len(self.prefix) + 1
        out = self._forward([(*self.start, *self.prefix)], len(self.start) + len(self.prefix), n)
        found: Tensor = out[0, -n:]
        return found

    def advance(self, ids: Sequence[int], n_written: int) -> "Tensor":
        """Read one token more of each row: the logits (n_rows, vocabulary) behind it, where `n_written` are written."""
        found: Tensor = self._forward([(number,) for number in ids], len(self.start) + n_written, 1)[:, -1]
        return found

    def take_rows(self, parents: Sequence[int]) -> None:
        """Go on with these rows, in this order: one may stand several times."""
        import torch

        self._past.reorder_cache(torch.tensor(list(parents), device=self.model.whole.device))

    def _forward(self, rows: Sequence[Sequence[int]], n_tokens: int, n_kept: int) -> "Tensor":
        import torch

        go_on()
        device = self.model.whole.device
        fresh = torch.tensor([list(row) for row in rows], device=device)
        given: dict[str, Any] = {"past_key_values": self._past, "use_cache": True, "return_dict": True}
        if self._keeps:
            given["logits_to_keep"] = n_kept
        with torch.inference_mode():
            if self.two:
                given |= self.encoder_states(len(rows)) | {"decoder_input_ids": fresh}
            else:
                mask = torch.ones((len(rows), n_tokens), dtype=torch.long, device=device)
                given |= {"input_ids": fresh, "attention_mask": mask}
            out = self.model.whole(**given)
        self._past = out.past_key_values
        logits: Tensor = out.logits
        return logits

    def encoder_states(self, n_rows: int) -> dict[str, Any]:
        """What the encoder made of the source, which it reads once, for so many rows."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        read = torch.tensor([list(self._source)], device=self.model.whole.device)
        mask = torch.ones_like(read)
        if self._encoded is None:
            encoder = self.model.whole.get_encoder()
            self._encoded = encoder(input_ids=read, attention_mask=mask, return_dict=True).last_hidden_state
        if n_rows not in self._encoder_rows:
            states = BaseModelOutput(last_hidden_state=self._encoded.expand(n_rows, -1, -1))
            self._encoder_rows[n_rows] = {"encoder_outputs": states, "attention_mask": mask.expand(n_rows, -1)}
        return self._encoder_rows[n_rows]


def kept_numbers(model: LanguageModel, n_tokens: int, n_rows: int) -> int:
    """How many numbers the keys and values of texts that are written side by side are.

    Args:
        model: A model that writes.
        n_tokens: The tokens of each text in the end.
        n_rows: How many texts.

    Returns:
        A key and a value for each token, head and layer; heads that share theirs count once.
    """
    config = model.whole.config
    heads = getattr(config, "num_key_value_heads", None) or model.n_heads
    width = getattr(config, "head_dim", None) or model.dim // model.n_heads
    return int(2 * model.n_layers * heads * width * n_tokens * n_rows)


def source_units(model: LanguageModel, source: str) -> tuple[Unit, ...]:
    """The tokens of what an encoder-decoder reads, as they stand in the text.

    Args:
        model: An encoder-decoder.
        source: What its encoder reads.

    Returns:
        A unit a token, special ones included.

    Raises:
        UserError: There is nothing to read in the source, or it is longer than the model's window.
    """
    encoded = model.one_window(model.encode([source])[0], "the source")
    if not len(encoded):
        raise UserError(f"there is nothing to read in {source[:60]!r}")
    names = model.tokenizer.convert_ids_to_tokens(list(encoded.windows[0]))
    units = [Unit(name) for name in names]
    for (_, place), (start, end) in zip(encoded.takes.tolist(), encoded.offsets.tolist(), strict=True):
        units[place] = Unit(source[start:end] or names[place], Span(start, end))
    return tuple(units)
