"""`polysema collection …`: collections of vectors on disk."""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polysema.app.cli.export import parse_layers
from polysema.app.cli.output import Row, format_option, progress_bar, show
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.results.collection import SearchAnswer
    from polysema.core.space.space import Floats
    from polysema.indexes.collection import Collection

folder_argument = click.argument("folder", type=click.Path())
space_option = click.option("--space", "-s", help="Which space of the collection.  [default: the only one]")
where_option = click.option(
    "--where", help="Only rows that pass, such as: layer >= 4 and word in ('bank', 'shore') and text starts with 'The'"
)
index_option = click.option(
    "--index",
    help="auto, none (the exact search), flat, hnsw, ivf, ivf-sq8, ivf-pq, pq-fastscan, also with parameters, such as"
    " hnsw:M=32,ef_search=64.  [default: as before, auto the first time]",
)


@click.group(name="collection", short_help="Store, search and version vectors on disk.")
def collection_group() -> None:
    """Store vectors in a collection: a folder that can grow, be searched, and survive a crash at any moment.

    A collection has rows (an id, a vector, columns) in one or more spaces, each with its own dimension, metric and
    origin. Any number of programs can read it while one writes; every change is a version that can be restored.
    """


def _open(folder: str) -> Collection:
    from polysema.indexes.collection import Collection

    return Collection(folder)


@collection_group.command(short_help="Create an empty collection in FOLDER.")
@folder_argument
def create(folder: str) -> None:
    """Make an empty collection in FOLDER."""
    from polysema.indexes.collection import Collection

    Collection.create(folder)
    click.echo(f"{folder}: an empty collection")


@collection_group.command(name="import", short_help="Import an export or a file of vectors.")
@folder_argument
@click.argument("source", type=click.Path())
@click.option("--space", "-s", help="The space that the rows go into.  [default: the layer's or the file's name]")
@click.option("--layers", default="all", show_default=True, help="Of an export: which layers, such as 0,3,6.")
@click.option("--id-column", help="The column that holds the ids.  [default: id, or the place in the text]")
@click.option(
    "--vector-column", help="Of a Parquet file: the column that holds the vectors.  [default: the one of lists]"
)
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
    metric: str,
    index: str | None,
) -> None:
    """Put SOURCE into the collection in FOLDER, which is made where there is none: an export's folder, or a file of
    vectors.

    Rows whose ids are there already are replaced, so that a stopped import is simply run again. An index is built at
    the end.
    """
    import shutil

    from polysema.core.space.metric import Metric
    from polysema.indexes.collection import Collection
    from polysema.indexes.import_export import ImportOptions, import_into
    from polysema.indexes.index_spec import IndexSpec

    query = parse_layers(layers)
    chosen = None if query is None else tuple(query)
    how = ImportOptions(space, chosen, id_column, Metric.parse(metric), vector_column=vector_column)
    if index not in (None, "auto", "none"):
        IndexSpec.parse(str(index))  # a wrong one is told before anything is made
    if not Path(source).exists():
        raise UserError(f"{source} is not there; give the folder of an export, or a file of vectors")
    new = not (Path(folder) / "FORMAT").exists()
    collection = Collection.create(folder) if new else Collection(folder)
    with progress_bar() as progress:
        try:
            counts = import_into(collection, source, how, progress)
        except UserError:
            if new and not len(collection):
                shutil.rmtree(folder)
            raise
        for name in counts:
            reason = collection.compact(name, index, progress)
            click.echo(f"{folder}: {counts[name]:,} rows into the space {name}; index {reason}")
    for note in counts.notes:
        click.echo(f"note: {source}: {note}", err=True)


@collection_group.command(short_help="Print spaces, rows, columns and indexes.")
@folder_argument
@format_option
def info(folder: str, form: str) -> None:
    """Print what the collection in FOLDER holds: its spaces, rows, columns, indexes, and where they come from."""
    from polysema.app.explorer.collection_answers import info_of

    found = info_of(Path(folder).name, _open(folder))
    rows: list[Row] = [
        {
            "space": name,
            "rows": space.rows,
            "width": space.dim,
            "metric": space.metric.value,
            "segments": space.segments,
            "index": space.index,
            "origin": space.origin.card() if space.origin else "-",
        }
        for name, space in found.spaces.items()
    ]
    columns = ", ".join(f"{name} ({kind})" for name, kind in found.columns.items()) or "none"
    snapshots = ", ".join(found.snapshots) or "none"
    if not rows and form == "table":
        click.echo(f"{folder}: an empty collection, version {found.version}")
        return
    note = f"version {found.version} ({found.what}), columns: {columns}; snapshots: {snapshots}"
    show(form, rows, found, ["", note])


