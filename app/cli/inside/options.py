"""What the commands of `polysema inside` share: their options, and how a model is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from polysema.app.cli.former_names import RenamedOption
from polysema.app.explorer.inside_options import FORMER_SPECIAL_TOKENS, AttentionOptions
from polysema.core.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from polysema.core.inside.attention import AttentionView
    from polysema.core.model.load import LanguageModel


DEFAULT_DECODER = "smollm2-135m"


def model_options(default: str) -> Callable[[Any], Any]:
    """The options that say which model, and how it is run."""

    def add(command: Any) -> Any:
        for option in (
            click.option(
                "--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]"
            ),
            click.option(
                "--engine", default="torch", show_default=True, help="torch: the others can't be looked into."
            ),
            click.option("--target", help="Of an encoder-decoder: the decoder's text.  [default: what it writes]"),
            click.option(
                "--model",
                "-m",
                default=default,
                show_default=True,
                help="A model: a name of the catalog, a folder, or a hub id.",
            ),
        ):
            command = option(command)
        return command

    return add


stack_option = click.option("--stack", help="Of an encoder-decoder: encoder or decoder.  [default: decoder]")

cross_option = click.option("--cross", is_flag=True, help="Of an encoder-decoder: the cross-attention weights.")

attention_unit_option = click.option(
    "--unit", help="words or tokens.  [default: words, tokens of a model that reads letters]"
)

special_option = click.option(
    "--special-tokens",
    "special",
    cls=RenamedOption,
    former_name="--special",
    former_values=FORMER_SPECIAL_TOKENS,
    default="keep",
    show_default=True,
    help="Special tokens, such as [CLS]: keep them, or merge their weight into the other columns.",
)

at_option = click.option(
    "--at",
    help="Where: a word of the text, or a token's number from 0.  [default: where the next word, or the mask, is "
    "predicted]",
)


def open_model(name: str, engine: str, device: str | None, stack: str | None = None) -> LanguageModel:
    """The model on torch; of an encoder-decoder its decoder unless said otherwise."""
    from polysema.core.model.load import ENGINES, load_model, on_torch
    from polysema.core.space.space import Family

    if engine in ENGINES and engine not in ("torch", "auto"):
        raise UnavailableError(
            f"the engine {engine} runs a compiled graph, and what is inside it can't be seen; use --engine torch"
        )
    loaded = load_model(name, device, "torch" if engine == "auto" else engine)
    if stack or loaded.family is Family.ENCODER_DECODER:
        loaded = on_torch(loaded, stack or "decoder")
    return loaded


def view_of(model: LanguageModel, cross: bool, unit: str | None, special: str) -> AttentionView:
    """How attention is looked at."""
    return AttentionOptions(cross=cross, unit=unit or "", special=special).view(model)


def parse_place(text: str | None) -> str | int | None:
    """`--at`: a number of a token, or a word."""
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else text


def tell_windows(model: LanguageModel, windows: int) -> None:
    """Say that a text was longer than the model's window."""
    if windows > 1:
        click.echo(
            f"note: the text is longer than {model.window} tokens and is processed in {windows} windows",
            err=True,
        )


followed_option = click.option(
    "--word",
    "words",
    multiple=True,
    help="A word to follow, a token in quotes as it is shown, or its id (#28); may be given again.",
)


def max_new_tokens_option(default: int) -> Callable[[Any], Any]:
    """How many tokens the model goes on for."""
    return click.option(
        "--max-new-tokens",
        "max_new_tokens",
        cls=RenamedOption,
        former_name="--new",
        default=default,
        show_default=True,
        help="How many tokens to generate after TEXT.",
    )
