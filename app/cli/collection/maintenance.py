"""What a collection holds, its indexes and versions, and its repair."""

from __future__ import annotations

from pathlib import Path

import click

from polysema.app.cli.collection.options import (
    check_folder,
    folder_argument,
    index_option,
    open_collection,
    space_option,
)
from polysema.app.cli.interrupts import interruptible
from polysema.app.cli.output import Row, format_option, progress_bar, show


@click.command(short_help="Print spaces, rows, columns and indexes.")
@folder_argument
@format_option
def info(folder: str, form: str) -> None:
    """Print what the collection in FOLDER holds: its spaces, rows, columns, indexes, and where they come from."""
    from polysema.app.explorer.collection_answers import info_of

    found = info_of(Path(folder).name, open_collection(folder))
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


@click.command(short_help="Merge the rows of a space and build its index.")
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
    collection = open_collection(folder)
    names = [space] if space is not None else list(collection.view().manifest.spaces)
    for name in names:
        try:
            with progress_bar() as shown, interruptible(shown) as progress:
                reason = collection.compact(name, index, progress, memory_bytes=memory and memory << 20, recall=recall)
        except KeyboardInterrupt:
            click.echo(f"\n{folder}: {name} is as it was; nothing of it was compacted", err=True)
            raise
        click.echo(f"{folder}: {name}, {collection.view().n_rows(name):,} rows; index {reason}")
    if keep is not None:
        collection.history.collect(keep)


@click.command(short_help="Print the measured recall and speed of each index.")
@folder_argument
@space_option
@format_option
def recall(folder: str, space: str | None, form: str) -> None:
    """Print what each index was measured to find: recall@10 and queries a second at several settings."""
    from polysema.app.explorer.collection_answers import recall_of

    found = recall_of(open_collection(folder), space)
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


@click.command(short_help="Name the current version so that it is never pruned.")
@folder_argument
@click.argument("name")
@click.option("--drop", is_flag=True, help="Take the name away instead.")
def snapshot(folder: str, name: str, drop: bool) -> None:
    """Keep the current version under NAME until it is dropped."""
    collection = open_collection(folder)
    if drop:
        collection.history.drop_snapshot(name)
        click.echo(f"{folder}: no snapshot {name} any more")
    else:
        click.echo(f"{folder}: version {collection.history.snapshot(name)} is kept as {name}")


@click.command(short_help="List the versions that can be restored.")
@folder_argument
@format_option
def versions(folder: str, form: str) -> None:
    """Print the versions that one can go back to."""
    from polysema.app.explorer.collection_answers import versions_of

    found = versions_of(open_collection(folder))
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


@click.command(short_help="Restore an earlier version as a new one.")
@folder_argument
@click.argument("version")
def restore(folder: str, version: str) -> None:
    """Restore a VERSION, by its number or a snapshot's name: it becomes a new version, so it can be undone."""
    collection = open_collection(folder)
    number = collection.history.restore(version)
    click.echo(f"{folder}: as it was at {version}, {len(collection):,} rows (version {number})")


@click.command(short_help="Check every byte of every version.")
@folder_argument
def verify(folder: str) -> None:
    """Read every byte of every version that is kept and compare it with what was written. Exit status 2 for a
    damage.
    """
    from polysema.indexes.store.verify import verify as run

    with progress_bar() as progress:
        report = run(check_folder(folder, "verify"), progress)
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


@click.command(short_help="Repair a damaged collection and report the loss.")
@folder_argument
def repair(folder: str) -> None:
    """Make a damaged collection whole again and say what it cost; damaged files are set aside, never deleted.

    Exit status 2 when something was lost.
    """
    from polysema.indexes.store.repair import repair as run

    with progress_bar() as progress:
        mended = run(check_folder(folder, "repair"), progress=progress)
    for line in mended.done:
        click.echo(line)
    for line in mended.lost:
        click.echo(f"lost: {line}", err=True)
    for space, name in mended.lost_ids:
        click.echo(f"lost: {space} {name}", err=True)
    if mended.lost:
        raise SystemExit(2)
    click.echo(f"{folder}: whole" if mended.done else f"{folder}: nothing to mend")


COMMANDS = (info, compact, recall, snapshot, versions, restore, verify, repair)
