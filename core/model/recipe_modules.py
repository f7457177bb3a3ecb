"""The modules that may follow the pooling of a folder of sentence-transformers: a dense layer, a norm."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.errors import UnreadableError
from polysema.core.model.model_folder import read_json
from polysema.core.space.space import Floats

ACTIVATIONS = (
    "Identity",
    "Tanh",
    "ReLU",
    "GELU",
    "SiLU",
    "Sigmoid",
    "LeakyReLU",
    "ELU",
    "SELU",
    "Softplus",
    "Mish",
    "Hardtanh",
    "ReLU6",
    "LogSigmoid",
    "Softsign",
    "Tanhshrink",
    "Hardswish",
)
LAYER_NORM_EPSILON = 1e-5  # PyTorch's, which the module LayerNorm doesn't change

Step = Callable[[Floats], Floats]


def _tensors(folder: Path, what: str, names: Sequence[str]) -> dict[str, Floats]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(folder / "model.safetensors")
        for name in names:
            tensors[name]
    except (OSError, SafetensorError, KeyError) as error:
        raise UnreadableError(f"{folder} holds no {what} as safetensors: {error}") from None
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def check_inputs(folder: Path, names: Sequence[str], config: dict[str, Any] | None = None) -> None:
    """Raise `UnreadableError` for a module that is applied to anything but the vector of the whole text."""
    path = folder / "config.json"
    config = config if config is not None else read_json(path) if path.is_file() else {}
    for name in names:
        if config.get(name) not in (None, "sentence_embedding"):
            raise UnreadableError(f"{path}: {name} {config[name]!r} is not known; choose mean, cls or last")


def dense(folder: Path) -> Step:
    """The linear map that a folder holds, with its activation.

    Raises `UnreadableError` for an activation or input that isn't known.
    """
    import torch

    config = read_json(folder / "config.json")
    check_inputs(folder, ("module_input_name", "module_output_name"), config)
    tensors = _tensors(folder, "dense layer", ["linear.weight"])
    weight, bias = tensors["linear.weight"], tensors.get("linear.bias", np.float32(0))
    path = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))  # theirs where none is named
    name = path.rsplit(".", 1)[-1]
    if name not in ACTIVATIONS or not path.startswith("torch.nn."):
        raise UnreadableError(f"{folder}: the activation {path} is not known")
    activation = getattr(torch.nn, name)()
    residual = tensors.get("residual.weight") if config.get("use_residual") else None

    def apply(vectors: Floats) -> Floats:
        with torch.inference_mode():
            out: Floats = activation(torch.from_numpy(vectors @ weight.T + bias)).numpy()
        if config.get("use_residual"):
            out = out + (vectors if residual is None else vectors @ residual.T)
        return out

    return apply


def layer_norm(folder: Path) -> Step:
    """The norm that a folder holds; raises `UnreadableError` where its weights are missing."""
    tensors = _tensors(folder, "layer norm", ["norm.weight", "norm.bias"])
    weight, bias = tensors["norm.weight"], tensors["norm.bias"]

    def norm(vectors: Floats) -> Floats:
        centered = vectors - vectors.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centered * centered).mean(axis=-1, keepdims=True) + np.float32(LAYER_NORM_EPSILON))
        result: Floats = centered / scale * weight + bias
        return result

    return norm
