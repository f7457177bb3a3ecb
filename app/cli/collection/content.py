"""What goes into a collection and comes out of it: create, import, get, delete, copy, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from polysema.app.cli.collection.options import (
    collections,
    folder_argument,
    index_option,
    open_collection,
    space_option,
    where_option,
)
from polysema.app.cli.model_options import columns_option, parse_columns, parse_layers
from polysema.app.cli.output import Row, format_option, progress_bar, show
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.core.space.space import Space
    from polysema.indexes.engines.protocol import VectorCollection


@click.command(short_help="Create an empty collection in FOLDER.")
@folder_argument
def create(folder: str) -> None:
    """Make an empty collection in FOLDER."""
    collections().open(folder, new=True)
    click.echo(f"{folder}: an empty collection")


@click.command(name="import", short_help="Import an export or a file of vectors.")
@folder_argument
@click.argument("source", type=click.Path())
@click.option("--space", "-s", help="The space that the rows go into.  [default: the layer's or the file's name]")
@click.option("--layers", default="all", show_default=True, help="Of an export: which layers, such as 0,3,6.")
@click.option("--id-column", help="The column that holds the ids.  [default: id, or the place in the text]")
@click.option(
    "--vector-column",
    help="Of a table: the column that holds the vectors, or the beginning of the names of numbered ones, such as emb_."
    "  [default: the one of lists]",
)
@click.option("--text-column", help="Of a table: the column that holds the texts; it is called text.")
@columns_option
@click.option(
    "--metric", default="cosine", show_default=True, help="Of a new space: cosine, inner_product or euclidean."
)
@index_option
def import_command(
    folder: str,
    source: str,
    space: str | None,
    layers: str,
    id_column: str | None,
    vector_column: str | None,
    text_column: str | None,
    columns: str | None,
    metric: str,
    index: str | None,
) -> None:
    """Put SOURCE into the collection in FOLDER, which is made where there is none: an export's folder, or a file of
    vectors. Every column of a table (Parquet, Arrow, CSV, JSON Lines, a dataset's folder, TensorBoard's pair) goes
    along with its type.

    Rows whose ids are there already are replaced, so that a stopped import is simply run again. An index is built at
    the end.
    """
    from polysema.core.space.metric import Metric
    from polysema.indexes.import_export import ImportOptions, import_into
    from polysema.indexes.index_spec import IndexSpec

    query = parse_layers(layers)
    chosen = None if query is None else tuple(query)
    kept = parse_columns(columns)
    how = ImportOptions(
        space,
        chosen,
        id_column,
        Metric.parse(metric),
        vector_column=vector_column,
        text_column=text_column,
        columns=None if kept is None else tuple(kept),
    )
    if index not in (None, "auto", "none"):
        IndexSpec.parse(str(index))  # a wrong one is refused before anything is made
    if not Path(source).exists():
        raise UserError(f"{source} is not there; give the folder of an export, or a file of vectors")
    with progress_bar() as progress:
        with collections().filling(folder) as collection:
            counts = import_into(collection, source, how, progress)
        for name in counts:
            reason = collection.compact(name, index, progress)
            click.echo(f"{folder}: {counts[name]:,} rows into the space {name}; index {reason}")
    for note in counts.notes:
        click.echo(f"note: {source}: {note}", err=True)


@click.command(short_help="Print rows by their ids.")
@folder_argument
@click.argument("ids", nargs=-1, required=True)
@space_option
@format_option
def get(folder: str, ids: tuple[str, ...], space: str | None, form: str) -> None:
    """Print the rows of these IDS with their vectors (whole in JSON and CSV)."""
    from polysema.app.explorer.collection_answers import rows_of

    found = rows_of(open_collection(folder).get(ids, space))
    rows: list[Row] = []
    for row, vector in zip(found.rows, found.vectors, strict=True):
        numbers = [float(str(number)) for number in vector]
        shown = " ".join(map(repr, numbers))
        if form == "table":
            shown = " ".join(f"{number:.3f}" for number in numbers[:4]) + (" …" if len(numbers) > 4 else "")
        rows.append({**row, "vector": shown})
    show(form, rows, found.answer())


@click.command(short_help="Delete rows by id or by filter.")
@folder_argument
@click.argument("ids", nargs=-1)
@space_option
@where_option
def delete(folder: str, ids: tuple[str, ...], space: str | None, where: str | None) -> None:
    """Delete rows from the collection in FOLDER: those of IDS, or those that pass --where."""
    collection = open_collection(folder)
    gone = collection.delete(list(ids) or None, space, where=where)
    click.echo(
        f"{folder}: {gone:,} rows deleted, {len(collection):,} are left (version {collection.view().manifest.version})"
    )


@click.command(short_help="Give a column a wider type.")
@folder_argument
@click.argument("column")
@click.argument("kind", metavar="TYPE")
def widen(folder: str, column: str, kind: str) -> None:
    """Give a COLUMN of the collection in FOLDER a wider TYPE: double, uint64, string, timestamp[ns], decimal(38, 9) …

    The values stay; a column of strings takes any value, as its text, from then on.
    """
    click.echo(f"{folder}: the column {column} holds {open_collection(folder).columns.widen(column, kind)}")


def _first_space(collection: VectorCollection, space: str | None) -> Space | str:
    """The rows of a space of a collection, the first where none is named."""
    from polysema.indexes.collection import Collection
    from polysema.indexes.store.space_rows import SpaceRows

    names = collection.spaces.names()
    name = names[0] if space is None and names else space
    if isinstance(collection, Collection):
        return SpaceRows(collection.view(), name).space()
    return f"{collection.root}/{name}" if name else str(collection.root)


@click.command(name="write-column", short_help="Write a column of some rows, in place.")
@folder_argument
@click.argument("column")
@click.argument("file", type=click.Path())
@click.option("--space", help="The space of the rows.  [default: every space that has them]")
def write_column_command(folder: str, column: str, file: str, space: str | None) -> None:
    """Write what COLUMN says of rows of the collection in FOLDER, as a new version; the column may be new.

    FILE is annotations in the layout of senses.jsonl (word, sense, text, start, end), as the page Contexts saves them:
    the rows are those in which the word stands there.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.collection.column_values import write_column
    from polysema.app.explorer.annotated_rows import annotated_values
    from polysema.core.measure.annotations import read_annotations

    collection, annotations = open_collection(folder), read_annotations(file).rows()
    values, missing = annotated_values(shell_explorer().space(_first_space(collection, space)).contexts, annotations)
    written = write_column(collection, column, values, space)
    rows = ", ".join(f"{count:,} of {name}" for name, count in written.items())
    click.echo(f"{folder}: the column {column} is written into {rows} (version {collection.view().manifest.version})")
    if missing:
        click.echo(f"note: {missing:,} annotations stand in none of its texts", err=True)


