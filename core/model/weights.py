"""Config, tokenizer and weights of a model as transformers reads them, whole and fitting each other or not at all."""

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from polysema.core.errors import NotFoundError, UnavailableError, UnreadableError, UserError
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.model_folder import CONVERTED, own_code
from polysema.core.model.tokenizer import Tokenizer, read_tokenizer

UNUSED_PARTS = ("pooler.",)  # parts that no hidden state depends on: they may be missing
MASKED_ARCHITECTURES = ("ForMaskedLM", "ForPreTraining")
# families whose ForPreTraining has a masked head and another one, such as for the next sentence
TWO_HEADS = {"albert", "bert", "big_bird", "fnet", "megatron-bert", "mobilebert"}
READERS = {"safetensors_rust", "safetensors", "tokenizers", "huggingface_hub", "transformers", "builtins"}
MIN_TOKENS_SHARE = 0.9  # a tokenizer with fewer tokens than this share of the table's rows is told of
MAX_KEYS_SHOWN = 3
NUMBER = re.compile(r"\d+")


class ReadModel(NamedTuple):
    """What lies in a folder: its config, its tokenizer, the model, and what is to be said of vectors made by it."""

    config: Any
    tokenizer: Tokenizer
    whole: Any
    notes: tuple[str, ...] = ()


def read_model(found: ModelLocation, dtype: Any) -> ReadModel:
    """Config, tokenizer and model of a folder or hub id.

    Args:
        found: Where it is.
        dtype: Of the weights, as torch names it.

    Returns:
        All three, checked against each other.

    Raises:
        PolysemaError: A weight is missing, of another shape or of a block that the config doesn't know, the tokenizer
            has tokens that the table has no rows for, or a file can't be read.
    """
    options = _options(found)
    try:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(_place(found), **options)
        tokenizer = read_tokenizer(_place(found), found.name, config.model_type, **options)
        model, info = _weights(found, config, dtype, options)
    except UserError:
        raise
    except Exception as error:
        # a folder or a hub can be wrong in any way, and what reads it raises types of its own
        if isinstance(error, (OSError, ValueError, KeyError, RuntimeError, ImportError)) or _module(error) in READERS:
            raise _cannot(found, error) from None
        raise
    _check_fit(found.name, info)
    unread = _unread(found.name, model, info)
    return ReadModel(config, tokenizer, model, (*unread, *_check_tokens(found.name, tokenizer, model)))


def _place(found: ModelLocation) -> str:
    return str(found.path or found.hub_id)


def _options(found: ModelLocation) -> dict[str, Any]:
    """What every reader of transformers is told: nothing is run, and a folder needs no network."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    logging.set_verbosity_error()
    quiet: Callable[[], None] = hub_logging.set_verbosity_error  # which has no types
    quiet()
    logging.disable_progress_bar()
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": found.path is not None}
    return options | ({"revision": found.revision} if found.revision else {})


def _weights(found: ModelLocation, config: Any, dtype: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model, and what was missing of it."""
    from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining

    load = {"config": config, "use_safetensors": True, "dtype": dtype, "output_loading_info": True, **options}
    kind = _with_head(config)
    model, info = (kind or AutoModel).from_pretrained(_place(found), **load)
    if kind is not None and not getattr(config, "is_encoder_decoder", False) and _of_head(model, info):
        model, info = AutoModel.from_pretrained(_place(found), **load)  # the config names a head that isn't there
    if kind is AutoModelForMaskedLM and config.model_type in TWO_HEADS and info.get("unexpected_keys"):
        both, of_both = AutoModelForPreTraining.from_pretrained(_place(found), **load)
        if not _missing(of_both):  # as bert-base-uncased, whose config names one of its two heads
            return both, of_both
    return model, info


