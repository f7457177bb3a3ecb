"""`Hits`: what a search found."""

from dataclasses import dataclass

from polysema.core.space.space import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Rows and scores of the best k for each query, best first.

    `rows` is (n_queries, k) int64 and `scores` (n_queries, k) float32; scores are higher-is-better for every metric
    (Euclidean distances are negative), equal ones are in row order. Where fewer than k were found, because an
    approximate index missed some or because fewer rows pass a filter, the rest is row -1 with score -inf.
    `recall` is the share of the k best that the answer is expected to hold, 1.0 for an exact one, None where it was
    never measured; `how` says in a few words how the answer was found.
    """

    rows: Ints
    scores: Floats
    recall: float | None = None
    how: str = ""

    def __len__(self) -> int:
        return len(self.rows)
