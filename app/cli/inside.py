"""The commands that look inside a model: `polysema inside …`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from polysema.app.cli.export import parse_layers
from polysema.app.cli.former_names import CurrentGroup, RenamedOption
from polysema.app.cli.output import Row, format_option, k_option, show
from polysema.app.cli.word_command import WordCommand
from polysema.app.explorer.inside_options import FORMER_SPECIAL_TOKENS, AttentionOptions, given, text_for
from polysema.core.errors import UnavailableError, UserError
from polysema.core.inside.head_names import HEAD_SYNTAX, head_name, parse_head, zero_based_head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polysema.core.inside.ablation import Ablation
    from polysema.core.inside.attention import Attention, AttentionView
    from polysema.core.inside.steering import Direction, SteeredToken
    from polysema.core.model.load import LanguageModel

DEFAULT_DECODER = "smollm2-135m"
ATTENTION_OPTIONS = ("minilm-l6", DEFAULT_DECODER)
MOST_ROWS = 1_000_000


def model_of(default: str) -> Callable[[Any], Any]:
    """The options that say which model, and how it is run."""

    def add(command: Any) -> Any:
        for option in (
            click.option(
                "--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]"
            ),
            click.option(
                "--engine", default="torch", show_default=True, help="torch: the others can't be looked into."
            ),
            click.option("--target", help="Of an encoder-decoder: the decoder's text.  [default: what it writes]"),
            click.option(
                "--model",
                "-m",
                default=default,
                show_default=True,
                help="A model: a name of the catalog, a folder, or a hub id.",
            ),
        ):
            command = option(command)
        return command

    return add


stack_option = click.option("--stack", help="Of an encoder-decoder: encoder or decoder.  [default: decoder]")
cross_option = click.option("--cross", is_flag=True, help="Of an encoder-decoder: the cross-attention weights.")
unit_option = click.option("--unit", help="words or tokens.  [default: words, tokens of a model that reads letters]")
special_option = click.option(
    "--special-tokens",
    "special",
    cls=RenamedOption,
    former_name="--special",
    former_values=FORMER_SPECIAL_TOKENS,
    default="keep",
    show_default=True,
    help="Special tokens, such as [CLS]: keep them, or merge their weight into the other columns.",
)
at_option = click.option(
    "--at",
    help="Where: a word of the text, or a token's number from 0.  [default: where the next word, or the mask, is "
    "predicted]",
)


def opened(name: str, engine: str, device: str | None, stack: str | None = None) -> LanguageModel:
    """The model on torch; of an encoder-decoder its decoder unless said otherwise."""
    from polysema.core.model.load import ENGINES, load_model, on_torch
    from polysema.core.space.space import Family

    if engine in ENGINES and engine not in ("torch", "auto"):
        raise UnavailableError(
            f"the engine {engine} runs a compiled graph, and what is inside it can't be seen; use --engine torch"
        )
    loaded = load_model(name, device, "torch" if engine == "auto" else engine)
    if stack or loaded.family is Family.ENCODER_DECODER:
        loaded = on_torch(loaded, stack or "decoder")
    return loaded


def view_of(model: LanguageModel, cross: bool, unit: str | None, special: str) -> AttentionView:
    """How attention is looked at."""
    return AttentionOptions(cross=cross, unit=unit or "", special=special).view(model)


def parse_place(text: str | None) -> str | int | None:
    """`--at`: a number of a token, or a word."""
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else text


def parse_pair(text: str) -> tuple[str, str]:
    """`blue -> water`."""
    first, arrow, second = text.partition("->")
    if not (arrow and first.strip() and second.strip()):
        raise UserError(f'a pair is written "blue -> water": who looks, and at whom; got {text!r}')
    return first.strip(), second.strip()


@click.group(
    cls=CurrentGroup,
    former_names={"contributions": "attribution", "roads": "compare-families"},
    short_help="Look inside a model: attention, logit lens, steering.",
)
def inside() -> None:
    """Look inside a model: attention, the logit lens, direct logit attribution, steering and ablation.

    Layers and heads are counted from 1 (layer 0 is the embedding output), and a head is written LAYER.HEAD: 3.5. The
    notation of TransformerLens, which counts both from 0, is read and printed as well: L2H4 is the same head. TEXT is
    what the model reads: of an encoder-decoder the encoder's input, while the decoder generates its own text or is given
    --target.
    """


@inside.command(cls=WordCommand, short_help="Print attention weights (rows: queries, columns: keys).")
@click.argument("text")
@model_of("minilm-l6")
@click.option("--layers", help="Which layers, such as 1,6 or all.  [default: the last; with json and csv all]")
@click.option("--head", help=f"One head: {HEAD_SYNTAX}.  [default: the mean of a layer's heads]")
@click.option("--rollout", is_flag=True, help="What flows from word to word up to a layer (Abnar and Zuidema 2020).")
@stack_option
@cross_option
@unit_option
@special_option
@format_option
def attention(
    text: str,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    layers: str | None,
    head: str | None,
    rollout: bool,
    stack: str | None,
    cross: bool,
    unit: str | None,
    special: str,
    form: str,
) -> None:
    """Print the attention weights of TEXT: rows are queries, columns are keys, each row sums to 1.

    A dot marks what the causal mask of a decoder hides. CSV and JSON give every head.
    """
    from polysema.app.explorer.results.inside import AttentionAnswer
    from polysema.core.inside import attention as run

    chosen = parse_layers(layers) if layers is not None else ([-1] if form == "table" else None)
    place = parse_head(head) if head else None
    loaded = opened(model, engine, device, stack)
    view = view_of(loaded, cross, unit, special)
    query, source = given(loaded, text, target)
    if rollout:
        parts = run.rollout(loaded, query, -1 if chosen is None else chosen[-1], source, view)
    else:
        parts = run.attention(loaded, query, [place[0]] if place else chosen, source, view)
    tell_windows(loaded, len(parts))
    if form != "table":
        n_rows = sum(
            part.weights[0, 0].size * len(part.layers) * (1 if place else part.weights.shape[1]) for part in parts
        )
        if n_rows > MOST_ROWS:
            raise UserError(
                f"that would print {n_rows:,} rows; at most {MOST_ROWS:,} are: choose one --head, fewer "
                "--layers, or a shorter text"
            )
        made = AttentionAnswer.of(model, parts, place[1] if place else None)
        show(form, [] if form == "json" else [row for part in parts for row in _long_rows(part, place)], made)
        return
    for part in parts:
        for layer in part.layers:
            weights = part.of(layer, place[1]) if place else part.weights[part.layers.index(layer)].mean(0)
            what = (
                f"rollout up to layer {layer}"
                if rollout
                else f"head {head_name(*place)}"
                if place
                else f"mean of the heads of layer {layer}"
            )
            window = f", window {part.window} of {part.windows}" if part.windows > 1 else ""
            click.echo(f"{what}{window}; rows are queries, columns are keys")
            show(form, _matrix(part, weights), notes=_attention_notes(loaded, part, place))


def _matrix(part: Attention, weights: Any) -> list[Row]:
    names = _distinct([unit.name.strip() or "·" for unit in part.columns])
    return [
        {"": unit.name.strip() or "·"}
        | {
            name: "·" if part.forbidden[row, column] else f"{weights[row, column]:.2f}"
            for column, name in enumerate(names)
        }
        for row, unit in enumerate(part.rows)
    ]


def _distinct(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _attention_notes(model: LanguageModel, part: Attention, place: tuple[int, int] | None) -> list[str]:
    notes = []
    if part.view.special == "merge" and part.folded.max() > 0:
        notes.append(f"merged: {part.folded.mean():.0%} of the weight had gone to special tokens")
    if place and part.n_key_heads != model.n_heads:
        notes.append(f"head {place[1]} reads key head {part.key_head(place[1])} of {part.n_key_heads}")
    if part.view.kind == "cross":
        notes.append(f"a row is what is written there: {part.text!r}")
    return [*notes, ""]


def _long_rows(part: Attention, place: tuple[int, int] | None) -> list[Row]:
    return [
        {
            "window": part.window,
            "layer": layer,
            "head": head,
            "from": row.name,
            "from_start": _start(row),
            "to": column.name,
            "to_start": _start(column),
            "weight": float(part.of(layer, head)[i, j]),
            "masked": bool(part.forbidden[i, j]),
        }
        for layer in part.layers
        for head in ([place[1]] if place else range(1, part.weights.shape[1] + 1))
        for i, row in enumerate(part.rows)
        for j, column in enumerate(part.columns)
    ]


def _start(unit: Any) -> int:
    return -1 if unit.span is None else int(unit.span.start)


def tell_windows(model: LanguageModel, windows: int) -> None:
    """Say that a text was longer than the model's window."""
    if windows > 1:
        click.echo(
            f"note: the text is longer than {model.window} tokens and is processed in {windows} windows",
            err=True,
        )


