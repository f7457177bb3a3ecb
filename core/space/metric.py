"""How two vectors are compared. Scores are higher-is-better for every metric."""

from enum import Enum

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.space import Floats

MIN_SAFE_SQUARES, MAX_SAFE_SQUARES = 1e-30, 1e38  # sums of squares that float32 holds without losing digits


class Metric(Enum):
    """The metrics, by the names that the command line and the tables use."""

    COSINE = "cosine"
    INNER_PRODUCT = "inner_product"
    EUCLIDEAN = "euclidean"

    @classmethod
    def parse(cls, name: "str | Metric") -> "Metric":
        """The metric of that name; raises `UserError` naming those that exist."""
        if isinstance(name, Metric):
            return name
        try:
            return cls(name.lower().replace("-", "_"))
        except ValueError:
            raise UserError(
                f"metric {name!r} does not exist; choose one of {', '.join(m.value for m in cls)}"
            ) from None


def norms(vectors: Floats) -> Floats:
    """Euclidean length of each row: (n, dim) -> (n,), also where the squares leave the range of float32."""
    squares = np.einsum("ij,ij->i", vectors, vectors)
    lengths: Floats = np.sqrt(squares)
    unsafe = np.flatnonzero(~((squares >= MIN_SAFE_SQUARES) & (squares <= MAX_SAFE_SQUARES)))
    if len(unsafe):
        rows = vectors[unsafe].astype(np.float64)
        lengths[unsafe] = np.sqrt(np.einsum("ij,ij->i", rows, rows)).clip(max=np.finfo(lengths.dtype).max)
    return lengths


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length 1: (n, dim) -> (n, dim); a zero row stays zero, so its cosine with anything is 0."""
    length = norms(vectors)
    return np.divide(vectors, length[:, None], out=np.zeros_like(vectors), where=length[:, None] > 0)


def cosine(a: Floats, b: Floats) -> float:
    """Cosine of two vectors, 0.0 when either is zero."""
    length = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else 0.0