@click.command(short_help="Copy a collection, checking every byte.")
@folder_argument
@click.argument("target", type=click.Path())
def copy(folder: str, target: str) -> None:
    """Copy the collection in FOLDER to a new folder, every byte checked on its way; either may be the address of
    another engine (milvus://host:19530/name), and then every row is read back and compared."""
    from polysema.indexes.engines.copy import copy_collection as run

    with progress_bar() as progress:
        rows = run(folder, target, progress)
    click.echo(f"{target}: {rows:,} rows")


@click.command(name="export", short_help="Write a space to a file.")
@folder_argument
@click.argument("target", type=click.Path())
@space_option
@where_option
def export_command(folder: str, target: str, space: str | None, where: str | None) -> None:
    """Write a space to TARGET: Parquet or CSV with ids, columns and vectors, or another layout by its ending (.txt,
    .npy, …).
    """
    from polysema.indexes.import_export import export_from

    click.echo(f"{target}: {export_from(open_collection(folder), target, space, where):,} rows")


@click.command(short_help="Name a collection on Milvus for the service and the dashboard.")
@click.argument("name")
@click.argument("address")
def link(name: str, address: str) -> None:
    """Give the collection at an ADDRESS (milvus://host:19530/name) a NAME in the data folder, by which the service, the
    dashboard and --space find it. Deleting the name leaves the collection where it is.
    """
    click.echo(f"{name}: {collections().link(name, address).root}")


COMMANDS = (create, import_command, link, get, delete, widen, write_column_command, copy, export_command)
