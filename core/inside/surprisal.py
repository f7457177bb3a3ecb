"""How surprising each word of a text is to a model: the log-probability that it gives what stands there.

A decoder predicts the next token everywhere in one pass. A masked encoder has no next word: each token is masked
in turn and predicted from all the others, which makes the pseudo-log-likelihood of Salazar et al. (2020). Of a
word of several tokens the later ones give the masked one away; the variant of Kauf and Ivanova (2023) masks them too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.hooks import HookedRun, Twin, Unit, first_of, grouped, read, token_name, twin_of
from polysema.core.inside.lens_scores import Scorer, head_scorer
from polysema.core.inside.scored_tokens import ScoredToken, named, score_tokens
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from torch import Tensor

NEXT_TOKEN, MASKED, WITHIN_WORD = "next-token", "masked", "masked-within-word"
METHODS = ("auto", MASKED, WITHIN_WORD)


@dataclass(frozen=True, slots=True)
class Surprisal:
    """How surprising a text is, token by token or (`unit` words) word by word.

    `method` is next-token, masked or masked-within-word: numbers of different methods don't compare. `windows` is more
    than 1 where the text was longer than the model's window: each token was seen where it has most context.
    """

    json_properties: ClassVar[tuple[str, ...]] = ("log_probability", "bits_per_token", "perplexity")

    model: str
    method: str
    unit: str
    tokens: tuple[ScoredToken, ...]
    n_scored: int
    text: str
    source: str = ""
    windows: int = 1

    @property
    def log_probability(self) -> float:
        """Of the whole text: the sum of all that is scored, natural."""
        return float(sum(token.log_probability for token in self.tokens if np.isfinite(token.log_probability)))

    @property
    def bits_per_token(self) -> float:
        """The mean surprisal of a token."""
        return float(-self.log_probability / np.log(2) / self.n_scored)

    @property
    def perplexity(self) -> float:
        """2 to the mean surprisal; of a masked encoder the pseudo-perplexity."""
        return float(2.0**self.bits_per_token)


@dataclass(frozen=True, slots=True)
class SurprisalOptions:
    """How a text is scored.

    Args:
        method: Of a masked encoder `masked` (also `auto`) or `masked-within-word`.
        unit: `tokens`, or `words`: the sum of a word's tokens.
        batch_tokens: Of a masked encoder, how many tokens are read together.
        max_tokens: Of a masked encoder, how many are read at most: each token of the text is a pass over its window.
    """

    method: str = "auto"
    unit: str = "tokens"
    batch_tokens: int = 4096
    max_tokens: int = 4_000_000


def surprisal(
    model: LanguageModel,
    text: str | None,
    source: str | None = None,
    options: SurprisalOptions | None = None,
    progress: Progress = no_progress,
) -> Surprisal:
    """The log-probability that a model gives each token of a text.

    Of a decoder beside an encoder every token of the text given the source is scored, the end included; of a decoder
    alone all but the first, unless the model is loaded with a token before every text (`bos`).

    Args:
        model: One with a head that scores words.
        text: What is scored; of an encoder-decoder None is what the model writes itself.
        source: What the encoder beside a decoder reads.
        options: By what, and what is scored.
        progress: Is told how many tokens of a masked encoder are done.

    Returns:
        Every token with its log-probability.

    Raises:
        UserError: The text is empty, the model has no head (or no mask token), the method isn't one of its family, or
            a masked encoder would have to read too much.
    """
    options = options or SurprisalOptions()
    scorer = head_scorer(model)
    chosen = _check_method(model, options.method)
    readings = read(model, text, source)
    with twin_of(model) as twin:
        if chosen == NEXT_TOKEN:
            rows = [row for reading in readings for row in _next_tokens(twin, scorer, reading)]
        else:
            _check_size(model, readings, options.max_tokens)
            batches = MaskedBatches(chosen == WITHIN_WORD, options.batch_tokens)
            rows = list(_masked_tokens(twin, scorer, readings, batches, progress))
    n_scored = sum(bool(np.isfinite(row.log_probability)) for row in rows)
    if not n_scored:
        raise UserError(
            f"{model.name} scores a token by those before it, and the text is one token: give a longer text"
        )
    if options.unit != "tokens":
        rows = _words(readings[0].text, rows, options.unit)
    beside = readings[0].source
    return Surprisal(
        model.name,
        chosen,
        options.unit,
        tuple(rows),
        n_scored,
        readings[0].text,
        beside.text if beside is not None else "",
        len(readings),
    )


def _check_method(model: LanguageModel, method: str) -> str:
    if method not in METHODS:
        raise UserError(f"the method {method!r} does not exist; choose one of {', '.join(METHODS)}")
    if model.family is not Family.ENCODER:
        if method != "auto":
            raise UserError(f"{model.name} predicts what comes next and masks nothing; choose the method auto")
        return NEXT_TOKEN
    if model.tokenizer.mask_token_id is None:
        raise UserError(f"the tokenizer of {model.name} has no mask token, so no token can be predicted in its place")
    return WITHIN_WORD if method == WITHIN_WORD else MASKED


def _check_size(model: LanguageModel, readings: Sequence[HookedRun], max_tokens: int) -> None:
    n_tokens = sum(len(reading) * len(_scored_places(reading)) for reading in readings)
    if n_tokens > max_tokens:
        n = sum(len(_scored_places(reading)) for reading in readings)
        raise UserError(
            f"{model.name} reads the text once for each of its {n:,} tokens, {n_tokens:,} tokens together, and at most "
            f"{max_tokens:,} are read: give a shorter text"
        )


def _scored_places(reading: HookedRun) -> list[int]:
    """The text's own tokens that have most context in this window."""
    return [place for place, unit in enumerate(reading.tokens) if reading.fresh[place] and not unit.special]


