"""How colors look to eyes that miss a cone, and how far apart two of them are."""

import numpy as np

DEUTERANOPIA, PROTANOPIA = "deuteranopia", "protanopia"

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
_SIMULATIONS = {
    PROTANOPIA: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    DEUTERANOPIA: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def _linear(color: str) -> "np.typing.NDArray[np.float64]":
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(color: str, vision: str = "") -> "np.typing.NDArray[np.float64]":
    """CIE L*a*b* of `#rrggbb` as it looks to that vision (the usual one when it is empty)."""
    linear = _linear(color)
    if vision:
        linear = np.clip(np.array(_SIMULATIONS[vision]) @ linear, 0, 1)
    scaled = _TO_XYZ @ linear / _WHITE
    f = np.where(scaled > 216 / 24389, np.cbrt(scaled), (24389 / 27 * scaled + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: str, other: str, vision: str = "") -> float:
    """CIE76 distance: about 2 is just noticed side by side, 10 is distinguished at a glance."""
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))
