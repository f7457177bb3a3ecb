"""The commands about static vectors: neighbors, analogies, relations of words, files, and their measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from polysema.app.cli.output import (
    Row,
    format_option,
    k_option,
    neighbor_table,
    progress_bar,
    show,
    space_option,
    tell_notes,
    write_report,
)
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer import WordSpace
    from polysema.core.space.lookup import Policy

METHODS = ("3cosadd", "3cosmul", "pairdirection", "3cosavg", "lrcos", "only-b", "ignore-a")
Command = Callable[..., None]


def view_options(command: Command) -> Command:
    """The options that choose a space, and how it is seen."""
    for option in (
        click.option(
            "--without",
            "removed",
            multiple=True,
            metavar="AXIS",
            help='Take a direction out of every vector, such as "man -> woman"; may be given several times.',
        ),
        click.option(
            "--transform",
            default="raw",
            show_default=True,
            help="raw, centered, all-but-the-top (or all-but-the-top:3) or whitened.",
        ),
        space_option,
    ):
        command = option(command)
    return command


def policy_options(command: Command) -> Command:
    """The options that say what a word stands for."""
    for option in (
        click.option("--unknown", default="refuse", show_default=True, help="Words that aren't there: refuse or skip."),
        click.option("--phrases", default="join", show_default=True, help="Phrases: exact, join (new_york) or mean."),
        click.option(
            "--case",
            default="fallback",
            show_default=True,
            help="Spelling: exact, lower, fallback (as written, else in lower case) or ignore.",
        ),
    ):
        command = option(command)
    return command


def _open(space: str, transform: str, removed: tuple[str, ...]) -> WordSpace:
    from polysema.app.explorer import Explorer

    with progress_bar() as progress:
        opened = Explorer().space(space, progress)
    tell_notes(opened.origin)
    return opened.view(transform, removed)


def _policy(case: str, phrases: str, unknown: str) -> Policy:
    from polysema.core.space.lookup import Policy

    return Policy.of(case, phrases, unknown)


restrict_option = click.option(
    "--restrict-vocab",
    type=int,
    metavar="N",
    help="Only the first N words of the space (in files the most frequent ones) are answers.",
)


def _search_note(search: str, recall: float | None) -> str:
    return f"({search}; recall@10 expected: {'not measured' if recall is None else f'{recall:.3f}'})"


def search_options(command: Command) -> Command:
    """The options that say what may be an answer, and by which index it is looked for."""
    for option in (
        restrict_option,
        click.option(
            "--recall", type=float, help="The recall@10 that the index must have been measured to reach, such as 0.95."
        ),
        click.option(
            "--index",
            default="",
            metavar="KIND",
            help="Look by an index made for it: flat, hnsw, hnsw-sq8, ivf, ivf-sq8, ivf-pq, pq-fastscan or auto, with parameters as in hnsw:M=16.  [default: exactly]",
        ),
        click.option(
            "--where",
            default="",
            metavar="FILTER",
            help="Only rows that pass, such as \"layer >= 6 and not word in ('bank', 'shore')\".",
        ),
    ):
        command = option(command)
    return command


@click.command(cls=WordCommand, short_help="Print the words nearest to WORD by cosine.")
@click.argument("word")
@view_options
@policy_options
@search_options
@k_option
@format_option
def neighbors(
    word: str,
    space: str,
    transform: str,
    removed: tuple[str, ...],
    case: str,
    phrases: str,
    unknown: str,
    where: str,
    index: str,
    recall: float | None,
    restrict_vocab: int | None,
    k: int,
    form: str,
) -> None:
    """Print the words nearest to WORD by cosine."""
    from polysema.app.explorer import SearchOptions

    opened = _open(space, transform, removed)
    answer = opened.neighbors(
        word, k, _policy(case, phrases, unknown), SearchOptions(where, index, recall, restrict_vocab)
    )
    tell_notes(answer.origin, opened.origin)
    rows = neighbor_table(answer.neighbors)
    notes = [f"({answer.query} was looked up as {answer.word}: {answer.how})"] if answer.how != "as written" else []
    if index or recall is not None:
        notes.append(_search_note(answer.search, answer.recall))
    if len(rows) < k:
        more = "no more rows pass" if where else "there are no more"
        notes.append(f"({len(rows)} of the {k} requested: {more})")
    show(form, rows, answer, notes)


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
    where: str,
    index: str,
    recall: float | None,
    restrict_vocab: int | None,
    space: str,
    transform: str,
    removed: tuple[str, ...],
    case: str,
    phrases: str,
    unknown: str,
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

    if not 0 < epsilon <= 1:
        raise UserError(f"epsilon is above 0 and at most 1; got {epsilon}")
    opened = _open(space, transform, removed)
    options = AnalogyOptions(
        tuple(parse_pair(text) for text in pairs),
        _policy(case, phrases, unknown),
        evidence,
        epsilon,
        restrict_vocab,
        where,
        index,
        recall,
    )
    answer = opened.analogy(expression, k, method, options)
    tell_notes(answer.origin, opened.origin)
    rows = neighbor_table(answer.neighbors, answer.score_name)
    stood = ", ".join(
        f"{i.word} #{i.rank:,} ({i.score:.3f})" if i.rank else f"{i.word} ({i.score:.3f})" for i in answer.inputs
    )
    notes = [_search_note(answer.search, answer.recall)] if index or recall is not None else []
    notes.append(f"left out{', and where they would have stood' if evidence else ''}: {stood}")
    notes += [f"{i.word}: {i.how}" for i in answer.inputs if i.how != "as written"]
    if answer.pairs_left_out:
        notes.append(f"pairs left out (a word isn't there): {', '.join(answer.pairs_left_out)}")
    if answer.evidence is not None:
        notes.append("nothing left out: " + ", ".join(f"{n.key} {n.score:.3f}" for n in answer.evidence.with_inputs))
        notes += [
            f"{m.method}: " + ", ".join(f"{n.key} {n.score:.3f}" for n in m.neighbors) for m in answer.evidence.beside
        ]
    show(form, rows, answer, notes, VECTOR_FIELDS)


@click.command(cls=WordCommand, short_help="Print the cosine of two words or two lists of words.")
@click.argument("first")
@click.argument("second")
@view_options
@policy_options
@format_option
def similarity(
    first: str,
    second: str,
    space: str,
    transform: str,
    removed: tuple[str, ...],
    case: str,
    phrases: str,
    unknown: str,
    form: str,
) -> None:
    """Print the cosine of two words, or of the means of two lists of words (with commas between).

    Of two words, the rank of SECOND among the neighbors of FIRST is printed as well.
    """
    opened = _open(space, transform, removed)
    sides = [[word.strip() for word in side.split(",") if word.strip()] for side in (first, second)]
    answer = opened.similarity(sides[0], sides[1], _policy(case, phrases, unknown))
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
    where: str,
    index: str,
    recall: float | None,
    restrict_vocab: int | None,
    space: str,
    transform: str,
    removed: tuple[str, ...],
    case: str,
    phrases: str,
    unknown: str,
    form: str,
) -> None:
    """Print every word that is nearer to WORD than OTHER is."""
    from polysema.app.explorer import SearchOptions

    opened = _open(space, transform, removed)
    answer = opened.closer_than(
        word, other, _policy(case, phrases, unknown), SearchOptions(where, index, recall, restrict_vocab)
    )
    tell_notes(answer.origin, opened.origin)
    rows = [{"rank": n, "word": w, "cosine": round(score, 6)} for n, (w, score) in enumerate(answer.words, 1)]
    notes = [f"{len(rows):,} words are nearer to {answer.word} than {answer.other} ({answer.limit:.3f})"]
    show(form, rows, answer, notes + ([f"({answer.search})"] if index else []))


@click.command(cls=WordCommand, name="odd-one-out", short_help="Print which of WORDS does not match the others.")
@click.argument("words", nargs=-1, required=True)
@view_options
@policy_options
@format_option
def odd_one_out(
    words: tuple[str, ...],
    space: str,
    transform: str,
    removed: tuple[str, ...],
    case: str,
    phrases: str,
    unknown: str,
    form: str,
) -> None:
    """Print which of WORDS doesn't match the others: its cosine with the mean of all is the lowest."""
    opened = _open(space, transform, removed)
    answer = opened.odd_one_out(words, _policy(case, phrases, unknown))
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
    space: str,
    transform: str,
    removed: tuple[str, ...],
    case: str,
    phrases: str,
    unknown: str,
    form: str,
) -> None:
    """Print where WORDS stand on named axes: the cosine of each word with each axis."""
    opened = _open(space, transform, removed)
    answer = opened.project(words, axes, _policy(case, phrases, unknown))
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
    where: str,
    index: str,
    recall: float | None,
    restrict_vocab: int | None,
    space: str,
    transform: str,
    removed: tuple[str, ...],
    form: str,
) -> None:
    """Print the neighbors met on the way when WORD moves along AXIS, such as "poor -> rich"."""
    from polysema.app.explorer import SearchOptions

    opened = _open(space, transform, removed)
    answer = opened.travel(word, axis, steps, reach, k, SearchOptions(where, index, recall, restrict_vocab))
    tell_notes(answer.origin, opened.origin)
    rows = [
        {
            "at": round(s.at, 4),
            "cosine to the word": round(s.cosine, 6),
            "neighbors": ", ".join(f"{n.key} {n.score:.3f}" for n in s.neighbors),
        }
        for s in answer.steps
    ]
    show(form, rows, answer, [_search_note(answer.search, answer.recall)] if index or recall is not None else [])


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
    space: str,
    transform: str,
    removed: tuple[str, ...],
    case: str,
    phrases: str,
    unknown: str,
    form: str,
) -> None:
    """Print how much more the words FIRST than the words SECOND lean to some words rather than to others (WEAT).

    Each list is words with commas between. A word's lean is its mean cosine with the words of --toward less that with
    those of --away (Caliskan et al. 2017).
    """
    opened = _open(space, transform, removed)
    a, b, near, far = (
        [word.strip() for word in side.split(",") if word.strip()] for side in (first, second, toward, away)
    )
    answer = opened.association(a, b, near, far, _policy(case, phrases, unknown))
    tell_notes(answer.origin, opened.origin)
    rows: list[Row] = [
        {"list": name, "words": len(leans), "mean lean": round(float(leans.mean()), 6)}
        for name, leans in (("first", answer.first), ("second", answer.second))
    ]
    note = f"effect {answer.effect:.3f} standard deviations; p {answer.p:.4f} of {answer.n_partitions:,} partitions"
    show(form, rows, answer, [note])


