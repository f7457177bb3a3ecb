"""Vectors as the arguments of a command: numbers, or an .npy file of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.core.space.space import Floats


def parse_vector(text: str) -> Floats:
    """One vector (1, dim) of numbers with commas between; raises `UserError`."""
    import numpy as np

    try:
        return np.array([[float(part) for part in text.split(",")]], np.float32)
    except ValueError:
        raise UserError(f"a vector is numbers with commas between, such as 0.1,-0.3; got {text[:60]!r}") from None


def read_queries(path: str) -> Floats:
    """The vectors (n, dim) of an .npy file; raises `UserError`."""
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path} is not there; give an .npy file of vectors") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is no .npy file of numbers: {' '.join(str(error).split())[:120]}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise UserError(f"{path} must contain one array of numbers of shape (n, dim)")
    return np.atleast_2d(array).astype(np.float32)
