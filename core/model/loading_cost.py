"""What a model is and what it costs, from the headers of its files: nothing of it is loaded."""

import json
import os
from dataclasses import dataclass
from math import prod
from pathlib import Path

from polysema.core.errors import UnavailableError, UnreadableError, UserError
from polysema.core.model.catalog import ModelLocation, locate
from polysema.core.model.model_folder import CONFIG_FILE, WEIGHTS, check_folder, read_json

BYTES_OF_DTYPE = {"float32": 4, "float16": 2, "bfloat16": 2}
MAX_HEADER_BYTES = 100 << 20
GIGABYTE = 1e9
MEMORY_FILE = Path("/proc/meminfo")
TOKENIZER_FILES = ("tokenizer.json", "*.spm", "*.model", "vocab.txt", "vocab.json")


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What can be told of a model before it is loaded.

    `model_type` is its family as transformers names it, `n_parameters` counts its weights (tied ones once),
    `file_bytes` and `loading_bytes` are its size on the disk and in memory, in bytes; `license` is empty where nothing
    states it, `tokenizer` names the file that its tokenizer is read from.
    """

    name: str
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
        name: A name of the catalog or a folder.
        dtype: `float32`, `float16` or `bfloat16`.

    Returns:
        The description; nothing of the model is loaded.

    Raises:
        PolysemaError: There is no such model on this machine, or it can't be loaded safely.
    """
    found = locate(name) if isinstance(name, str) else name
    if found.path is None or not found.path.is_dir():
        raise UserError(f"{found.name} is no folder of a model on this machine, so it can't be described")
    check_folder(found.path)
    config = read_json(found.path / CONFIG_FILE)
    files = [path for pattern in TOKENIZER_FILES for path in sorted(found.path.glob(pattern))]
    return ModelDescription(
        found.name,
        str(config.get("model_type", "")),
        next(iter(config.get("architectures") or ()), ""),
        count_parameters(found.path),
        sum(path.stat().st_size for path in found.path.glob(WEIGHTS)),
        loading_cost(found.path, dtype),
        found.entry.license if found.entry is not None else _license(found.path),
        files[0].name if files else "",
    )


def count_parameters(folder: Path) -> int:
    """How many numbers the weights of a folder are, from the headers of its files.

    Args:
        folder: Of a model.

    Returns:
        Their number; a table that two parts share counts once.

    Raises:
        UnreadableError: A file is no safetensors.
    """
    return sum(prod(tensor["shape"]) for path in sorted(folder.glob(WEIGHTS)) for tensor in _header(path).values())


def loading_cost(folder: Path, dtype: str = "float32") -> int:
    """The bytes of memory that a model of a folder takes once it is loaded.

    Args:
        folder: Of a model.
        dtype: `float32`, `float16` or `bfloat16`.

    Returns:
        Bytes; the files themselves are mapped, not read.

    Raises:
        UnreadableError: A file is no safetensors.
    """
    return count_parameters(folder) * BYTES_OF_DTYPE[dtype]


def check_memory(name: str, folder: Path, dtype: str) -> None:
    """Refuse a model that doesn't fit into the memory that is free.

    Args:
        name: What it is called in the message.
        folder: Where it is.
        dtype: Of the weights.

    Raises:
        UnavailableError: It is bigger.
    """
    free = free_memory()
    cost = loading_cost(folder, dtype)
    if free is not None and cost > free:
        half = "; float16 or bfloat16 take half" if dtype == "float32" else ""
        raise UnavailableError(
            f"{name} takes {cost / GIGABYTE:.1f} GB of memory in {dtype}, and {free / GIGABYTE:.1f} GB are free{half}; "
            "free memory or take a smaller model"
        )


def free_memory() -> int | None:
    """The bytes of memory that a program can get.

    Returns:
        Bytes, or None where the system doesn't tell.
    """
    try:
        for line in MEMORY_FILE.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _header(path: Path) -> dict[str, dict[str, list[int]]]:
    """The tensors that a safetensors file says it has."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if 0 < size <= MAX_HEADER_BYTES else None
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} can't be read as safetensors: {error}") from None
    if not isinstance(header, dict) or not all(isinstance(one, dict) for one in header.values()):
        raise UnreadableError(f"{path} can't be read as safetensors: its header is damaged")
    tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
    if not all(isinstance(tensor.get("shape"), list) for tensor in tensors.values()):
        raise UnreadableError(f"{path} can't be read as safetensors: its header is damaged")
    return tensors


def _license(folder: Path) -> str:
    """What the front matter of a folder's README says, as the hub writes it."""
    try:
        lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()[:200]
    except (OSError, ValueError):
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("license:"))
    return next(found, "")
