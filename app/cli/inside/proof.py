"""`polysema inside check`: the identities that a model is tested for."""

from __future__ import annotations

import click

from polysema.app.cli.inside.options import ModelChoice
from polysema.app.cli.output import Row, format_option, progress_bar, show


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
    rows: list[Row] = [
        {
            **({"stack": proof.stack} if proof.stack else {}),
            "identity": one.identity,
            "holds": "yes" if one.holds else "no" if one.applies else "-",
            "difference": "" if one.difference is None else f"{one.difference:.2g}",
            "at most": f"{one.tolerance:g}" if one.applies else "",
            "what": f"{one.meaning}{': ' * bool(one.note)}{one.note}" if one.applies else f"doesn't apply: {one.note}",
        }
        for proof in answer.proofs
        for one in proof.checks
    ]
    verdict = "all that apply hold" if answer.holds else "what fails is refused"
    first = answer.proofs[0]
    show(form, rows, answer, ["", f"{first.model} ({first.architecture}, {first.dtype}): {verdict}"])
    if not answer.holds:
        raise click.exceptions.Exit(1)
