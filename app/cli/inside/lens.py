"""`polysema inside lens` and `inside attribution`: the prediction at every layer, and its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.inside.options import (
    DEFAULT_DECODER,
    at_option,
    followed_option,
    model_options,
    open_model,
    parse_place,
    stack_option,
    tell_windows,
)
from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, k_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.app.explorer.inside_options import given
from polysema.core.errors import UserError

if TYPE_CHECKING:
    pass


@click.command(cls=WordCommand, short_help="Logit lens: the prediction at every layer.")
@click.argument("text")
@model_options(DEFAULT_DECODER)
@click.option("--layers", default="all", show_default=True, help="Which layers, such as 0,3,6 or all.")
@followed_option
@click.option(
    "--points", default="mlp", show_default=True, help="Where in a block: before, attention, cross, mlp, or all."
)
@click.option("--kind", default="auto", show_default=True, help="logits (the model's head), static, or auto.")
@stack_option
@at_option
@click.option("-k", "k", type=int, default=5, show_default=True, help="How many tokens to print.")
@format_option
def lens(
    text: str,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    layers: str,
    words: tuple[str, ...],
    points: str,
    kind: str,
    stack: str | None,
    at: str | None,
    k: int,
    form: str,
) -> None:
    """Print what the model would say if it stopped at a layer, at one place of TEXT.

    A decoder's next word, a masked encoder's word for its mask; of an encoder without a head the nearest static
    vectors. Early layers are often unreadable: they weren't trained to be read.
    """
    from polysema.app.explorer.results.inside import LensAnswer
    from polysema.core.inside import lens as run
    from polysema.core.inside.hooks import points_of

    chosen_layers = parse_layers(layers)
    loaded = open_model(model, engine, device, stack)
    there = points_of(loaded)
    chosen = there if points == "all" else [point.strip() for point in points.split(",")]
    query, source = given(loaded, text, target)
    found = run.lens(loaded, query, chosen_layers, words, source, run.LensView(tuple(chosen), k, kind, parse_place(at)))
    tell_windows(loaded, found.windows)
    place = run.place_among(loaded, found, parse_place(at))
    for word in found.targets:
        if word.note:
            click.echo(f"note: {word.note}", err=True)
    score = "cosine" if found.kind == run.STATIC else "probability"

    rows: list[Row] = []
    for step, (layer, point) in enumerate(found.steps):
        best = [
            (found.names[int(number)], float(value))
            for number, value in zip(found.best[step, place], found.scores[step, place], strict=True)
        ]
        row: Row = {"layer": layer, "point": point}
        row |= {"best": "  ".join(f"{name!r} {value:.3f}" for name, value in best)}
        if found.kind != run.STATIC:
            row |= {"entropy": round(float(found.entropy[step, place]), 4)}
        for number, word in enumerate(found.targets):
            row |= {
                f"rank of {word.word}": int(found.ranks[step, place, number]),
                f"{score} of {word.word}": round(float(found.followed[step, place, number]), 6),
            }
        rows.append(row)
    token = found.tokens[place].name
    note = f"{found.kind}, {score} of each token, at {token!r} (token {place})"
    show(form, rows, LensAnswer.of(model, found, place), ["", note])


@click.command(cls=WordCommand, short_help="Direct logit attribution of a predicted word.")
@click.argument("text")
@click.argument("word")
@click.option("--against", help="Another word: what makes the first likelier than this one.")
@at_option
@model_options(DEFAULT_DECODER)
@stack_option
@k_option
@format_option
def attribution(
    text: str,
    word: str,
    against: str | None,
    at: str | None,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    stack: str | None,
    k: int,
    form: str,
) -> None:
    """Print what each head, each MLP, the embedding and each bias adds to the logit of WORD after TEXT.

    The parts add up to the logit, with the scale of the norms frozen. The table has the k largest; JSON and CSV all.
    """
    from polysema.core.inside.attribution import contributions as run

    if k < 1:
        raise UserError(f"k starts at 1; got {k}")
    loaded = open_model(model, engine, device, stack)
    query, source = given(loaded, text, target)
    found = run(loaded, query, word, against, source, parse_place(at))
    for which in (found.target, found.against):
        if which is not None and which.note:
            click.echo(f"note: {which.note}", err=True)
    parts = sorted(found.parts, key=lambda part: -abs(part.value)) if form == "table" else found.parts
    rows: list[Row] = [
        {"part": part.name, "kind": part.kind, "layer": part.layer, "head": part.head, "adds": round(part.value, 6)}
        for part in (parts[:k] if form == "table" else parts)
    ]
    kinds: dict[str, float] = {}
    for part in found.parts:
        kinds[part.kind] = kinds.get(part.kind, 0.0) + part.value
    notes = [
        "",
        f"{found.measure} at {found.token!r} (token {found.position}): {found.score:.4f}; the {len(found.parts)} "
        "parts add up to "
        f"{found.total:.4f}",
        "; ".join(f"{kind} {value:+.3f}" for kind, value in kinds.items()),
    ]
    show(form, rows, found, notes)