@click.command(short_help="Write the vectors of SPACE to FILE in another layout.")
@click.argument("space")
@click.argument("file", type=click.Path())
@click.option(
    "--to",
    "layout",
    help="word2vec-text, word2vec-binary, npy, safetensors, parquet or tensorboard.  [default: by the ending]",
)
@click.option("--transform", default="raw", show_default=True, help="raw, centered, all-but-the-top or whitened.")
@click.option("--replace", is_flag=True, help="Replace a file that is there already.")
def convert(space: str, file: str, layout: str | None, transform: str, replace: bool) -> None:
    """Write the vectors of SPACE to FILE, in the layout of its ending or of --to."""
    from polysema.core.files.formats import write_vectors

    current = _open(space, transform, ())
    paths = write_vectors(current.space, file, layout, replace)
    click.echo(f"{len(current):,} vectors, {current.dim} dimensions, in {' and '.join(map(str, paths))}")


# Measures

vocabulary_option = click.option(
    "--vocabulary",
    type=click.IntRange(0),
    default=300_000,
    show_default=True,
    help="Only the first so many words of the space; 0 for all.",
)
report_options = (
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json", "csv", "parquet"]),
        default="table",
        show_default=True,
        help="How to report; parquet goes to a file.",
    ),
    click.option("--output", "-o", type=click.Path(), help="The file to write the report to."),
)


