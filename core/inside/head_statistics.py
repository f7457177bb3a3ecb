"""What heads do over many texts: look at the token before, at the same token earlier, or at what followed it then.

The scores of Olsson et al. (2022). A head that looks at what followed the last occurrence of the present token, and
copies it, makes an induction head: a text that repeats itself is then continued as before.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.errors import UserError, check_list
from polysema.core.inside.architectures import SELF, check_layers
from polysema.core.inside.attention import require_rows
from polysema.core.inside.attention_modules import find_attentions
from polysema.core.inside.hooks import HookedRun, Twin, Unit, read, twin_of
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Span
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Ints

if TYPE_CHECKING:
    from torch import Tensor

PREVIOUS, DUPLICATE, INDUCTION = "previous-token", "duplicate-token", "induction"
STATISTICS = (PREVIOUS, DUPLICATE, INDUCTION)
RANDOM_TOKENS = 24  # of a random sequence, which is then repeated once


@dataclass(frozen=True, slots=True)
class HeadStatistic:
    """What one head (layer and head from 1) gives, on the mean over all places, to the token before
    (`previous_token`), to the same token earlier (`duplicate_token`), and to what followed that (`induction`): shares
    of its attention, NaN where the texts have no such place.
    """

    layer: int
    head: int
    previous_token: float = float("nan")
    duplicate_token: float = float("nan")
    induction: float = float("nan")


@dataclass(frozen=True, slots=True)
class StatisticBaseline:
    """The baseline of one statistic: how many tokens it is a mean over, and what a head that looks at all it may
    alike would have (`chance`, NaN without any token).
    """

    name: str
    n_places: int
    chance: float = float("nan")


@dataclass(frozen=True, slots=True)
class HeadStatistics:
    """All heads of a model over some texts; `heads` are ranked by the statistic `ranked_by`, highest first."""

    model: str
    ranked_by: str
    heads: tuple[HeadStatistic, ...]
    n_texts: int
    n_tokens: int
    baselines: tuple[StatisticBaseline, ...]
    random: bool = False


def head_statistics(
    model: LanguageModel,
    texts: Iterable[str],
    by: str = INDUCTION,
    layers: Sequence[int] | None = None,
    progress: Progress = no_progress,
) -> HeadStatistics:
    """Previous-token, duplicate-token and induction scores of all heads over some texts, ranked by one of them.

    Texts are read one after the other and nothing is kept of them but sums, so that they can be a whole corpus. A text
    that is longer than the window counts window by window, each token once.

    Args:
        model: Any with one stack, or one stack of an encoder-decoder's.
        texts: Read once, in order.
        by: The statistic to rank by, one of `STATISTICS`.
        layers: From 1, all when None.
        progress: Is told after each text.

    Returns:
        The heads, best first.

    Raises:
        UserError: There is no text, no such layer or statistic, or no place in the texts where it can be seen.
    """
    check_list(texts, "the texts")
    return _statistics(model, (_readings(model, text) for text in texts), by, layers, progress)


def repeated_random_statistics(
    model: LanguageModel, n: int = 8, by: str = INDUCTION, layers: Sequence[int] | None = None, seed: int = 0
) -> HeadStatistics:
    """The same over `n` seeded sequences of random tokens, each repeated once: nothing but repetition is in them, so
    that no head can score by what it knows of language.
    """
    if not 1 <= n <= 1000:
        raise UserError(f"1 to 1000 random sequences are read; got {n}")
    texts = ((reading,) for reading in islice(_random(model, seed), n))
    found = _statistics(model, texts, by, layers, no_progress)
    return replace(found, random=True)


def _readings(model: LanguageModel, text: str) -> Iterator[HookedRun]:
    if model.reads_two:
        yield from read(model, None, text)
    elif text.strip():
        yield from read(model, text)


def _random(model: LanguageModel, seed: int) -> Iterator[HookedRun]:
    """Sequences of random tokens, each repeated once, between the special tokens that the model puts around a text."""
    if model.reads_two:
        raise UserError(f"random tokens are read by one stack; choose the encoder of {model.name} (stack encoder)")
    special = set(model.tokenizer.all_special_ids)
    allowed = [number for number in range(len(model.tokenizer)) if number not in special]
    around = len(model.encode_ids([allowed[0]]).windows[0]) - 1
    length = min(RANDOM_TOKENS, (model.window - around) // 2, len(allowed))
    generator = np.random.default_rng(seed)
    while True:
        drawn = generator.choice(allowed, length, replace=False).tolist()
        encoded = model.encode_ids(drawn * 2)
        ids, own = encoded.windows[0], set(encoded.takes[:, 1].tolist())
        names = model.tokenizer.convert_ids_to_tokens(list(ids))
        units = tuple(Unit(name, Span(0, 0) if place in own else None) for place, name in enumerate(names))
        yield HookedRun("", ids, units, np.ones(len(ids), bool))


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """The pairs that are counted: `rows` and `columns` of one length, over `n_places` rows, and the sum over those of a
    head that gives all tokens the same weight.
    """

    rows: Ints
    columns: Ints
    n_places: int
    chance: float


def _pairs(pairs: Sequence[tuple[int, int]], n_visible: "np.ndarray[Any, Any]") -> _Pairs:
    table = np.array(pairs, np.int64).reshape(-1, 2)
    rows, columns = table.T
    return _Pairs(rows, columns, len(np.unique(rows)), float((1.0 / n_visible[rows]).sum()))


def pairs_of(reading: HookedRun, causal: bool) -> tuple[_Pairs, _Pairs, _Pairs]:
    """For each of `STATISTICS` which position (row) is paired with which other (column), special tokens left out."""
    own = [place for place, unit in enumerate(reading.tokens) if not unit.special]
    n_visible = np.arange(1, len(reading) + 1) if causal else np.full(len(reading), len(reading))
    previous: list[tuple[int, int]] = []
    duplicate: list[tuple[int, int]] = []
    induction: list[tuple[int, int]] = []
    seen: dict[int, list[int]] = {}
    for place in own:
        earlier = seen.setdefault(reading.ids[place], [])
        if reading.fresh[place]:
            if place > 0 and not reading.tokens[place - 1].special:
                previous.append((place, place - 1))
            duplicate += [(place, other) for other in earlier]
            induction += [(place, other + 1) for other in earlier if other + 1 < place]
        earlier.append(place)
    return _pairs(previous, n_visible), _pairs(duplicate, n_visible), _pairs(induction, n_visible)


class _Sums:
    """Sums over all places read so far; nothing else is kept of a text."""

    def __init__(self, twin: Twin, layers: Sequence[int]):
        self.layers = tuple(layers)
        self.attention = np.zeros((len(STATISTICS), len(self.layers), twin.model.n_heads))
        self.places = np.zeros(len(STATISTICS), np.int64)
        self.chance = np.zeros(len(STATISTICS))
        self.n_tokens = 0
        self.pairs: tuple[_Pairs, ...] = ()
        modules = find_attentions(twin.model)
        for row, layer in enumerate(self.layers):
            modules.tap(twin, layer, SELF, partial(self._add, row))

    def read(self, twin: Twin, reading: HookedRun) -> None:
        self.pairs = pairs_of(reading, twin.model.causal)
        for number, pairs in enumerate(self.pairs):
            self.places[number] += pairs.n_places
            self.chance[number] += pairs.chance
        own = [not unit.special for unit in reading.tokens]
        self.n_tokens += int(np.count_nonzero(reading.fresh & own))
        twin.run(reading)

    def _add(self, row: int, weights: "Tensor") -> None:
        import torch

        for number, pairs in enumerate(self.pairs):
            if len(pairs.rows):
                rows, columns = (torch.from_numpy(of).to(weights.device) for of in (pairs.rows, pairs.columns))
                self.attention[number, row] += weights[:, rows, columns].double().sum(-1).cpu().numpy()


def _statistics(
    model: LanguageModel,
    texts: Iterable[Iterable[HookedRun]],
    by: str,
    layers: Sequence[int] | None,
    progress: Progress,
) -> HeadStatistics:
    if by not in STATISTICS:
        raise UserError(f"heads are ranked by {', '.join(STATISTICS)}; got {by!r}")
    n_texts = 0
    require_rows(model, SELF)
    with twin_of(model) as twin:
        sums = _Sums(twin, check_layers(model, layers))
        for readings in texts:
            n_texts += 1
            for reading in readings:
                sums.read(twin, reading)
            progress("read", n_texts, 0)
    if not sums.n_tokens:
        raise UserError("give at least one text with a word in it")
    at = STATISTICS.index(by)
    if not sums.places[at]:
        missing = "no text has two tokens" if by == PREVIOUS else "no token stands twice in any of the texts"
        raise UserError(f"{missing}, so {by} can't be seen; give longer texts, or take random sequences that repeat")
    return _ranked(model.name, sums, by, n_texts)


def _ranked(model: str, sums: _Sums, by: str, n_texts: int) -> HeadStatistics:
    with np.errstate(invalid="ignore"):
        means = sums.attention / sums.places[:, None, None]
        chance = sums.chance / sums.places
    heads = [
        HeadStatistic(layer, head + 1, *(float(value) for value in means[:, row, head]))
        for row, layer in enumerate(sums.layers)
        for head in range(means.shape[2])
    ]
    order = np.argsort(-means[STATISTICS.index(by)].ravel(), kind="stable").tolist()
    return HeadStatistics(
        model,
        by,
        tuple(heads[place] for place in order),
        n_texts,
        sums.n_tokens,
        tuple(map(StatisticBaseline, STATISTICS, sums.places.tolist(), chance.tolist())),
    )
