"""`polysema export`: the contextual vectors of texts, written to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.model_options import (
    bos_option,
    column_option,
    columns_option,
    dialect_options,
    engine_option,
    final_norm_option,
    layers_option,
    model_and_layers,
    on_option,
    parse_columns,
    sentence_options,
    tell_corpus,
    tell_engine,
    unit_option,
    window_description,
)
from polysema.app.cli.output import model_option, progress_bar
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.results.exports import ExportAnswer
    from polysema.core.model.recipe import SentenceOptions


def parse_shard(text: str | None) -> tuple[int, int]:
    """`2/4`."""
    if text is None:
        return 1, 1
    first, slash, second = text.partition("/")
    if not (slash and first.isdecimal() and second.isdecimal()):
        raise UserError(f"a shard is i/n, such as 2/4; got {text!r}")
    return int(first), int(second)


class _Export(click.Group):
    """`polysema export verify FOLDER` is a command of its own; anything else is an export."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(context, args)

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(context.command_path, "[OPTIONS] INPUT... FOLDER")
        formatter.write_usage(context.command_path, "verify FOLDER")

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        self.commands["run"].format_options(context, formatter)


@click.group(cls=_Export, short_help="Write the contextual vectors of texts to files.")
def export() -> None:
    """Write the vectors of texts to files in FOLDER.

    An INPUT is a file with a text a line, CSV, TSV, JSON, JSON Lines, Parquet, Arrow or Excel (packed or not), a folder
    of them or one that Hugging Face's datasets saved, a glob, or - for standard input. All of its columns go along,
    with their types. What a file doesn't say of itself is detected and reported. A stopped export goes on where it was
    when the same command is run again, and ends in the same bytes. `polysema export verify FOLDER` reads every byte of
    a finished one.

    FOLDER may be a collection, milvus://HOST:19530/NAME or milvus-lite:///PATH.db/NAME: the rows go into it. With --to
    collection it is made where there is none.
    """


@export.command(name="verify", short_help="Check a finished export against its manifest.")
@click.argument("folder", type=click.Path())
def verify_command(folder: str) -> None:
    """Check every file of a finished export against its manifest."""
    from polysema.app.cli.shell_explorer import shell_explorer

    found = shell_explorer().exports.verify(folder)
    click.echo(f"{folder}: {found.rows:,} rows in {found.files} files, each as it was written")


@export.command(name="run", hidden=True, short_help="Export.")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.argument("folder", type=click.Path())
@click.option("--space", default="", help="Of a collection: the name of its space.  [default: by the layer]")
@model_option
@column_option
@dialect_options
@click.option(
    "--id-column", help="The column of ids, kept in the column id.  [default: id, where each row has its own]"
)
@columns_option
@unit_option
@click.option("--words", help="Only these words, such as bank,river (in any case).")
@layers_option
@click.option(
    "--pooling",
    default="mean",
    show_default=True,
    help="How sub-words become a word: first, last, mean or max; how a sentence has one vector: mean, cls, last or "
    "own.",
)
@sentence_options
@bos_option
@final_norm_option
@click.option("--static", is_flag=True, help="Put the model's static vector of the word or token beside each.")
@click.option("--text", is_flag=True, help="Put the text into every row.")
@click.option(
    "--to",
    default="parquet",
    show_default=True,
    help="parquet, arrow, npy, safetensors, word2vec, tensorboard, atlas (Parquet for Embedding Atlas), or collection.",
)
@click.option(
    "--dtype", default="float32", show_default=True, help="How numbers are kept: float32, float16, int8 (with scales)."
)
@click.option("--limit", type=int, help="Take the first texts only.")
@click.option("--shard", metavar="I/N", help="Take every N-th text from the I-th on: one of several machines' part.")
@engine_option
@click.option(
    "--compute", default="float32", show_default=True, help="What torch computes in: float32, float16 or bfloat16."
)
@click.option("--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]")
@on_option
def run_command(
    inputs: tuple[str, ...],
    folder: str,
    space: str,
    model: str,
    column: str | None,
    separator: str | None,
    header: bool | None,
    encoding: str | None,
    id_column: str | None,
    columns: str | None,
    unit: str,
    words: str | None,
    layers: str | None,
    pooling: str,
    bos: bool,
    final_norm: str,
    static: bool,
    text: bool,
    to: str,
    dtype: str,
    limit: int | None,
    shard: str | None,
    engine: str,
    compute: str,
    device: str | None,
    on: str | None,
    sentence: SentenceOptions,
) -> None:
    """Export."""
    from dataclasses import replace

    from polysema.app.cli.shell_explorer import shell_explorer
    from polysema.app.explorer import ModelOptions
    from polysema.app.export.options import ExportOptions, ExportSource
    from polysema.core.corpus import Dialect, open_records

    chosen = tuple(word.strip() for word in words.split(",") if word.strip()) if words else ()
    wanted = ExportOptions(
        unit, pooling, chosen, to, dtype, static, text, limit, parse_shard(shard), sentence, on or "", space
    ).checked()
    name, query = model_and_layers(model, layers)
    kept = parse_columns(columns)
    corpus = open_records(inputs, column, id_column, None, Dialect(separator, header, encoding), kept)
    if any(layout.column in (kept or ()) for layout in corpus.layouts):
        wanted = replace(wanted, text=True)
    tell_corpus(ExportSource.of(corpus).notes)
    explorer = shell_explorer(device)
    how = ModelOptions(engine=engine, compute=compute, final_norm=final_norm, bos=bos, patient=True)
    with progress_bar() as progress:
        handle = explorer.model(name, how, progress)
    tell_engine(handle, explorer, query)
    with progress_bar() as progress:
        found = explorer.exports.texts(handle, corpus, folder, query, wanted, progress)
    _tell_export(found)
    click.echo(f"{found.rows:,} rows ({found.words:,} {unit} of {found.texts:,} texts) in {folder}")


def _tell_export(found: ExportAnswer) -> None:
    """What is to be known of an export, on standard error."""
    notes = list(found.origin.notes)
    if found.split:
        notes.append(f"{found.split:,} texts were longer than {window_description(found.origin)}")
    if found.unknown:
        notes.append(
            f"the tokenizer doesn't know {found.unknown:,} of the {found.words:,} {found.unit}, wholly or in part: "
            "what it reads there is the same for every unknown word"
        )
    if found.unseen:
        notes.append(f"the tokenizer makes no token of {found.unseen:,} {found.unit}: they have no row")
    for note in notes:
        click.echo(f"note: {note}", err=True)
