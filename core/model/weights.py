"""Config, tokenizer and weights of a model as transformers reads them, whole and fitting each other or not at all."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from polysema.core.errors import UnreadableError, UserError
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.config_check import RUNS_CODE, check_config, first_words, read_config
from polysema.core.model.loading_cost import weight_shapes
from polysema.core.model.model_folder import own_code
from polysema.core.model.quantized import WEIGHTS_FILE
from polysema.core.model.tokenizer import Tokenizer, check_vocabulary, read_tokenizer
from polysema.core.model.watched_load import Watch, weights_told

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers.models.auto.auto_factory import _BaseAutoModelClass

UNUSED_PARTS = ("pooler.",)  # parts that no hidden state depends on: they may be missing
MASKED_ARCHITECTURES = ("ForMaskedLM", "ForPreTraining")
# families whose ForPreTraining has a masked head and another one, such as for the next sentence
TWO_HEADS = {"albert", "bert", "big_bird", "fnet", "megatron-bert", "mobilebert"}
READERS = {"safetensors_rust", "safetensors", "tokenizers", "huggingface_hub", "transformers", "builtins"}
MIN_TOKENS_SHARE = 0.9  # a tokenizer with fewer tokens than this share of the table's rows is told of
MAX_KEYS_SHOWN = 3
MISMATCH = "ignore_mismatched_sizes"  # what transformers advises where shapes differ
NUMBER = re.compile(r"\d+")


class ReadModel(NamedTuple):
    """What lies in a folder: its config, its tokenizer, the model, and what is to be said of vectors made by it."""

    config: "PretrainedConfig"
    tokenizer: Tokenizer
    whole: "PreTrainedModel"
    notes: tuple[str, ...] = ()


def read_model(found: ModelLocation, dtype: "torch.dtype", watch: Watch) -> ReadModel:
    """Config, tokenizer and model of a folder.

    Args:
        found: Where it is, on this machine.
        dtype: Of the weights, as torch names it.
        watch: Is told of each weight.

    Returns:
        All three, checked against each other.

    Raises:
        PolysemaError: A weight is missing, of another shape or of a block that the config doesn't know, the tokenizer
            has tokens that the table has no rows for, or a file can't be read.
    """
    options = _options()
    watch("read the config", 0, 1)
    try:
        config = read_config(_folder(found), **{name: one for name, one in options.items() if name != RUNS_CODE})
        check_config(found.name, config, len(weight_shapes(_folder(found))))
        tokenizer = read_tokenizer(_folder(found), found.name, config.model_type, **options)
        try:
            with weights_told(watch):
                model, info = _weights(found, config, dtype, options)
        except RuntimeError as error:
            if watch.ended_by(error):
                raise
            shape = _first_mismatch(found, config) if MISMATCH in str(error) else ""
            if not shape:
                raise
            raise UnreadableError(f"the weights of {found.name} don't fit its config: {shape}") from None
    except UserError:
        raise
    except Exception as error:
        if watch.ended_by(error):
            raise
        # a folder can be wrong in any way, and what reads it raises types of its own
        if isinstance(error, (OSError, ValueError, KeyError, RuntimeError, ImportError)) or _module(error) in READERS:
            raise _cannot(found, error) from None
        raise
    _check_fit(found.name, info)
    unread = _unread(found.name, model, info)
    return ReadModel(config, tokenizer, model, (*unread, *_check_tokens(found.name, tokenizer, model)))


def _folder(found: ModelLocation) -> Path:
    assert found.path is not None, "what is read lies on this machine"
    return found.path


def _options() -> dict[str, Any]:
    """What every reader of transformers is told: nothing is run, and a folder needs no network."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    logging.set_verbosity_error()
    quiet: Callable[[], None] = hub_logging.set_verbosity_error  # which has no types
    quiet()
    logging.disable_progress_bar()
    return {RUNS_CODE: False, "local_files_only": True}


def _weights(
    found: ModelLocation, config: "PretrainedConfig", dtype: "torch.dtype", options: dict[str, Any]
) -> "tuple[PreTrainedModel, dict[str, Any]]":
    """The model, and what was missing of it."""
    from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining

    load = {"config": config, "use_safetensors": True, "dtype": dtype, "output_loading_info": True, **options}
    kind = _with_head(config)
    model, info = (kind or AutoModel).from_pretrained(str(_folder(found)), **load)
    if kind is not None and not getattr(config, "is_encoder_decoder", False) and _of_head(model, info):
        model, info = AutoModel.from_pretrained(str(_folder(found)), **load)  # the config names a head that isn't there
    if kind is AutoModelForMaskedLM and config.model_type in TWO_HEADS and info.get("unexpected_keys"):
        both, of_both = AutoModelForPreTraining.from_pretrained(str(_folder(found)), **load)
        if not _missing(of_both):  # as bert-base-uncased, whose config names one of its two heads
            return both, of_both
    return model, info