def _with_head(config: Any) -> Any:
    """The class that reads the model together with the head that scores words, None where the folder names none."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForPreTraining, AutoModelForSeq2SeqLM

    named = tuple(getattr(config, "architectures", None) or ())
    if getattr(config, "is_encoder_decoder", False):
        endings: tuple[str, ...] = ("ForConditionalGeneration", "MTModel", "LMHeadModel")
        kind = AutoModelForSeq2SeqLM
    elif config.model_type in TWO_HEADS and any(name.endswith("ForPreTraining") for name in named):
        endings, kind = ("ForPreTraining",), AutoModelForPreTraining
    elif any(name.endswith(MASKED_ARCHITECTURES) for name in named):
        endings, kind = MASKED_ARCHITECTURES, AutoModelForMaskedLM
    else:
        endings, kind = ("ForCausalLM", "LMHeadModel", "DoubleHeadsModel"), AutoModelForCausalLM
    return kind if any(name.endswith(endings) for name in named) and type(config) in kind._model_mapping else None


def _missing(info: dict[str, Any]) -> list[str]:
    return sorted(key for key in info["missing_keys"] if not key.startswith(UNUSED_PARTS))


def _of_head(model: Any, info: dict[str, Any]) -> bool:
    """Whether weights are missing, and all of them of the head."""
    missing = _missing(info)
    return bool(missing) and not any(key.startswith(f"{model.base_model_prefix}.") for key in missing)


def _check_fit(name: str, info: dict[str, Any]) -> None:
    missing = _missing(info)
    mismatched = sorted(str(entry[0]) for entry in info.get("mismatched_keys") or ())
    if missing or mismatched:
        raise UnreadableError(
            f"the weights of {name} don't fit its config: {len(missing) or len(mismatched)} missing or of "
            f"another shape, among them {(missing or mismatched)[0]}"
        )


def _unread(name: str, model: Any, info: dict[str, Any]) -> tuple[str, ...]:
    """What is said of weights that the model has no place for; refuses blocks that the config doesn't know."""
    unexpected = sorted(map(str, info.get("unexpected_keys") or ()))
    if not unexpected:
        return ()
    prefix = f"{model.base_model_prefix}."
    known = {NUMBER.sub("N", key.removeprefix(prefix)) for key, _ in model.named_parameters()}
    blocks = [key for key in unexpected if NUMBER.sub("N", key.removeprefix(prefix)) in known]
    if blocks:
        raise UnreadableError(
            f"the weights of {name} don't fit its config: {len(blocks)} more than it says, among them {blocks[0]}"
        )
    shown = ", ".join(unexpected[:MAX_KEYS_SHOWN]) + (", …" if len(unexpected) > MAX_KEYS_SHOWN else "")
    return (f"{len(unexpected):,} weights of {name} have no place in its architecture and are not read: {shown}",)


def _check_tokens(name: str, tokenizer: Tokenizer, model: Any) -> tuple[str, ...]:
    """What is said of a tokenizer with far fewer tokens than the table has rows; refuses one with more."""
    rows = len(model.get_input_embeddings().weight)
    if len(tokenizer) > rows:
        special = set(tokenizer.all_special_tokens) | set(tokenizer.get_added_vocab())
        last = max((number for token, number in tokenizer.get_vocab().items() if token not in special), default=-1)
        if last >= rows:
            raise UnreadableError(
                f"the tokenizer of {name} has {last + 1:,} tokens, its table of embeddings {rows:,} rows: they are "
                "not of one model"
            )
    if len(tokenizer) < MIN_TOKENS_SHARE * rows:
        return (f"the tokenizer of {name} has {len(tokenizer):,} tokens, its table of embeddings {rows:,} rows",)
    return ()


def _module(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]


def _cannot(found: ModelLocation, error: Exception) -> UserError:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if "trust_remote_code" in str(error):
        return UnreadableError(f"{found.name} can't be loaded as a model: {own_code()}")
    if found.hub_id:
        if "safetensors" in first:
            return NotFoundError(f"{found.name} has no weights as safetensors; {CONVERTED}")
        if "sentencepiece" in str(error).lower():
            return UnavailableError(
                f"the tokenizer of {found.name} needs sentencepiece; install it with pip install 'polysema[models]'"
            )
        return NotFoundError(
            f"{found.name} can't be loaded from the hub or its cache ({first[:160]}); check the id and the "
            "connection, or give a local folder"
        )
    return UnreadableError(f"{found.name} can't be loaded as a model: {first[:240]}")
