"""`polysema inside compare-families`: one sentence through an encoder, a decoder and an encoder-decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import Row, format_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UnavailableError

if TYPE_CHECKING:
    from polysema.app.explorer.results.inside import FamiliesAnswer


@click.command(name="compare-families", cls=WordCommand, short_help="Trace one SENTENCE through each model family.")
@click.argument("sentence")
@click.option(
    "--model", "-m", "names", multiple=True, help="A model; may be given again.  [default: one of each family]"
)
@click.option("--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]")
@click.option("--figures", is_flag=True, help="Print parameters, memory, FLOPs and milliseconds, measured now.")
@click.option("--masks", is_flag=True, help="Print who may look at whom as well.")
@format_option
def compare_families(
    sentence: str, names: tuple[str, ...], device: str | None, figures: bool, masks: bool, form: str
) -> None:
    """Send one SENTENCE through an encoder, a decoder and an encoder-decoder, and print where each ends.

    A model that reads letters is given the sentence's longest word.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.core.inside.families import COMPARED_MODELS
    from polysema.core.model.catalog import READABLE, models_here

    chosen = names or [name for name in COMPARED_MODELS if name in models_here(READABLE)]
    if not chosen:
        raise UnavailableError("no language model is here; bring one with polysema models pull minilm-l6")
    found = shell_explorer(device).compare_families(sentence, chosen, figures)
    rows: list[Row] = [
        {
            "model": road.model,
            "family": road.family.value,
            "reads": road.text,
            "layers": "+".join(map(str, road.n_layers)),
            "heads": road.n_heads,
            "dimensions": road.dim,
            "who sees whom": "; ".join(f"{sight.name}: {sight.describe}" for sight in road.sights),
            "ends in": road.ends,
            "says": (f"at {road.says_at!r}: " if road.says_at else "")
            + "  ".join(f"{name!r} {score:.3f}" for name, score in road.says[:3]),
            "writes": road.written,
        }
        for road in found
    ]
    if form != "table":
        show(form, rows, found)
        return
    for row, road in zip(rows, found, strict=True):
        show(
            form, [{"": name, road.model: str(value)} for name, value in row.items() if name != "model" and value != ""]
        )
        if road.carried:
            click.echo("what the cross-attention carries (mean of all heads and layers):")
            show(
                form,
                [
                    {
                        "written": item.written,
                        "looks at": "  ".join(f"{name} {share:.2f}" for name, share in item.looks_at[:4]),
                        "adds, in lengths of the state": item.share,
                    }
                    for item in road.carried
                ],
            )
        for sight in road.sights if masks else ():
            click.echo(f"{sight.name}:")
            for unit, open_row in zip(sight.rows, sight.open, strict=True):
                click.echo(f"  {''.join('■' if cell else '·' for cell in open_row)}  {unit.name.strip()}")
        click.echo("")
    if figures:
        _show_figures(found)


def _show_figures(found: FamiliesAnswer) -> None:
    """What each model is built of and what one pass over its text takes here."""
    rows: list[Row] = [
        {
            "model": card.model,
            "trained to": card.task,
            "can't": card.cannot,
            "norms": card.norms,
            "positions": card.positions,
            "parameters": f"{card.n_parameters:,}",
            "files (MB)": f"{card.file_bytes / 1e6:.1f}",
            "memory (MB)": f"{card.weight_bytes / 1e6:.1f}",
            "tokens": str(card.n_tokens),
            "MFLOPs": f"{card.flops / 1e6:.1f}",
            "ms": f"{card.milliseconds:.1f}",
        }
        for card in found.cards
    ]
    show("table", rows)
    total = sum(card.file_bytes for card in found.cards)
    click.echo(f"\nfiles of all {len(rows)} together: {total / 1e6:.1f} MB")
