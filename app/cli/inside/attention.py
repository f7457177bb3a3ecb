"""`polysema inside attention`: the weights of heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.inside.options import (
    ModelChoice,
    attention_unit_option,
    cross_option,
    model_options,
    special_option,
    stack_option,
    tell_windows,
)
from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.core.errors import UserError
from polysema.core.inside.head_names import HEAD_SYNTAX, head_name, parse_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polysema.core.inside.attention import Attention
    from polysema.core.inside.hooks import Unit
    from polysema.core.model.load import LanguageModel
    from polysema.core.space.space import Floats


MAX_ROWS = 1_000_000


@click.command(cls=WordCommand, short_help="Print attention weights (rows: queries, columns: keys).")
@click.argument("text")
@model_options("minilm-l6")
@click.option("--layers", help="Which layers, such as 1,6 or all.  [default: the last; with json and csv all]")
@click.option("--head", help=f"One head: {HEAD_SYNTAX}.  [default: the mean of a layer's heads]")
@click.option("--rollout", is_flag=True, help="What flows from word to word up to a layer (Abnar and Zuidema 2020).")
@stack_option
@cross_option
@attention_unit_option
@special_option
@format_option
def attention(
    text: str,
    model: ModelChoice,
    layers: str | None,
    head: str | None,
    rollout: bool,
    stack: str | None,
    cross: bool,
    unit: str | None,
    special: str,
    form: str,
) -> None:
    """Print the attention weights of TEXT: rows are queries, columns are keys, each row sums to 1.

    A dot marks what the causal mask of a decoder hides. CSV and JSON give every head.
    """
    chosen = parse_layers(layers) if layers is not None else ([-1] if form == "table" else None)
    place = parse_head(head) if head else None
    handle, how = model.open(), AttentionOptions(model.target, stack or "", cross, unit or "", special)
    if rollout:
        parts = handle.internals.rollout(text, -1 if chosen is None else chosen[-1], how)
    else:
        parts = handle.attention(text, [place[0]] if place else chosen, how)
    loaded = handle.internals.on_torch(how.stack)
    tell_windows(loaded, len(parts))
    if form != "table":
        n_rows = sum(
            part.weights[0, 0].size * len(part.layers) * (1 if place else part.weights.shape[1]) for part in parts
        )
        if n_rows > MAX_ROWS:
            raise UserError(
                f"that would print {n_rows:,} rows; at most {MAX_ROWS:,} are: choose one --head, fewer "
                "--layers, or a shorter text"
            )
        made = parts.of_head(place[1]) if place else parts
        show(form, [] if form == "json" else [row for part in parts for row in _long_rows(part, place)], made)
        return
    for part in parts:
        for layer in part.layers:
            weights = part.of(layer, place[1]) if place else part.weights[part.layers.index(layer)].mean(0)
            what = (
                f"rollout up to layer {layer}"
                if rollout
                else f"head {head_name(*place)}"
                if place
                else f"mean of the heads of layer {layer}"
            )
            window = f", window {part.window} of {part.windows}" if part.windows > 1 else ""
            click.echo(f"{what}{window}; rows are queries, columns are keys")
            show(form, _matrix(part, weights), notes=_attention_notes(loaded, part, place))


def _matrix(part: Attention, weights: Floats) -> list[Row]:
    names = _distinct([unit.name.strip() or "·" for unit in part.columns])
    return [
        {"": unit.name.strip() or "·"}
        | {
            name: "·" if part.forbidden[row, column] else f"{weights[row, column]:.2f}"
            for column, name in enumerate(names)
        }
        for row, unit in enumerate(part.rows)
    ]


def _distinct(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _attention_notes(model: LanguageModel, part: Attention, place: tuple[int, int] | None) -> list[str]:
    notes = []
    if part.view.special == "merge" and part.folded.max() > 0:
        notes.append(f"merged: {part.folded.mean():.0%} of the weight had gone to special tokens")
    if place and part.n_key_heads != model.n_heads:
        notes.append(f"head {place[1]} reads key head {part.key_head(place[1])} of {part.n_key_heads}")
    if part.view.kind == "cross":
        notes.append(f"a row is what is written there: {part.text!r}")
    return [*notes, ""]


def _long_rows(part: Attention, place: tuple[int, int] | None) -> list[Row]:
    return [
        {
            "window": part.window,
            "layer": layer,
            "head": head,
            "from": row.name,
            "from_start": _start(row),
            "to": column.name,
            "to_start": _start(column),
            "weight": float(part.of(layer, head)[i, j]),
            "masked": bool(part.forbidden[i, j]),
        }
        for layer in part.layers
        for head in ([place[1]] if place else range(1, part.weights.shape[1] + 1))
        for i, row in enumerate(part.rows)
        for j, column in enumerate(part.columns)
    ]


def _start(unit: Unit) -> int:
    return -1 if unit.span is None else int(unit.span.start)
