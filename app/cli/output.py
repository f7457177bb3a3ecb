"""What the commands share: their options, and how they print."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polysema.core.errors import ConflictError, UserError
from polysema.core.progress import Progress

if TYPE_CHECKING:
    from polysema.app.explorer.results import Neighbor
    from polysema.core.space.space import Origin

SPACE = "glove-6b-50d"
MODEL = "minilm-l6"
Row = dict[str, Any]

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to print the answer.",
)
space_option = click.option(
    "--space",
    "-s",
    default=SPACE,
    show_default=True,
    help="A static space: a name of the catalog, a model's own table, or a file of vectors.",
)
model_option = click.option(
    "--model", "-m", default=MODEL, show_default=True, help="A model: a name of the catalog, a folder, or a hub id."
)
k_option = click.option("-k", "k", type=int, default=10, show_default=True, help="How many to print.")
pooling_option = click.option(
    "--pooling", default="mean", show_default=True, help="How sub-words become a word: first, last, mean or max."
)


def show(
    form: str, rows: Sequence[Row], answer: object = None, notes: Sequence[str] = (), without: Sequence[str] = ()
) -> None:
    """Rows as a table or CSV with notes; JSON prints the answer itself, `without` some of its optional fields."""
    click.echo(rendered(form, rows, answer, notes, without), nl=False)


def rendered(
    form: str, rows: Sequence[Row], answer: object = None, notes: Sequence[str] = (), without: Sequence[str] = ()
) -> str:
    """The text that `show` prints."""
    if form == "json":
        from polysema.app.explorer.serialization import to_json

        found = to_json(rows if answer is None else answer, without=without)
        return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    names = list(rows[0]) if rows else []
    if form == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    right = [rows and isinstance(rows[0][name], (int, float)) for name in names]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in [names, *cells]
    ]
    return "\n".join([*lines, *notes]) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.3f}"
    return str(value)


def neighbor_table(neighbors: Sequence[Neighbor], score: str = "cosine") -> list[Row]:
    """A row of a table for each neighbor, with its text where it is an occurrence."""
    rows = [{"rank": n.rank, "word": n.key, score: n.score} for n in neighbors]
    if any(n.text for n in neighbors):
        rows = [row | {"text": n.text} for row, n in zip(rows, neighbors, strict=True)]
    return rows


def tell_notes(origin: Origin, after: Origin | None = None) -> None:
    """What was passed over when the vectors were read, or what is to be known of an answer, on standard error.

    Of an answer only what is not said `after` its space was opened.
    """
    for note in origin.notes:
        if after is None or note not in after.notes:
            click.echo(f"note: {origin.source}: {note}", err=True)


def write_report(path: str, form: str, rows: Sequence[Row], whole: object) -> None:
    """A report as a file: table, json, csv or parquet. Raises `ConflictError` when it is there already."""
    target = Path(path)
    if target.exists():
        raise ConflictError(f"{path} is there already; choose another name")
    if not target.parent.is_dir():
        raise UserError(f"there is no folder {target.parent} to write {target.name} into")
    if form == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(list(rows)), target)
        return
    target.write_text(rendered(form, rows, whole), encoding="utf-8")


STAGES_IN_BYTES = ("download", "check", "hash")


@contextmanager
def progress_bar(hidden: bool = False) -> Iterator[Progress]:
    """A line on standard error with the stage that is under way, gone at the end; nothing where that is no terminal."""
    from tqdm import tqdm

    bar: Any = None
    stage = ""

    def show(name: str, done: int, total: int) -> None:
        nonlocal bar, stage
        if name != stage:
            if bar is not None:
                bar.close()
            in_bytes = name in STAGES_IN_BYTES
            bar = tqdm(
                desc=name,
                total=total or None,  # unknown: a count and a rate
                unit="B" if in_bytes else "",
                unit_scale=in_bytes or total > 1 << 20,
                unit_divisor=1024 if in_bytes else 1000,
                disable=True if hidden else None,
                leave=False,
            )
            stage = name
        bar.total = total or None
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
