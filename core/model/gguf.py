"""From a GGUF file to a folder that loads in a second: config.json, model.safetensors, tokenizer.json."""

import functools
import hashlib
import io
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from polysema.core.atomic import atomic_folder
from polysema.core.environment import home
from polysema.core.errors import UnavailableError, UnreadableError
from polysema.core.locks import file_lock
from polysema.core.model.catalog import GGUF_SUFFIX
from polysema.core.progress import Progress, no_progress

MAGIC = b"GGUF"
GGUF_DTYPE = "float32"  # in which its weights are unpacked, whatever they are loaded in afterwards

STEPS = 3
PARSING = threading.Lock()  # what is put in the place of gguf's own is taken back before another thread does so
CONVERT_SECONDS = 3600.0  # seconds in which another process may be at the same file


def is_gguf(path: Path | None) -> bool:
    """Whether a path is a file of GGUF, by its name.

    Args:
        path: Any path, or None.

    Returns:
        True for a file `*.gguf`.
    """
    return path is not None and path.suffix.lower() == GGUF_SUFFIX and path.is_file()


def converted(source: Path, progress: Progress = no_progress) -> Path:
    """The folder that a GGUF file was converted to, made the first time.

    Args:
        source: The file; one that has changed is converted again.
        progress: Is told of the steps.

    Returns:
        A folder of transformers in POLYSEMA_HOME, whole.

    Raises:
        UnavailableError: What reads the format isn't installed.
        UnreadableError: It is no GGUF, or of an architecture that isn't read.
    """
    folder = conversion_folder(source)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(folder.parent / f".{folder.name}.lock", CONVERT_SECONDS, f"{source} is being converted elsewhere"):
        if not folder.is_dir():
            with atomic_folder(folder) as made:
                convert(source, made, progress)
    return folder


def conversion_folder(source: Path) -> Path:
    """Where a GGUF file is put as a folder of transformers; another where the file has changed.

    Args:
        source: The file.

    Returns:
        A folder in POLYSEMA_HOME, which is there once the file was converted.

    Raises:
        UnreadableError: It is no GGUF.
    """
    with source.open("rb") as file:
        if file.read(4) != MAGIC:
            raise UnreadableError(f"{source} can't be read as GGUF: it doesn't begin with GGUF")
    stat = source.stat()
    key = hashlib.sha256(f"{source.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()[:16]
    return home() / "models" / f"gguf-{key}"


@contextmanager
def parsing_once() -> Iterator[None]:
    """Let transformers parse a GGUF file once in a block, and as a plain array, with the same result.

    transformers parses the file for the tokenizer, for the config and for the weights, and makes the table of names
    for each module of the model; gguf takes a slice of a memory map for each piece of the vocabulary, which costs
    several times a slice of an array.
    """
    import gguf
    import numpy as np
    from numpy.typing import NDArray

    with PARSING:
        reader, name_map = gguf.GGUFReader, gguf.get_tensor_name_map

        class ArrayReader(reader):  # type: ignore[misc, valid-type]
            """gguf's reader, over an array."""

            @property
            def data(self) -> NDArray[np.uint8]:
                return self._array

            @data.setter
            def data(self, mapped: NDArray[np.uint8]) -> None:
                self._array = np.asarray(mapped)

        gguf.GGUFReader, gguf.get_tensor_name_map = functools.cache(ArrayReader), functools.cache(name_map)
        try:
            yield
        finally:
            gguf.GGUFReader, gguf.get_tensor_name_map = reader, name_map


def convert(source: Path, folder: Path, progress: Progress) -> None:
    """Write `source`, dequantized to float32, as a folder of transformers.

    transformers marks a model that it read from GGUF as quantized and refuses to save it, so its weights are put
    into a fresh model of the same config.
    """
    try:
        import accelerate  # noqa: F401  transformers needs both to read the format
        import gguf  # noqa: F401
    except ImportError:
        raise UnavailableError(
            "reading GGUF needs gguf and accelerate; install them with pip install 'polysema[models]'"
        ) from None
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()

    progress("convert", 0, STEPS)
    place, name = str(source.parent), source.name
    try:
        with parsing_once(), redirect_stderr(io.StringIO()):  # its bar for single tensors would stand across ours
            tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=name)
            config = AutoConfig.from_pretrained(place, gguf_file=name)
            read = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
    except (OSError, ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise UnreadableError(f"{source} can't be read as GGUF: {str(error).splitlines()[0]}") from None
    progress("convert", 1, STEPS)
    config.dtype = torch.float32
    with torch.device("meta"):
        fresh = AutoModelForCausalLM.from_config(config)
    fresh.load_state_dict(read.state_dict(), assign=True)
    fresh.tie_weights()
    progress("convert", 2, STEPS)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        fresh.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    progress("convert", STEPS, STEPS)
