"""`polysema inside steer` and `inside ablate`: the next word before and after a change of the hidden states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.inside.options import (
    DEFAULT_DECODER,
    ModelChoice,
    followed_option,
    max_new_tokens_option,
    model_options,
    parse_place,
    tell_forms,
)
from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, k_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError
from polysema.core.inside.head_names import parse_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polysema.core.inside.steering import SteeredToken, SweepRow


@click.command(cls=WordCommand, short_help="Add a steering vector and print the next word.")
@click.argument("text")
@model_options(DEFAULT_DECODER)
@click.option("--toward", multiple=True, help="A text of the concept to go to; may be given several times.")
@click.option("--away", multiple=True, help="A text of what to go away from; may be given several times.")
@click.option("--expression", help='A direction of the algebra instead: "happy - sad", or words in texts.')
@click.option("--layer", "layers", default="", help="The layer, or several with --sweep.  [default: the middle one]")
@click.option(
    "--strength", default=1.0, show_default=True, help="In lengths of a typical hidden state; negative goes back."
)
@click.option("--at", help="Only at this word of the text, or the token of this number.  [default: everywhere]")
@click.option("--sweep", help="Strengths to try, such as 0,1,2: a row for each, at each layer.")
@followed_option
@max_new_tokens_option(12)
@k_option
@format_option
def steer(
    text: str,
    model: ModelChoice,
    toward: tuple[str, ...],
    away: tuple[str, ...],
    expression: str | None,
    layers: str,
    strength: float,
    at: str | None,
    sweep: str | None,
    words: tuple[str, ...],
    max_new_tokens: int,
    k: int,
    form: str,
) -> None:
    """Add a vector to the hidden states of TEXT, and print the next word before and after.

    The vector is the mean difference of two sets of texts (--toward, --away), or a sum of words (--expression).
    """
    from polysema.core.inside.steering import ALL_POSITIONS, Statement, Steer

    if bool(toward and away) == bool(expression) or bool(toward) != bool(away):
        raise UserError("give --toward and --away texts, or an --expression, and not both")
    strengths = parse_numbers(sweep) if sweep else []
    chosen = parse_layers(layers) if layers else None
    handle = model.open()
    loaded, concept = handle.internals.on_torch(), expression or toward
    which = loaded.check_layers([loaded.n_layers // 2] if not layers else chosen or range(loaded.n_layers + 1))
    if len(which) > 1 and not strengths:
        raise UserError("several layers are for --sweep; give one --layer")
    if strengths:
        say = Statement(1, words, 0, model.target)
        table = handle.internals.sweep(text, concept, away, strengths, which, say)
        tell_forms(*table[0].targets)
        show(form, [_sweep_row(row, words) for row in table], table)
        return
    where = parse_place(at)
    how = Steer(strength, ALL_POSITIONS if where is None else where)
    direction = handle.internals.directions(concept, away, which)[which[0]]
    found = handle.steer(text, direction, how=how, statement=Statement(k, words, max_new_tokens, model.target))
    note = (
        f"{strength:g} times the typical length along {direction.what} at layer {direction.layer}, a "
        f"vector of length {found.length:.2f}"
    )
    _show_changed(found, form, note)


def _sweep_row(row: SweepRow, words: Sequence[str]) -> Row:
    followed = {f"p({word})": round(p, 6) for word, p in zip(words, row.followed, strict=True)}
    return {
        "layer": row.layer,
        "strength": row.strength,
        "best": repr(row.best),
        "probability": round(row.probability, 6),
        **followed,
        "divergence": round(row.divergence, 6),
    }


def parse_numbers(text: str) -> list[float]:
    """`0,1,2.5`."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"strengths are numbers with commas between, such as 0,1,2; got {text!r}") from None


def _show_changed(found: SteeredToken, form: str, note: str) -> None:
    rows: list[Row] = [
        {
            "rank": rank,
            "before": repr(found.before[rank - 1][0]),
            "p before": round(found.before[rank - 1][1], 6),
            "after": repr(found.after[rank - 1][0]),
            "p after": round(found.after[rank - 1][1], 6),
        }
        for rank in range(1, len(found.before) + 1)
    ]
    notes = ["", note, f"the two distributions are {found.divergence:.3f} bits apart (Kullback-Leibler)"]
    tell_forms(*(word.target for word in found.followed))
    notes += [
        f"{word.target.word}: probability {word.before:.4f} -> {word.after:.4f}, rank {word.rank_before} -> "
        f"{word.rank_after}"
        for word in found.followed
    ]
    if found.continued_before or found.continued_after:
        notes += [f"before: …{found.continued_before}", f"after:  …{found.continued_after}"]
    show(form, rows, found, notes)


@click.command(cls=WordCommand, short_help="Ablate heads or MLPs and print the next word.")
@click.argument("text")
@model_options(DEFAULT_DECODER)
@click.option("--head", "taken", multiple=True, help="A head, 3.5 or L2H4; may be given several times.")
@click.option("--mlp", "mlps", multiple=True, type=int, help="The MLP of a layer; may be given several times.")
@click.option("--cross", is_flag=True, help="The heads are those of the cross-attention.")
@click.option("--how", default="zero", show_default=True, help="Set them to zero or to their mean.")
@click.option("--over", multiple=True, help="A text to take the mean over; may be given again.  [default: TEXT]")
@followed_option
@max_new_tokens_option(0)
@k_option
@format_option
def ablate(
    text: str,
    model: ModelChoice,
    taken: tuple[str, ...],
    mlps: tuple[int, ...],
    cross: bool,
    how: str,
    over: tuple[str, ...],
    words: tuple[str, ...],
    max_new_tokens: int,
    k: int,
    form: str,
) -> None:
    """Set heads or MLPs to zero, or to their mean, and print the next word of TEXT before and after."""
    from polysema.core.inside.ablation import Ablation
    from polysema.core.inside.steering import Statement

    places = [parse_head(head) for head in taken]
    cuts = [Ablation(layer, head, "cross" if cross else "self") for layer, head in places]
    cuts += [Ablation(layer, None, "mlp") for layer in mlps]
    found = model.open().ablate(text, cuts, how, Statement(k, words, max_new_tokens, model.target), over)
    _show_changed(found, form, f"{', '.join(map(str, cuts))} set to {how}")
