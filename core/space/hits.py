"""`Hits`: what a search found."""

from dataclasses import dataclass

from polysema.core.display import HtmlRepr
from polysema.core.space.space import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Hits(HtmlRepr):
    """Rows and scores of the best k for each query, best first.

    Where fewer than k were found, because an approximate index missed some or because fewer rows pass a filter, the
    rest is row -1 with score -inf.

    Args:
        rows: (n_queries, k) int64, from 0.
        scores: (n_queries, k) float32, higher is better for every metric (Euclidean distances are negative); equal ones
            are in row order.
        recall: The share of the k best that the answer is expected to hold, 1.0 for an exact one, None where it was
            never measured.
        how: In a few words, how the answer was found.

    Example:
        >>> from polysema import ExactIndex
        >>> hits = ExactIndex([[1.0, 0.0], [0.6, 0.8]]).search([[0.0, 1.0]], k=2)
        >>> hits
        Hits(1 x 2, recall 1.000, exact)
        >>> hits.rows.tolist(), hits.scores.astype(str).tolist()
        ([[1, 0]], [['0.8', '0.0']])
    """

    rows: Ints
    scores: Floats
    recall: float | None = None
    how: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        n_queries, k = self.rows.shape
        recall = "not measured" if self.recall is None else f"{self.recall:.3f}"
        return f"Hits({n_queries:,} x {k:,}, recall {recall}{', ' if self.how else ''}{self.how})"
