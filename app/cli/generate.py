"""`polysema generate`: what a model writes, token by token, what it fills a gap with, and which sentence follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.app.cli.inside.options import DEFAULT_DECODER, ModelChoice, model_options
from polysema.app.cli.output import Row, format_option, k_option, progress_bar, show
from polysema.app.cli.word_command import WordCommand
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from polysema.app.explorer.model_explorer import ModelExplorer
    from polysema.core.inside.generation_results import DecodingOptions, GeneratedText

DEFAULT_FILLER = "bert-tiny-en"
Given = float | str | bool | None  # what click makes of an option


class _Generate(click.Group):
    """`polysema generate fill TEXT` is a command of its own; anything else is a text to go on with."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["text", *args]
        return super().parse_args(context, args)

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(context.command_path, "[OPTIONS] TEXT")
        formatter.write_usage(context.command_path, "fill [OPTIONS] TEXT")
        formatter.write_usage(context.command_path, "next-sentence [OPTIONS] FIRST SECOND")

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        self.commands["text"].format_options(context, formatter)


@click.group(cls=_Generate, name="generate", short_help="Write on from a text, fill a gap.")
def generate_group() -> None:
    """Print what a decoder writes after TEXT, or an encoder-decoder for it, and how sure it is of each token.

    The same tokens as transformers writes: the most probable one each time, drawn (--sample, or a temperature, cut-off
    or seed), or by beam search (--beams). --take 3=river goes on from another token at a step. `generate fill` puts
    words into the gaps of a text, `generate next-sentence` says whether one sentence follows another.
    """