def _first_mismatch(found: ModelLocation, config: "PretrainedConfig") -> str:
    """The first weight whose shape in the file is another than by the config; nothing is loaded for that."""
    import torch
    from transformers import AutoModel

    with torch.device("meta"):
        model = (_with_head(config) or AutoModel).from_config(config)
    prefix, expected = f"{model.base_model_prefix}.", {}
    for key, parameter in model.named_parameters():
        expected[key.removeprefix(prefix)] = tuple(parameter.shape)
    for key, shape in weight_shapes(_folder(found)).items():
        wanted = expected.get(key.removeprefix(prefix), shape)
        if wanted != shape:
            return f"{key} is {shape} in the file and {wanted} by the config"
    return ""


def _with_head(config: "PretrainedConfig") -> "type[_BaseAutoModelClass] | None":
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


def _of_head(model: "PreTrainedModel", info: dict[str, Any]) -> bool:
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


def _unread(name: str, model: "PreTrainedModel", info: dict[str, Any]) -> tuple[str, ...]:
    """What is said of weights that the model has no place for; refuses blocks that the config doesn't know."""
    unexpected = sorted(map(str, info.get("unexpected_keys") or ()))
    if not unexpected:
        return ()
    prefix = f"{model.base_model_prefix}."
    modules = dict(model.named_modules())
    unwanted = [key for key in unexpected if _is_left_out(key, prefix, modules)]
    if unwanted:
        raise UnreadableError(
            f"the weights of {name} don't fit its config: that leaves out {len(unwanted)} which they have, among them "
            f"{unwanted[0]}"
        )
    known = {NUMBER.sub("N", key.removeprefix(prefix)) for key, _ in model.named_parameters()}
    blocks = [key for key in unexpected if NUMBER.sub("N", key.removeprefix(prefix)) in known]
    if blocks:
        raise UnreadableError(
            f"the weights of {name} don't fit its config: {len(blocks)} more than it says, among them {blocks[0]}"
        )
    shown = ", ".join(unexpected[:MAX_KEYS_SHOWN]) + (", …" if len(unexpected) > MAX_KEYS_SHOWN else "")
    return (f"{len(unexpected):,} weights of {name} have no place in its architecture and are not read: {shown}",)


def _is_left_out(key: str, prefix: str, modules: dict[str, object]) -> bool:
    """Whether a weight belongs to a module that the config builds without it, such as a bias: states would be wrong."""
    place, _, own = key.rpartition(".")
    for name in (place, place.removeprefix(prefix), f"{prefix}{place}"):
        parameters = getattr(modules.get(name), "_parameters", {})
        if own in parameters and parameters[own] is None:
            return True
    return False


def _check_tokens(name: str, tokenizer: Tokenizer, model: "PreTrainedModel") -> tuple[str, ...]:
    """What is said of a tokenizer with far fewer tokens than the table has rows; refuses one with more."""
    rows = _table_rows(name, model)
    check_vocabulary(tokenizer, name)
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


def _table_rows(name: str, model: "PreTrainedModel") -> int:
    """The rows of the table of tokens; raises `UserError` for a model that reads something else than texts."""
    try:
        if model.main_input_name == "input_ids":
            return len(model.get_input_embeddings().weight)
    except (NotImplementedError, AttributeError):  # it has several tables, or none of tokens
        pass
    raise UserError(
        f"{name} is a {model.config.model_type} model, which reads {model.main_input_name} and has no one table of "
        "tokens; choose an encoder, a decoder or an encoder-decoder of language"
    )


def _module(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]


def _cannot(found: ModelLocation, error: Exception) -> UserError:
    first = first_words(error)
    if RUNS_CODE in str(error):
        return UnreadableError(f"{found.name} can't be loaded as a model: {own_code()}")
    if "deserializing header" in first:
        return UnreadableError(
            f"{found.name} can't be loaded as a model: a file of its weights is cut off or damaged ({first}); get "
            "it again"
        )
    if (_folder(found) / WEIGHTS_FILE).is_file():
        return UnreadableError(
            f"{found.name} can't be loaded as a model: {WEIGHTS_FILE} are weights as they ship with polysema, which "
            "unpacks them for a name of the catalog, such as marian-en-fr: give the name"
        )
    return UnreadableError(f"{found.name} can't be loaded as a model: {first}")
