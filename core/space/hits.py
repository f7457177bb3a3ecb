"""`Hits`: what a search found."""

from dataclasses import dataclass

from polysema.core.space.space import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Rows and scores of the best k for each query, best first.

    `rows` is (n_queries, k) int64 and `scores` (n_queries, k) float32; scores are higher-is-better for every metric
    (Euclidean distances are negative), equal ones are in row order. Where an approximate index found fewer than k,
    the rest is row -1 with score -inf.
    """

    rows: Ints
    scores: Floats

    def __len__(self) -> int:
        return len(self.rows)
