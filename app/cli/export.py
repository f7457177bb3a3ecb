"""The commands that make files of vectors from texts and models: `export`, `table`, and what an engine costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from polysema.app.cli.former_names import CurrentCommand, RenamedOption
from polysema.app.cli.output import format_option, model_option, progress_bar, show, tell_notes
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polysema.core.model.load import LanguageModel
    from polysema.core.model.tokens import Span


# options that several commands have
layers_option = click.option("--layers", default="-1", show_default=True, help="Which layers, such as 0,3,6 or all.")
final_norm_option = click.option(
    "--final-norm", default="after", show_default=True, help="Take the last layer after or before the final norm."
)
bos_option = click.option("--bos", is_flag=True, help="Of a decoder: put its begin-of-text token before every text.")
engine_option = click.option(
    "--engine", default="auto", show_default=True, help="auto (the fastest exact one), torch, onnx or onnx-int8."
)
unit_option = click.option(
    "--unit", default="words", show_default=True, help="What has a vector: words, tokens or sentences."
)
prompt_option = click.option(
    "--prompt", help="Of sentences by --pooling own: what stands before each text.  [default: the model's own]"
)
prompt_name_option = click.option("--prompt-name", help="The same, by its name in the model's folder, such as query.")
column_option = click.option(
    "--column", help="The column that holds the texts.  [default: text, or the one with the longest texts]"
)


def dialect_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how files of texts are written, where that is not to be found out."""
    for option in (
        click.option("--encoding", help="Of files of texts: their encoding, such as cp1252.  [default: found out]"),
        click.option(
            "--header/--no-header",
            default=None,
            help="Of tables: line 1 names the columns, or is a text.  [default: found out]",
        ),
        click.option(
            "--separator",
            help="Of tables: what stands between cells: comma, semicolon, tab, pipe, none or a sign.  [default: found "
            "out]",
        ),
    ):
        command = option(command)
    return command


def tell_corpus(notes: Sequence[str]) -> None:
    """What was found out about the files of texts, on standard error."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def parse_layers(text: str | None) -> list[int] | None:
    """`0,3,6`, or `all` (None)."""
    if text is None or text.strip().lower() == "all":
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"layers are numbers with commas between, such as 0,3,6, or all; got {text!r}") from None


def parse_shard(text: str | None) -> tuple[int, int]:
    """`2/4`."""
    if text is None:
        return 1, 1
    first, slash, second = text.partition("/")
    if not (slash and first.isdecimal() and second.isdecimal()):
        raise UserError(f"a shard is i/n, such as 2/4; got {text!r}")
    return int(first), int(second)


def tell_engine(model: LanguageModel, layers: Sequence[int]) -> None:
    """Which engine runs, and what it costs where it is not exact, on standard error."""
    if model.engine.name != "onnx-int8":
        return
    from polysema.core.measure.int8 import differences_text, int8_difference

    with progress_bar() as progress:
        rows = int8_difference(model, progress)
    for line in differences_text(model, model.check_layers(layers), rows):
        click.echo(f"note: {line}", err=True)


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

    An INPUT is a file with a text a line, CSV, TSV, JSON, JSON Lines, Parquet or Excel (packed or not), a folder of
    them, a glob, or - for standard input. What a file doesn't say of itself is found out and told. A stopped export
    goes on where it was when the same command is run again, and ends in the same bytes. `polysema export verify
    FOLDER` reads every byte of a finished one.
    """


@export.command(name="verify", short_help="Check a finished export against its manifest.")
@click.argument("folder", type=click.Path())
def verify_command(folder: str) -> None:
    """Check every file of a finished export against its manifest."""
    from polysema.app.export.run import verify

    manifest = verify(folder)
    files = sum(len(shard["files"]) for shard in manifest["shards"])
    click.echo(f"{folder}: {manifest['rows']:,} rows in {files} files, each as it was written")


