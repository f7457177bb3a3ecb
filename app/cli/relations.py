"""The commands that are called like verbs of gensim's KeyedVectors: distances, mean-vector and others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import Row, format_option, show, tell_notes
from polysema.app.cli.space_options import SpaceView, policy_options, view_options
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.core.space.lookup import Policy


@click.command(cls=WordCommand, short_help="Print the cosine distances of WORD to OTHERS.")
@click.argument("word")
@click.argument("others", nargs=-1)
@view_options
@policy_options
@format_option
def distances(word: str, others: tuple[str, ...], view: SpaceView, policy: Policy, form: str) -> None:
    """Print the cosine distance (1 less the cosine) of WORD to OTHERS, or to every word of the space."""
    opened = view.open()
    answer = opened.relations.distances(word, others, policy)
    tell_notes(answer.origin, opened.origin)
    show(form, [{"word": name, "distance": round(value, 6)} for name, value in answer.words], answer)


@click.command(cls=WordCommand, short_help="Print which of OTHERS is most similar to WORD.")
@click.argument("word")
@click.argument("others", nargs=-1, required=True)
@view_options
@policy_options
@format_option
def most_similar_to_given(word: str, others: tuple[str, ...], view: SpaceView, policy: Policy, form: str) -> None:
    """Print OTHERS by their cosine with WORD, the most similar one first."""
    opened = view.open()
    answer = opened.relations.most_similar_to_given(word, others, policy)
    tell_notes(answer.origin, opened.origin)
    rows = [
        {"rank": rank, "word": name, "cosine": round(value, 6)} for rank, (name, value) in enumerate(answer.words, 1)
    ]
    show(form, rows, answer, [f"{answer.best} is the most similar to {answer.word}"])


@click.command(cls=WordCommand, short_help="Cosine of two words over those of the first one's k.")
@click.argument("first")
@click.argument("second")
@click.option("-k", "k", type=int, default=10, show_default=True, help="How many neighbors of FIRST.")
@view_options
@policy_options
@format_option
def relative_cosine_similarity(first: str, second: str, k: int, view: SpaceView, policy: Policy, form: str) -> None:
    """Print the cosine of FIRST and SECOND over the sum of the cosines of FIRST's k nearest.

    Above 1/k the two are more similar than any pair, as synonyms are (Leeuwenberg et al. 2016).
    """
    opened = view.open()
    answer = opened.relations.relative_cosine_similarity(first, second, k, policy)
    tell_notes(answer.origin, opened.origin)
    row: Row = {"first": answer.first, "second": answer.second}
    row |= {"relative": round(answer.relative, 6), "cosine": round(answer.cosine, 6), "k": answer.k}
    show(form, [row], answer)


@click.command(cls=WordCommand, short_help="Word Mover's Distance of two texts.")
@click.argument("first")
@click.argument("second")
@view_options
@policy_options
@format_option
def word_movers_distance(first: str, second: str, view: SpaceView, policy: Policy, form: str) -> None:
    """Print the least mean distance that the words of the text FIRST move to become those of SECOND.

    Words that aren't in the space are left out (Kusner et al. 2015).
    """
    from dataclasses import replace

    from polysema.core.space.lookup import UnknownPolicy

    opened = view.open()
    sides = [re.findall(r"\w[\w'’-]*", text) for text in (first, second)]
    skipping = replace(policy, unknown=UnknownPolicy.SKIP)
    answer = opened.relations.word_movers_distance(sides[0], sides[1], skipping)
    tell_notes(answer.origin, opened.origin)
    row: Row = {
        "first": " ".join(answer.first),
        "second": " ".join(answer.second),
        "distance": round(answer.distance, 6),
    }
    notes = [f"not in the space, so left out: {', '.join(answer.left_out)}"] if answer.left_out else []
    show(form, [row], answer, notes)


@click.command(cls=WordCommand, short_help="The weighted mean vector of WORDS.")
@click.argument("words", nargs=-1, required=True)
@click.option("--weights", metavar="NUMBERS", help="One for each word, with commas between.  [default: 1]")
@click.option("--keep-lengths", is_flag=True, help="Don't scale each vector to length 1 before.")
@view_options
@policy_options
@format_option
def mean_vector(
    words: tuple[str, ...], weights: str | None, keep_lengths: bool, view: SpaceView, policy: Policy, form: str
) -> None:
    """Print the weighted mean of the vectors of WORDS; those that aren't there are left out."""
    from dataclasses import replace

    from polysema.core.space.lookup import UnknownPolicy

    try:
        numbers = [float(part) for part in weights.split(",")] if weights else []
    except ValueError:
        raise UserError(f"weights are numbers with commas between, such as 2,1; got {weights!r}") from None
    opened = view.open()
    skipping = replace(policy, unknown=UnknownPolicy.SKIP)
    answer = opened.relations.mean_vector(words, numbers, not keep_lengths, skipping)
    tell_notes(answer.origin, opened.origin)
    rows = [{"dimension": place, "value": float(value)} for place, value in enumerate(answer.vector)]
    notes = [f"not in the space, so left out: {', '.join(answer.left_out)}"] if answer.left_out else []
    show(form, rows, answer, notes)


COMMANDS = (distances, most_similar_to_given, relative_cosine_similarity, word_movers_distance, mean_vector)
