"""`polysema inside head`, `head-statistics` and `surprisal`: how a head works, what heads do, how a text surprises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from polysema.app.cli.inside.options import (
    DEFAULT_DECODER,
    ModelChoice,
    cross_option,
    model_options,
    stack_option,
    tell_windows,
)
from polysema.app.cli.model_options import parse_layers
from polysema.app.cli.output import Row, format_option, k_option, progress_bar, show
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError
from polysema.core.inside.head_names import head_name, parse_head, zero_based_head

if TYPE_CHECKING:
    from polysema.core.inside.head_computation import HeadComputation


@click.command(cls=WordCommand, short_help="One head step by step: queries, keys, scores, softmax, values.")
@click.argument("text")
@click.argument("head")
@model_options(DEFAULT_DECODER)
@stack_option
@cross_option
@click.option("--row", type=int, default=-1, show_default=True, help="Whose row is printed: a token's number from 0.")
@format_option
def head(
    text: str,
    head: str,
    model: ModelChoice,
    stack: str | None,
    cross: bool,
    row: int,
    form: str,
) -> None:
    """Print what HEAD does at one token of TEXT, step by step; JSON has every token and every vector.

    Query times key, the scale, relative positions, the mask, softmax, and how long a value that weight brings.
    """
    layer, number = parse_head(head)
    found = model.open().circuits.head_computation(text, layer, number, cross, stack or "", model.target)
    if not -len(found.rows) <= row < len(found.rows):
        raise UserError(f"the text has the tokens 0 to {len(found.rows) - 1}; got {row}")
    notes = [
        "",
        f"head {head_name(found.layer, found.head)} at {found.rows[row].name.strip()!r}: reads key head "
        f"{found.key_head}; scale {found.scale:.4g}; positions {found.positions}",
        f"it writes a vector of length {float((found.written[row] ** 2).sum() ** 0.5):.4g}; these weights and the "
        f"model's own differ by at most {found.difference:.1g}",
    ]
    show(form, _steps(found, row), found, notes)


def _steps(found: HeadComputation, row: int) -> list[Row]:
    lengths = (found.value**2).sum(axis=1) ** 0.5
    return [
        {
            "token": f"{place}:{unit.name.strip()}",
            "query*key": float(found.dot_products[row, place]),
            "scaled": float(found.dot_products[row, place] * found.scale),
            "position": float(found.bias[row, place]),
            "score": float(found.scores[row, place]),
            "weight": float(found.weights[row, place]),
            "value length": float(lengths[place]),
            "brings": float(found.weights[row, place] * lengths[place]),
        }
        for place, unit in enumerate(found.columns)
    ]


@click.command(
    name="head-statistics", cls=WordCommand, short_help="Rank heads: previous token, duplicate token, induction."
)
@click.argument("texts", nargs=-1)
@click.option("--file", "files", multiple=True, type=click.Path(), help="Files of texts, read as `export` reads them.")
@click.option("--random", type=int, default=0, help="Instead of texts: so many random sequences, each repeated once.")
@click.option("--by", default="induction", show_default=True, help="previous-token, duplicate-token or induction.")
@click.option("--layers", help="Which layers, such as 1,6 or all.  [default: all]")
@model_options(DEFAULT_DECODER)
@stack_option
@k_option
@format_option
def head_statistics(
    texts: tuple[str, ...],
    files: tuple[str, ...],
    random: int,
    by: str,
    layers: str | None,
    model: ModelChoice,
    stack: str | None,
    k: int,
    form: str,
) -> None:
    """Print the heads that attend to the token before, to the same token earlier, or to what followed that.

    The scores of Olsson et al. (2022), the mean over all tokens of TEXTS (or files, which are streamed). Ordinary text
    repeats itself for many reasons: --random sequences repeat for one.
    """
    if k < 1:
        raise UserError(f"k starts at 1; got {k}")
    if bool(texts) + bool(files) + bool(random) != 1:
        raise UserError("give texts, or files of them (--file), or a number of random sequences (--random)")
    if model.target is not None:
        raise UserError("head statistics read texts alone: there is no target to give")
    read: Iterable[str] = texts
    if files:
        from polysema.core.corpus import open_corpus

        corpus = open_corpus(files)
        for note in corpus.notes:
            click.echo(f"note: {note}", err=True)
        read = corpus
    chosen = None if layers is None else parse_layers(layers)
    circuits = model.open().circuits
    with progress_bar(hidden=form != "table") as progress:
        found = circuits.head_statistics(read, by, chosen, random, stack or "", progress)
    rows: list[Row] = [
        {
            "rank": rank,
            "head": f"{one.layer}.{one.head}",
            "name": zero_based_head(one.layer, one.head),
            "previous token": one.previous_token,
            "duplicate token": one.duplicate_token,
            "induction": one.induction,
        }
        for rank, one in enumerate(found.heads[:k], 1)
    ]
    chance = "; ".join(f"{one.name} {one.chance:.3f} ({one.n_places:,} tokens)" for one in found.baselines)
    notes = ["", f"{found.n_texts:,} texts, {found.n_tokens:,} tokens; a head that attends to all alike: {chance}"]
    show(form, rows, replace(found, heads=found.heads[:k]), notes)


@click.command(cls=WordCommand, short_help="Log-probability and surprisal of each token of a text.")
@click.argument("text")
@model_options(DEFAULT_DECODER)
@click.option("--method", default="auto", show_default=True, help="Of a masked encoder: masked or masked-within-word.")
@click.option("--unit", default="tokens", show_default=True, help="tokens, or words, whose tokens add up.")
@format_option
def surprisal(
    text: str,
    model: ModelChoice,
    method: str,
    unit: str,
    form: str,
) -> None:
    """Print how probable the model finds each token of TEXT (of an encoder-decoder: of --target) where it stands.

    A decoder predicts the next token; a masked encoder each token in turn, with all others in sight (Salazar et
    al. 2020), or with the rest of its word hidden as well (masked-within-word, Kauf and Ivanova 2023).
    """
    handle = model.open()
    with progress_bar(hidden=form != "table") as progress:
        found = handle.circuits.surprisal(text, method, unit, model.target, progress)
    tell_windows(handle.internals.on_torch(), found.windows)
    rows: list[Row] = [
        {
            found.unit[:-1]: one.name.strip() or repr(one.name),
            "log probability": one.log_probability,
            "surprisal (bits)": one.surprisal,
            "rank": one.rank or "-",
            "expected": f"{one.best!r} {one.best_probability:.3f}" if one.best else "-",
            "entropy (bits)": one.entropy,
        }
        for one in found.tokens
    ]
    notes = [
        "",
        f"{found.method}: {found.bits_per_token:.3f} bits a token, {'pseudo-' * found.method.startswith('masked')}"
        f"perplexity {found.perplexity:.2f}, log-probability {found.log_probability:.3f} of {found.n_scored} tokens",
    ]
    show(form, rows, found, notes)