@export.command(name="run", hidden=True, short_help="Export.")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.argument("folder", type=click.Path())
@model_option
@column_option
@dialect_options
@click.option("--id-column", help="A column of ids, kept in the column id.")
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
@prompt_option
@prompt_name_option
@bos_option
@final_norm_option
@click.option("--static", is_flag=True, help="Put the model's static vector of the word or token beside each.")
@click.option("--text", is_flag=True, help="Put the text into every row.")
@click.option(
    "--to",
    default="parquet",
    show_default=True,
    help="parquet, arrow, npy, safetensors, word2vec, tensorboard, or atlas (Parquet for Embedding Atlas).",
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
def run_command(
    inputs: tuple[str, ...],
    folder: str,
    model: str,
    column: str | None,
    separator: str | None,
    header: bool | None,
    encoding: str | None,
    id_column: str | None,
    unit: str,
    words: str | None,
    layers: str,
    pooling: str,
    prompt: str | None,
    prompt_name: str | None,
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
) -> None:
    """Export."""
    from polysema.app.export.run import ExportOptions, ExportSource
    from polysema.app.export.run import export as run
    from polysema.core.corpus import Dialect, open_corpus
    from polysema.core.model.load import load_model
    from polysema.core.model.recipe import Prompt

    chosen = tuple(word.strip() for word in words.split(",") if word.strip()) if words else ()
    sentence_prompt = Prompt(prompt, prompt_name)
    wanted = ExportOptions(
        unit, pooling, chosen, to, dtype, static, text, limit, parse_shard(shard), sentence_prompt
    ).checked()
    query = parse_layers(layers)
    corpus = open_corpus(inputs, column, id_column, dialect=Dialect(separator, header, encoding))
    tell_corpus(corpus.notes)
    loaded = load_model(model, device, engine, compute, final_norm, bos=bos)
    which = range(loaded.n_layers + 1) if query is None else query
    tell_engine(loaded, which)
    with progress_bar() as progress:
        manifest = run(
            corpus.rows(),
            ExportSource.of(corpus),
            folder,
            loaded,
            which,
            wanted,
            progress,
        )
    for note in manifest["origin"]["notes"]:
        click.echo(f"note: {note}", err=True)
    if manifest["split"]:
        click.echo(
            f"note: {manifest['split']:,} texts were longer than {_windows_of(manifest['origin'])}",
            err=True,
        )
    if manifest["unknown"]:
        click.echo(
            f"note: the tokenizer doesn't know {manifest['unknown']:,} of the {manifest['words']:,} {unit}, "
            "wholly or in part: "
            "what it reads there is the same for every unknown word",
            err=True,
        )
    if manifest["unseen"]:
        click.echo(f"note: the tokenizer makes no token of {manifest['unseen']:,} {unit}: they have no row", err=True)
    click.echo(f"{manifest['rows']:,} rows ({manifest['words']:,} {unit} of {manifest['texts']:,} texts) in {folder}")


@click.command(cls=WordCommand, short_help="Print the vectors of words, tokens or texts.")
@click.argument("texts", nargs=-1, required=True)
@model_option
@click.option("--word", help="Only this word, as a whole word in any case.  [default: every word]")
@click.option("--nth", default=1, show_default=True, help="Which occurrence of the word in each text.")
@click.option("--span", metavar="START:END", help="Only these characters of each text, counted from 0.")
@layers_option
@click.option(
    "--pooling", default="mean", show_default=True, help="How sub-words become a word: first, last, mean or max."
)
@unit_option
@prompt_option
@prompt_name_option
@bos_option
@final_norm_option
@click.option("--stack", default="encoder", show_default=True, help="Of an encoder-decoder: encoder or decoder.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    help="Of a decoder beside an encoder: what the encoder reads, one for each text.",
)
@click.option(
    "--generate",
    is_flag=True,
    help="Of a decoder beside an encoder: TEXTS are what the encoder reads, the model writes the rest.",
)
@engine_option
@click.option("--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]")
@format_option
def embed(
    texts: tuple[str, ...],
    model: str,
    word: str | None,
    nth: int,
    span: str | None,
    layers: str,
    pooling: str,
    unit: str,
    prompt: str | None,
    prompt_name: str | None,
    bos: bool,
    final_norm: str,
    stack: str,
    sources: tuple[str, ...],
    generate: bool,
    engine: str,
    device: str | None,
    form: str,
) -> None:
    """Print the vectors of TEXTS: of every word, one word at its place, every token, or each whole text.

    The table shows a vector's length and first numbers; --format json and csv print it whole.
    """
    from polysema.app.explorer.embedding import occurrence_rows, sentence_rows
    from polysema.core.model.contextual import embed as run
    from polysema.core.model.load import load_model
    from polysema.core.model.recipe import Prompt, check_prompt
    from polysema.core.model.sentences import embed_sentences
    from polysema.core.model.tokens import occurrence_at
    from polysema.core.space.spelling import spelling_note

    query = parse_layers(layers)
    at = parse_span(span)
    check_prompt(Prompt(prompt, prompt_name), unit)
    side = "decoder" if generate else stack
    loaded = load_model(model, device, engine, "float32", final_norm, side, patient=False, bos=bos)
    which = range(loaded.n_layers + 1) if query is None else query
    tell_engine(loaded, which)
    beside = tuple(sources) or None
    if generate:
        beside, texts = texts, tuple(loaded.generate(texts))
        for text in texts:
            click.echo(f"written: {text}", err=True)
    rows = []
    only = None
    if unit == "sentences":
        found = embed_sentences(loaded, texts, which, pooling, Prompt(prompt, prompt_name))
        answer = sentence_rows(found)
        for place, layer in enumerate(found.layers):
            rows += [
                _vector_row(number, text, 0, len(text), layer, found.vectors[place, number], form)
                for number, text in enumerate(texts)
            ]
    else:
        if word is not None or at is not None:
            only = [occurrence_at(text, number, word, nth, at) for number, text in enumerate(texts)]
        hidden = run(loaded, texts, which, pooling, only, beside, unit)
        answer = occurrence_rows(hidden)
        for occurrence in hidden.unseen:
            click.echo(
                f"note: the tokenizer makes no token of {occurrence.word!r} in text {occurrence.text + 1}", err=True
            )
        for place, layer in enumerate(hidden.layers):
            rows += [
                _vector_row(o.text, o.word, o.span.start, o.span.end, layer, hidden.vectors[place, row], form)
                for row, o in enumerate(hidden.occurrences)
            ]
    if only is not None and word is not None:
        notes = (spelling_note(word, occurrence.word) for occurrence in only)
        answer = replace(answer, origin=answer.origin.with_notes(*notes))
    tell_notes(answer.origin)
    for number in answer.split:
        click.echo(
            f"note: text {number + 1} is longer than {_windows_of(answer.origin.to_json())}",
            err=True,
        )
    if not rows:
        raise UserError("there is nothing to embed: no text holds a word")
    show(form, rows, answer.answer())


def _windows_of(card: dict[str, Any]) -> str:
    """How a text that is longer than a window was read."""
    own = ", where sentence-transformers would cut it" if str(card["pooling"]).startswith("own ") else ""
    return f"{str(card['windows']).partition(' ')[0]} tokens and read in overlapping windows{own}"


def parse_span(text: str | None) -> Span | None:
    """`4:8`."""
    from polysema.core.model.tokens import Span

    if text is None:
        return None
    first, colon, second = text.partition(":")
    if not (colon and first.isdecimal() and second.isdecimal()):
        raise UserError(f"a span is START:END, such as 4:8; got {text!r}")
    return Span(int(first), int(second))


def _vector_row(text: int, word: str, start: int, end: int, layer: int, vector: Any, form: str) -> dict[str, Any]:
    row = {"text": text + 1, "word": word, "start": start, "end": end, "layer": layer}
    numbers = [float(str(number)) for number in vector]
    if form == "table":
        shown = " ".join(f"{number:.3f}" for number in numbers[:4])
        return row | {"length": float((vector.astype("float64") ** 2).sum() ** 0.5), "vector": f"{shown} …"}
    return row | {"vector": " ".join(map(repr, numbers))}


@click.command(cls=CurrentCommand, short_help="Write a table of static vectors made from MODEL.")
@click.argument("target", type=click.Path())
@model_option
@click.option("--words", type=click.Path(), help="A file of the words wanted, one a line.")
@click.option(
    "--corpus", "inputs", multiple=True, help="Texts to take each word's mean over; may be given several times."
)
@column_option
@dialect_options
@click.option("--layer", default=-1, show_default=True, help="With --corpus: the layer.")
@click.option(
    "--min-count",
    cls=RenamedOption,
    former_name="--at-least",
    default=1,
    show_default=True,
    help="With --corpus: leave out words that occur less often.",
)
@click.option(
    "--max-contexts",
    cls=RenamedOption,
    former_name="--most",
    type=int,
    help="With --corpus: read no more occurrences of a word than this.",
)
@click.option("--keep-case", is_flag=True, help="With --corpus: Bank and bank are two words.")
@click.option("--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]")
def table(
    target: str,
    model: str,
    words: str | None,
    inputs: tuple[str, ...],
    column: str | None,
    separator: str | None,
    header: bool | None,
    encoding: str | None,
    layer: int,
    min_count: int,
    max_contexts: int | None,
    keep_case: bool,
    device: str | None,
) -> None:
    """Write a static table of MODEL to TARGET, in the format of its ending.

    With --words alone: each word's input embedding, the mean of its sub-words. With --corpus: each word's mean hidden
    state over its occurrences in the texts (Bommasani et al. 2020).
    """
    from polysema.core.corpus import Dialect, open_corpus
    from polysema.core.files.formats import write_vectors
    from polysema.core.files.writers import check_target
    from polysema.core.model.distill import distil
    from polysema.core.model.load import load_model
    from polysema.core.model.static import word_table

    if not words and not inputs:
        raise UserError("give --words (a file of words), --corpus (texts), or both")
    check_target(target)
    chosen = _listed(words) if words else None
    loaded = load_model(model, device)
    if not inputs:
        space = word_table(loaded, list(dict.fromkeys(chosen or ())))
    else:
        corpus = open_corpus(inputs, column, dialect=Dialect(separator, header, encoding))
        tell_corpus(corpus.notes)
        with progress_bar() as progress:
            space = distil(
                loaded,
                corpus,
                layer,
                "mean",
                chosen,
                not keep_case,
                min_count,
                max_contexts,
                lambda stage, done, total: progress("texts", done, corpus.lines),
            )
    paths = write_vectors(space, target)
    tell_notes(space.origin)
    click.echo(f"{len(space):,} words, {space.dim} dimensions, in {' and '.join(map(str, paths))}")


def _listed(path: str) -> list[str]:
    """The words of a file, one a line."""
    from polysema.core.corpus import open_corpus

    corpus = open_corpus(path)
    tell_corpus(corpus.notes)
    return [word for word in map(str.strip, corpus) if word]


@click.command(name="int8", short_help="Accuracy loss of the engine onnx-int8, by layer.")
@model_option
@format_option
def int8(model: str, form: str) -> None:
    """Print what the engine onnx-int8 costs: the cosine to float32 and the sense accuracy, layer by layer."""
    from polysema.core.measure.int8 import int8_difference
    from polysema.core.model.load import load_model

    loaded = load_model(model, "cpu", "onnx-int8")
    with progress_bar() as progress:
        rows: list[dict[str, Any]] = [
            {
                "layer": row.layer,
                "mean cosine": round(row.mean_cosine, 4),
                "least cosine": round(row.least_cosine, 4),
                "accuracy float32": round(row.exact_accuracy, 4),
                "accuracy int8": round(row.accuracy, 4),
            }
            for row in int8_difference(loaded, progress)
        ]
    show(form, rows)


def add_to(cli: click.Group, measure: click.Group) -> None:
    """Add these commands to the command line."""
    cli.add_command(export)
    cli.add_command(embed)
    cli.add_command(table)
    measure.add_command(int8)
