"""Load a language model of any family from a folder or a hub id, safely and completely or not at all."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from polysema.core.errors import NotFoundError, UnreadableError, UserError
from polysema.core.imports import IMPORTING
from polysema.core.model.catalog import Located, locate
from polysema.core.model.engine import TorchEngine
from polysema.core.model.pooling import check_pooling
from polysema.core.model.tokens import Encoded, encode
from polysema.core.space.space import Family, Origin

PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
UNUSED = ("pooler.",)  # parts that no hidden state depends on: they may be missing


@dataclass(frozen=True)
class LanguageModel:
    """Weights and tokenizer of one model.

    `n_layers` blocks give the layers 0 (the embedding output) to n_layers; `dim` is the width of the hidden states;
    `window` the most tokens of one pass. An encoder-decoder is represented by its encoder.
    """

    name: str
    family: Family
    n_layers: int
    n_heads: int
    dim: int
    window: int
    tokenizer: Any
    engine: TorchEngine
    weights_sha256: str
    revision: str = ""

    def check_layers(self, layers: Sequence[int]) -> tuple[int, ...]:
        """Layers counted from 0, negative ones from the end; raises `UserError` for one that isn't there."""
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
        return self.family is Family.DECODER

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """The texts' tokens, in windows where a text is longer than the model's."""
        return encode(self.tokenizer, texts, self.window, self.causal)

    def origin(self, layer: int | None, pooling: str) -> Origin:
        """The card of vectors made by this model at a layer."""
        check_pooling(pooling)
        versions = tuple((name, metadata.version(name)) for name in ("tokenizers", "torch", "transformers"))
        return Origin(
            source=self.name, family=self.family, weights_sha256=self.weights_sha256, revision=self.revision, layer=layer,
            pooling=pooling, engine=self.engine.name, windows=f"{self.window} tokens, half overlapping", versions=versions,
        )  # fmt: skip

    @cached_property
    def input_table(self) -> Any:
        """The table of input embeddings as a tensor, (vocabulary, dim)."""
        return self.engine.stack.get_input_embeddings().weight.detach()


def load_model(name: "str | Located", device: str | None = None) -> LanguageModel:
    """The model of that name, folder or hub id, on `device` (a GPU where there is one, else the CPU).

    Raises `UserError` for what can't be loaded: no weights, weights that don't fit the config, pickles only, code of
    the model's own, a tokenizer without character offsets.
    """
    found = locate(name) if isinstance(name, str) else name
    if found.is_vectors:
        raise UserError(f"{found.name} is a static space: it has no layers and reads no texts; choose a model")
    if found.path is not None:
        check_folder(found.path)
    with IMPORTING:
        return _load(found, device)


def _load(found: Located, device: str | None) -> LanguageModel:
    import torch

    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError):
        raise UserError(f"device {chosen!r} is not there; this machine has: {', '.join(_devices(torch))}") from None
    config, tokenizer, model = _read(found)
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"the tokenizer of {found.name} gives no character offsets (it has no tokenizer.json), so words can't be found in its tokens"
        )
    family = _family(config)
    stack = model.get_encoder() if family is Family.ENCODER_DECODER else model
    text_config = config.get_text_config()
    prefix = ("encoder_layers",) if family is Family.ENCODER_DECODER else ()
    heads = ("encoder_attention_heads",) if family is Family.ENCODER_DECODER else ()
    pad = tokenizer.pad_token_id
    return LanguageModel(
        name=found.name,
        family=family,
        n_layers=_number(text_config, *prefix, "num_hidden_layers"),
        n_heads=_number(text_config, *heads, "num_attention_heads"),
        dim=int(text_config.hidden_size),
        window=_window(text_config, tokenizer),
        tokenizer=tokenizer,
        engine=TorchEngine(stack.eval().to(chosen), int(pad) if pad is not None else 0, chosen),
        weights_sha256=weights_hash(found),
        revision=found.entry.requirement if found.entry else (getattr(config, "_commit_hash", None) or ""),
    )


def _read(found: Located) -> tuple[Any, Any, Any]:
    """Config, tokenizer and model as transformers reads them; raises `UserError` unless every weight is there and fits."""
    import torch

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
        model, info = AutoModel.from_pretrained(
            place, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **options
        )
    except Exception as error:
        # a folder or a hub can be wrong in any way, and what reads it raises types of its own
        if isinstance(error, (OSError, ValueError, KeyError, RuntimeError, ImportError)) or _module(error) in READERS:
            raise _cannot(found, error) from None
        raise
    missing = [key for key in info["missing_keys"] if not key.startswith(UNUSED)]
    mismatched = sorted(str(entry[0]) for entry in info.get("mismatched_keys") or ())
    if missing or mismatched:
        raise UnreadableError(
            f"the weights of {found.name} don't fit its config: {len(missing) or len(mismatched)} missing or of another shape, "
            f"among them {(sorted(missing) or mismatched)[0]}"
        )
    return config, tokenizer, model


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
            f"{folder} holds its weights only as a pickle ({pickles[0]}), which can run code when it is loaded, so it isn't; "
            "save the model again with safetensors (save_pretrained in transformers does)"
        )
    raise NotFoundError(f"{folder} holds no weights: model.safetensors is missing")


def _cannot(found: Located, error: Exception) -> UserError:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if found.hub_id:
        return NotFoundError(
            f"{found.hub_id} can't be loaded from the hub or its cache ({first[:160]}); check the id and the connection, or give a local folder"
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
    raise UserError(f"a {config.model_type} model doesn't say its {names[-1]}, so its layers can't be counted")


WIDEST = 2048  # longer windows cost memory by their square and bring little to a word


def _window(config: Any, tokenizer: Any) -> int:
    known = [WIDEST]
    positions = getattr(config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        # RoBERTa's positions start behind the padding id
        offset = config.pad_token_id + 1 if config.model_type in {"roberta", "xlm-roberta", "camembert", "mpnet"} else 0
        known.append(positions - offset)
    if isinstance(tokenizer.model_max_length, int) and tokenizer.model_max_length < 1_000_000:
        known.append(tokenizer.model_max_length)
    return min(known)


def weights_hash(found: Located) -> str:
    """sha256 of the file of weights (of the hashes of several); empty for a model of the hub, whose revision tells it apart."""
    if found.path is None:
        return ""
    files = []
    for path in sorted(found.path.glob("*.safetensors")):
        with path.open("rb") as file:
            files.append(hashlib.file_digest(file, "sha256").hexdigest())
    return files[0] if len(files) == 1 else hashlib.sha256("".join(files).encode()).hexdigest()
