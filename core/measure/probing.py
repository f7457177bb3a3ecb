"""Linear probes (Alain and Bengio 2016): how well labels are read off the vectors of a layer, beside a control task.

The control task (Hewitt and Liang 2019) gives every word one label at random, the same wherever it stands: what a probe
reaches there it has memorized, and its selectivity is the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polysema.core.errors import UserError
from polysema.core.space.space import Floats

N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """What a probe reaches at one layer, on texts that it has not seen: `accuracy`, `control` that of the control task,
    `most_frequent` that of always giving the most frequent label.
    """

    layer: int
    accuracy: float
    control: float
    most_frequent: float

    @property
    def selectivity(self) -> float:
        """Accuracy less that of the control task."""
        return self.accuracy - self.control


def probe(
    vectors: Floats, labels: Sequence[str], words: Sequence[str], texts: Sequence[int], layer: int = 0, seed: int = 0
) -> ProbeScore:
    """Train and try a linear probe, cross-validated by text.

    Args:
        vectors: (n, dim).
        labels: The label of each row.
        words: The word of each row, which decides its label in the control task.
        texts: The text of each row: rows of one text are never in training and test at once.
        layer: The number that the score bears.
        seed: Decides the folds and the labels of the control task.

    Raises:
        UserError: There are fewer than two labels, or than two texts.
    """
    names, targets = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        given = f"all rows have {str(names[0])!r}" if len(names) else "there are no rows"
        raise UserError(f"a probe needs at least two labels; {given}")
    if len(set(texts)) < 2:
        raise UserError("a probe is tried on other texts than it learned from; all rows are of one text")
    rng = np.random.default_rng(seed)
    kinds, of_word = np.unique([word.casefold() for word in words], return_inverse=True)
    control = rng.choice(targets, len(kinds))[of_word]  # by the labels' own frequencies
    numbers = np.unique(np.asarray(texts), return_inverse=True)[1]
    n_folds = min(N_FOLDS, int(numbers.max()) + 1)
    fold = (rng.permutation(int(numbers.max()) + 1) % n_folds)[numbers]
    scaled = (vectors - vectors.mean(0)) / np.maximum(vectors.std(0), 1e-6)
    return ProbeScore(
        layer,
        _accuracy(scaled, targets, fold, n_folds),
        _accuracy(scaled, control, fold, n_folds),
        float(np.bincount(targets).max() / len(targets)),
    )


def _accuracy(vectors: Floats, targets: npt.NDArray[np.int64], fold: npt.NDArray[np.int64], n_folds: int) -> float:
    from sklearn.linear_model import LogisticRegression

    right = 0
    for number in range(n_folds):
        train, test = fold != number, fold == number
        if len(np.unique(targets[train])) < 2:
            right += int((targets[test] == targets[train][0]).sum())
            continue
        fitted = LogisticRegression(max_iter=100, tol=1e-2).fit(vectors[train], targets[train])
        right += int((fitted.predict(vectors[test]) == targets[test]).sum())
    return right / len(targets)