@inside.command(name="find-head", cls=WordCommand, short_help="Rank the heads by their attention between two words.")
@click.argument("pairs", nargs=-1, required=True)
@click.option(
    "--text", "texts", multiple=True, required=True, help="A sentence to look in; may be given several times."
)
@click.option("--layers", help="Which layers, such as 1,6 or all.  [default: all]")
@model_of("minilm-l6")
@stack_option
@cross_option
@unit_option
@special_option
@k_option
@format_option
def find_head(
    pairs: tuple[str, ...],
    texts: tuple[str, ...],
    layers: str | None,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    stack: str | None,
    cross: bool,
    unit: str | None,
    special: str,
    k: int,
    form: str,
) -> None:
    """Print the heads in which the first word of each of PAIRS, "blue -> water", looks most at the second.

    Ranked by the mean over all the sentences that have both words: one head looks right in one sentence by luck.
    """
    from polysema.core.inside.attention import find_heads
    from polysema.core.inside.hooks import one_reading

    query = [parse_pair(pair) for pair in pairs]
    chosen = parse_layers(layers)
    if k < 1:
        raise UserError(f"k starts at 1; got {k}")
    loaded = opened(model, engine, device, stack)
    view = view_of(loaded, cross, unit, special)
    given_texts = [given(loaded, text, target) for text in texts]
    written = [one_reading(loaded, a, b).text if loaded.reads_two else str(a) for a, b in given_texts]
    sources = list(texts) if loaded.reads_two else None
    found = find_heads(loaded, query, written, sources, view, chosen)
    rows: list[Row] = [
        {
            "rank": rank,
            "head": f"{score.layer}.{score.head}",
            "name": zero_based_head(score.layer, score.head),
            "mean": round(score.mean, 6),
            "first": round(score.first, 6),
            "rank at first": score.rank_at_first,
            "least": round(score.least, 6),
            "looks there most": round(score.top, 4),
        }
        for rank, score in enumerate(found.scores[:k], 1)
    ]
    many = len(found.places)
    notes = [
        "",
        f"{many} place{'s' * (many > 1)}; a head that looks at all words alike gives {found.chance:.3f}"
        + ("" if many > 1 else ". One place shows luck as well as habit: give more sentences (--text)"),
    ]
    show(form, rows, replace(found, scores=found.scores[:k]), notes)


