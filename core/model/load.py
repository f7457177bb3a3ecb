"""Load a language model of any family from a folder, a file or a hub id, safely and completely or not at all."""

import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack

from polysema.core.argument_types import checked_function
from polysema.core.errors import UnavailableError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.model.catalog import ModelLocation, locate
from polysema.core.model.config_check import count_heads, count_layers
from polysema.core.model.description import check_before
from polysema.core.model.engine import TorchEngine
from polysema.core.model.family import family_of_config
from polysema.core.model.final_norm import find_final_norm
from polysema.core.model.gguf import GGUF_DTYPE, conversion_folder, converted, is_gguf
from polysema.core.model.hub_download import bring
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.loading_cost import check_memory, loading_cost
from polysema.core.model.lora import Adapter, merge, read_adapter
from polysema.core.model.model_folder import check_folder, files_hash, is_adapter
from polysema.core.model.tokenizer import Tokenizer
from polysema.core.model.watched_load import Watch
from polysema.core.model.weights import read_model
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

ENGINES = ("auto", "torch", "onnx", "onnx-int8")
DTYPES = ("float32", "float16", "bfloat16")
STACKS = ("encoder", "decoder")
FINAL_NORMS = ("after", "before")


class LoadOptions(TypedDict, total=False):
    """What `load_model` takes by name alone."""

    final_norm: str
    stack: str
    patient: bool
    bos: bool
    progress: Progress


@checked_function
def load_model(
    name: "str | ModelLocation",
    device: str | None = None,
    engine: str = "auto",
    dtype: str = "float32",
    **options: "Unpack[LoadOptions]",
) -> LanguageModel:
    """A model, by name, folder or hub id.

    Args:
        name: A name of the catalog, a folder, or an id of the hub.
        device: `cpu`, `cuda:0`, …; None: a GPU where there is one, else the CPU.
        engine: One of `ENGINES`: `auto` takes the fastest exact one, and exports the model for it unless that has to be
            done first and `patient` is false.
        dtype: `float32`, `float16` or `bfloat16`.
        **options: By name alone. `final_norm="after"`: whether the last layer of a stack that ends in a norm is taken
            `after` it, as transformers does, or `before`. `stack="encoder"`: `encoder` or `decoder` of an
            encoder-decoder. `patient=True`: whether there is time to export the model for an engine. `bos=False`:
            whether a decoder's begin-of-text token is put before every text, where its tokenizer puts none.
            `progress`: is told of each stage, of the bytes that come from the hub, and of each weight that is read;
            what it raises ends the loading, and nothing of the model stays in memory.

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
    final_norm, stack = options.get("final_norm", "after"), options.get("stack", "encoder")
    for what, given, allowed in (
        ("engine", engine, ENGINES),
        ("dtype", dtype, DTYPES),
        ("stack", stack, STACKS),
        ("final norm", final_norm, FINAL_NORMS),
    ):
        if given not in allowed:
            raise UserError(f"{what} {given!r} does not exist; choose one of {', '.join(allowed)}")
    watch = Watch(options.get("progress", no_progress))
    try:
        model = _weights_read(name, _Way(device, dtype, final_norm, stack), watch)
        if options.get("bos"):
            model = replace(model, beginning=_begin_token(model))
        return _with_engine(model, engine, options.get("patient", True), watch)
    except BaseException as error:
        if watch.ended_by(error):
            traceback.clear_frames(error.__traceback__)  # they hold what was read of the model
        raise


class _Way(NamedTuple):
    """How a model is loaded."""

    device: str | None
    dtype: str
    final_norm: str
    side: str


def _weights_read(name: "str | ModelLocation", way: _Way, watch: Watch) -> LanguageModel:
    """The model on the engine torch: found, brought, converted and checked before it is read."""
    found, adapter = _weights_of(locate(name) if isinstance(name, str) else name, way, watch)
    assert found.path is not None
    check_folder(found.path)
    check_memory(found.name, loading_cost(found.path, way.dtype), way.dtype)
    with IMPORTING:
        return _load(found, way, adapter, watch)


def _weights_of(found: ModelLocation, way: _Way, watch: Watch) -> tuple[ModelLocation, Adapter | None]:
    """Where a model's weights are: the hub's are brought, an adapter's are its base's, a GGUF file's are converted
    once; raises `UserError` for vectors.
    """
    if found.is_vectors:
        raise UserError(
            f"{found.name} is a static space: it has no layers, so there are no hidden states; ask for neighbors or "
            "analogies in it, or choose a model"
        )
    if found.path is not None and is_adapter(found.path):
        adapter = read_adapter(found)
        base, _ = _weights_of(adapter.base, way, watch)
        return replace(base, name=found.name), adapter
    if found.path is not None and is_gguf(found.path):
        if not conversion_folder(found.path).is_dir():
            check_before(found, GGUF_DTYPE)
        return replace(found, path=converted(found.path, watch)), None
    if found.path is None:
        check_before(found, way.dtype)
    return bring(found, watch), None


def _begin_token(model: LanguageModel) -> str:
    """The token that begins a decoder's text; raises `UserError` where there is none, or it is there already."""
    token = model.tokenizer.bos_token
    if model.family is not Family.DECODER or not token:
        why = "has no begin-of-text token" if model.family is Family.DECODER else f"is an {model.family.value}"
        raise UserError(f"a begin-of-text token is put before the texts of a decoder; {model.name} {why}")
    if model.encode(["a"])[0].takes[0].any():
        raise UserError(f"the tokenizer of {model.name} puts a token before every text already; leave out --bos")
    return str(token)


