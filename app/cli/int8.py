"""`polysema measure int8`: the accuracy loss of the quantized engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from polysema.app.cli.output import format_option, model_option, progress_bar, show

if TYPE_CHECKING:
    pass


@click.command(name="int8", short_help="Accuracy loss of the engine onnx-int8, by layer.")
@model_option
@format_option
def int8(model: str, form: str) -> None:
    """Print what the engine onnx-int8 costs: the cosine to float32 and the sense accuracy, layer by layer."""
    from polysema.core.measure.int8 import int8_difference
    from polysema.core.model.load import load_model

    loaded = load_model(model, "cpu", "onnx-int8")
    with progress_bar() as progress:
        rows: list[dict[str, Any]] = [
            {
                "layer": row.layer,
                "mean cosine": round(row.mean_cosine, 4),
                "least cosine": round(row.least_cosine, 4),
                "accuracy float32": round(row.exact_accuracy, 4),
                "accuracy int8": round(row.accuracy, 4),
            }
            for row in int8_difference(loaded, progress)
        ]
    show(form, rows)
