"""Weights in 8 bits: a row of a matrix as whole numbers and one scale, turned back exactly the same way everywhere.

A model that ships with polysema is kept so: a quarter of float32's bytes. What was measured of it was measured on the
weights that come back.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.atomic import atomic_folder
from polysema.core.environment import home
from polysema.core.errors import UnavailableError, UnreadableError
from polysema.core.locks import file_lock

if TYPE_CHECKING:
    import numpy as np

    from polysema.core.model.catalog_file import CatalogEntry

WEIGHTS_FILE = "model.int8.safetensors"
SCALE_SUFFIX = ".scale"
LARGEST_CODE = 127
UNPACK_SECONDS = 300.0  # seconds in which another process may be at the same model


def quantize_rows(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Codes and scales of every matrix, and the other weights in float32.

    Args:
        weights: Float arrays by name.

    Returns:
        For a matrix `name`, shape (n, m): `name`, int8 (n, m), and `name.scale`, float32 (n, 1), with
        `scale = max |row| / 127`; anything else in float32.
    """
    import numpy as np

    out = {}
    for name, array in weights.items():
        values = np.asarray(array, dtype=np.float32)
        if values.ndim != 2 or values.shape[0] == 1:
            out[name] = values
            continue
        scale = np.abs(values).max(axis=1, keepdims=True) / np.float32(LARGEST_CODE)
        scale[scale == 0] = 1
        out[name] = np.rint(values / scale).astype(np.int8)
        out[name + SCALE_SUFFIX] = scale
    return out


def dequantize_rows(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The float32 weights that codes and scales stand for: their product, rounded once.

    Args:
        stored: What `quantize_rows` returns.

    Returns:
        Float32 arrays by name.
    """
    import numpy as np

    out = {}
    for name, array in stored.items():
        if not name.endswith(SCALE_SUFFIX):
            scale = stored.get(name + SCALE_SUFFIX)
            out[name] = array if scale is None else array.astype(np.float32) * scale
    return out


def unpack(source: Path, target: Path) -> None:
    """Write a folder that transformers reads, with float32 weights, from one with codes.

    Args:
        source: A folder with `model.int8.safetensors`, a config and a tokenizer.
        target: An empty folder.

    Raises:
        UnreadableError: The weights of `source` can't be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file

    try:
        weights = dequantize_rows(load_file(source / WEIGHTS_FILE))
    except (OSError, SafetensorError) as error:
        raise UnreadableError(f"{source / WEIGHTS_FILE} can't be read: {error}") from None
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    for path in source.iterdir():
        if path.suffix == ".json":
            shutil.copyfile(path, target / path.name)
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    (target / "config.json").write_text(json.dumps(config | {"dtype": "float32"}, indent=2), encoding="utf-8")


def unpacked_folder(entry: CatalogEntry, source: Path) -> Path:
    """The folder with an entry's weights in float32, written below the home folder the first time.

    Args:
        entry: A row of the catalog that ships in 8 bits.
        source: Where its files are.

    Returns:
        A folder that transformers reads, named by the content of the weights.

    Raises:
        UnavailableError: The folder can't be written.
    """
    weights = next(member for member in entry.members if member.path.endswith(WEIGHTS_FILE))
    final = home() / "models" / f"{entry.name}-{weights.sha256[:12]}"
    if final.is_dir():
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        busy = f"{entry.name} is being unpacked by another process"
        with file_lock(final.parent / f".{entry.name}.lock", UNPACK_SECONDS, busy):
            if not final.is_dir():
                with atomic_folder(final) as made:
                    unpack(source, made)
    except OSError as error:
        raise UnavailableError(
            f"{entry.name} can't be unpacked into {final.parent}: {error.strerror or error}; free space there or set "
            "POLYSEMA_HOME to another folder"
        ) from None
    return final
