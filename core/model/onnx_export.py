"""A model as a graph for ONNX Runtime: exported with all its hidden states, and its weights in 8 bits."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.atomic import atomic_files

if TYPE_CHECKING:
    from polysema.core.model.language_model import LanguageModel


def export_graph(model: "LanguageModel", path: Path) -> None:
    """Write the graph: token ids and mask to the states of every layer."""
    import torch

    class AllLayers(torch.nn.Module):
        def __init__(self, module: torch.nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, input_ids: object, attention_mask: object) -> tuple[torch.Tensor, ...]:
            answer = self.module(
                input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True, return_dict=True
            )
            return tuple(answer.hidden_states)

    ids = torch.full((2, 9), 5, dtype=torch.long)
    axes = {0: torch.export.Dim("batch", min=1, max=65_536), 1: torch.export.Dim("width", min=2, max=model.window)}
    size = sum(p.numel() * p.element_size() for p in model.module.parameters())
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            AllLayers(model.module).eval(),
            (ids, torch.ones_like(ids)),
            dynamo=True,
            verbose=False,
            dynamic_shapes={"input_ids": axes, "attention_mask": axes},
            input_names=["input_ids", "attention_mask"],
            output_names=[f"layer_{layer}" for layer in range(model.n_layers + 1)],
        )
        assert program is not None
        program.save(str(path), external_data=size > 1 << 30)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter speaks of its own affairs, on both streams and in warnings."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def quantize_graph(source: Path, path: Path) -> None:
    """Weights per channel in 7 bits, which AVX2's products add up without overflow.

    The second product of an MLP, whose input has the outliers, stays in float in the first half of the layers.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(str(source), load_external_data=False).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    products = [
        (node.name, shapes[node.input[1]])
        for node in graph.node
        if node.op_type == "MatMul" and len(shapes.get(node.input[1], ())) == 2
    ]
    narrowing = [name for name, (wide, narrow) in products if wide > narrow]
    left = set(narrowing[: len(narrowing) // 2])
    with _quiet(), atomic_files([path], durable=False) as (part,):
        quantize_dynamic(
            str(source),
            str(part),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_quantize=[name for name, _ in products if name not in left],
        )
