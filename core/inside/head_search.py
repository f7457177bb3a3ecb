"""Heads ranked by how much they have one word look at another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import check_layers
from polysema.core.inside.attention import AttentionView, attention, check_view
from polysema.core.inside.attention_frame import frame_of
from polysema.core.inside.hooks import Unit, read
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Floats


@dataclass(frozen=True, slots=True)
class HeadScore:
    """How strongly one head attends from one word to another: `mean` and `least` over all the places, `first` at the
    first of them, where it was number `rank_at_first`; `top` is the share of places where no other word got more.
    """

    layer: int
    head: int
    mean: float
    first: float
    rank_at_first: int
    least: float
    top: float


@dataclass(frozen=True, slots=True)
class HeadRanking:
    """All heads, best mean first. `places` are the (text, from, to) that were found, `chance` what a head that looks at
    all words alike would give them.
    """

    scores: tuple[HeadScore, ...]
    places: tuple[tuple[int, str, str], ...]
    chance: float


def find_heads(
    model: LanguageModel,
    pairs: Sequence[tuple[str, str]],
    texts: Sequence[str],
    sources: Sequence[str] | None = None,
    view: AttentionView | None = None,
    layers: Sequence[int] | None = None,
) -> HeadRanking:
    """All heads ranked by how much the first word of each pair attends to the second, averaged over the texts.

    A pair is measured in each text that has both words, at their first occurrence. One head in a hundred looks right in
    one sentence by luck: the average, the least, and the rank in the first sentence alone tell it from one that does
    so always. In cross-attention the first word is of the text written, the second of the source. Raises `UserError`
    when no text has both words, and when the key word comes later in a decoder's text.
    """
    view = check_view(model, view)
    if not pairs or not texts or not all(a.strip() and b.strip() for a, b in pairs):
        raise UserError("give at least one pair of two words and one text")
    if sources is not None and len(sources) != len(texts):
        raise UserError(f"every text needs a source; got {len(texts)} texts and {len(sources)} sources")
    values: list[Floats] = []
    tops: list[Floats] = []
    places: list[tuple[int, str, str]] = []
    chances: list[float] = []
    masked: list[tuple[str, str]] = []
    chosen = check_layers(model, layers)
    for number, text in enumerate(texts):
        source = sources[number] if sources else None
        frames = [frame_of(reading, view) for reading in read(model, text, source)]
        wanted = [
            (a, b)
            for a, b in pairs
            if any(_unit(f.rows, a) is not None and _unit(f.columns, b) is not None for f in frames)
        ]
        if not wanted:
            continue
        for part in attention(model, text, chosen, source, view):
            for a, b in wanted:
                row, column = _unit(part.rows, a), _unit(part.columns, b)
                if row is None or column is None or (number, a, b) in places:
                    continue
                if part.forbidden[row, column]:
                    masked.append((a, b))
                    continue
                looks = part.weights[:, :, row]  # (n_layers, n_heads, n_columns)
                values.append(looks[..., column])
                tops.append((looks[..., column] >= looks.max(-1)).astype(np.float32))
                places.append((number, a, b))
                chances.append(1.0 / int((~part.forbidden[row]).sum()))
    if not places:
        raise _unanswered(pairs, masked)
    return HeadRanking(_ranked(chosen, np.stack(values), np.stack(tops)), tuple(places), float(np.mean(chances)))


def _unanswered(pairs: Sequence[tuple[str, str]], masked: Sequence[tuple[str, str]]) -> UserError:
    """Why no text has both words of a pair where one can look at the other."""
    for a, b in masked[:1]:
        return UserError(
            f"in a decoder a word can't look at one that comes later, so {a} -> {b} is 0 in every head; ask {b} -> {a}"
        )
    return UserError(f"none of the texts has both words of {', '.join(f'{a} -> {b}' for a, b in pairs)}")


def _ranked(layers: Sequence[int], values: Floats, tops: Floats) -> tuple[HeadScore, ...]:
    """(n_places, n_layers, n_heads) to all heads, best mean first; of equal ones the earlier."""
    n_heads = values.shape[2]
    mean = values.mean(0, dtype=np.float64).ravel()
    first, least, top = values[0].ravel(), values.min(0).ravel(), tops.mean(0).ravel()
    at_first = np.empty(len(mean), np.int64)
    at_first[np.argsort(-first, kind="stable")] = np.arange(1, len(mean) + 1)
    return tuple(
        HeadScore(
            layers[place // n_heads],
            place % n_heads + 1,
            float(mean[place]),
            float(first[place]),
            int(at_first[place]),
            float(least[place]),
            float(top[place]),
        )
        for place in np.argsort(-mean, kind="stable").tolist()
    )


def _unit(units: Sequence[Unit], word: str) -> int | None:
    """The first unit that is the word, in any case."""
    wanted = word.strip().casefold()
    return next(
        (p for p, unit in enumerate(units) if not unit.special and unit.name.strip().casefold() == wanted), None
    )
