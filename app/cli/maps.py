"""The command that lays a space out and writes where its points lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polysema.app.cli.map_options import map_options
from polysema.app.cli.output import progress_bar, tell_notes
from polysema.core.atomic import atomic_files
from polysema.core.errors import ConflictError, UserError

if TYPE_CHECKING:
    from polysema.app.explorer import Explorer
    from polysema.app.explorer.results import SpaceMap
    from polysema.core.maps.options import MapOptions

MAP_FORMATS = (".csv", ".parquet", ".npy", ".html")


@click.command(name="map", short_help="Project SPACE to 2 dimensions or more, written to FILE.")
@click.argument("space")
@click.argument("file")
@click.option("--method", default="umap", show_default=True, help="pca, umap, densmap, umap-learn or tsne.")
@click.option("--rows", type=int, help="Only the first rows.  [default: all]")
@map_options
@click.option("-k", "k", type=int, default=10, show_default=True, help="Neighbors that the map is judged by.")
@click.option("--color", default="", help="What an .html map is colored by at first: a column.  [default: areas]")
@click.option("--areas", is_flag=True, help="Also write the name of each point's area, as a column `area`.")
@click.option("--picture", help="Also write a picture, an .svg file of the first two dimensions.")
@click.option("--replace", is_flag=True, help="Write over files that are there.")
def map_command(
    space: str,
    file: str,
    method: str,
    rows: int | None,
    options: MapOptions,
    k: int,
    color: str,
    areas: bool,
    picture: str | None,
    replace: bool,
) -> None:
    """Lay SPACE out on two dimensions or more and write FILE: .csv or .parquet, a row for each point, .npy or .html.

    A row holds the point's name, x, y (and z; of more than three dimensions x1, x2, ...), kept (the share of its k
    nearest in the space that are its k nearest on the map) and the columns of the space. An .html file is the map of
    the dashboard as a page that needs no network, with search, hover, selections and the columns as colors: at most
    20 MB for 50,000 points. Areas are where points lie densely: hills of the density in two or three dimensions,
    HDBSCAN's clusters in more. SPACE is a static space, a file of vectors, a collection's folder, or MODEL@LAYER for
    the corpus of senses.
    """
    from polysema.app.cli.map_files import write_positions
    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.core.maps.methods import check_options

    path = _target(file, MAP_FORMATS, replace)
    drawing = _target(picture, (".svg",), replace) if picture is not None else None
    check_options(method, options)
    _check_form(path.suffix.lower(), options.n_components, areas)
    explorer = shell_explorer()
    with progress_bar() as progress:
        opened = explorer.space(space, progress)
        found = explorer.maps.map(opened, method, options, rows, k, progress)
    tell_notes(opened.origin)
    for note in found.map.notes:
        click.echo(f"note: {note}", err=True)
    if path.suffix.lower() == ".html":
        page = _page(explorer, found, color, _python(space, method, rows, options))
        _publish(path, lambda part: part.write_text(page, encoding="utf-8"))
    else:
        named = explorer.maps.areas(found) if areas else None
        _publish(path, lambda part: write_positions(found, named, part, path.suffix.lower()))
    if drawing is not None:
        _draw(found, drawing)
    click.echo(_summary(found, method, path, k))


def _check_form(form: str, dimensions: int, areas: bool) -> None:
    """Raise `UserError` for what a file of that form can't hold."""
    from polysema.core.maps.options import PICTURE_COMPONENTS

    if form == ".html" and dimensions > PICTURE_COMPONENTS:
        raise UserError(
            f"a page shows 2 or {PICTURE_COMPONENTS} dimensions; got {dimensions}: write .csv, .parquet or .npy"
        )
    if form == ".npy" and areas:
        raise UserError("a .npy file holds the positions alone: write .csv or .parquet for --areas")


def _draw(found: SpaceMap, drawing: Path) -> None:
    """Write the picture, and say what it doesn't show."""
    from polysema.app.cli.map_files import MAX_PICTURE_POINTS, drawing_of

    _publish(drawing, lambda part: part.write_text(drawing_of(found), encoding="utf-8"))
    if len(found.space) > MAX_PICTURE_POINTS:
        click.echo(
            f"{drawing.name} shows {MAX_PICTURE_POINTS:,} of the {len(found.space):,} points, evenly spaced", err=True
        )
    if found.map.options.n_components > 2:
        click.echo(f"{drawing.name} shows the first two of {found.map.options.n_components} dimensions", err=True)


def _summary(found: SpaceMap, method: str, path: Path, k: int) -> str:
    message = f"{len(found.space):,} points of {found.space.name} by {method} are in {path}"
    if (report := found.distortion) is not None:
        return message + (
            f"; trustworthiness {report.trustworthiness:.3f}, neighbors kept {report.preservation:.3f} of {report.k} "
            f"(by chance {report.by_chance:.3f})"
        )
    return message + (f"; too few points to measure how far {k} neighbors of each were kept" if k else "")


def _target(file: str, forms: tuple[str, ...], replace: bool) -> Path:
    path = Path(file).expanduser()
    if path.suffix.lower() not in forms:
        raise UserError(f"the ending says what is written: {' or '.join(forms)}; got {file!r}")
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent} to write {path.name} into")
    if path.is_dir() or (path.exists() and not replace):
        raise ConflictError(
            f"{file} is there already; choose another name" + ("" if path.is_dir() else ", or --replace")
        )
    return path


def _publish(path: Path, write: Callable[[Path], object]) -> None:
    """Whole or not at all; raises `UserError` where there is no room or no right to write."""
    try:
        with atomic_files([path]) as (part,):
            write(part)
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror or error}") from None


def _page(explorer: Explorer, found: SpaceMap, color: str, python: str) -> str:
    from polysema.app.dashboard.sharing.map_page import map_page

    return map_page(found, explorer.maps.areas(found), color=color, python=python)


def _python(space: str, method: str, rows: int | None, options: MapOptions) -> str:
    """Lines that draw the same map in a notebook."""
    return (
        "import polysema\nfrom polysema.core.maps.options import MapOptions\n\n"
        f"polysema.show({space!r}, method={method!r}, n={rows!r}, options={_written(options)})"
    )


def _written(options: MapOptions) -> str:
    """Options as Python writes them, those alone that are not as by default."""
    from polysema.core.maps.options import changed_options

    return f"MapOptions({', '.join(f'{name}={value!r}' for name, value in changed_options(options).items())})"


def add_to(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(map_command)
