"""`polysema inside generate`: what a decoder writes, and how sure it is."""

from __future__ import annotations

import click

from polysema.app.cli.inside.options import DEFAULT_DECODER, ModelChoice, model_options
from polysema.app.cli.output import Row, format_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError


@click.command(cls=WordCommand, short_help="Generate text with a decoder or encoder-decoder.")
@click.argument("text")
@model_options(DEFAULT_DECODER)
@click.option("--max-new-tokens", default=24, show_default=True, help="How many tokens are written at most.")
@click.option("-k", "k", type=int, default=5, show_default=True, help="How many candidates are shown for each token.")
@format_option
def generate(
    text: str,
    model: ModelChoice,
    max_new_tokens: int,
    k: int,
    form: str,
) -> None:
    """Print what a decoder writes after TEXT, or an encoder-decoder for it, and how sure it is of each token."""
    if model.target is not None:
        raise UserError("the decoder writes its text itself: leave out --target")
    found = model.open().generate(text, max_new_tokens, k)
    rows: list[Row] = [
        {
            "token": repr(token),
            "probability": round(probability, 6),
            "instead of": "  ".join(f"{name!r} {p:.3f}" for name, p in others[1:]),
        }
        for token, probability, others in zip(found.tokens, found.probabilities, found.others, strict=True)
    ]
    ended = "the model ended it" if found.ended else f"{len(found.tokens)} tokens were written"
    show(form, rows, found, ["", f"{found.text!r}: {ended}; geometric mean of the probabilities {found.surety:.3f}"])