def report(command: Command) -> Command:
    """The options of a report."""
    for option in report_options:
        command = option(command)
    return command


def _report(form: str, output: str | None, rows: list[Row], whole: Any, notes: list[str]) -> None:
    if output is not None:
        write_report(output, form, rows, whole)
        click.echo(f"{len(rows):,} rows in {output}", err=True)
    elif form == "parquet":
        raise UserError("a Parquet report goes to a file: give it with --output")
    else:
        show(form, rows, whole, notes)


def _share(value: float) -> float | None:
    return None if value != value else round(100 * value, 2)


@click.command(short_help="Accuracy on analogy questions (Google, BATS).")
@click.argument("questions", type=click.Path())
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("3cosadd",),
    show_default=True,
    help=f"One of {', '.join(METHODS)}; may be given several times.",
)
@vocabulary_option
@click.option("--keep-case", is_flag=True, help="Don't put the questions in lower case.")
@click.option("--keep-inputs", is_flag=True, help="Don't leave the words of a question out of its answers.")
@click.option("--epsilon", type=float, default=1e-6, show_default=True, help="What 3CosMul adds to what it divides by.")
@view_options
@report
def analogies(
    questions: str,
    methods: tuple[str, ...],
    vocabulary: int,
    keep_case: bool,
    keep_inputs: bool,
    epsilon: float,
    space: str,
    transform: str,
    removed: tuple[str, ...],
    form: str,
    output: str | None,
) -> None:
    """Print how many of QUESTIONS a space answers: a file like questions-words.txt (Google), or a folder of BATS.

    A question with a word that isn't in the vocabulary is dropped. 3cosavg and lrcos ask about each pair once, and
    learn from the other pairs of its category.
    """
    from polysema.core.measure.analogies import Protocol, measure_analogies, read_analogies
    from polysema.core.space.analogy import check_method

    if not 0 < epsilon <= 1:
        raise UserError(f"epsilon is above 0 and at most 1; got {epsilon}")
    methods = tuple(dict.fromkeys(check_method(method) for method in methods))
    categories = read_analogies(questions)
    opened = _open(space, transform, removed)
    scores = []
    with progress_bar() as progress:
        for method in methods:
            protocol = Protocol(method, vocabulary or None, not keep_case, not keep_inputs, epsilon)
            scores += measure_analogies(opened.space, categories, protocol, progress)
    rows: list[Row] = [
        {
            "category": s.category,
            "method": s.method,
            "questions": s.questions,
            "evaluated": s.evaluated,
            "correct": s.correct,
            "accuracy": _share(s.accuracy),
        }
        for s in scores
    ]
    words = min(vocabulary or len(opened), len(opened))
    message = (
        f"{opened.origin.card()}; the first {words:,} of {len(opened):,} words; questions "
        f"{'as written' if keep_case else 'in lower case'}; words of a question "
        f"{'kept in' if keep_inputs else 'left out of'} "
        f"its answers; questions with an unknown word dropped; accuracy in per cent"
        + (f"; epsilon {epsilon:g}" if "3cosmul" in methods else "")
    )
    _report(form, output, rows, {"protocol": message, "origin": opened.origin.to_json(), "rows": rows}, ["", message])


