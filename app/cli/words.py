"""The commands about words of a space: neighbors, similarity, relations, axes, association."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import (
    Row,
    format_option,
    k_option,
    neighbor_table,
    show,
    tell_notes,
)
from polysema.app.cli.space_options import SpaceView, policy_options, search_options, view_options
from polysema.app.cli.vector_arguments import parse_vector, read_queries
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer import SearchOptions, WordSpace
    from polysema.core.space.lookup import Policy
    from polysema.core.space.space import Floats


@click.command(cls=WordCommand, short_help="Print the words nearest to WORD by cosine.")
@click.argument("word", required=False)
@click.option("--text", "texts", multiple=True, help="In WORD's place: a text, read by the model that made the space.")
@click.option("--vector", help="In WORD's place: numbers, such as 0.1,-0.3,0.7.")
@click.option("--vectors", type=click.Path(), help="In WORD's place: each vector of an .npy file of shape (n, dim).")
@view_options
@policy_options
@search_options
@k_option
@format_option
def neighbors(
    word: str | None,
    texts: tuple[str, ...],
    vector: str | None,
    vectors: str | None,
    view: SpaceView,
    policy: Policy,
    search: SearchOptions,
    k: int,
    form: str,
) -> None:
    """Print the words nearest to WORD by cosine, or the rows nearest to texts or vectors."""
    if sum((word is not None, bool(texts), vector is not None, vectors is not None)) != 1:
        raise UserError("give one of WORD, --text, --vector and --vectors: what the rows should be near to")
    if word is None:
        queries = list(texts) or (parse_vector(vector) if vector is not None else read_queries(str(vectors)))
        _show_nearest(view.open(), queries, k, search, form)
        return
    opened = view.open()
    answer = opened.neighbors(word, k, policy, search)
    tell_notes(answer.origin, opened.origin)
    rows = neighbor_table(answer.neighbors)
    notes = [f"({answer.query} was looked up as {answer.word}: {answer.how})"] if answer.how != "as written" else []
    if search.index or search.recall is not None:
        notes.append(search_note(answer.search, answer.recall))
    if len(rows) < k:
        more = "no more rows pass" if search.where else "there are no more"
        notes.append(f"({len(rows)} of the {k} requested: {more})")
    show(form, rows, answer, notes)


def _show_nearest(opened: WordSpace, queries: list[str] | Floats, k: int, search: SearchOptions, form: str) -> None:
    """The rows nearest to each of several texts or vectors."""
    answers = opened.nearest(queries, k, search)
    tell_notes(answers.origin, opened.origin)
    rows: list[Row] = []
    for number, one in enumerate(answers, 1):
        first: Row = {"query": one.query or number} if len(answers) > 1 else {}
        rows += [first | row for row in neighbor_table(one.neighbors)]
    used = search.index or search.recall is not None
    show(form, rows, answers, [search_note(answers[0].search, answers[0].recall)] if used and len(answers) else [])


def search_note(search: str, recall: float | None) -> str:
    """How the answer was searched for, and which recall is expected of it."""
    return f"({search}; recall@10 expected: {'not measured' if recall is None else f'{recall:.3f}'})"


@click.command(cls=WordCommand, short_help="Print the cosine of two words or two lists of words.")
@click.argument("first")
@click.argument("second")
@view_options
@policy_options
@format_option
def similarity(
    first: str,
    second: str,
    view: SpaceView,
    policy: Policy,
    form: str,
) -> None:
    """Print the cosine of two words, or of the means of two lists of words (with commas between).

    Of two words, the rank of SECOND among the neighbors of FIRST is printed as well.
    """
    opened = view.open()
    sides = [[word.strip() for word in side.split(",") if word.strip()] for side in (first, second)]
    answer = opened.similarity(sides[0], sides[1], policy)
    tell_notes(answer.origin, opened.origin)
    row: Row = {"first": ", ".join(answer.first), "second": ", ".join(answer.second), "cosine": round(answer.cosine, 6)}
    if answer.rank is not None:
        row["rank"] = answer.rank
    show(form, [row], answer)


@click.command(cls=WordCommand, short_help="Print every word nearer to WORD than OTHER is.")
@click.argument("word")
@click.argument("other")
@search_options
@view_options
@policy_options
@format_option
def closer(
    word: str,
    other: str,
    search: SearchOptions,
    view: SpaceView,
    policy: Policy,
    form: str,
) -> None:
    """Print every word that is nearer to WORD than OTHER is."""
    opened = view.open()
    answer = opened.closer_than(word, other, policy, search)
    tell_notes(answer.origin, opened.origin)
    rows = [{"rank": n, "word": w, "cosine": round(score, 6)} for n, (w, score) in enumerate(answer.words, 1)]
    notes = [f"{len(rows):,} words are nearer to {answer.word} than {answer.other} ({answer.limit:.3f})"]
    show(form, rows, answer, notes + ([f"({answer.search})"] if search.index else []))


@click.command(cls=WordCommand, name="odd-one-out", short_help="Print which of WORDS does not match the others.")
@click.argument("words", nargs=-1, required=True)
@view_options
@policy_options
@format_option
def odd_one_out(
    words: tuple[str, ...],
    view: SpaceView,
    policy: Policy,
    form: str,
) -> None:
    """Print which of WORDS doesn't match the others: its cosine with the mean of all is the lowest."""
    opened = view.open()
    answer = opened.odd_one_out(words, policy)
    tell_notes(answer.origin, opened.origin)
    rows = [{"word": word, "cosine to the mean": round(score, 6)} for word, score in answer.words]
    show(form, rows, answer, [f"{answer.odd} fits the others least"])