@inside.command(cls=WordCommand, short_help="Logit lens: the prediction at every layer.")
@click.argument("text")
@model_of(DEFAULT_DECODER)
@click.option("--layers", default="all", show_default=True, help="Which layers, such as 0,3,6 or all.")
@click.option(
    "--word",
    "words",
    multiple=True,
    help="A word to follow, a token in quotes as it is shown, or its id (#28); may be given again.",
)
@click.option(
    "--points", default="mlp", show_default=True, help="Where in a block: before, attention, cross, mlp, or all."
)
@click.option("--kind", default="auto", show_default=True, help="logits (the model's head), static, or auto.")
@stack_option
@at_option
@click.option("-k", "k", type=int, default=5, show_default=True, help="How many tokens to print.")
@format_option
def lens(
    text: str,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    layers: str,
    words: tuple[str, ...],
    points: str,
    kind: str,
    stack: str | None,
    at: str | None,
    k: int,
    form: str,
) -> None:
    """Print what the model would say if it stopped at a layer, at one place of TEXT.

    A decoder's next word, a masked encoder's word for its mask; of an encoder without a head the nearest static
    vectors. Early layers are often unreadable: they weren't trained to be read.
    """
    from polysema.app.explorer.results.inside import LensAnswer
    from polysema.core.inside import lens as run
    from polysema.core.inside.hooks import POINTS

    chosen_layers = parse_layers(layers)
    loaded = opened(model, engine, device, stack)
    there = [point for point in POINTS if point != "cross" or loaded.reads_two]
    chosen = there if points == "all" else [point.strip() for point in points.split(",")]
    query, source = given(loaded, text, target)
    found = run.lens(loaded, query, chosen_layers, words, source, run.LensView(tuple(chosen), k, kind, parse_place(at)))
    tell_windows(loaded, found.windows)
    place = run.place_among(loaded, found, parse_place(at))
    for word in found.targets:
        if word.note:
            click.echo(f"note: {word.note}", err=True)
    score = "cosine" if found.kind == run.STATIC else "probability"

    rows: list[Row] = []
    for step, (layer, point) in enumerate(found.steps):
        best = [
            (found.names[int(number)], float(value))
            for number, value in zip(found.best[step, place], found.scores[step, place], strict=True)
        ]
        row: Row = {"layer": layer, "point": point}
        row |= {"best": "  ".join(f"{name!r} {value:.3f}" for name, value in best)}
        if found.kind != run.STATIC:
            row |= {"entropy": round(float(found.entropy[step, place]), 4)}
        for number, word in enumerate(found.targets):
            row |= {
                f"rank of {word.word}": int(found.ranks[step, place, number]),
                f"{score} of {word.word}": round(float(found.followed[step, place, number]), 6),
            }
        rows.append(row)
    token = found.tokens[place].name
    note = f"{found.kind}, {score} of each token, at {token!r} (token {place})"
    show(form, rows, LensAnswer.of(model, found, place), ["", note])