def with_ready_engine(model: LanguageModel) -> LanguageModel:
    """A model on the fastest exact engine that was prepared for it meanwhile; itself where there is none."""
    return _with_engine(model, "auto", False, no_progress)


def _with_engine(model: LanguageModel, engine: str, patient: bool, progress: Progress) -> LanguageModel:
    if engine == "torch":
        return model
    progress("prepare the engine", 0, 1)
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


def _load(found: ModelLocation, way: _Way, adapter: Adapter | None, watch: Watch) -> LanguageModel:
    import torch

    assert found.path is not None
    dtype, side = way.dtype, way.side
    chosen = way.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError):
        raise UserError(f"device {chosen!r} is not there; this machine has: {', '.join(_devices())}") from None
    sha256 = files_hash(found.path, watch)
    config, tokenizer, whole, notes = read_model(found, getattr(torch, dtype), watch)
    if adapter is not None:
        watch("merge the adapter", 0, 1)
        whole, notes, sha256 = merge(adapter, whole), (adapter.note(), *notes), adapter.weights_hash(sha256)
    family = family_of_config(config)
    if side == "decoder" and family is not Family.ENCODER_DECODER:
        raise UserError(f"{found.name} has one stack ({family.value}): only an encoder-decoder has a decoder beside it")
    text_config = config.get_text_config()
    watch(f"move to {chosen}", 0, 1)
    whole.eval().to(chosen)
    return LanguageModel(
        name=found.name,
        family=family,
        dim=int(text_config.hidden_size),
        window=_window(text_config, tokenizer),
        tokenizer=tokenizer,
        whole=whole,
        weights_sha256=sha256,
        revision=found.entry.requirement if found.entry else found.revision,
        dtype=dtype,
        path=found.path,
        notes=notes,
        **_stack(whole, family, side, tokenizer, chosen, way.final_norm),
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


def _stack(
    whole: "PreTrainedModel", family: Family, side: str, tokenizer: Tokenizer, device: str, final_norm: str
) -> dict[str, Any]:
    """The fields of a model that are those of its stack."""
    two = family is Family.ENCODER_DECODER
    base = getattr(whole, whole.base_model_prefix, whole) if whole.base_model_prefix else whole
    module = (base.get_decoder() if side == "decoder" else base.get_encoder()) if two else base
    text_config = whole.config.get_text_config()
    pad = tokenizer.pad_token_id
    norm = find_final_norm(module, two)
    engine = TorchEngine(
        base if two and side == "decoder" else module,
        int(pad) if pad is not None else 0,
        device,
        norm if final_norm == "before" else None,
    )
    return {
        "n_layers": count_layers(text_config, side if two else ""),
        "n_heads": count_heads(text_config, side if two else ""),
        "engine": engine,
        "module": module,
        "stack": side if two else "",
        "final_norm": final_norm if norm is not None else "",
    }


def _devices() -> list[str]:
    import torch

    return ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]


POSITIONS = tuple(f"max_{stack}position_embeddings" for stack in ("", "encoder_", "decoder_"))  # LED has one a stack
POSITIONS_BEHIND_PADDING = {"roberta": 1, "xlm-roberta": 1, "camembert": 1, "mpnet": 1, "prophetnet": 2}
MAX_WINDOW = 2048  # longer windows cost memory by their square and bring little to a word


def _window(config: "PretrainedConfig", tokenizer: Tokenizer) -> int:
    known = [position_limit(config)]
    if isinstance(tokenizer.model_max_length, int) and tokenizer.model_max_length < 1_000_000:
        known.append(tokenizer.model_max_length)
    return min(known)


def position_limit(config: "PretrainedConfig") -> int:
    """The most tokens that a model has positions for, at most `MAX_WINDOW`; ProphetNet's decoder reads one more."""
    stated = (getattr(config, name, None) for name in POSITIONS)
    positions = min((number for number in stated if isinstance(number, int) and number > 0), default=None)
    if positions is None:
        return MAX_WINDOW
    behind = POSITIONS_BEHIND_PADDING.get(config.model_type)
    return min(MAX_WINDOW, positions if behind is None else positions - config.pad_token_id - behind)


__all__ = [
    "DTYPES",
    "ENGINES",
    "FINAL_NORMS",
    "STACKS",
    "LanguageModel",
    "check_folder",
    "load_model",
    "on_torch",
    "position_limit",
]
