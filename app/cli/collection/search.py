"""`polysema collection search`: the rows nearest to a row, a vector or a text."""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

import click

from polysema.app.cli.collection.options import folder_argument, open_collection, space_option, where_option
from polysema.app.cli.output import Row, format_option, show
from polysema.app.cli.vector_arguments import parse_vector, read_queries
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.results.collection import SearchAnswer
    from polysema.core.space.space import Floats
    from polysema.indexes.engines.protocol import VectorCollection


@click.command(short_help="Print the rows nearest to a row, vector or text.")
@folder_argument
@click.option("--id", "ids", multiple=True, help="The rows like this one; may be given several times.")
@click.option("--vector", help="The rows nearest to these numbers, such as 0.1,-0.3,0.7.")
@click.option("--vectors", type=click.Path(), help="The rows nearest to each vector of an .npy file of shape (n, dim).")
@click.option(
    "--text", help="The rows nearest to this text, or to --word in it, read by the model that made the space."
)
@click.option("--word", help="With --text: this word in it.")
@click.option("-k", "k", type=int, default=10, show_default=True, help="How many to print; all where there are fewer.")
@space_option
@where_option
@click.option("--recall", type=float, help="The least share of the true nearest that is wanted, such as 0.95.")
@click.option("--exact", is_flag=True, help="Compare every row.")
@click.option("--columns", help="Print these columns only, such as word,text_id.  [default: all]")
@format_option
def search(
    folder: str,
    ids: tuple[str, ...],
    vector: str | None,
    vectors: str | None,
    text: str | None,
    word: str | None,
    k: int,
    space: str | None,
    where: str | None,
    recall: float | None,
    exact: bool,
    columns: str | None,
    form: str,
) -> None:
    """Print the nearest rows of the collection in FOLDER to a row, a vector, or a text."""
    given = [bool(ids), vector is not None, vectors is not None, text is not None]
    if sum(given) != 1:
        raise UserError("give one of --id, --vector, --vectors and --text: what the rows should be near to")
    from polysema.app.explorer.collection_answers import search_answer

    collection = open_collection(folder)
    if ids:
        queries, more = collection.get(ids, space).vectors, 1
    elif text is not None:
        queries, more = _embedded(collection, space, text, word), 0
    else:
        queries, more = (parse_vector(vector) if vector is not None else read_queries(str(vectors))), 0
    # a row is its own nearest neighbor: one more is requested
    matches = collection.search(queries, k + more if k > 0 else k, where, space=space, recall=recall, exact=exact)
    names = [name.strip() for name in columns.split(",")] if columns is not None else None
    answer = search_answer(matches, names)
    if ids:
        answer = replace(answer, answers=tuple(map(_others, answer.answers, ids, repeat(k))))
    rows = _rows(answer, ids)
    found = (
        "exact"
        if matches.recall == 1
        else "recall unknown"
        if matches.recall is None
        else f"recall@10 {matches.recall:.3f} expected"
    )
    note = f"{len(collection):,} rows, version {matches.version}, {found}"
    if not rows:
        why = "no row passes" if where is not None and len(collection) else "nothing is there to find"
        if form == "table":
            click.echo(f"{why} ({note})")
            return
    show(form, rows, answer, ["", note])


def _others(found: tuple[Row, ...], own: str, k: int) -> tuple[Row, ...]:
    """The first k of what was found that are not the row itself, ranked anew."""
    others = [row for row in found if row["id"] != own][:k]
    return tuple(row | {"rank": rank} for rank, row in enumerate(others, 1))


def _rows(answer: SearchAnswer, ids: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for query, found in enumerate(answer.answers):
        shown = {"query": ids[query] if ids else query + 1} if len(answer.answers) > 1 else {}
        for row in found:
            first = {"rank": row["rank"], "id": row["id"], "score": round(row["score"], 6)}
            rows.append({**shown, **first, **{name: row[name] for name in row if name not in first}})
    return rows


def _embedded(collection: VectorCollection, space: str | None, text: str, word: str | None) -> Floats:
    """The vector of a text, or of a word in it, by the model, layer and pooling that the space was made with."""
    from polysema.app.explorer.query_vectors import text_in

    return text_in(collection.view(), space, text, word)
