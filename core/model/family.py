"""Which family a model is of, from its config alone."""

from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.errors import UnavailableError, UnreadableError
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def family_of_config(config: "PretrainedConfig") -> Family:
    """An encoder-decoder says so; a decoder is one whose type has a causal head and no masked one, or says so.

    Args:
        config: As transformers read it.

    Returns:
        Encoder, decoder or encoder-decoder.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if getattr(config, "is_encoder_decoder", False):
        return Family.ENCODER_DECODER
    kind = config.model_type
    causal = kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return Family.DECODER if causal or getattr(config, "is_decoder", False) else Family.ENCODER


def family_of_folder(folder: Path) -> Family:
    """The family of the model in a folder; of its files only the config is read.

    Args:
        folder: With a `config.json`.

    Returns:
        Encoder, decoder or encoder-decoder.

    Raises:
        UnreadableError: transformers can't read the config.
    """
    try:
        return _family(str(folder), local_files_only=True)
    except ValueError as error:
        raise UnreadableError(f"the config of {folder} can't be read: {error}") from None


def family_of_hub(hub_id: str, revision: str = "") -> Family:
    """The family of a model of the hub, whose config is brought for that.

    Args:
        hub_id: `owner/name`.
        revision: A branch, tag, commit or `refs/pr/N`; empty: the main branch.

    Returns:
        Encoder, decoder or encoder-decoder.

    Raises:
        UnavailableError: It is not on this machine, and the hub can't be reached or has no such model.
    """
    try:
        return _family(hub_id, **({"revision": revision} if revision else {}))
    except ValueError as error:
        raise UnavailableError(
            f"{hub_id} is not on this machine, and can't be brought from the hub ({error}); check the id and the "
            "connection, or give a local folder"
        ) from None


def _family(place: str, **options: str | bool) -> Family:
    """The family by the config of a folder or hub id; raises `ValueError` with one line."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ValueError(first[:160]) from None
    return family_of_config(config)