@inside.command(cls=WordCommand, short_help="Direct logit attribution of a predicted word.")
@click.argument("text")
@click.argument("word")
@click.option("--against", help="Another word: what makes the first likelier than this one.")
@at_option
@model_of(DEFAULT_DECODER)
@stack_option
@k_option
@format_option
def attribution(
    text: str,
    word: str,
    against: str | None,
    at: str | None,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    stack: str | None,
    k: int,
    form: str,
) -> None:
    """Print what each head, each MLP, the embedding and each bias adds to the logit of WORD after TEXT.

    The parts add up to the logit, with the scale of the norms frozen. The table has the k largest; JSON and CSV all.
    """
    from polysema.core.inside.attribution import contributions as run

    if k < 1:
        raise UserError(f"k starts at 1; got {k}")
    loaded = opened(model, engine, device, stack)
    query, source = given(loaded, text, target)
    found = run(loaded, query, word, against, source, parse_place(at))
    for which in (found.target, found.against):
        if which is not None and which.note:
            click.echo(f"note: {which.note}", err=True)
    parts = sorted(found.parts, key=lambda part: -abs(part.value)) if form == "table" else found.parts
    rows: list[Row] = [
        {"part": part.name, "kind": part.kind, "layer": part.layer, "head": part.head, "adds": round(part.value, 6)}
        for part in (parts[:k] if form == "table" else parts)
    ]
    kinds: dict[str, float] = {}
    for part in found.parts:
        kinds[part.kind] = kinds.get(part.kind, 0.0) + part.value
    notes = [
        "",
        f"{found.measure} at {found.token!r} (token {found.position}): {found.score:.4f}; the {len(found.parts)} "
        "parts add up to "
        f"{found.total:.4f}",
        "; ".join(f"{kind} {value:+.3f}" for kind, value in kinds.items()),
    ]
    show(form, rows, found, notes)


