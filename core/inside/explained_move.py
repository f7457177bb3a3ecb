"""The explained move: what carries a word from its static vector to its hidden state, part by part.

`hidden - static` is a sum: what every head and every MLP wrote, biases, what the embedding adds to the word's own row,
and what each norm makes of that row, with the scale of every norm frozen at what it is in the pass. On an axis each
part is a number, and what a head wrote is a sum over the words that it attended to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from polysema.core.argument_types import checked_fields
from polysema.core.errors import UserError
from polysema.core.inside.architectures import require_hooks, require_plan
from polysema.core.inside.decomposition import Contribution, ResidualStream
from polysema.core.inside.embedding_path import EmbeddingPath, state_vector
from polysema.core.inside.hooks import HookedRun, one_reading, positions_of, twin_of
from polysema.core.inside.move_axis import AxisChoice, axis_vector
from polysema.core.inside.move_controls import MoveControl, ShuffleChoice, random_control, shuffled_control
from polysema.core.inside.move_parts import MoveParts, move_parts
from polysema.core.inside.proof import PARTS, STATES, require_identities
from polysema.core.inside.source_values import AttendedValues, SourceTable, source_table
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import find_word
from polysema.core.space.array_types import Doubles
from polysema.core.space.space import Floats

MAX_POSITIONS = 512  # as for a head's steps: a table of positions by positions for each head
LAYER_SUMS = {"heads": ("head", "cross head"), "mlp": ("mlp",), "rest": ("embedding", "norm", "bias")}


@checked_fields
@dataclass(frozen=True, slots=True)
class MoveOptions:
    """Which occurrence (`nth`, from 1), the axis, the seed of the controls, and how many texts are shuffled."""

    nth: int = 1
    axis: AxisChoice = field(default_factory=AxisChoice)
    seed: int = 0
    shuffles: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.shuffles <= 100:
            raise UserError(f"from 0 to 100 shuffled texts stand beside a move; got {self.shuffles}")


@dataclass(frozen=True, slots=True)
class MovePart(Contribution):
    """What one part adds to a move, as a length on the axis; of a head also the word that gave it most."""

    mover: str = ""
    mover_value: float = float("nan")


@dataclass(frozen=True, slots=True)
class MoveLayer:
    """What one layer (0: the embedding; one more than there are: the final norm) adds to a move: its heads, its MLP,
    and its norms and biases; `reached` is the sum up to it.
    """

    layer: int
    value: float
    reached: float
    heads: float
    mlp: float
    rest: float
    largest: str
    largest_value: float


@dataclass(frozen=True, slots=True)
class MoveSource:
    """What all heads together took from one word of the text (of `kind` cross: of the source)."""

    name: str
    kind: str
    value: float
    head: str
    head_value: float


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedMove:
    """The way of a word from its static vector to its hidden state at a layer, taken apart.

    The `parts` add up to `moved`, how far it goes on the axis (of length 1): `end` less `start`. `length` is that of
    the whole move, `cosine` its cosine with the axis, and `difference` how far the parts' vectors miss the move, of its
    largest number. `by_source` (n_heads_in_all, n_sources) is what the heads, in the order of `parts`, took from each
    of the `sources`; empty, with a `note`, where an attention can't be followed so far.
    """

    json_properties: ClassVar[tuple[str, ...]] = ("total",)

    model: str
    word: str
    text: str
    layer: int
    axis: str
    start: float
    end: float
    moved: float
    length: float
    cosine: float
    parts: tuple[MovePart, ...]
    layers: tuple[MoveLayer, ...]
    sources: tuple[MoveSource, ...]
    by_source: Doubles
    controls: tuple[MoveControl, ...]
    difference: float
    note: str = ""

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return float(np.sum([part.value for part in self.parts]))


def explain_move(
    model: LanguageModel,
    text: str | None,
    word: str,
    layer: int = -1,
    source: str | None = None,
    options: MoveOptions | None = None,
) -> ExplainedMove:
    """Take the way of a word from its static vector to its hidden state apart into every head, MLP, norm and bias.

    Args:
        model: On torch, of an architecture whose parts are known.
        text: A text with the word; of a decoder beside an encoder what it has written (None: it writes itself).
        word: The word; where it is several tokens, their mean is meant, of static vectors and of states.
        layer: 0 (the embeddings) to n; -1 is the last, behind the final norm where there is one.
        source: What the encoder beside a decoder reads.
        options: The axis, which occurrence, the controls.

    Returns:
        The parts on the axis, by layer, by head and by the word that was attended to, beside two controls.

    Raises:
        UserError: The word isn't in the text, nothing leads from a static vector's width to that of the states, or the
            parts don't add up to the move.

    Example:
        >>> from polysema.core.model.load import load_model
        >>> model = load_model("minilm-l6", engine="torch")
        >>> move = explain_move(model, "The river bank was muddy.", "bank")
        >>> abs(move.total - move.moved) < 1e-4
        True
    """
    how = options or MoveOptions()
    (layer,) = model.check_layers([layer])
    require_hooks(model)
    require_plan(model)
    reading = one_reading(model, text, source)
    _check_length(reading)
    span = find_word(reading.text, word, how.nth)
    positions, word = positions_of(reading, word, how.nth), reading.text[span.start : span.end]
    state_vector(model, word)  # raises where there is none
    require_identities(model, STATES, PARTS)
    with twin_of(model) as twin:
        stream, attended = ResidualStream(twin, positions, layer), AttendedValues(twin, positions, layer)
        path = EmbeddingPath(twin)
        with attended.watched(reading):
            twin.run(reading)
        found = move_parts(model, stream, path, word)
        name, vector = axis_vector(model, how.axis, layer)
        axis = _unit(found.move if vector is None else vector)
        given = source_table(stream, attended, reading, axis)
    query = _Query(model, reading, word, layer, how)
    return _answer(query, found, name, axis, given)


@dataclass(frozen=True, slots=True, eq=False)
class _Query:
    """The question: a word as it stands in what one pass reads, at a layer."""

    model: LanguageModel
    reading: HookedRun
    word: str
    layer: int
    options: MoveOptions


def _answer(query: _Query, found: MoveParts, name: str, axis: Floats | Doubles, given: SourceTable) -> ExplainedMove:
    """The move on the axis, with its controls."""
    how, reading = query.options, query.reading
    parts = _valued(found, axis, given)
    length = float(np.linalg.norm(found.move))
    choice = ShuffleChoice(query.word, how.nth, query.layer, how.seed, how.shuffles)
    shuffled = shuffled_control(query.model, reading, found, axis, choice)
    return ExplainedMove(
        model=query.model.name,
        word=query.word,
        text=reading.text,
        layer=query.layer,
        axis=name,
        start=float(found.static @ axis),
        end=float(found.hidden @ axis),
        moved=float(found.move @ axis),
        length=length,
        cosine=float(found.move @ axis) / length if length else float("nan"),
        parts=parts,
        layers=_layers(parts),
        sources=_sources(parts, given),
        by_source=given.values.astype(np.float32),
        controls=(random_control(found, axis, how.seed, reading.text), *([] if shuffled is None else [shuffled])),
        difference=found.difference,
        note=given.note,
    )


def _check_length(reading: HookedRun) -> None:
    longest = max(len(reading), 0 if reading.source is None else len(reading.source))
    if longest > MAX_POSITIONS:
        raise UserError(
            f"the text has {longest} tokens; a move is explained in at most {MAX_POSITIONS}, since what every head "
            "takes from every token is looked at: give a shorter text"
        )


def _unit(vector: Floats) -> Doubles:
    length = float(np.linalg.norm(vector))
    if not length > 0:
        raise UserError("the word is where its static vector is, so there is no move to explain")
    found: Doubles = np.asarray(vector, np.float64) / length
    return found


def _valued(found: MoveParts, axis: Floats | Doubles, given: SourceTable) -> tuple[MovePart, ...]:
    """The parts on the axis, in the order of a pass; a head with the word that gave it most."""
    parts = []
    rows = {head: row for row, head in enumerate(given.heads)}
    for name, vector in zip(found.names, found.vectors, strict=True):
        mover, most = "", float("nan")
        row = rows.get((name.kind, name.layer, name.head))
        if row is not None:
            place = int(np.abs(given.values[row]).argmax())
            mover, most = given.units[place][1].name, float(given.values[row, place])
        length = float(np.linalg.norm(vector))
        parts.append(MovePart(name.name, name.kind, name.layer, name.head, float(vector @ axis), length, mover, most))
    return tuple(sorted(parts, key=lambda part: part.layer))


def _layers(parts: Sequence[MovePart]) -> tuple[MoveLayer, ...]:
    rows, reached = [], 0.0
    for layer in sorted({part.layer for part in parts}):
        own = [part for part in parts if part.layer == layer]
        sums = {
            kind: sum((part.value for part in own if part.kind in kinds), 0.0) for kind, kinds in LAYER_SUMS.items()
        }
        value = sum(part.value for part in own)
        reached += value
        largest = max(own, key=lambda part: abs(part.value))
        rows.append(MoveLayer(layer, value, reached, **sums, largest=largest.name, largest_value=largest.value))
    return tuple(rows)


def _sources(parts: Sequence[MovePart], given: SourceTable) -> tuple[MoveSource, ...]:
    names = {(part.kind, part.layer, part.head): part.name for part in parts if part.head}
    rows = []
    for place, (kind, unit) in enumerate(given.units):
        column = given.values[:, place]
        most = int(np.abs(column).argmax())
        head = names[given.heads[most]] if column[most] else ""  # masked: no head took anything from it
        rows.append(MoveSource(unit.name, kind, float(column.sum()), head, float(column[most])))
    return tuple(rows)
