"""What a model is and what it costs, told before anything of it is loaded."""

from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from math import prod
from pathlib import Path

from polysema.core.errors import UnavailableError, UnreadableError, UserError
from polysema.core.model.catalog import ModelLocation, locate
from polysema.core.model.config_check import check_folder_config
from polysema.core.model.family import family_of_config
from polysema.core.model.gguf import is_gguf
from polysema.core.model.hub import cached_folder
from polysema.core.model.hub_download import bring_config, hub_listing
from polysema.core.model.loading_cost import BYTES_OF_DTYPE, check_memory, count_parameters, loading_cost, weight_shapes
from polysema.core.model.lora import read_adapter
from polysema.core.model.model_folder import CONFIG_FILE, WEIGHTS, check_code, check_folder, is_adapter, read_json
from polysema.core.space.space import Family

TOKENIZER_FILES = ("tokenizer.json", "*.spm", "*.model", "vocab.txt", "vocab.json")


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What can be told of a model before it is loaded.

    `model_type` is its kind as transformers names it; `n_parameters` counts its weights (tied ones once), and is 0 of
    vectors; `file_bytes` and `loading_bytes` are the size on the disk and in memory; `license` is empty where nothing
    states it; `tokenizer` names the file that its tokenizer is read from.
    """

    name: str
    family: Family
    model_type: str
    architecture: str
    n_parameters: int
    file_bytes: int
    loading_bytes: int
    license: str
    tokenizer: str


def describe_model(name: "str | ModelLocation", dtype: str = "float32") -> ModelDescription:
    """Family, size, license and tokenizer of a model, and what loading it costs.

    Args:
        name: A name of the catalog, a folder, a GGUF file, or the id of a model of the hub, which is read there
            where it isn't on this machine.
        dtype: `float32`, `float16` or `bfloat16`.

    Returns:
        The description; nothing of the model is loaded.

    Raises:
        PolysemaError: There is no such model on this machine or the hub, or it can't be loaded safely.
    """
    found = locate(name) if isinstance(name, str) else name
    path = found.path or cached_folder(found.hub_id, found.revision)
    if path is None:
        return _of_hub(found, dtype)
    if found.is_vectors:
        raise UserError(f"{found.name} is a static space, not a model: it has neither layers nor a tokenizer")
    if is_gguf(path):
        return _gguf(found, path, dtype)
    if is_adapter(path):
        adapter = read_adapter(replace(found, path=path))
        base = describe_model(adapter.base, dtype)
        size = sum(one.stat().st_size for one in path.glob(WEIGHTS))
        architecture = f"{base.architecture}, with the LoRA adapter of this folder"
        told = (base.model_type, architecture, base.n_parameters, base.file_bytes + size, base.loading_bytes)
        return ModelDescription(found.name, base.family, *told, license_of(path) or base.license, base.tokenizer)
    return _folder(found, path, dtype)


def check_before(found: ModelLocation, dtype: str) -> None:
    """Refuse a model that can't be loaded here before it is brought from the hub, or converted from GGUF.

    Args:
        found: Where it is.
        dtype: Of the weights.

    Raises:
        BeyondMemoryError: It doesn't fit into the memory that is free.
        PolysemaError: As `describe_model` does; where only the hub doesn't answer, bringing it says so.
    """
    with suppress(UnavailableError):
        check_memory(found.name, describe_model(found, dtype).loading_bytes, dtype)


def _folder(found: ModelLocation, path: Path, dtype: str) -> ModelDescription:
    check_folder(path)
    stated = read_json(path / CONFIG_FILE)
    config = check_folder_config(path, len(weight_shapes(path)))
    files = [file for pattern in TOKENIZER_FILES for file in sorted(path.glob(pattern))]
    return ModelDescription(
        found.name,
        family_of_config(config),
        str(stated.get("model_type", "")),
        str(next(iter(config.architectures or ()), "")),
        count_parameters(path),
        sum(file.stat().st_size for file in path.glob(WEIGHTS)),
        loading_cost(path, dtype),
        (found.entry.license if found.entry is not None else "") or license_of(path),
        files[0].name if files else "",
    )


def _of_hub(found: ModelLocation, dtype: str) -> ModelDescription:
    """A model of the hub that is not here: what its listing says, and its config, which is brought for that."""
    listing = hub_listing(found)
    folder = bring_config(found)
    check_code(folder)
    config = check_folder_config(folder)
    stored = BYTES_OF_DTYPE.get(str(config.dtype).removeprefix("torch."), BYTES_OF_DTYPE["float32"])
    count = listing.n_parameters or listing.file_bytes // stored
    tokenizer = next((file for name in TOKENIZER_FILES for file in sorted(listing.files) if fnmatch(file, name)), "")
    return ModelDescription(
        found.name,
        family_of_config(config),
        str(config.model_type),
        str(next(iter(config.architectures or ()), "")),
        count,
        listing.file_bytes,
        count * BYTES_OF_DTYPE[dtype],
        listing.license,
        tokenizer,
    )


def _gguf(found: ModelLocation, path: Path, dtype: str) -> ModelDescription:
    """A file of GGUF is read by transformers, dequantized; what it is stands in its first bytes."""
    try:
        from gguf import GGUFReader
    except ImportError:
        raise UnavailableError(
            "reading GGUF needs gguf and accelerate; install them with pip install 'polysema[models]'"
        ) from None
    try:
        reader = GGUFReader(path)
        count = sum(prod(map(int, tensor.shape)) for tensor in reader.tensors)
        fields = {name: reader.get_field(f"general.{name}") for name in ("architecture", "name", "license")}
        told = {name: str(field.contents()) if field is not None else "" for name, field in fields.items()}
    except Exception as error:  # a damaged file can be wrong in any way
        raise UnreadableError(f"{path} can't be read as GGUF: {str(error).splitlines()[0][:160]}") from None
    cost, size = count * BYTES_OF_DTYPE[dtype], path.stat().st_size
    return ModelDescription(
        found.name, Family.DECODER, told["architecture"], told["name"], count, size, cost, told["license"], path.name
    )


def license_of(folder: Path) -> str:
    """What the front matter of a folder's README says of its license, as the hub writes it.

    Args:
        folder: Of a model.

    Returns:
        The license's name, empty where none is stated.
    """
    try:
        lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()[:200]
    except (OSError, ValueError):
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("license:"))
    return next(found, "")
