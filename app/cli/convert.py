"""`polysema convert`: the vectors of a space in another layout."""

from __future__ import annotations

import click

from polysema.app.cli.space_options import SpaceView


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
    from polysema.app.cli.shell_explorer import shell_explorer

    found = shell_explorer().exports.write(SpaceView(space, transform).open(), file, layout, replace)
    click.echo(f"{found.rows:,} vectors, {found.dim} dimensions, in {' and '.join(found.paths)}")