@inside.command(cls=WordCommand, short_help="Print the output of each head at a word.")
@click.argument("word")
@click.argument("texts", nargs=-1, required=True)
@model_of("minilm-l6")
@click.option("--layers", help="Which layers, such as 1,6 or all.  [default: all]")
@stack_option
@cross_option
@click.option("--to", "file", type=click.Path(), help="Write the vectors to this file, in the format of its ending.")
@format_option
def heads(
    word: str,
    texts: tuple[str, ...],
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    layers: str | None,
    stack: str | None,
    cross: bool,
    file: str | None,
    form: str,
) -> None:
    """Print what each head writes where WORD stands in TEXTS: how long, in which sub-space, and the heads most like it.

    With --to the vectors become a file like any other: `polysema neighbors "bank L2H4" --space FILE`.
    """
    from polysema.app.explorer.results.inside import head_table
    from polysema.core.files.formats import write_vectors
    from polysema.core.files.writers import check_target
    from polysema.core.inside.attribution import head_outputs

    if file:
        check_target(file)
    loaded = opened(model, engine, device, stack)
    given_texts = [given(loaded, text, target) for text in texts]
    kind = "cross" if cross else "self"
    if loaded.reads_two:
        from polysema.core.inside.hooks import one_reading

        written = [one_reading(loaded, a, b).text for a, b in given_texts]
    else:
        written = list(texts)
    space = head_outputs(
        loaded, written, [word] * len(texts), parse_layers(layers), list(texts) if loaded.reads_two else None, kind
    )
    if file:
        if len(texts) > 1:
            raise UserError("a file has one row a head: give one text, or several files")
        paths = write_vectors(space, file)
        click.echo(f"{len(space):,} heads, {space.dim} dimensions, in {' and '.join(map(str, paths))}")
        return
    found = head_table(loaded, word, space, kind)
    rows: list[Row] = [
        {
            "text": one.text + 1,
            "head": f"{one.layer}.{one.head}",
            "key head": one.key_head,
            "width": one.width,
            "rank": one.rank,
            "length": one.length,
            "most like": one.most_like,
            "cosine": one.cosine,
        }
        for one in found.heads
    ]
    show(form, rows, found)


