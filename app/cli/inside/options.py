"""What the commands of `polysema inside` share: their options, and how a model is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

import click

from polysema.app.cli.former_names import RenamedOption
from polysema.app.cli.output import progress_bar
from polysema.app.cli.space_options import Command, with_options
from polysema.app.explorer.inside_options import FORMER_SPECIAL_TOKENS
from polysema.core.errors import UnavailableError

if TYPE_CHECKING:
    from polysema.app.explorer.model_explorer import ModelExplorer
    from polysema.core.inside.followed_tokens import FollowedTarget
    from polysema.core.model.load import LanguageModel


DEFAULT_DECODER = "smollm2-135m"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model of a command, how it is run, and, of an encoder-decoder, the decoder's text."""

    name: str
    engine: str = "torch"
    device: str | None = None
    target: str | None = None

    def open(self) -> ModelExplorer:
        """The handle of the model; raises `UnavailableError` for an engine that can't be looked into."""
        from polysema.app.cli.shell_explorer import shell_explorer
        from polysema.app.explorer import ModelOptions
        from polysema.core.model.load import ENGINES

        if self.engine in ENGINES and self.engine not in ("torch", "auto"):
            raise UnavailableError(
                f"the engine {self.engine} runs a compiled graph, and what is inside it can't be seen; use "
                "--engine torch"
            )
        options = ModelOptions(engine="torch" if self.engine == "auto" else self.engine)
        with progress_bar() as progress:
            return shell_explorer(self.device).model(self.name, options, progress)


def model_options(default: str) -> Callable[[Command], Command]:
    """The options that say which model, and how it is run; the command gets them as `model`, a `ModelChoice`."""

    def add(command: Command) -> Command:
        @wraps(command)
        def with_model(
            *arguments: object, model: str, engine: str, device: str | None, target: str | None, **rest: object
        ) -> None:
            command(*arguments, model=ModelChoice(model, engine, device, target), **rest)

        return with_options(
            with_model,
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
        )

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


def tell_forms(*targets: FollowedTarget | None) -> None:
    """Say by which token a word is followed, where that is to be known."""
    for one in targets:
        if one is not None and one.note:
            click.echo(f"note: {one.note}", err=True)


followed_option = click.option(
    "--word",
    "words",
    multiple=True,
    help="A word to follow, a token in quotes as it is shown, or its id (#28); may be given again.",
)


def max_new_tokens_option(default: int) -> Callable[[Command], Command]:
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
