"""`Hits`: what a search found."""

from dataclasses import dataclass

from polysema.core.display import HtmlRepr
from polysema.core.space.space import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Hits(HtmlRepr):
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

    def __repr__(self) -> str:
        n_queries, k = self.rows.shape
        recall = "not measured" if self.recall is None else f"{self.recall:.3f}"
        return f"Hits({n_queries:,} x {k:,}, recall {recall}{', ' if self.how else ''}{self.how})"
