"""Load a language model of any family from a folder or a hub id, safely and completely or not at all."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.argument_types import checked_arguments, checked_function
from polysema.core.display import HtmlRepr
from polysema.core.errors import NotFoundError, UnavailableError, UnreadableError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.model.catalog import ModelLocation, locate
from polysema.core.model.engine import Engine, TorchEngine
from polysema.core.model.final_norm import find_final_norm
from polysema.core.model.tokens import EncodedText, encode, encode_ids
from polysema.core.space.space import Family, Origin

PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
UNUSED_PARTS = ("pooler.",)  # parts that no hidden state depends on: they may be missing


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
    tokenizer: Any
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
                "with two "
                "stacks it is not split: give a shorter text"
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
        if switch is not None:
            switch()
        try:
            return self.encode(texts)
        finally:
            if switch is not None:
                self.tokenizer._switch_to_input_mode()

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
                )
            written.append(self.tokenizer.decode(out[0], skip_special_tokens=True))
        return written

    def origin(self, layer: int | None, pooling: str) -> Origin:
        """The card of vectors made by this model.

        Args:
            layer: Counted from 0, None for its input embeddings.
            pooling: How sub-words become a word, or words a text.

        Returns:
            The card.
        """
        versions = tuple((name, metadata.version(name)) for name in ("tokenizers", "torch", "transformers"))
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
            versions=versions,
            beginning=self.beginning,
        )

    @cached_property
    def input_table(self) -> Any:
        """The table of input embeddings as a tensor, (vocabulary, dim)."""
        return self.module.get_input_embeddings().weight.detach()


ENGINES = ("auto", "torch", "onnx", "onnx-int8")
DTYPES = ("float32", "float16", "bfloat16")
STACKS = ("encoder", "decoder")
FINAL_NORMS = ("after", "before")


@checked_function
def load_model(
    name: "str | ModelLocation",
    device: str | None = None,
    engine: str = "auto",
    dtype: str = "float32",
    final_norm: str = "after",
    stack: str = "encoder",
    patient: bool = True,
    bos: bool = False,
) -> LanguageModel:
    """A model, by name, folder or hub id.

    Args:
        name: A name of the catalog, a folder, or an id of the hub.
        device: `cpu`, `cuda:0`, …; None: a GPU where there is one, else the CPU.
        engine: One of `ENGINES`: `auto` takes the fastest exact one, and exports the model for it unless that has to be
            done first and `patient` is false.
        dtype: `float32`, `float16` or `bfloat16`.
        final_norm: Whether the last layer of a stack that ends in a norm is taken `after` it, as transformers does, or
            `before`.
        stack: `encoder` or `decoder` of an encoder-decoder.
        patient: Whether there is time to export the model for an engine.
        bos: Whether a decoder's begin-of-text token is put before every text, where its tokenizer puts none.

    Returns:
        The model, ready to read texts.

    Raises:
        PolysemaError: There is no such engine, dtype or stack, or the model can't be loaded: no weights, weights that
            don't fit the config, pickles only, code of the model's own, a tokenizer without character offsets.

    Example:
        >>> model = load_model("g2p-t5", engine="torch")
        >>> model.n_layers, model.dim, model.generate(["b a n k"]) != [""]
        (3, 128, True)
    """
    for what, given, allowed in (
        ("engine", engine, ENGINES),
        ("dtype", dtype, DTYPES),
        ("stack", stack, STACKS),
        ("final norm", final_norm, FINAL_NORMS),
    ):
        if given not in allowed:
            raise UserError(f"{what} {given!r} does not exist; choose one of {', '.join(allowed)}")
    found = locate(name) if isinstance(name, str) else name
    if found.is_vectors:
        raise UserError(f"{found.name} is a static space: it has no layers and reads no texts; choose a model")
    if found.path is not None:
        check_folder(found.path)
    with IMPORTING:
        model = _load(found, device, dtype, final_norm, stack)
    if bos:
        model = replace(model, beginning=_begin_token(model))
    return _with_engine(model, engine, patient)


def _begin_token(model: LanguageModel) -> str:
    """The token that begins a decoder's text; raises `UserError` where there is none, or it is there already."""
    token = model.tokenizer.bos_token
    if model.family is not Family.DECODER or not token:
        why = "has no begin-of-text token" if model.family is Family.DECODER else f"is an {model.family.value}"
        raise UserError(f"a begin-of-text token is put before the texts of a decoder; {model.name} {why}")
    if model.encode(["a"])[0].takes[0].any():
        raise UserError(f"the tokenizer of {model.name} puts a token before every text already; leave out --bos")
    return str(token)