@collection_group.command(short_help="Print the rows nearest to a row, vector or text.")
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

    collection = _open(folder)
    if ids:
        queries, more = collection.get(ids, space).vectors, 1
    elif text is not None:
        queries, more = _embedded(collection, space, text, word), 0
    else:
        queries, more = (_numbers(vector) if vector is not None else _file(str(vectors))), 0
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


def _numbers(text: str) -> Floats:
    import numpy as np

    try:
        return np.array([[float(part) for part in text.split(",")]], np.float32)
    except ValueError:
        raise UserError(f"a vector is numbers with commas between, such as 0.1,-0.3; got {text[:60]!r}") from None


def _file(path: str) -> Floats:
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path} is not there; give an .npy file of vectors") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is no .npy file of numbers: {' '.join(str(error).split())[:120]}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise UserError(f"{path} must contain one array of numbers of shape (n, dim)")
    return np.atleast_2d(array).astype(np.float32)


def _embedded(collection: Collection, space: str | None, text: str, word: str | None) -> Floats:
    """The vector of a text, or of a word in it, by the model, layer and pooling that the space was made with."""
    from polysema.app.explorer.query_vectors import text_in

    return text_in(collection.view(), space, text, word)


@collection_group.command(short_help="Print rows by their ids.")
@folder_argument
@click.argument("ids", nargs=-1, required=True)
@space_option
@format_option
def get(folder: str, ids: tuple[str, ...], space: str | None, form: str) -> None:
    """Print the rows of these IDS with their vectors (whole in JSON and CSV)."""
    from polysema.app.explorer.collection_answers import rows_of

    found = rows_of(_open(folder).get(ids, space))
    rows: list[Row] = []
    for row, vector in zip(found.rows, found.vectors, strict=True):
        numbers = [float(str(number)) for number in vector]
        shown = " ".join(map(repr, numbers))
        if form == "table":
            shown = " ".join(f"{number:.3f}" for number in numbers[:4]) + (" …" if len(numbers) > 4 else "")
        rows.append({**row, "vector": shown})
    show(form, rows, found.answer())


@collection_group.command(short_help="Delete rows by id or by filter.")
@folder_argument
@click.argument("ids", nargs=-1)
@space_option
@where_option
def delete(folder: str, ids: tuple[str, ...], space: str | None, where: str | None) -> None:
    """Delete rows from the collection in FOLDER: those of IDS, or those that pass --where."""
    if bool(ids) == (where is not None):
        raise UserError("give either ids or --where: the rows to delete")
    collection = _open(folder)
    gone = collection.delete(ids, space) if where is None else collection.delete_where(where, space)
    click.echo(
        f"{folder}: {gone:,} rows deleted, {len(collection):,} are left (version {collection.view().manifest.version})"
    )


@collection_group.command(short_help="Give a column a wider type.")
@folder_argument
@click.argument("column")
@click.argument("kind", metavar="TYPE")
def widen(folder: str, column: str, kind: str) -> None:
    """Give a COLUMN of the collection in FOLDER a wider TYPE: double, uint64, string, timestamp[ns], decimal(38, 9) …

    The values stay; a column of strings takes any value, as its text, from then on.
    """
    click.echo(f"{folder}: the column {column} holds {_open(folder).widen(column, kind)}")


@collection_group.command(short_help="Merge the rows of a space and build its index.")
@folder_argument
@space_option
@index_option
@click.option("--memory", type=click.IntRange(1), metavar="MIB", help="With auto: what the index may take.")
@click.option("--recall", type=float, help="With auto: the recall that is wanted, such as 0.95.")
@click.option("--keep", type=click.IntRange(1), help="Keep so many versions; older ones are removed.  [default: 10]")
def compact(
    folder: str, space: str | None, index: str | None, memory: int | None, recall: float | None, keep: int | None
) -> None:
    """Write the rows of a space together and build its index; others read and write meanwhile."""
    collection = _open(folder)
    names = [space] if space is not None else list(collection.view().manifest.spaces)
    for name in names:
        with progress_bar() as progress:
            reason = collection.compact(name, index, progress, memory_bytes=memory and memory << 20, recall=recall)
        click.echo(f"{folder}: {name}, {collection.view().n_rows(name):,} rows; index {reason}")
    if keep is not None:
        collection.collect(keep)


