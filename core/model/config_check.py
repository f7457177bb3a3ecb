"""What a model's config says, read and checked before anything is built by it."""

from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.errors import UnreadableError, UserError
from polysema.core.model.model_folder import own_code

if TYPE_CHECKING:
    from transformers import PretrainedConfig

LAYER_NAMES = ("num_hidden_layers",)
STACK_LAYER_NAMES = {
    "encoder": ("encoder_layers", *LAYER_NAMES),
    "decoder": ("decoder_layers", "num_decoder_layers", *LAYER_NAMES),
}
MAX_UNCOUNTED_LAYERS = 200  # so many are built without a look at how many weights there are
MAX_MESSAGE = 240
RUNS_CODE = "trust_remote_code"  # the option of transformers that runs what comes with a model


def read_config(folder: Path, **options: str | bool) -> "PretrainedConfig":
    """The config of a folder, as transformers reads it.

    Args:
        folder: The folder of a model.
        **options: Handed to transformers.

    Returns:
        The config.

    Raises:
        ValueError: It can't be read; the message is one line.
        UnreadableError: The model needs code of its own.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False, **options)
    except Exception as error:  # a config can be wrong in any way, and its class raises what it meets
        if RUNS_CODE in str(error):
            raise UnreadableError(f"{folder} can't be loaded as a model: {own_code()}") from None
        raise ValueError(first_words(error)) from None
    if config.architectures is not None:
        config.architectures = _named(config.architectures)
    return config


def _named(architectures: object) -> list[str]:
    """The classes that a config names; one alone, without a list, is one. Raises `ValueError` for anything else."""
    named = [architectures] if isinstance(architectures, str) else architectures
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ValueError(f"architectures is {str(architectures)[:60]!r}; it lists names of classes")
    return named


def first_words(error: Exception) -> str:
    """What an error of a library says, as one line.

    Args:
        error: Of any library.

    Returns:
        Its first line; where that only announces the reason, the reason behind it.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    text = (" ".join(lines[:2]) if lines[0].endswith(":") else lines[0])[:MAX_MESSAGE]
    if isinstance(error, KeyError):
        return f"it names {text}, which is not known"
    return f"its numbers don't go together ({text})" if isinstance(error, ArithmeticError) else text


def count_layers(config: "PretrainedConfig", stack: str = "") -> int:
    """The blocks of a model or of one of its two stacks; raises `UserError` where the config counts none."""
    names = STACK_LAYER_NAMES.get(stack, LAYER_NAMES)
    count = _number(config, names)
    if count is None:
        raise UserError(f"a {config.model_type} model doesn't say its {names[-1]}, so its layers can't be counted")
    if count < 1:
        raise UnreadableError(f"the config says that there are {count} layers ({names[-1]}); a model has at least 1")
    return count


def count_heads(config: "PretrainedConfig", stack: str = "") -> int:
    """The attention heads of a block; raises `UserError` for a model without attention, by its type."""
    count = _number(config, (*((f"{stack}_attention_heads",) if stack else ()), "num_attention_heads"))
    if count is None:
        raise UserError(
            f"a {config.model_type} model has no attention heads: what isn't a transformer (a state-space or recurrent "
            "model) is not read here; choose an encoder, a decoder or an encoder-decoder with attention"
        )
    if count < 1:
        raise UnreadableError(f"the config says that there are {count} attention heads; a layer has at least 1")
    return count


def check_config(name: str, config: "PretrainedConfig", n_weights: int | None = None) -> None:
    """Refuse a config of what is no language model with layers of attention, and one that its weights contradict.

    Args:
        name: What the model is called in the message.
        config: As transformers read it.
        n_weights: How many tensors its files hold, where that is known.

    Raises:
        UserError: It reads no tokens, has no attention or no layers, or more layers than there are weights.
    """
    own = config.get_text_config()
    if not isinstance(getattr(own, "vocab_size", None), int):
        raise UserError(
            f"{name} is a {config.model_type} model, which reads no texts: its config has no vocab_size; choose an "
            "encoder, a decoder or an encoder-decoder of language"
        )
    count_heads(own)
    layers = count_layers(own)
    if n_weights is not None and layers > max(n_weights, MAX_UNCOUNTED_LAYERS):
        raise UnreadableError(
            f"the weights of {name} don't fit its config: that says {layers:,} layers, and its files hold "
            f"{n_weights:,} weights"
        )


def _number(config: "PretrainedConfig", names: tuple[str, ...]) -> int | None:
    return next((value for value in (getattr(config, name, None) for name in names) if isinstance(value, int)), None)


def check_folder_config(folder: Path, n_weights: int | None = None) -> "PretrainedConfig":
    """The config of a folder, checked; raises `UnreadableError` where it can't be read, and as `check_config`."""
    try:
        config = read_config(folder, local_files_only=True)
    except UserError:
        raise
    except ValueError as error:
        raise UnreadableError(f"the config of {folder} can't be read: {error}") from None
    check_config(str(folder), config, n_weights)
    return config
