"""The distribution over the next token, behind one text or behind several beams."""

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

from polysema.core.inside.generation_results import Candidate, GenerationStep
from polysema.core.inside.next_token import NextTokenModel

if TYPE_CHECKING:
    from torch import Tensor

NATS_PER_BIT = 0.6931471805599453


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is said about the next token: rows of log-probabilities by the model, and the chances of being drawn.

    `logs` is (n_rows, vocabulary); `best_ids`, `best_probabilities` and `best_chances` hold the k most probable tokens
    of each row, `entropies` are in bits.
    """

    writer: NextTokenModel
    logs: "Tensor"
    best_ids: list[list[int]]
    best_probabilities: list[list[float]]
    best_chances: list[list[float]]
    entropies: list[float]

    @classmethod
    def of(cls, writer: NextTokenModel, logs: "Tensor", scores: "Tensor", k: int) -> "Distribution":
        """From log-probabilities and from the scores that rules, temperature and cut-offs made of them."""
        import torch

        best = logs.topk(k)
        chances = scores.softmax(-1).gather(-1, best.indices)
        bits = torch.special.entr(logs.exp()).sum(-1) / NATS_PER_BIT
        return cls(
            writer,
            logs,
            best.indices.tolist(),
            [list(map(exp, row)) for row in best.values.tolist()],
            chances.tolist(),
            bits.tolist(),
        )

    def step(
        self, number: int, row: int, chosen: int, text: str, ends: set[int], forced: bool = False
    ) -> GenerationStep:
        """The step at which a token of a row was written."""
        log, best = self.logs[row, chosen], self.best_ids[row]
        rank = 1 if chosen == best[0] else int((self.logs[row] > log).sum()) + 1
        candidates = zip(best, self.best_probabilities[row], self.best_chances[row], strict=True)
        return GenerationStep(
            number,
            self.writer.name(chosen),
            chosen,
            float(log),
            self.entropies[row],
            rank,
            tuple(Candidate(self.writer.name(one), one, p, chance) for one, p, chance in candidates),
            text,
            forced,
            chosen in ends,
        )
