"""The command that lays a space out and writes where its points lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polysema.app.cli.output import progress_bar, tell_notes
from polysema.core.atomic import atomic_files
from polysema.core.errors import ConflictError, UserError

if TYPE_CHECKING:
    from polysema.app.explorer import Explorer
    from polysema.app.explorer.results import SpaceMap
    from polysema.core.maps.options import MapOptions

MAP_FORMATS = (".csv", ".parquet", ".html")
MAX_PICTURE_POINTS = 20_000  # points of a picture: more of them hide each other, and the file grows by 50 bytes each
PICTURE_PIXELS = 900


@click.command(name="map", short_help="Project SPACE to 2 or 3 dimensions, written to FILE.")
@click.argument("space")
@click.argument("file")
@click.option("--method", default="umap", show_default=True, help="pca, umap, densmap, umap-learn or tsne.")
@click.option("--rows", type=int, help="Only the first rows.  [default: all]")
@click.option("--dimensions", type=int, default=2, show_default=True, help="2 or 3.")
@click.option("--neighbors", type=int, default=15, show_default=True, help="UMAP's n_neighbors.")
@click.option("--min-dist", type=float, default=0.1, show_default=True, help="UMAP's min_dist.")
@click.option("--perplexity", type=float, default=30.0, show_default=True, help="t-SNE's perplexity.")
@click.option("--epochs", type=int, help="UMAP's n_epochs.  [default: 500 for up to 10,000 points, else 200]")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same map.")
@click.option("-k", "k", type=int, default=10, show_default=True, help="Neighbors that the map is judged by.")
@click.option("--color", default="", help="What an .html map is colored by at first: a column.  [default: areas]")
@click.option("--picture", help="Also write a picture, an .svg file of the first two dimensions.")
@click.option("--replace", is_flag=True, help="Write over files that are there.")
def map_command(
    space: str,
    file: str,
    method: str,
    rows: int | None,
    dimensions: int,
    neighbors: int,
    min_dist: float,
    perplexity: float,
    epochs: int | None,
    seed: int,
    k: int,
    color: str,
    picture: str | None,
    replace: bool,
) -> None:
    """Lay SPACE out on two or three dimensions and write FILE: .csv or .parquet, a row for each point, or .html.

    A row holds the point's name, x, y (and z), kept (the share of its k nearest in the space that are its k nearest on
    the map) and the columns of the space. An .html file is the map of the dashboard as a page that needs no network,
    with search, hover, selections and the columns as colors: at most 20 MB for 50,000 points. SPACE is a static space,
    a file of vectors, a collection's folder, or MODEL@LAYER for the corpus of senses.
    """
    from polysema.app.explorer import Explorer
    from polysema.core.maps.options import MapOptions

    target = _target(file, MAP_FORMATS, replace)
    drawing = _target(picture, (".svg",), replace) if picture is not None else None
    options = MapOptions(
        n_components=dimensions,
        n_neighbors=neighbors,
        min_dist=min_dist,
        perplexity=perplexity,
        n_epochs=epochs,
        seed=seed,
    )
    explorer = Explorer()
    with progress_bar() as progress:
        opened = explorer.space(space, progress)
        found = explorer.maps.map(opened, method, options, rows, k, progress)
    tell_notes(opened.origin)
    for note in found.map.notes:
        click.echo(f"note: {note}", err=True)
    if target.suffix.lower() == ".html":
        page = _page(explorer, found, color, _python(space, method, rows, options))
        _publish(target, lambda part: part.write_text(page, encoding="utf-8"))
    else:
        _publish(target, lambda part: _write(found, part, target.suffix.lower()))
    if drawing is not None:
        _publish(drawing, lambda part: part.write_text(_svg(found), encoding="utf-8"))
        if len(found.space) > MAX_PICTURE_POINTS:
            click.echo(
                f"{drawing.name} shows {MAX_PICTURE_POINTS:,} of the {len(found.space):,} points, evenly spaced",
                err=True,
            )
    click.echo(_summary(found, method, target, k))


def _summary(found: SpaceMap, method: str, target: Path, k: int) -> str:
    message = f"{len(found.space):,} points of {found.space.origin.source} by {method} are in {target}"
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
        f"polysema.show({space!r}, method={method!r}, n={rows!r}, options={options!r})"
    )


def _write(found: SpaceMap, path: Path, form: str) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    names = ["name", *("xyz"[: found.map.positions.shape[1]]), "kept"]
    kept = pa.array(found.kept, mask=np.isnan(found.kept))
    columns = [found.space.keys.array, *(pa.array(axis) for axis in found.map.positions.T.copy()), kept]
    if found.space.columns is not None:
        for name in found.space.columns.column_names:
            column = found.space.columns.column(name)
            if name in names or pa.types.is_nested(column.type):
                continue
            names.append(name)
            columns.append(column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column)
    table = pa.table(columns, names=names)
    if form == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path)


def _svg(found: SpaceMap) -> str:
    """The points of a map, darker where they kept more of their neighbors, as a picture of 900 x 900."""
    import numpy as np

    n = len(found.space)
    rows = (
        np.arange(n) if n <= MAX_PICTURE_POINTS else np.linspace(0, n - 1, MAX_PICTURE_POINTS).round().astype(np.int64)
    )
    xy = found.map.positions[rows, :2].astype(np.float64)
    low, size = xy.min(axis=0), float(np.ptp(xy, axis=0).max()) or 1.0
    xy = 20 + (xy - low) / size * (PICTURE_PIXELS - 40)
    radius = max(1.0, min(4.0, 120 / np.sqrt(len(rows))))
    share = np.nan_to_num(found.kept[rows], nan=1.0)
    points = [
        f'<circle cx="{x:.1f}" cy="{PICTURE_PIXELS - y:.1f}" r="{radius:.1f}" fill-opacity="{0.25 + 0.65 * s:.2f}"/>'
        for (x, y), s in zip(xy.tolist(), share.tolist(), strict=True)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {PICTURE_PIXELS} {PICTURE_PIXELS}" '
        f'width="{PICTURE_PIXELS}" height="{PICTURE_PIXELS}">'
    )
    return "\n".join(
        [head, '<rect width="100%" height="100%" fill="#fff"/>', '<g fill="#0072b2">', *points, "</g>", "</svg>", ""]
    )


def add_to(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(map_command)
