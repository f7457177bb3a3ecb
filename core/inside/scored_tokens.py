"""What a model says about tokens where they stand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.inside.hooks import Unit, token_name
from polysema.core.inside.lens_scores import CHUNK_ROWS, Scorer
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Span
from polysema.core.progress import go_on

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token (or word) of a text and how probable the model finds it there.

    `log_probability` is natural, `surprisal` the same in bits with its sign turned; both are NaN where nothing stands
    before it. `rank` (from 1) is its place among all tokens the model could have said, `best` what it would have said
    with its `best_probability`, and `entropy` in bits how open the place was; of a word they are those of its first
    token. The end that a decoder beside an encoder writes has no `span`.
    """

    name: str
    span: Span | None
    log_probability: float = float("nan")
    surprisal: float = float("nan")
    rank: int = 0
    best: str = ""
    best_probability: float = float("nan")
    entropy: float = float("nan")


@dataclass(frozen=True, slots=True)
class TokenScore:
    """What is said about a token where it stands."""

    log_probability: float
    rank: int
    best: str
    best_probability: float
    entropy: float


def score_tokens(
    model: LanguageModel, scorer: Scorer, states: "torch.Tensor", ids: Sequence[int]
) -> Iterator[TokenScore]:
    """What is said at each state (n, dim) about one token, a few at a time: a row of the vocabulary each is large."""
    import torch

    for start in range(0, len(ids), CHUNK_ROWS):
        go_on()
        with torch.inference_mode():
            logs = scorer.logits(states[start : start + CHUNK_ROWS]).log_softmax(-1)
            wanted = torch.tensor(ids[start : start + CHUNK_ROWS], device=logs.device)
            own = logs.gather(-1, wanted[:, None])
            ranks = (logs > own).sum(-1) + 1
            best = logs.max(-1)
            bits = -(logs.exp() * logs.clamp_min(-1e4)).sum(-1) / np.log(2)
        columns = (own[:, 0], ranks, best.indices, best.values.exp(), bits)
        for log, rank, number, probability, entropy in zip(*(column.tolist() for column in columns), strict=True):
            yield TokenScore(log, rank, token_name(model, number), probability, entropy)


def named(unit: Unit, score: TokenScore) -> ScoredToken:
    """The token with its score."""
    bits = -score.log_probability / np.log(2)
    return ScoredToken(
        unit.name,
        unit.span,
        score.log_probability,
        float(bits),
        score.rank,
        score.best,
        score.best_probability,
        score.entropy,
    )
