"""`polysema inside lens` and `inside attribution`: the prediction at every layer, and its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.inside.options import (
    DEFAULT_DECODER,
    ModelChoice,
    at_option,
    followed_option,
    model_options,
    parse_place,
    stack_option,
    tell_forms,
    tell_windows,
)
from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, k_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.results.inside import LensAnswer


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
    model: ModelChoice,
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
    from polysema.core.inside.hooks import points_of
    from polysema.core.inside.lens import LensView, place_among

    chosen_layers = parse_layers(layers)
    handle, how = model.open(), AttentionOptions(model.target, stack or "")
    loaded = handle.internals.on_torch(how.stack)
    chosen = points_of(loaded) if points == "all" else [point.strip() for point in points.split(",")]
    whole = handle.lens(text, chosen_layers, words, LensView(tuple(chosen), k, kind, parse_place(at)), how)
    tell_windows(loaded, whole.windows)
    place = place_among(loaded, whole, parse_place(at))
    found = whole.at_token(place)
    tell_forms(*found.targets)
    show(form, _lens_rows(found), found, ["", _lens_note(found, place)])


def _lens_rows(found: LensAnswer) -> list[Row]:
    """A row for each layer and point of the lens at one token."""
    from polysema.core.inside.lens import STATIC

    score = "cosine" if found.kind == STATIC else "probability"
    rows: list[Row] = []
    for step, (layer, point) in enumerate(found.steps):
        best = [
            (found.names[int(number)], float(value))
            for number, value in zip(found.best[step, 0], found.scores[step, 0], strict=True)
        ]
        row: Row = {"layer": layer, "point": point}
        row |= {"best": "  ".join(f"{name!r} {value:.3f}" for name, value in best)}
        if found.kind != STATIC:
            row |= {"entropy": round(float(found.entropy[step, 0]), 4)}
        for number, word in enumerate(found.targets):
            row |= {
                f"rank of {word.word}": int(found.ranks[step, 0, number]),
                f"{score} of {word.word}": round(float(found.followed[step, 0, number]), 6),
            }
        rows.append(row)
    return rows


def _lens_note(found: LensAnswer, place: int) -> str:
    from polysema.core.inside.lens import STATIC

    score = "cosine" if found.kind == STATIC else "probability"
    return f"{found.kind}, {score} of each token, at {found.tokens[0].name!r} (token {place})"


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
    model: ModelChoice,
    stack: str | None,
    k: int,
    form: str,
) -> None:
    """Print what each head, each MLP, the embedding and each bias adds to the logit of WORD after TEXT.

    The parts add up to the logit, with the scale of the norms frozen. The table has the k largest; JSON and CSV all.
    """
    if k < 1:
        raise UserError(f"k starts at 1; got {k}")
    how = AttentionOptions(model.target, stack or "")
    found = model.open().attribution(text, word, against, parse_place(at), how)
    tell_forms(found.target, found.against)
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
