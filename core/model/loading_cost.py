"""What a model costs in memory, from the headers of its files: nothing of it is loaded."""

import json
import os
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.errors import BeyondMemoryError, UnreadableError
from polysema.core.model.catalog import catalog
from polysema.core.model.model_folder import WEIGHTS

if TYPE_CHECKING:
    from polysema.core.model.language_model import LanguageModel

BYTES_OF_DTYPE = {"float32": 4, "float16": 2, "bfloat16": 2}
MAX_HEADER_BYTES = 100 << 20
GIGABYTE = 1e9
MEMORY_FILE = Path("/proc/meminfo")
# limit and use of a container's memory, in the two versions of control groups
GROUP_FILES = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
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
    return sum(prod(shape) for shape in weight_shapes(folder).values())


def weight_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each weight of a folder, from the headers of its files.

    Args:
        folder: Of a model.

    Returns:
        Shapes by the names in the files.

    Raises:
        UnreadableError: A file is no safetensors.
    """
    return {
        name: tuple(tensor["shape"]) for path in sorted(folder.glob(WEIGHTS)) for name, tensor in _header(path).items()
    }


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


def stored_bytes(name: str, folder: Path | None) -> int:
    """The bytes of a model's files as they come: of the catalog's those that are brought, before they are unpacked.

    Args:
        name: As it was opened.
        folder: Where it is, None for a model of the hub.

    Returns:
        Bytes; 0 where they aren't known.
    """
    row = next((row for row in catalog() if row.name == name and row.members), None)
    if row is not None and all(member.bytes for member in row.members):
        return sum(member.bytes for member in row.members)
    if folder is None:
        return 0
    files = [folder] if folder.is_file() else [path for path in folder.iterdir() if path.is_file()]
    return sum(path.stat().st_size for path in files)


def check_memory(name: str, cost: int, dtype: str) -> None:
    """Refuse a model that doesn't fit into the memory that is free.

    Args:
        name: What it is called in the message.
        cost: The bytes that it takes once it is loaded.
        dtype: Of the weights.

    Raises:
        BeyondMemoryError: It is bigger.
    """
    free = free_memory()
    if free is not None and cost > free:
        half = "; float16 or bfloat16 take half" if dtype == "float32" else ""
        raise BeyondMemoryError(
            f"{name} takes {cost / GIGABYTE:.1f} GB of memory in {dtype}, and {free / GIGABYTE:.1f} GB are free{half}; "
            "free memory or take a smaller model"
        )


def check_memory_together(costs: Mapping[str, int], reserve: int = 0) -> None:
    """Refuse models that don't fit into the free memory together, before the first of them is loaded.

    Args:
        costs: The bytes of memory that each takes, by name.
        reserve: The bytes that are taken by what is let go of where its memory is needed.

    Raises:
        BeyondMemoryError: They are bigger; the message names them.
    """
    free, total = free_memory(), sum(costs.values())
    free = None if free is None else free + reserve
    if free is not None and total > free:
        each = ", ".join(f"{name} {cost / GIGABYTE:.1f} GB" for name, cost in costs.items())
        together = " together" if len(costs) > 1 else ""
        raise BeyondMemoryError(
            f"{' and '.join(costs)} take{'s' if len(costs) == 1 else ''} {total / GIGABYTE:.1f} GB of memory"
            f"{together}, and {free / GIGABYTE:.1f} GB are free ({each}); free memory, or take fewer or smaller models"
        )


def free_memory() -> int | None:
    """The bytes of memory that a program can get: what the machine has free, and a container at most its own limit.

    Returns:
        Bytes, or None where the system doesn't tell.
    """
    known = [one for one in (_free_of_machine(), _free_of_group()) if one is not None]
    return min(known, default=None)


def _free_of_machine() -> int | None:
    try:
        for line in MEMORY_FILE.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _free_of_group() -> int | None:
    """What a container may still take: of what it uses, files that were read and can be let go of count as free."""
    for limit, used in GROUP_FILES:
        try:
            most = int(limit.read_text(encoding="ascii"))
            fields = (line.split() for line in (used.parent / "memory.stat").read_text(encoding="ascii").splitlines())
            stat = {name: int(count) for name, count in fields}
            cached = stat.get("total_inactive_file", stat.get("inactive_file", 0))
            return max(0, most - int(used.read_text(encoding="ascii")) + cached)
        except (OSError, ValueError):  # there is none, or no limit is set ("max")
            continue
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


def weight_bytes(model: "LanguageModel") -> int:
    """The bytes of a loaded model's weights; tied ones count once."""
    return sum(one.numel() * one.element_size() for one in model.whole.parameters())