def _with_engine(model: LanguageModel, engine: str, patient: bool) -> LanguageModel:
    if engine == "torch":
        return model
    from polysema.core.model.onnx_engine import exact_engine, int8_engine, why_not

    if engine == "auto":
        fast = exact_engine(model, patient) if why_not(model) is None else None
        return replace(model, engine=fast) if fast is not None else model
    reason = why_not(model)
    if reason is not None:
        raise UnavailableError(f"the engine {engine} can't run {model.name}: {reason}; use torch")
    chosen = exact_engine(model, True, required=True) if engine == "onnx" else int8_engine(model)
    assert chosen is not None
    return replace(model, engine=chosen)


def _load(found: ModelLocation, device: str | None, dtype: str, final_norm: str, side: str) -> LanguageModel:
    import torch

    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError):
        raise UserError(f"device {chosen!r} is not there; this machine has: {', '.join(_devices(torch))}") from None
    config, tokenizer, whole = _read(found, getattr(torch, dtype))
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"the tokenizer of {found.name} gives no character offsets (it has no tokenizer.json), so words "
            "can't be found in its tokens"
        )
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    family = _family(config)
    if side == "decoder" and family is not Family.ENCODER_DECODER:
        raise UserError(f"{found.name} has one stack ({family.value}): only an encoder-decoder has a decoder beside it")
    text_config = config.get_text_config()
    whole.eval().to(chosen)
    return LanguageModel(
        name=found.name,
        family=family,
        dim=int(text_config.hidden_size),
        window=_window(text_config, tokenizer),
        tokenizer=tokenizer,
        whole=whole,
        weights_sha256=weights_hash(found),
        revision=found.entry.requirement if found.entry else (getattr(config, "_commit_hash", None) or ""),
        dtype=dtype,
        path=found.path,
        **_stack(whole, family, side, tokenizer, chosen, final_norm),
    )


def on_torch(model: LanguageModel, side: str = "") -> LanguageModel:
    """The same weights on the engine torch, which can be looked into; with `side` as the `encoder` or the `decoder` of
    an encoder-decoder, whichever of the two is given. Raises `UserError` for a stack that isn't there.
    """
    if side and (side not in STACKS or model.family is not Family.ENCODER_DECODER):
        raise UserError(
            f"{model.name} has one stack ({model.family.value}): only an encoder-decoder has two"
            if side in STACKS
            else f"stack {side!r} does not exist; choose one of {', '.join(STACKS)}"
        )
    device = str(next(model.whole.parameters()).device)
    fields = _stack(
        model.whole,
        model.family,
        side or model.stack or "encoder",
        model.tokenizer,
        device,
        model.final_norm or "after",
    )
    return replace(model, **fields)


def _stack(whole: Any, family: Family, side: str, tokenizer: Any, device: str, final_norm: str) -> dict[str, Any]:
    """The fields of a model that are those of its stack."""
    two = family is Family.ENCODER_DECODER
    base = getattr(whole, whole.base_model_prefix, whole) if whole.base_model_prefix else whole
    module = (base.get_decoder() if side == "decoder" else base.get_encoder()) if two else base
    text_config = whole.config.get_text_config()
    names = (f"{side}_layers", *(("num_decoder_layers",) if side == "decoder" else ())) if two else ()
    heads = (f"{side}_attention_heads",) if two else ()
    pad = tokenizer.pad_token_id
    norm = find_final_norm(module, two)
    engine = TorchEngine(
        base if two and side == "decoder" else module,
        int(pad) if pad is not None else 0,
        device,
        norm if final_norm == "before" else None,
    )
    return {
        "n_layers": _number(text_config, *names, "num_hidden_layers"),
        "n_heads": _number(text_config, *heads, "num_attention_heads"),
        "engine": engine,
        "module": module,
        "stack": side if two else "",
        "final_norm": final_norm if norm is not None else "",
    }


