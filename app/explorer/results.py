"""What the explorer answers: plain values, the same for the command line, the dashboard and programs."""

from dataclasses import dataclass

import numpy as np

from polysema.core.errors import UserError
from polysema.core.maps.distortion import Distortion
from polysema.core.maps.overlap import Shift, shifts
from polysema.core.maps.projection import Map, MapOptions, Neighbors
from polysema.core.space.space import Floats, Ints, Origin, Space


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A row that was found: `score` is its cosine (or the method's score), `rank` counts from 1.

    `text` is where it stands, for an occurrence in a contextual space.
    """

    rank: int
    key: str
    score: float
    row: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class NeighborAnswer:
    """The nearest words of a word; `word` is its name in the space, `how` it was found, by which `policy`.

    `search` says how the neighbors were looked for, and `recall` which share of the nearest is expected among them.
    """

    query: str
    word: str
    neighbors: tuple[Neighbor, ...]
    origin: Origin
    how: str
    policy: str
    search: str = "exact"
    recall: float | None = 1.0


@dataclass(frozen=True, slots=True)
class InputRank:
    """A word of the question, `how` it was found, and where it would have stood had it not been left out.

    `rank` is None for an occurrence in a text, which is no row of the space, and where no evidence was requested.
    """

    word: str
    weight: float
    rank: int | None
    score: float
    how: str


@dataclass(frozen=True, slots=True)
class MethodAnswer:
    """What another method, or a baseline, answers to the same question."""

    method: str
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer is worth: the best when the words of the question are not left out, and other methods' answers."""

    with_inputs: tuple[Neighbor, ...]
    beside: tuple[MethodAnswer, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AnalogyAnswer:
    """The answer to an expression. `target` (dim,) is the weighted sum of the unit vectors `input_vectors` (terms,
    dim).

    `inputs` are the words it was made of, which are left out of `neighbors`; `pairs` the examples that were used, and
    `pairs_left_out` those with an unknown word.
    """

    expression: str
    neighbors: tuple[Neighbor, ...]
    inputs: tuple[InputRank, ...]
    target: Floats
    input_vectors: Floats
    origin: Origin
    method: str
    policy: str
    evidence: Evidence | None = None
    pairs: tuple[str, ...] = ()
    pairs_left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SimilarityAnswer:
    """Cosine of two words or of the means of two lists; `rank` is the second's among the first's neighbors."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    cosine: float
    rank: int | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class CloserAnswer:
    """The `words` that are nearer to `word` than `other` is, whose cosine is `limit`, nearest first."""

    word: str
    other: str
    limit: float
    words: tuple[tuple[str, float], ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class OddAnswer:
    """Words with their cosine to the mean of all, the odd one first."""

    words: tuple[tuple[str, float], ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class AxisAnswer:
    """Words with their cosine to each of the `axes`."""

    axes: tuple[str, ...]
    words: tuple[tuple[str, tuple[float, ...]], ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class TravelStep:
    """A point on the way: how far along the axis it is, its cosine with the word, and its nearest words."""

    at: float
    cosine: float
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TravelAnswer:
    """A word's way along an axis; `points` (steps + 1, dim) are the vectors."""

    word: str
    axis: str
    steps: tuple[TravelStep, ...]
    points: Floats
    origin: Origin


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """At one layer: the cosine of every two occurrences, of each to the static vector, and of random pairs.

    `pairs` has one value for each pair (i, j), i < j, in the order of the texts; `static` one for each occurrence;
    `baseline` is the mean cosine of random pairs of words of the corpus of senses.
    """

    layer: int
    pairs: tuple[float, ...]
    static: tuple[float, ...]
    baseline: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One word in several texts, layer by layer. `pieces` counts the sub-words that the static vector is made of."""

    word: str
    texts: tuple[str, ...]
    layers: tuple[LayerComparison, ...]
    pieces: int
    split: tuple[int, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class OccurrenceHit:
    """An occurrence that was found: its text with the word at characters [start, end), and its sense if annotated."""

    rank: int
    word: str
    score: float
    text: str
    start: int
    end: int
    sense: str


@dataclass(frozen=True, slots=True)
class OccurrenceAnswer:
    """The occurrences nearest to a word in a sentence, at one layer, beside that layer's random-pair baseline.

    `static` are the nearest rows of the model's own input table to the word's static vector; `split` says that the
    text was longer than the model's window and read in overlapping windows.
    """

    word: str
    text: str
    start: int
    end: int
    hits: tuple[OccurrenceHit, ...]
    static: tuple[Neighbor, ...]
    baseline: float
    origin: Origin
    split: bool = False


@dataclass(frozen=True, slots=True)
class SenseRow:
    """Leave-one-out sense accuracy of the nearest neighbor in one space; `layer` is None for a static vector."""

    model: str
    layer: int | None
    accuracy: float
    baseline: float


@dataclass(frozen=True, slots=True)
class SenseReport:
    """The yardstick of the corpus of senses: `most_frequent` is what no static vector can beat; `notes` say what was
    left out.
    """

    occurrences: int
    words: int
    senses: int
    most_frequent: float
    rows: tuple[SenseRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WordMap:
    """A word's occurrences at every layer on one plane, with its static point.

    `positions` holds for each of `layers` an array (n_occurrences + 1, 2), the last row of which is the static point.
    `spread` has for each layer the mean cosine within a sense and between senses; `baselines` that of random pairs;
    `split` lists the texts of one's own (from 0) that were read in overlapping windows.
    """

    word: str
    layers: tuple[int, ...]
    positions: tuple[Floats, ...]
    texts: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    senses: tuple[str, ...]
    within: tuple[float, ...]
    between: tuple[float, ...]
    baselines: tuple[float, ...]
    method: str
    origin: Origin
    split: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SpaceMap:
    """A space, or its first rows, laid out.

    `space` are the rows shown and `map` where they lie; `neighbors` those that it was made by or is judged by,
    `distortion` what it was measured to keep, and `kept` (n,) for every point the share of its nearest that are its
    nearest on the map.
    """

    space: Space
    map: Map
    neighbors: Neighbors | None
    distortion: Distortion | None
    kept: Floats


@dataclass(frozen=True, slots=True, eq=False)
class MatchedSide:
    """One of several spaces of the same rows, on their common plane.

    `space` are the rows shown (its `keys` and `columns` row for row as every other side's), `positions` (n, 2 or 3)
    where they lie, `neighbors` their nearest among the rows shown, `kept` (n,) the share of its k nearest that each
    has near it on the map too, and `baseline` the mean cosine of random pairs of its whole space. `left_out` counts
    the rows of the whole space that had no match.
    """

    name: str
    space: Space
    positions: Floats
    neighbors: Neighbors
    kept: Floats
    baseline: float
    left_out: int


@dataclass(frozen=True, slots=True, eq=False)
class MatchedMaps:
    """The same rows in two spaces, `a` and `b`, and in those `between` them, laid out on one plane; what changed.

    `overlap` (n,) is for each row the share of its `k` nearest in a that are among its k nearest in b, `changed` (n,)
    the rows, those first that changed most; `by_chance` is what two unrelated spaces would share. Of `matched` rows
    that are the same by `by`, those are shown that `rule` says. All neighbors are among the rows shown.
    """

    a: MatchedSide
    b: MatchedSide
    between: tuple[MatchedSide, ...]
    k: int
    overlap: Floats
    changed: Ints
    by_chance: float
    matched: int
    by: str
    rule: str
    method: str
    options: MapOptions

    def __len__(self) -> int:
        return len(self.overlap)

    @property
    def sides(self) -> tuple[MatchedSide, ...]:
        """All spaces in their order: a, those between, b."""
        return (self.a, *self.between, self.b)

    def stayed(self, row: int) -> tuple[Shift, ...]:
        """The row's k nearest in a that are among its k nearest in b, nearest in a first."""
        mine, theirs = self._near(row)
        return self._shifts(row, mine[np.isin(mine, theirs)])

    def lost(self, row: int) -> tuple[Shift, ...]:
        """The row's k nearest in a that are not among its k nearest in b, nearest in a first."""
        mine, theirs = self._near(row)
        return self._shifts(row, mine[~np.isin(mine, theirs)])

    def gained(self, row: int) -> tuple[Shift, ...]:
        """The row's k nearest in b that are not among its k nearest in a, nearest in b first."""
        mine, theirs = self._near(row)
        return self._shifts(row, theirs[~np.isin(theirs, mine)])

    def _near(self, row: int) -> tuple[Ints, Ints]:
        if not 0 <= row < len(self):
            raise UserError(f"row must be from 0 to {len(self) - 1:,}, the rows that are shown; got {row}")
        return self.a.neighbors.rows[row, : self.k], self.b.neighbors.rows[row, : self.k]

    def _shifts(self, row: int, others: Ints) -> tuple[Shift, ...]:
        return shifts(self.a.space.vectors, self.b.space.vectors, row, others)
