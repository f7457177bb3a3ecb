"""What is reported of a quantized engine: the mean and the least cosine to the exact vectors, and both accuracies."""

import numpy as np
import pytest

from polysema.core.measure.int8 import layer_difference


def test_the_least_cosine_is_the_least_and_the_mean_the_mean() -> None:
    exact = np.array([[1, 0], [0, 2], [3, 0], [0, 1]], np.float32)
    quantized = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], np.float32)
    words, senses = ["bank"] * 4, ["river", "money", "river", "money"]
    found = layer_difference(3, exact, quantized, words, senses)
    assert found.layer == 3
    assert found.least_cosine == pytest.approx(0.6)
    assert found.mean_cosine == pytest.approx((1 + 1 + 0.6 + 0.6) / 4)
    assert (found.exact_accuracy, found.accuracy) == (1.0, 0.0)