def decoding_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say how the next token is chosen."""
    for option in (
        click.option("--take", help="STEP=TOKEN: go on from another token at a step, such as 3=river or 3=#811."),
        click.option("--begin", help="Ids of the tokens that the text begins with, such as 12,811."),
        click.option("--seed", type=int, help="Of the draws: the same seed draws the same tokens."),
        click.option("--length-penalty", type=float, help="Of beams: log-probability / length to this power."),
        click.option("--beams", type=int, default=1, show_default=True, help="Texts gone on with side by side."),
        click.option("--min-p", type=float, help="Draw only tokens this share as probable as the best."),
        click.option("--top-p", type=float, help="Draw only the best tokens that make up this probability."),
        click.option("--top-k", type=int, help="Draw only from so many tokens; 0: all.  [default: 50]"),
        click.option("--temperature", type=float, help="Below 1 the likely become likelier.  [default: 1]"),
        click.option("--sample", is_flag=True, help="Draw each token instead of taking the most probable one."),
    ):
        command = option(command)
    return command


@generate_group.command(name="text", hidden=True, cls=WordCommand, short_help="Write on from a text.")
@click.argument("text")
@model_options(DEFAULT_DECODER)
@click.option("--max-new-tokens", default=24, show_default=True, help="How many tokens are written at most.")
@click.option("-k", "k", type=int, default=5, show_default=True, help="How many candidates are shown for each token.")
@decoding_options
@format_option
def generate(
    text: str, model: ModelChoice, max_new_tokens: int, k: int, form: str, take: str | None, **given: Given
) -> None:
    """Print what a decoder writes after TEXT, or an encoder-decoder for it, and how sure it is of each token."""
    if model.target is not None:
        raise UserError("the decoder writes its text itself: leave out --target")
    handle = model.open().generation
    options = _options(**given)
    found = handle.generate(text, max_new_tokens, k, options)
    if take is not None:
        step, token = _taken(take)
        found = handle.branch(text, found, step, token, max_new_tokens, options)
    show(form, _rows(found), found, _notes(found))


def _options(**given: Given) -> DecodingOptions:
    from polysema.core.inside.generation_results import DecodingOptions

    begin = str(given.pop("begin") or "")
    given["do_sample"] = True if given.pop("sample") else None
    given["num_beams"] = given.pop("beams")
    try:
        prefix = tuple(int(one.strip().removeprefix("#")) for one in begin.split(",")) if begin else ()
    except ValueError:
        raise UserError(f"--begin is token ids with commas between, such as 12,811; got {begin!r}") from None
    return DecodingOptions(**given, prefix=prefix)  # type: ignore[arg-type]


def _taken(text: str) -> tuple[int, str]:
    """`3=river`."""
    step, sign, token = text.partition("=")
    if not sign or not step.strip().removeprefix("-").isdecimal() or not token:
        raise UserError(f"--take is STEP=TOKEN, such as 3=river; got {text!r}")
    return int(step), token


def _rows(found: GeneratedText) -> list[Row]:
    rows: list[Row] = []
    for step in found.steps:
        others = [one for one in step.candidates if one.id != step.id]
        row: Row = {"step": step.number, "token": repr(step.token), "probability": round(step.probability, 6)}
        row |= {"entropy (bits)": step.entropy, "rank": step.rank}
        row["instead of"] = "  ".join(f"{one.token!r} {one.probability:.3f}" for one in others)
        if found.cross_attention:
            shares = sorted(zip(found.cross_attention[step.number], found.prompt, strict=True), reverse=True)
            row["looks at"] = "  ".join(f"{name.strip()} {share:.2f}" for share, name in shares[:3])
        rows.append(row)
    return rows


def _notes(found: GeneratedText) -> list[str]:
    ended = "the model ended it" if found.ended else f"{len(found.tokens)} tokens were written"
    notes = ["", f"{found.text!r}: {ended}; geometric mean of the probabilities {found.surety:.3f}"]
    if found.hypotheses:
        notes += ["beams, by their score (log-probability by length):"]
        notes += [f"  {one.score:8.4f}  {one.text!r}" for one in found.hypotheses]
    return notes


@generate_group.command(cls=WordCommand, short_help="Put words into the gaps of a text.")
@click.argument("text")
@model_options(DEFAULT_FILLER)
@click.option("--pieces", default=3, show_default=True, help="Words of at most so many pieces.")
@click.option("--space", help="Where static neighbors are from.  [default: GloVe, else the model's own table]")
@k_option
@format_option
def fill(text: str, model: ModelChoice, pieces: int, space: str | None, k: int, form: str) -> None:
    """Print the words that a masked encoder would put where TEXT has [MASK], <mask> or ___, best first.

    A word of several pieces counts by all of them, each with those before it in sight (Kauf and Ivanova 2023). Beside
    it stand the static neighbors of the best word: what is near it whatever the sentence.
    """
    with progress_bar(hidden=form != "table") as progress:
        found = _opened(model).generation.fill(text, k, pieces, space, progress)
    rows: list[Row] = [
        {
            **({"gap": number} if len(found.gaps) > 1 else {}),
            "rank": rank,
            "word": one.word,
            "probability": one.probability,
            "log probability": one.log_probability,
            "pieces": " ".join(piece.strip() for piece in one.pieces),
        }
        for number, gap in enumerate(found.gaps, 1)
        for rank, one in enumerate(gap.words, 1)
    ]
    notes = [""]
    for gap in found.gaps:
        if gap.neighbors:
            near = ", ".join(f"{word} {score:.3f}" for word, score in gap.neighbors)
            notes.append(f"static neighbors of {gap.words[0].word!r} in {found.space}, whatever the sentence: {near}")
    show(form, rows, found, notes)


@generate_group.command(name="next-sentence", cls=WordCommand, short_help="Does one sentence follow another?")
@click.argument("first")
@click.argument("second")
@model_options(DEFAULT_FILLER)
@format_option
def next_sentence(first: str, second: str, model: ModelChoice, form: str) -> None:
    """Print how probable a model finds it that the sentence SECOND follows FIRST: what BERT was also trained on.

    The model needs a next-sentence head, as a BertForPreTraining has it: give such a folder.
    """
    found = _opened(model).generation.next_sentence(first, second)
    rows: list[Row] = [{"follows": found.follows, "random": found.random, "probability": found.probability}]
    show(form, rows, found)


def _opened(model: ModelChoice) -> ModelExplorer:
    """The handle of an encoder; raises `UserError` where the decoder's text is given."""
    if model.target is not None:
        raise UserError("an encoder has no decoder beside it: leave out --target")
    return model.open()