def _read(found: ModelLocation, dtype: Any) -> tuple[Any, Any, Any]:
    """Config, tokenizer and model as transformers reads them; raises `UserError` unless every weight is there and
    fits.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub.utils import logging as hub_logging
    from transformers import AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()
    place = str(found.path or found.hub_id)
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": found.path is not None}
    try:
        config = AutoConfig.from_pretrained(place, **options)
        tokenizer = AutoTokenizer.from_pretrained(place, use_fast=True, **options)
        load = {"config": config, "use_safetensors": True, "dtype": dtype, "output_loading_info": True, **options}
        kind = _with_head(config)
        model, info = (kind or AutoModel).from_pretrained(place, **load)
        if kind is not None and not getattr(config, "is_encoder_decoder", False) and _of_head(model, info):
            model, info = AutoModel.from_pretrained(place, **load)  # the config names a head that the file doesn't hold
    except Exception as error:
        # a folder or a hub can be wrong in any way, and what reads it raises types of its own
        if isinstance(error, (OSError, ValueError, KeyError, RuntimeError, ImportError)) or _module(error) in READERS:
            raise _cannot(found, error) from None
        raise
    missing = [key for key in info["missing_keys"] if not key.startswith(UNUSED_PARTS)]
    mismatched = sorted(str(entry[0]) for entry in info.get("mismatched_keys") or ())
    if missing or mismatched:
        raise UnreadableError(
            f"the weights of {found.name} don't fit its config: {len(missing) or len(mismatched)} missing or of "
            "another shape, "
            f"among them {(sorted(missing) or mismatched)[0]}"
        )
    return config, tokenizer, model


MASKED_ARCHITECTURES = (
    "ForMaskedLM",
    "ForPreTraining",
)  # the second has a masked head and another one, such as for the next sentence


def _with_head(config: Any) -> Any:
    """The class that reads the model together with the head that scores words, None where the folder names none."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    named = tuple(getattr(config, "architectures", None) or ())
    if getattr(config, "is_encoder_decoder", False):
        endings: tuple[str, ...] = ("ForConditionalGeneration", "MTModel", "LMHeadModel")
        kind = AutoModelForSeq2SeqLM
    elif any(name.endswith(MASKED_ARCHITECTURES) for name in named):
        endings, kind = MASKED_ARCHITECTURES, AutoModelForMaskedLM
    else:
        endings, kind = ("ForCausalLM", "LMHeadModel", "DoubleHeadsModel"), AutoModelForCausalLM
    return kind if any(name.endswith(endings) for name in named) and type(config) in kind._model_mapping else None


def _of_head(model: Any, info: Any) -> bool:
    """Whether weights are missing, and all of them of the head."""
    missing = [key for key in info["missing_keys"] if not key.startswith(UNUSED_PARTS)]
    return bool(missing) and not any(key.startswith(f"{model.base_model_prefix}.") for key in missing)


READERS = {"safetensors_rust", "safetensors", "tokenizers", "huggingface_hub", "transformers", "builtins"}


def _module(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]


def _devices(torch: Any) -> list[str]:
    return ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]


def check_folder(folder: Path) -> None:
    """What can be told about a folder without reading a weight."""
    if not (folder / "config.json").is_file():
        raise UnreadableError(f"{folder} is not a model: it has no config.json")
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise UnreadableError(
            f"{folder} holds its weights only as a pickle ({pickles[0]}), which can run code when it is loaded, "
            "so it isn't; "
            "save the model again with safetensors (save_pretrained in transformers does)"
        )
    raise NotFoundError(f"{folder} holds no weights: model.safetensors is missing")


def _cannot(found: ModelLocation, error: Exception) -> UserError:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if found.hub_id:
        return NotFoundError(
            f"{found.hub_id} can't be loaded from the hub or its cache ({first[:160]}); check the id and the "
            "connection, or give a local folder"
        )
    return UnreadableError(f"{found.name} can't be loaded as a model: {first[:240]}")


def _family(config: Any) -> Family:
    """An encoder-decoder says so; a decoder is one whose type has a causal head and no masked one, or says so."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if getattr(config, "is_encoder_decoder", False):
        return Family.ENCODER_DECODER
    kind = config.model_type
    causal = kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return Family.DECODER if causal or getattr(config, "is_decoder", False) else Family.ENCODER


def _number(config: Any, *names: str) -> int:
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    if names[-1] == "num_attention_heads":
        raise UserError(
            f"a {config.model_type} model has no attention heads: what isn't a transformer (a state-space or recurrent "
            "model) is not read here; choose an encoder, a decoder or an encoder-decoder with attention"
        )
    raise UserError(f"a {config.model_type} model doesn't say its {names[-1]}, so its layers can't be counted")


MAX_WINDOW = 2048  # longer windows cost memory by their square and bring little to a word


def _window(config: Any, tokenizer: Any) -> int:
    known = [position_limit(config)]
    if isinstance(tokenizer.model_max_length, int) and tokenizer.model_max_length < 1_000_000:
        known.append(tokenizer.model_max_length)
    return min(known)


def position_limit(config: Any) -> int:
    """The most tokens that a model has positions for, at most `MAX_WINDOW`."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return MAX_WINDOW
    # RoBERTa's positions start behind the padding id
    offset = config.pad_token_id + 1 if config.model_type in {"roberta", "xlm-roberta", "camembert", "mpnet"} else 0
    return min(MAX_WINDOW, positions - offset)


def weights_hash(found: ModelLocation) -> str:
    """sha256 of the file of weights (of the hashes of several); empty for a model of the hub, whose revision tells it
    apart.
    """
    if found.path is None:
        return ""
    files = []
    for path in sorted(found.path.glob("*.safetensors")):
        with path.open("rb") as file:
            files.append(hashlib.file_digest(file, "sha256").hexdigest())
    return files[0] if len(files) == 1 else hashlib.sha256("".join(files).encode()).hexdigest()
