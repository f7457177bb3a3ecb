"""Which family a model is of, from its config alone."""

from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.model.config_check import check_folder_config
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
        PolysemaError: transformers can't read the config, or it is that of no language model.
    """
    return family_of_config(check_folder_config(folder))
