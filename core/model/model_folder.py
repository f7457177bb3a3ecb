"""What can be told about a folder of a model without reading a weight: its form, and what is refused of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from polysema.core.errors import NotFoundError, UnreadableError
from polysema.core.progress import Progress, no_progress

CONFIG_FILE = "config.json"
MODULES_FILE = "modules.json"
MODEL2VEC, STATIC_MODULE = "model2vec", "StaticEmbedding"
ADAPTER_FILE = "adapter_config.json"
WEIGHTS = "*.safetensors"
HASHED_BYTES = 1 << 22  # bytes of a file that are hashed at once
PICKLES = ("pytorch_model*.bin", "adapter_model.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
CONVERTED = (
    "of a model of the hub take the converted copy, which stands in a pull request of its own (hf download OWNER/NAME "
    "--revision refs/pr/N, its number is under Community), or save it again with save_pretrained of transformers, "
    "which writes safetensors"
)


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Args:
        path: The file.

    Returns:
        Its fields.

    Raises:
        UnreadableError: It holds something else, or can't be read.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} can't be read: {error}") from None
    if not isinstance(fields, dict):
        raise UnreadableError(f"{path} holds no JSON object")
    return fields


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds no model that can be loaded safely.

    Args:
        folder: Where the model is said to be.

    Raises:
        UnreadableError: It is no model, its weights are a pickle, or it needs code of its own.
        NotFoundError: It holds no weights.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise UnreadableError(f"{folder} is not a model: it has no {CONFIG_FILE}")
    check_weights(folder)
    check_code(folder)


def check_weights(folder: Path) -> None:
    """Refuse a folder without weights in safetensors.

    Args:
        folder: Of a model or of an adapter.

    Raises:
        UnreadableError: Its weights are a pickle.
        NotFoundError: It holds no weights.
    """
    if any(folder.glob(WEIGHTS)):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise UnreadableError(
            f"{folder} holds its weights only as a pickle ({pickles[0]}), which can run code when it is loaded, "
            f"so it isn't; {CONVERTED}"
        )
    raise NotFoundError(f"{folder} holds no weights: model.safetensors is missing")


def check_code(folder: Path) -> None:
    """Refuse a model whose family transformers doesn't know and that brings code of its own instead.

    Args:
        folder: Of a model.

    Raises:
        UnreadableError: It needs that code, which is never run.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config = read_json(folder / CONFIG_FILE)
    family, code = config.get("model_type"), config.get("auto_map")
    if not code or family in CONFIG_MAPPING:
        return
    named = next(iter(code.values()), "") if isinstance(code, dict) else code
    raise UnreadableError(f"{folder} can't be loaded as a model: {own_code(str(named))}")


def own_code(named: str = "") -> str:
    """What is said of a model that needs code of its own.

    Args:
        named: The class that its config names.

    Returns:
        The end of a message.
    """
    shown = f" ({named[:80]})" if named else ""
    return (
        f"it needs code that comes with it{shown}, and such code is never run here; take a model of a family that "
        "transformers knows by itself"
    )


def read_modules(folder: Path) -> list[dict[str, object]]:
    """The modules that sentence-transformers put into a folder.

    Args:
        folder: Of a model.

    Returns:
        Their entries in order; none where the folder has no list of them that can be read.
    """
    try:
        modules = json.loads((folder / MODULES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [one for one in modules if isinstance(one, dict)] if isinstance(modules, list) else []


def static_modules(folder: Path) -> list[dict[str, object]]:
    """Those of them that are a table of static vectors.

    Args:
        folder: Of a model.

    Returns:
        Their entries.
    """
    return [
        one
        for one in read_modules(folder)
        if str(one.get("type", "")).startswith("sentence_transformers.") and str(one["type"]).endswith(STATIC_MODULE)
    ]


def is_static_embedding(folder: Path | None) -> bool:
    """Whether a folder holds a table of tokens' vectors and no layers: Model2Vec's, or a StaticEmbedding's.

    Args:
        folder: Any folder, or None.

    Returns:
        True where that is so.
    """
    if folder is None or not folder.is_dir():
        return False
    if static_modules(folder):
        return True
    try:
        return bool(read_json(folder / CONFIG_FILE).get("model_type") == MODEL2VEC)
    except UnreadableError:
        return False


def is_adapter(folder: Path | None) -> bool:
    """Whether a folder holds an adapter of peft, such as LoRA's, and no whole model.

    Args:
        folder: Any folder, or None.

    Returns:
        True where only an adapter is there.
    """
    return folder is not None and (folder / ADAPTER_FILE).is_file() and not (folder / CONFIG_FILE).is_file()


def files_hash(folder: Path, progress: Progress = no_progress) -> str:
    """sha256 of a folder's file of weights; of several the sha256 of their hashes.

    Args:
        folder: Of a model.
        progress: Is told of the bytes; what it raises ends the work.

    Returns:
        64 hexadecimal digits.
    """
    files, done = [], 0
    paths = sorted(folder.glob(WEIGHTS))
    total = sum(path.stat().st_size for path in paths)
    for path in paths:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(HASHED_BYTES):
                digest.update(chunk)
                done += len(chunk)
                progress("hash", done, total)
        files.append(digest.hexdigest())
    return files[0] if len(files) == 1 else hashlib.sha256("".join(files).encode()).hexdigest()