def _next_tokens(twin: Twin, scorer: Scorer, reading: HookedRun) -> Iterator[ScoredToken]:
    """The tokens of one window that have most context in it, by what the model says one position before."""
    end = _end_of(twin.model, reading)
    ids = (*reading.ids, *end)
    places = _scored_places(reading)
    places += range(len(reading), len(ids))
    states = _last_states(twin, [reading.ids], reading.source)[0]
    scored = [place for place in places if place > 0]
    rows = iter(
        score_tokens(twin.model, scorer, states[[place - 1 for place in scored]], [ids[place] for place in scored])
    )
    for place in places:
        unit = reading.tokens[place] if place < len(reading) else Unit(token_name(twin.model, ids[place]))
        yield named(unit, next(rows)) if place > 0 else ScoredToken(unit.name, unit.span)


def _end_of(model: LanguageModel, reading: HookedRun) -> tuple[int, ...]:
    """What a decoder beside an encoder writes behind a text: the first special token that its tokenizer puts there."""
    if not model.reads_two:
        return ()
    (encoded,) = model.encode_targets([reading.text])
    last = int(encoded.takes[-1, 1])
    return encoded.windows[0][last + 1 : last + 2]


@dataclass(frozen=True, slots=True)
class MaskedBatches:
    """How tokens are masked: with the pieces of their word behind them or alone, and how many are read together."""

    within_word: bool
    n_tokens: int


def _masked_tokens(
    twin: Twin, scorer: Scorer, readings: Sequence[HookedRun], batches: MaskedBatches, progress: Progress
) -> Iterator[ScoredToken]:
    """Each token by what a masked encoder says in its place."""
    mask = twin.model.tokenizer.mask_token_id
    assert mask is not None
    total = sum(len(_scored_places(reading)) for reading in readings)
    done = 0
    for reading in readings:
        places = _scored_places(reading)
        later = _later_pieces(twin.model, reading) if batches.within_word else {}
        step = max(1, batches.n_tokens // len(reading))
        for start in range(0, len(places), step):
            batch = places[start : start + step]
            rows = [_masked(reading.ids, (place, *later.get(place, ())), mask) for place in batch]
            states = _last_states(twin, rows, None)
            state = states[list(range(len(batch))), batch]
            found = score_tokens(twin.model, scorer, state, [reading.ids[place] for place in batch])
            for place, row in zip(batch, found, strict=True):
                yield named(reading.tokens[place], row)
            done += len(batch)
            progress("mask", done, total)


def _masked(ids: Sequence[int], places: Sequence[int], mask: int) -> tuple[int, ...]:
    return tuple(mask if place in places else number for place, number in enumerate(ids))


def _later_pieces(model: LanguageModel, reading: HookedRun) -> dict[int, list[int]]:
    """For each position those behind it that the tokenizer made of the same word."""
    encoding = model.tokenizer.backend_tokenizer.encode(reading.text)
    word_at = dict(zip(encoding.offsets, encoding.word_ids, strict=True))
    words: dict[int, list[int]] = {}
    for place, unit in enumerate(reading.tokens):
        word = word_at.get((unit.span.start, unit.span.end)) if unit.span is not None else None
        if word is not None:
            words.setdefault(word, []).append(place)
    return {place: places[number + 1 :] for places in words.values() for number, place in enumerate(places)}


def _last_states(twin: Twin, rows: Sequence[Sequence[int]], source: HookedRun | None) -> "Tensor":
    """The last hidden states (n_rows, n_positions, dim), before a final norm, of texts of one length."""
    kept: list[Tensor] = []
    twin.on_output(twin.parts.blocks[-1], lambda out: kept.append(first_of(out)))
    try:
        twin.run_rows(rows, source)
    finally:
        twin.handles.pop().remove()
    return kept[0]


def _words(text: str, rows: Sequence[ScoredToken], unit: str) -> list[ScoredToken]:
    """The tokens put together to words: log-probabilities add up."""
    units = tuple(Unit(row.name, row.span) for row in rows)
    found, groups = grouped(HookedRun(text, (0,) * len(rows), units, np.ones(len(rows), bool)), unit)
    words = []
    for number, one in enumerate(found):
        own = [row for row, group in zip(rows, groups.tolist(), strict=True) if group == number]
        log = float(sum(row.log_probability for row in own))
        words.append(
            replace(own[0], name=one.name, span=one.span, log_probability=log, surprisal=-log / float(np.log(2)))
        )
    return words
