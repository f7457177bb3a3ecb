"""LoRA adapters: a folder of peft beside the model that it was trained on, merged into its weights."""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.errors import UnavailableError, UnreadableError
from polysema.core.model.catalog import ModelLocation, locate
from polysema.core.model.model_folder import ADAPTER_FILE, check_weights, files_hash, is_adapter, read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in `folder`, the name under which it was opened, and where the model is that it changes.

    `told` is what the model is called: by its folder's name alone where a name stands for the adapter's folder, as in a
    service, which tells no paths.
    """

    folder: Path
    name: str
    base: ModelLocation
    told: str

    def note(self) -> str:
        """What is said of vectors made with it."""
        return f"the LoRA adapter {self.name} is merged into {self.told}"

    def weights_hash(self, base: str) -> str:
        """sha256 of both: that of the base model's weights is given."""
        return hashlib.sha256(f"{base}{files_hash(self.folder)}".encode()).hexdigest()


def read_adapter(found: ModelLocation) -> Adapter:
    """The adapter that a folder holds, without its weights.

    Args:
        found: A folder with an `adapter_config.json`.

    Returns:
        The adapter and its base model.

    Raises:
        UnavailableError: peft is not installed.
        UnreadableError: It is no LoRA, is a pickle, or names no base model.
        NotFoundError: Its base model isn't there.
    """
    folder = found.path
    assert folder is not None
    config = read_json(folder / ADAPTER_FILE)
    base, kind = config.get("base_model_name_or_path"), config.get("peft_type")
    if kind != "LORA":
        raise UnreadableError(f"{folder} holds an adapter of the kind {kind!r:.40}; LORA is read")
    if not isinstance(base, str) or not base:
        raise UnreadableError(f"{folder}/{ADAPTER_FILE} names no base model (base_model_name_or_path)")
    check_weights(folder)
    try:
        import peft  # noqa: F401
    except ImportError:
        raise UnavailableError(
            f"{folder} is a LoRA adapter of {base}, which peft merges; install it with pip install 'polysema[lora]'"
        ) from None
    beside = folder / base
    model = locate(str(beside) if beside.is_dir() and not Path(base).is_absolute() else base)
    if is_adapter(model.path):
        raise UnreadableError(f"{folder} is an adapter of {base}, which is an adapter itself: merge that one first")
    has_name = found.entry is not None and model.path is not None and model.entry is None
    return Adapter(folder, found.name, model, Path(base).name if has_name else model.name)


def merge(adapter: Adapter, whole: "PreTrainedModel") -> "PreTrainedModel":
    """The base model with the adapter's changes in its weights.

    Args:
        adapter: From `read_adapter`.
        whole: The base model, of transformers.

    Returns:
        A model of the same class.

    Raises:
        UnreadableError: The adapter doesn't fit the model.
    """
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    config = LoraConfig.from_pretrained(str(adapter.folder))
    config.inference_mode = True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")  # peft's name for it
            changed = get_peft_model(whole, config)
        result = set_peft_model_state_dict(changed, load_file(adapter.folder / ADAPTER_WEIGHTS))
    except Exception as error:  # peft raises types of its own for what doesn't fit
        first = (str(error).splitlines() or [""])[0]
        raise UnreadableError(f"{adapter.name} doesn't fit {adapter.told}: {first[:200]}") from None
    absent = [key for key in result.missing_keys if "lora_" in key]
    if absent or result.unexpected_keys:
        key = [*result.unexpected_keys, *absent][0]
        raise UnreadableError(f"{adapter.name} doesn't fit {adapter.told}: {key} has no counterpart")
    return changed.merge_and_unload()