@click.command(cls=WordCommand, short_help='Score WORDS on axes, such as "poor -> rich".')
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--axis",
    "axes",
    multiple=True,
    required=True,
    metavar="AXIS",
    help='An axis, such as "poor -> rich"; may be given several times.',
)
@view_options
@policy_options
@format_option
def project(
    words: tuple[str, ...],
    axes: tuple[str, ...],
    view: SpaceView,
    policy: Policy,
    form: str,
) -> None:
    """Print where WORDS stand on named axes: the cosine of each word with each axis."""
    opened = view.open()
    answer = opened.project(words, axes, policy)
    tell_notes(answer.origin, opened.origin)
    rows = [
        {"word": word} | {axis: round(place, 6) for axis, place in zip(answer.axes, places, strict=True)}
        for word, places in answer.words
    ]
    show(form, rows, answer)


@click.command(cls=WordCommand, short_help="Print the neighbors of WORD as it moves along AXIS.")
@click.argument("word")
@click.argument("axis")
@click.option("--steps", type=int, default=8, show_default=True, help="How many equal steps.")
@click.option(
    "--reach",
    type=float,
    default=1.5,
    show_default=True,
    help="How far the last one is, in units of the axis's unit vector.",
)
@click.option("-k", "k", type=int, default=3, show_default=True, help="How many neighbors at each step.")
@search_options
@view_options
@format_option
def travel(
    word: str,
    axis: str,
    steps: int,
    reach: float,
    k: int,
    search: SearchOptions,
    view: SpaceView,
    form: str,
) -> None:
    """Print the neighbors met on the way when WORD moves along AXIS, such as "poor -> rich"."""
    opened = view.open()
    answer = opened.travel(word, axis, steps, reach, k, search)
    tell_notes(answer.origin, opened.origin)
    rows = [
        {
            "at": round(s.at, 4),
            "cosine to the word": round(s.cosine, 6),
            "neighbors": ", ".join(f"{n.key} {n.score:.3f}" for n in s.neighbors),
        }
        for s in answer.steps
    ]
    show(
        form,
        rows,
        answer,
        [search_note(answer.search, answer.recall)] if search.index or search.recall is not None else [],
    )


@click.command(cls=WordCommand, short_help="WEAT: associate two sets of words with attributes.")
@click.argument("first")
@click.argument("second")
@click.option("--toward", required=True, metavar="WORDS", help="The words that FIRST may lean to, with commas between.")
@click.option("--away", required=True, metavar="WORDS", help="The words that SECOND may lean to, with commas between.")
@view_options
@policy_options
@format_option
def association(
    first: str,
    second: str,
    toward: str,
    away: str,
    view: SpaceView,
    policy: Policy,
    form: str,
) -> None:
    """Print how much more the words FIRST than the words SECOND lean to some words rather than to others (WEAT).

    Each list is words with commas between. A word's lean is its mean cosine with the words of --toward less that with
    those of --away (Caliskan et al. 2017).
    """
    opened = view.open()
    a, b, near, far = (
        [word.strip() for word in side.split(",") if word.strip()] for side in (first, second, toward, away)
    )
    answer = opened.association(a, b, near, far, policy)
    tell_notes(answer.origin, opened.origin)
    rows: list[Row] = [
        {"list": name, "words": len(leans), "mean lean": round(float(leans.mean()), 6)}
        for name, leans in (("first", answer.first), ("second", answer.second))
    ]
    note = f"effect {answer.effect:.3f} standard deviations; p {answer.p:.4f} of {answer.n_partitions:,} partitions"
    show(form, rows, answer, [note])


COMMANDS = (neighbors, similarity, closer, odd_one_out, project, travel, association)
