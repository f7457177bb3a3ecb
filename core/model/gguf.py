"""From a GGUF file to a folder that loads in a second: config.json, model.safetensors, tokenizer.json."""

import io
import shutil
from contextlib import redirect_stderr
from pathlib import Path

from polysema.core.errors import UnavailableError, UnreadableError
from polysema.core.progress import Progress

STEPS = 4


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
        tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=name)
        progress("convert", 1, STEPS)
        config = AutoConfig.from_pretrained(place, gguf_file=name)
        with redirect_stderr(io.StringIO()):  # its bar for single tensors would stand across ours
            read = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableError(f"{source} can't be read as GGUF: {str(error).splitlines()[0]}") from None
    progress("convert", 2, STEPS)
    config.dtype = torch.float32
    with torch.device("meta"):
        fresh = AutoModelForCausalLM.from_config(config)
    fresh.load_state_dict(read.state_dict(), assign=True)
    fresh.tie_weights()
    progress("convert", 3, STEPS)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        fresh.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    progress("convert", STEPS, STEPS)
