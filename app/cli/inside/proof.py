"""`polysema inside check`: the identities that a model is tested for."""

from __future__ import annotations

import click

from polysema.app.cli.inside.options import ModelChoice
from polysema.app.cli.output import format_option, progress_bar, show


@click.command(short_help="Test what is seen inside a model against plain transformers.")
@click.argument("model")
@click.option("--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]")
@click.option("--anew", is_flag=True, help="Test it although the result is kept.")
@format_option
def check(model: str, device: str | None, anew: bool, form: str) -> None:
    """Print the identities of MODEL: a name of the catalog, a folder or a hub id.

    Hidden states, attention, the lens and the parts of attribution are compared with plain transformers, once for the
    model's content; what fails is refused in all other commands, with the difference. The exit status is 1 where one
    fails.
    """
    with progress_bar() as progress:
        answer = ModelChoice(model, device=device).open().internals.check(anew, progress)
    show(form, answer.identities(), answer, ["", answer.verdict])
    if not answer.holds:
        raise click.exceptions.Exit(1)