@inside.command(cls=WordCommand, short_help="Add a steering vector and print the next word.")
@click.argument("text")
@model_of(DEFAULT_DECODER)
@click.option("--toward", multiple=True, help="A text of the concept to go to; may be given several times.")
@click.option("--away", multiple=True, help="A text of what to go away from; may be given several times.")
@click.option("--expression", help='A direction of the algebra instead: "happy - sad", or words in texts.')
@click.option("--layer", "layers", default="", help="The layer, or several with --sweep.  [default: the middle one]")
@click.option(
    "--strength", default=1.0, show_default=True, help="In lengths of a typical hidden state; negative goes back."
)
@click.option("--at", help="Only at this word of the text, or the token of this number.  [default: everywhere]")
@click.option("--sweep", help="Strengths to try, such as 0,1,2: a row for each, at each layer.")
@click.option(
    "--word",
    "words",
    multiple=True,
    help="A word to follow, a token in quotes as it is shown, or its id (#28); may be given again.",
)
@click.option(
    "--max-new-tokens",
    "max_new_tokens",
    cls=RenamedOption,
    former_name="--new",
    default=12,
    show_default=True,
    help="How many tokens to generate after TEXT.",
)
@k_option
@format_option
def steer(
    text: str,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    toward: tuple[str, ...],
    away: tuple[str, ...],
    expression: str | None,
    layers: str,
    strength: float,
    at: str | None,
    sweep: str | None,
    words: tuple[str, ...],
    max_new_tokens: int,
    k: int,
    form: str,
) -> None:
    """Add a vector to the hidden states of TEXT, and print the next word before and after.

    The vector is the mean difference of two sets of texts (--toward, --away), or a sum of words (--expression).
    """
    from polysema.app.explorer.results.inside import SweepAnswer
    from polysema.core.inside import steering as run

    if bool(toward and away) == bool(expression) or bool(toward) != bool(away):
        raise UserError("give --toward and --away texts, or an --expression, and not both")
    strengths = parse_numbers(sweep) if sweep else []
    chosen = parse_layers(layers) if layers else None
    loaded = opened(model, engine, device)
    which = loaded.check_layers([loaded.n_layers // 2] if not layers else chosen or range(loaded.n_layers + 1))
    if len(which) > 1 and not strengths:
        raise UserError("several layers are for --sweep; give one --layer")
    query, source = given(loaded, text, target)
    directions: list[Direction] = (
        [run.expression_direction(loaded, expression, layer) for layer in which]
        if expression
        else list(run.concepts(loaded, toward, away, which).values())
    )
    if strengths:
        table = run.sweep(loaded, query, directions, strengths, run.Statement(1, words, 0), source)
        for one in table[0].targets:
            if one.note:
                click.echo(f"note: {one.note}", err=True)
        rows: list[Row] = [
            {"layer": row.layer, "strength": row.strength, "best": repr(row.best)}
            | {"probability": round(row.probability, 6)}
            | {f"p({word})": round(p, 6) for word, p in zip(words, row.followed, strict=True)}
            | {"divergence": round(row.divergence, 6)}
            for row in table
        ]
        show(form, rows, SweepAnswer(table))
        return
    where = parse_place(at)
    how = run.Steer(strength, run.ALL_POSITIONS if where is None else where)
    found = run.steer(loaded, query, directions[0], how, run.Statement(k, words, max_new_tokens), source)
    note = (
        f"{strength:g} times the typical length along {directions[0].what} at layer {directions[0].layer}, a "
        f"vector of length {found.length:.2f}"
    )
    _show_changed(found, form, note)


def parse_numbers(text: str) -> list[float]:
    """`0,1,2.5`."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"strengths are numbers with commas between, such as 0,1,2; got {text!r}") from None


def _show_changed(found: SteeredToken, form: str, note: str) -> None:
    rows: list[Row] = [
        {
            "rank": rank,
            "before": repr(found.before[rank - 1][0]),
            "p before": round(found.before[rank - 1][1], 6),
            "after": repr(found.after[rank - 1][0]),
            "p after": round(found.after[rank - 1][1], 6),
        }
        for rank in range(1, len(found.before) + 1)
    ]
    notes = ["", note, f"the two distributions are {found.divergence:.3f} bits apart (Kullback-Leibler)"]
    for word in found.followed:
        if word.target.note:
            click.echo(f"note: {word.target.note}", err=True)
        notes.append(
            f"{word.target.word}: probability {word.before:.4f} -> {word.after:.4f}, rank {word.rank_before} -> "
            f"{word.rank_after}"
        )
    if found.continued_before or found.continued_after:
        notes += [f"before: …{found.continued_before}", f"after:  …{found.continued_after}"]
    show(form, rows, found, notes)


@inside.command(cls=WordCommand, short_help="Ablate heads or MLPs and print the next word.")
@click.argument("text")
@model_of(DEFAULT_DECODER)
@click.option("--head", "taken", multiple=True, help="A head, 3.5 or L2H4; may be given several times.")
@click.option("--mlp", "mlps", multiple=True, type=int, help="The MLP of a layer; may be given several times.")
@click.option("--cross", is_flag=True, help="The heads are those of the cross-attention.")
@click.option("--how", default="zero", show_default=True, help="Set them to zero or to their mean.")
@click.option("--over", multiple=True, help="A text to take the mean over; may be given again.  [default: TEXT]")
@click.option(
    "--word",
    "words",
    multiple=True,
    help="A word to follow, a token in quotes as it is shown, or its id (#28); may be given again.",
)
@click.option(
    "--max-new-tokens",
    "max_new_tokens",
    cls=RenamedOption,
    former_name="--new",
    default=0,
    show_default=True,
    help="How many tokens to generate after TEXT.",
)
@k_option
@format_option
def ablate(
    text: str,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    taken: tuple[str, ...],
    mlps: tuple[int, ...],
    cross: bool,
    how: str,
    over: tuple[str, ...],
    words: tuple[str, ...],
    max_new_tokens: int,
    k: int,
    form: str,
) -> None:
    """Set heads or MLPs to zero, or to their mean, and print the next word of TEXT before and after."""
    from polysema.core.inside.ablation import Ablation
    from polysema.core.inside.ablation import ablate as run
    from polysema.core.inside.steering import Statement

    places = [parse_head(head) for head in taken]
    loaded = opened(model, engine, device)
    query, source = given(loaded, text, target)
    cuts: list[Ablation] = [Ablation(layer, head, "cross" if cross else "self") for layer, head in places]
    cuts += [Ablation(layer, None, "mlp") for layer in mlps]
    found = run(loaded, query, cuts, how, Statement(k, words, max_new_tokens), source, over)
    _show_changed(found, form, f"{', '.join(map(str, cuts))} set to {how}")


@inside.command(name="compare-families", cls=WordCommand, short_help="Trace one SENTENCE through each model family.")
@click.argument("sentence")
@click.option(
    "--model", "-m", "names", multiple=True, help="A model; may be given again.  [default: one of each family]"
)
@click.option("--device", help="Where to compute, such as cpu or cuda.  [default: a GPU where there is one]")
@click.option("--masks", is_flag=True, help="Print who may look at whom as well.")
@format_option
def compare_families(sentence: str, names: tuple[str, ...], device: str | None, masks: bool, form: str) -> None:
    """Send one SENTENCE through an encoder, a decoder and an encoder-decoder, and print where each ends.

    A model that reads letters is given the sentence's longest word.
    """
    from polysema.app.explorer.results.inside import FamiliesAnswer
    from polysema.core.inside.families import compare_families as run
    from polysema.core.model.catalog import models_here

    chosen = names or [name for name in (*ATTENTION_OPTIONS, "g2p-t5") if name in models_here(("texts", "letters"))]
    if not chosen:
        raise UnavailableError("no language model is here; bring one with polysema models pull minilm-l6")
    loaded = [opened(name, "torch", device) for name in chosen]
    texts = [text_for(model, sentence) for model in loaded]
    found = run(loaded, texts)
    rows: list[Row] = [
        {
            "model": road.model,
            "family": road.family.value,
            "reads": road.text,
            "layers": "+".join(map(str, road.n_layers)),
            "heads": road.n_heads,
            "dimensions": road.dim,
            "who sees whom": "; ".join(f"{sight.name}: {sight.describe}" for sight in road.sights),
            "ends in": road.ends,
            "says": (f"at {road.says_at!r}: " if road.says_at else "")
            + "  ".join(f"{name!r} {score:.3f}" for name, score in road.says[:3]),
            "writes": road.written,
        }
        for road in found
    ]
    if form != "table":
        show(form, rows, FamiliesAnswer(found))
        return
    for row, road in zip(rows, found, strict=True):
        show(
            form, [{"": name, road.model: str(value)} for name, value in row.items() if name != "model" and value != ""]
        )
        if road.carried:
            click.echo("what the cross-attention carries (mean of all heads and layers):")
            show(
                form,
                [
                    {
                        "written": item.written,
                        "looks at": "  ".join(f"{name} {share:.2f}" for name, share in item.looks_at[:4]),
                        "adds, in lengths of the state": item.share,
                    }
                    for item in road.carried
                ],
            )
        for sight in road.sights if masks else ():
            click.echo(f"{sight.name}:")
            for unit, open_row in zip(sight.rows, sight.open, strict=True):
                click.echo(f"  {''.join('■' if cell else '·' for cell in open_row)}  {unit.name.strip()}")
        click.echo("")


@inside.command(cls=WordCommand, short_help="Generate text with a decoder or encoder-decoder.")
@click.argument("text")
@model_of(DEFAULT_DECODER)
@click.option("--max-new-tokens", default=24, show_default=True, help="How many tokens are written at most.")
@click.option("-k", "k", type=int, default=5, show_default=True, help="How many candidates are shown for each token.")
@format_option
def generate(
    text: str,
    model: str,
    target: str | None,
    engine: str,
    device: str | None,
    max_new_tokens: int,
    k: int,
    form: str,
) -> None:
    """Print what a decoder writes after TEXT, or an encoder-decoder for it, and how sure it is of each token."""
    from polysema.core.inside.generation import write

    if target is not None:
        raise UserError("the decoder writes its text itself: leave out --target")
    found = write(opened(model, engine, device), text, max_new_tokens, k)
    rows: list[Row] = [
        {
            "token": repr(token),
            "probability": round(probability, 6),
            "instead of": "  ".join(f"{name!r} {p:.3f}" for name, p in others[1:]),
        }
        for token, probability, others in zip(found.tokens, found.probabilities, found.others, strict=True)
    ]
    ended = "the model ended it" if found.ended else f"{len(found.tokens)} tokens were written"
    show(form, rows, found, ["", f"{found.text!r}: {ended}; geometric mean of the probabilities {found.surety:.3f}"])


def add_to(cli: click.Group) -> None:
    """Add these commands to the command line."""
    cli.add_command(inside)