@collection_group.command(short_help="Print the measured recall and speed of each index.")
@folder_argument
@space_option
@format_option
def recall(folder: str, space: str | None, form: str) -> None:
    """Print what each index was measured to find: recall@10 and queries a second at several settings."""
    from polysema.app.explorer.collection_answers import recall_of

    found = recall_of(_open(folder), space)
    if not found.points and form == "table":
        click.echo(f"{folder}: no approximate index; every answer is exact")
        return
    rows: list[Row] = [
        {
            "rows": point.rows,
            "kind": point.kind,
            "setting": ", ".join(f"{name} {value}" for name, value in point.setting.items()),
            "recall@10": point.recall_10,
            "recall@100": point.recall_100,
            "single/s": round(point.single),
            "batch/s": round(point.batch),
        }
        for point in found.points
    ]
    show(form, rows, found)


@collection_group.command(short_help="Name the current version so that it is never pruned.")
@folder_argument
@click.argument("name")
@click.option("--drop", is_flag=True, help="Take the name away instead.")
def snapshot(folder: str, name: str, drop: bool) -> None:
    """Keep the current version under NAME until it is dropped."""
    collection = _open(folder)
    if drop:
        collection.drop_snapshot(name)
        click.echo(f"{folder}: no snapshot {name} any more")
    else:
        click.echo(f"{folder}: version {collection.snapshot(name)} is kept as {name}")


@collection_group.command(short_help="List the versions that can be restored.")
@folder_argument
@format_option
def versions(folder: str, form: str) -> None:
    """Print the versions that one can go back to."""
    from polysema.app.explorer.collection_answers import versions_of

    found = versions_of(_open(folder))
    rows: list[Row] = [
        {
            "version": one.version,
            "made": one.made,
            "rows": one.rows,
            "what": one.what,
            "snapshot": one.snapshot or "",
        }
        for one in found.versions
    ]
    show(form, rows, found)


@collection_group.command(short_help="Restore an earlier version as a new one.")
@folder_argument
@click.argument("version")
def restore(folder: str, version: str) -> None:
    """Restore a VERSION, by its number or a snapshot's name: it becomes a new version, so it can be undone."""
    collection = _open(folder)
    number = collection.restore(version)
    click.echo(f"{folder}: as it was at {version}, {len(collection):,} rows (version {number})")


@collection_group.command(short_help="Copy a collection, checking every byte.")
@folder_argument
@click.argument("target", type=click.Path())
def copy(folder: str, target: str) -> None:
    """Copy the collection in FOLDER to a new folder, every byte checked on its way."""
    from polysema.indexes.store.copy import copy as run

    with progress_bar() as progress:
        rows = run(folder, target, progress)
    click.echo(f"{target}: {rows:,} rows")


@collection_group.command(name="export", short_help="Write a space to a file.")
@folder_argument
@click.argument("target", type=click.Path())
@space_option
@where_option
def export_command(folder: str, target: str, space: str | None, where: str | None) -> None:
    """Write a space to TARGET: Parquet or CSV with ids, columns and vectors, or another layout by its ending (.txt,
    .npy, …).
    """
    from polysema.indexes.import_export import export_from

    click.echo(f"{target}: {export_from(_open(folder), target, space, where):,} rows")


@collection_group.command(short_help="Check every byte of every version.")
@folder_argument
def verify(folder: str) -> None:
    """Read every byte of every version that is kept and compare it with what was written. Exit status 2 for a
    damage.
    """
    from polysema.indexes.store.verify import verify as run

    with progress_bar() as progress:
        report = run(folder, progress)
    for line in report.problems:
        click.echo(line, err=True)
    left = (
        f"; {len(report.leftovers)} leftovers of stopped changes, which the next compaction removes"
        if report.leftovers
        else ""
    )
    if report.problems:
        click.echo(f"{folder}: {len(report.problems)} problems in {report.files} files{left}", err=True)
        raise SystemExit(2)
    click.echo(f"{folder}: {report.files} files, {report.bytes:,} bytes, each as it was written{left}")


@collection_group.command(short_help="Repair a damaged collection and report the loss.")
@folder_argument
def repair(folder: str) -> None:
    """Make a damaged collection whole again and say what it cost; damaged files are set aside, never deleted.

    Exit status 2 when something was lost.
    """
    from polysema.indexes.store.repair import repair as run

    with progress_bar() as progress:
        mended = run(folder, progress=progress)
    for line in mended.done:
        click.echo(line)
    for line in mended.lost:
        click.echo(f"lost: {line}", err=True)
    for space, name in mended.lost_ids:
        click.echo(f"lost: {space} {name}", err=True)
    if mended.lost:
        raise SystemExit(2)
    click.echo(f"{folder}: whole" if mended.done else f"{folder}: nothing to mend")


def add_to(cli: click.Group) -> None:
    """Put the group under the root command."""
    cli.add_command(collection_group)
