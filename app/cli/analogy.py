"""`polysema analogy`: the best words for a sum of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import (
    format_option,
    k_option,
    neighbor_table,
    show,
    tell_notes,
)
from polysema.app.cli.space_options import METHODS, SpaceView, policy_options, search_options, view_options
from polysema.app.cli.word_command import WordCommand
from polysema.app.cli.words import search_note

if TYPE_CHECKING:
    from polysema.app.explorer import SearchOptions
    from polysema.app.explorer.results import AnalogyAnswer
    from polysema.core.space.lookup import Policy


@click.command(cls=WordCommand, short_help='Solve an analogy, such as "queen - king + man".')
@click.argument("expression")
@click.option("--method", default="3cosadd", show_default=True, help=f"One of {', '.join(METHODS)}.")
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    metavar="A:B",
    help="An example pair for 3cosavg and lrcos, such as man:woman; give several.",
)
@click.option(
    "--epsilon",
    type=float,
    default=1e-6,
    show_default=True,
    help="What 3CosMul adds to what it divides by (its paper: 0.001).",
)
@click.option("--evidence/--no-evidence", default=True, help="Print what other methods and the baselines answer.")
@search_options
@view_options
@policy_options
@k_option
@format_option
def analogy(
    expression: str,
    method: str,
    pairs: tuple[str, ...],
    epsilon: float,
    evidence: bool,
    search: SearchOptions,
    view: SpaceView,
    policy: Policy,
    k: int,
    form: str,
) -> None:
    """Print the best words for a sum of words, such as "queen - king + man".

    The words of the sum are left out; the last lines say where they would have stood, what the best would have been
    with them, and what other methods and the baselines answer. A term may be an occurrence: bank in "the river bank"
    @6, in a space such as minilm-l6@6.
    """
    from polysema.app.explorer import AnalogyOptions
    from polysema.app.explorer.options import parse_pair
    from polysema.app.explorer.results.words import VECTOR_FIELDS

    options = AnalogyOptions(
        tuple(parse_pair(text) for text in pairs),
        policy,
        evidence,
        epsilon,
        search.restrict_vocab,
        search.where,
        search.index,
        search.recall,
    )
    opened = view.open()
    answer = opened.analogy(expression, k, method, options)
    notes = _notes(answer, evidence, search.index != "" or search.recall is not None)
    rows = neighbor_table(answer.neighbors, answer.score_name)
    tell_notes(answer.origin, opened.space.origin)
    show(form, rows, answer, notes, VECTOR_FIELDS)


def _notes(answer: AnalogyAnswer, evidence: bool, searched: bool) -> list[str]:
    """What is printed below the answers; with `searched` how they were looked for."""
    stood = ", ".join(
        f"{i.word} #{i.rank:,} ({i.score:.3f})" if i.rank else f"{i.word} ({i.score:.3f})" for i in answer.inputs
    )
    notes = [search_note(answer.search, answer.recall)] if searched else []
    notes.append(f"left out{', and where they would have stood' if evidence else ''}: {stood}")
    notes += [f"{i.word}: {i.how}" for i in answer.inputs if i.how != "as written"]
    if answer.pairs_left_out:
        notes.append(f"pairs left out (a word isn't there): {', '.join(answer.pairs_left_out)}")
    if answer.evidence is not None:
        notes.append("nothing left out: " + ", ".join(f"{n.key} {n.score:.3f}" for n in answer.evidence.with_inputs))
        notes += [
            f"{m.method}: " + ", ".join(f"{n.key} {n.score:.3f}" for n in m.neighbors) for m in answer.evidence.beside
        ]
    return notes
