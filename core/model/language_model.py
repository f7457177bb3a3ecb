"""`LanguageModel`: weights and tokenizer of one model, or of one of the two stacks of an encoder-decoder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.argument_types import check_number, checked_arguments
from polysema.core.display import HtmlRepr
from polysema.core.errors import UserError
from polysema.core.model.config_check import count_layers
from polysema.core.model.engine import Engine
from polysema.core.model.tokenizer import Tokenizer
from polysema.core.model.tokens import EncodedText, encode, encode_ids
from polysema.core.space.space import Family, Origin

if TYPE_CHECKING:
    from torch import Tensor


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """What makes the numbers, with its version. Each is read from a file of its package: once is enough."""
    return tuple((name, metadata.version(name)) for name in ("tokenizers", "torch", "transformers"))


@checked_arguments
@dataclass(frozen=True, repr=False)
class LanguageModel(HtmlRepr):
    """Weights and tokenizer of one model; of an encoder-decoder one of its two stacks.

    Args:
        name: As it was requested.
        family: Encoder, decoder or encoder-decoder.
        n_layers: Its blocks, which give the layers 0 (the embedding output) to n_layers.
        n_heads: Attention heads of a block.
        dim: Dimension of the hidden states.
        window: The most tokens of one pass.
        tokenizer: That of transformers.
        engine: What computes its hidden states.
        module: The stack, as transformers has it.
        whole: The model that the stack belongs to.
        weights_sha256: Of the file of weights; empty for a model of the hub.
        revision: Of a model of the hub.
        stack: `encoder` or `decoder`, empty unless the model has two.
        final_norm: `after` or `before` the norm that ends the stack, empty where there is none.
        dtype: Of the weights.
        path: Its folder, None for a model of the hub.
        beginning: The token that is put before every text, where that was requested.
    """

    name: str
    family: Family
    n_layers: int
    n_heads: int
    dim: int
    window: int
    tokenizer: Tokenizer
    engine: Engine
    module: Any
    whole: Any
    weights_sha256: str
    revision: str = ""
    stack: str = ""
    final_norm: str = ""
    dtype: str = "float32"
    path: Path | None = None
    beginning: str = ""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        stack = f", its {self.stack}" if self.stack else ""
        size = f"{self.n_layers} layers, {self.dim} dimensions"
        return f"LanguageModel({self.name}, {self.family.value}{stack}, {size}, {self.engine.name})"

    def check_layers(self, layers: Sequence[int]) -> tuple[int, ...]:
        """Layers counted from 0.

        Args:
            layers: Numbers from 0, or negative ones from the end.

        Returns:
            The same, counted from 0.

        Raises:
            PolysemaError: One isn't there or is named twice, or there is none.
        """
        checked = []
        for layer in layers:
            check_number(layer, "a layer")
            if not -self.n_layers - 1 <= layer <= self.n_layers:
                raise UserError(
                    f"{self.name} has layers 0 (embeddings) to {self.n_layers}; got {layer}. Use -1 for the last layer"
                )
            checked.append(layer % (self.n_layers + 1))
        if not checked:
            raise UserError(f"choose at least one of the layers 0 to {self.n_layers} of {self.name}")
        if len(set(checked)) != len(checked):
            raise UserError(f"a layer is named twice: {', '.join(map(str, layers))}")
        return tuple(checked)

    @property
    def causal(self) -> bool:
        """Whether a token sees only those before it."""
        return self.family is Family.DECODER or self.reads_two

    @property
    def reads_two(self) -> bool:
        """Whether each text needs a source beside it: the decoder of an encoder-decoder reads both."""
        return self.stack == "decoder"

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """The texts' tokens, in windows where a text is longer than the model's.

        Args:
            texts: Any texts.

        Returns:
            The tokens of each.
        """
        beginning = [self.tokenizer.convert_tokens_to_ids(self.beginning)] if self.beginning else ()
        return encode(self.tokenizer, texts, self.window, self.causal, beginning)

    def encode_ids(self, ids: Sequence[int]) -> EncodedText:
        """The same as `encode` for a text that is given as token ids.

        Args:
            ids: Of the model's own tokenizer.

        Returns:
            Its tokens.
        """
        return encode_ids(self.tokenizer, ids, self.window, self.causal)

    def one_window(self, encoded: EncodedText, what: str) -> EncodedText:
        """Check that a text fits the window: two stacks can't be cut alike.

        Args:
            encoded: The tokens of the text.
            what: What it is called in the message.

        Returns:
            The same tokens.

        Raises:
            PolysemaError: The text is longer than the window.
        """
        if len(encoded.windows) > 1:
            raise UserError(
                f"{what} has {len(encoded):,} tokens; {self.name} reads at most {self.window} of it at once, and "
                "with two stacks it is not split: give a shorter text"
            )
        return encoded

    def encode_targets(self, texts: Sequence[str]) -> list[EncodedText]:
        """The tokens of a decoder's texts, by the tokenizer of its language where there are two.

        Args:
            texts: Any texts.

        Returns:
            The tokens of each.
        """
        switch = getattr(self.tokenizer, "_switch_to_target_mode", None)
        if switch is None or not getattr(self.tokenizer, "is_fast", False):
            return encode(self.tokenizer, texts, self.window, self.causal, targets=True)
        switch()  # a fast tokenizer of several languages puts the target's token in the place of the source's
        try:
            return self.encode(texts)
        finally:
            self.tokenizer._switch_to_input_mode()  # type: ignore[attr-defined]

    def decoder_input(self, encoded: EncodedText) -> EncodedText:
        """What a decoder reads for a text: its start token, then the text up to its last own token (shifted right).

        Args:
            encoded: The tokens of the text.

        Returns:
            The tokens that it reads.

        Raises:
            PolysemaError: The text is longer than the window.
        """
        self.one_window(encoded, "a decoder's text")
        last = int(encoded.takes[-1, 1]) if len(encoded) else -1
        window = (self.start_token, *encoded.windows[0][: last + 1])
        if len(window) > self.window:
            raise UserError(
                f"a decoder's text has {len(encoded):,} tokens; {self.name} reads at most {self.window - 1}"
            )
        return replace(encoded, windows=(window,), takes=encoded.takes + np.array([0, 1]))

    @property
    def start_token(self) -> int:
        """What the decoder of an encoder-decoder begins with; raises `UserError` where the model doesn't say."""
        config = self.whole.config
        for name in ("decoder_start_token_id", "pad_token_id", "bos_token_id"):
            value = getattr(getattr(self.whole, "generation_config", None), name, None)
            value = getattr(config, name, None) if value is None else value
            if isinstance(value, int):
                return value
        raise UserError(f"{self.name} doesn't say what its decoder begins with")

    def generate(self, sources: Sequence[str], most: int = 64) -> list[str]:
        """What the model itself writes for each source, greedily.

        Args:
            sources: The texts that the encoder reads.
            most: The most tokens of each.

        Returns:
            A text for each source.

        Raises:
            PolysemaError: The model is of another family, or its folder has no head that writes.
        """
        import torch

        if self.family is not Family.ENCODER_DECODER or not hasattr(self.whole, "lm_head"):
            raise UserError(f"{self.name} can't write the decoder's text: it has no head for it; give the text")
        written = []
        for place, encoded in enumerate(self.encode(sources)):
            window = self.one_window(encoded, f"source {place}").windows[0]
            ids = torch.tensor([window], device=self.whole.device)
            with torch.inference_mode():
                out = self.whole.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=min(most, self.window - 1),
                    decoder_start_token_id=self.start_token,
                    do_sample=False,
                    num_beams=1,
                    use_cache=self._cache_fits(),
                )
            written.append(self.tokenizer.decode(out[0], skip_special_tokens=True))
        return written

    def _cache_fits(self) -> bool:
        """Whether the cache that transformers makes has a place for each layer of the decoder.

        It counts the layers of the encoder in T5's relatives, whose decoder may be the deeper one.
        """
        config = self.whole.config
        counted = getattr(config.get_text_config(decoder=True), "num_hidden_layers", None)
        return not isinstance(counted, int) or count_layers(config.get_text_config(), "decoder") <= counted

    def origin(self, layer: int | None, pooling: str) -> Origin:
        """The card of vectors made by this model.

        Args:
            layer: Counted from 0, None for its input embeddings.
            pooling: How sub-words become a word, or words a text.

        Returns:
            The card.
        """
        return Origin(
            source=self.name,
            family=self.family,
            weights_sha256=self.weights_sha256,
            revision=self.revision,
            layer=layer,
            pooling=pooling,
            dtype=self.dtype,
            engine=self.engine.name,
            stack=self.stack,
            final_norm=self.final_norm,
            windows=f"{self.window} tokens, half overlapping",
            versions=_versions(),
            beginning=self.beginning,
            notes=self.notes,
        )

    @cached_property
    def input_table(self) -> "Tensor":
        """The table of input embeddings as a tensor, (vocabulary, dim)."""
        table: Tensor = self.module.get_input_embeddings().weight
        return table.detach()
