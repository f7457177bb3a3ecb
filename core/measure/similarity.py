"""How well cosines agree with what people say of pairs of words: SimLex-999, WordSim-353 and their kin."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polysema.core.errors import UnreadableError, UserError
from polysema.core.measure.analogies import VOCABULARY, read_lines
from polysema.core.space.metric import unit
from polysema.core.space.space import Space


@dataclass(frozen=True, slots=True)
class RatedPair:
    """Two words and how alike people find them."""

    first: str
    second: str
    rating: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Rank correlation (Spearman, ties shared) and linear correlation (Pearson) over the `used` of `pairs` pairs.

    `missing` are the words that the space doesn't hold; a pair with one of them is dropped.
    """

    name: str
    pairs: int
    used: int
    spearman: float
    pearson: float
    missing: tuple[str, ...]


def read_pairs(path: "Path | str") -> list[RatedPair]:
    """The pairs of a file: two words and a number, parted by tabs, commas or spaces.

    Lines that begin with # are passed over; so is a first line of column names, by which SimLex-999's own rating
    (`SimLex999`) is found among its columns. Raises `NotFoundError`, or `UnreadableError` that names the line.
    """
    path = Path(path)
    found: list[RatedPair] = []
    column = 2
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = next((line.split(sign) for sign in ("\t", ",", ";") if sign in line), line.split())
        names = [part.strip().lower() for part in parts]
        if not found and (wanted := {"simlex999", "human (mean)", "rating", "score", "similarity"} & set(names)):
            column = names.index(wanted.pop())
            continue
        try:
            found.append(RatedPair(parts[0].strip(), parts[1].strip(), float(parts[column])))
            if not np.isfinite(found[-1].rating):
                raise ValueError
        except (IndexError, ValueError):
            raise UnreadableError(
                f"{path}, line {number:,}: two words and a number were expected; got {line[:60]!r}"
            ) from None
    if len(found) < 2:
        raise UnreadableError(f"{path} holds {len(found)} pairs; a correlation needs at least 2")
    return found


def measure_similarity(
    space: Space, pairs: list[RatedPair], name: str, lower: bool = True, vocabulary: int | None = VOCABULARY
) -> Agreement:
    """The agreement of the pairs' cosines with their ratings, over the first `vocabulary` words (None: all).

    Raises `UserError` when fewer than two pairs are known.
    """
    from scipy.stats import pearsonr, spearmanr

    words = sorted({_name(word, lower) for pair in pairs for word in (pair.first, pair.second)})
    most = len(space) if vocabulary is None else vocabulary
    found = (row if row < most else -1 for row in space.keys.rows(words).tolist())
    rows = dict(zip(words, found, strict=True))
    known = [(rows[_name(p.first, lower)], rows[_name(p.second, lower)], p.rating) for p in pairs]
    known = [(a, b, rating) for a, b, rating in known if a >= 0 and b >= 0]
    missing = tuple(word for word, row in rows.items() if row < 0)
    if len(known) < 2:
        raise UserError(f"{name}: {len(known)} of its {len(pairs)} pairs are in {space.name}; at least 2 are needed")
    first, second = (
        unit(np.asarray(space.vectors[np.array(side, np.int64)])) for side in list(zip(*known, strict=True))[:2]
    )
    cosines = np.einsum("nd,nd->n", first, second)
    ratings = np.array([rating for _, _, rating in known])
    rank, line = spearmanr(cosines, ratings).statistic, pearsonr(cosines, ratings).statistic
    return Agreement(name, len(pairs), len(known), float(rank), float(line), missing)


def _name(word: str, lower: bool) -> str:
    return word.lower() if lower else word
