"""The options that several commands have of a model, its layers and its texts, and how they are read."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from polysema.app.cli.output import progress_bar
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polysema.app.explorer import Explorer
    from polysema.app.explorer.model_explorer import ModelExplorer
    from polysema.core.space.space import Origin


layers_option = click.option(
    "--layers", help="Which layers, such as 0,3,6 or all.  [default: that of the model's name (minilm-l6@3), else -1]"
)

final_norm_option = click.option(
    "--final-norm", default="after", show_default=True, help="Take the last layer after or before the final norm."
)

bos_option = click.option("--bos", is_flag=True, help="Of a decoder: put its begin-of-text token before every text.")

engine_option = click.option(
    "--engine", default="auto", show_default=True, help="auto (the fastest exact one), torch, onnx or onnx-int8."
)

on_option = click.option(
    "--on",
    metavar="PLACE",
    help="Who computes: local:4 (processes), ray://HOST:PORT, ray:HOST:PORT or ray (a cluster; ?cpus=2&gpus=0.5 is "
    "what a shard needs). The result is the same, byte for byte.  [default: this process]",
)

unit_option = click.option(
    "--unit", default="words", show_default=True, help="What has a vector: words, tokens or sentences."
)


def sentence_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of whole texts, which reach the command as one: `sentence`."""

    @click.option(
        "--prompt", help="Of sentences by --pooling own: what stands before each text.  [default: the model's own]"
    )
    @click.option("--prompt-name", help="The same, by its name in the model's folder, such as query.")
    @click.option(
        "--dimensions",
        type=int,
        help="Of sentences: keep the first numbers of each vector, scaled to length 1.  [default: all]",
    )
    @wraps(command)
    def with_options(
        *args: object, prompt: str | None, prompt_name: str | None, dimensions: int | None, **options: object
    ) -> None:
        from polysema.core.model.recipe import SentenceOptions

        command(*args, sentence=SentenceOptions(prompt, prompt_name, dimensions), **options)

    return with_options


column_option = click.option(
    "--text-column",
    "--column",
    "column",
    help="The column that holds the texts.  [default: text, or the one with the longest texts]",
)

columns_option = click.option(
    "--columns",
    help="The columns that go along, such as year,topic, or none.  [default: all]",
)


def parse_columns(text: str | None) -> list[str] | None:
    """`year,topic` or `none`; None for all."""
    if text is None or text.strip().lower() == "all":
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if [name.lower() for name in names] == ["none"] else names


def dialect_options(command: Callable[..., Any]) -> Callable[..., object]:
    """The options that say how files of texts are written, where that is not to be found out."""
    for option in (
        click.option("--encoding", help="Of files of texts: their encoding, such as cp1252.  [default: found out]"),
        click.option(
            "--header/--no-header",
            default=None,
            help="Of tables: line 1 names the columns, or is a text.  [default: found out]",
        ),
        click.option(
            "--separator",
            help="Of tables: what stands between cells: comma, semicolon, tab, pipe, none or a sign.  [default: found "
            "out]",
        ),
    ):
        command = option(command)
    return command


def tell_corpus(notes: Sequence[str]) -> None:
    """What was found out about the files of texts, on standard error."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def parse_layers(text: str | None) -> list[int] | None:
    """`0,3,6`, or `all` (None)."""
    if text is None or text.strip().lower() == "all":
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"layers are numbers with commas between, such as 0,3,6, or all; got {text!r}") from None


def model_and_layers(model: str, layers: str | None) -> tuple[str, list[int] | None]:
    """A model's name, and the layers: those of --layers, that behind the name, or the last; None are all."""
    from polysema.core.model.catalog import split_layer

    name, layer = split_layer(model)
    if layer is None:
        return name, parse_layers("-1" if layers is None else layers)
    if layers is not None:
        raise UserError(f"a layer stands behind the model's name or in --layers, not both; got {model} and {layers}")
    return name, [layer]


def tell_engine(handle: ModelExplorer, explorer: Explorer, layers: Sequence[int] | None) -> None:
    """Which engine runs, and what it costs where it is not exact, on standard error; None are all layers."""
    if handle.is_static or handle.model.engine.name != "onnx-int8":
        return
    model = handle.model
    from polysema.core.measure.int8 import differences_text

    with progress_bar() as progress:
        report = explorer.measures.int8(handle, progress)
    which = range(model.n_layers + 1) if layers is None else layers
    for line in differences_text(model, model.check_layers(which), list(report.rows)):
        click.echo(f"note: {line}", err=True)


def window_description(origin: Origin) -> str:
    """How a text that is longer than a window was read."""
    own = ", where sentence-transformers would cut it" if origin.pooling.startswith("own ") else ""
    return f"{origin.windows.partition(' ')[0]} tokens and read in overlapping windows{own}"