@click.command(name="similarity", short_help="Correlation with human ratings (SimLex, WordSim).")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@vocabulary_option
@click.option("--keep-case", is_flag=True, help="Don't put the words in lower case.")
@view_options
@report
def measure_similarity(
    files: tuple[str, ...],
    vocabulary: int,
    keep_case: bool,
    space: str,
    transform: str,
    removed: tuple[str, ...],
    form: str,
    output: str | None,
) -> None:
    """Print how well cosines agree with people's ratings: FILES like SimLex-999's or WordSim-353's, tab-separated."""
    from pathlib import Path

    from polysema.core.measure import similarity as module

    sets = [(Path(file).name, module.read_pairs(file)) for file in files]
    opened = _open(space, transform, removed)
    results = [
        module.measure_similarity(opened.space, pairs, name, not keep_case, vocabulary or None) for name, pairs in sets
    ]
    rows: list[Row] = [
        {
            "set": r.name,
            "pairs": r.pairs,
            "used": r.used,
            "spearman": _share(r.spearman),
            "pearson": _share(r.pearson),
            "missing words": len(r.missing),
        }
        for r in results
    ]
    message = (
        f"{opened.origin.card()}; the first {min(vocabulary or len(opened), len(opened)):,} of {len(opened):,} "
        f"words; words {'as written' if keep_case else 'in lower case'}; pairs with an unknown word dropped; "
        "correlations x 100"
    )
    missing = [f"{r.name}: not in the space: {', '.join(r.missing)}" for r in results if r.missing]
    whole = {
        "protocol": message,
        "origin": opened.origin.to_json(),
        "rows": rows,
        "missing": {r.name: r.missing for r in results},
    }
    _report(form, output, rows, whole, ["", message, *missing])


def add_to(cli: click.Group, measure: click.Group) -> None:
    """Add these commands to the command line and to its group of measures."""
    for command in (neighbors, analogy, similarity, closer, odd_one_out, project, association, travel, convert):
        cli.add_command(command)
    for command in (analogies, measure_similarity):
        measure.add_command(command)
