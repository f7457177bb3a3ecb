"""Arrow columns from lists. `pyarrow.array` imports pandas to ask whether a list is one of its own: a third of a second
that a command which prints one text has no use for.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def integer_column(numbers: Sequence[int] | range, kind: pa.DataType) -> pa.Array:
    """A column of integers.

    Args:
        numbers: n of them, without a gap.
        kind: Of integers, such as `pa.int64()`.

    Returns:
        An array of n.
    """
    values = np.array(numbers, dtype=kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def text_column(texts: Sequence[str]) -> pa.Array:
    """A column of texts.

    Args:
        texts: n of them, without a gap.

    Returns:
        An array of n, large_string.
    """
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(encoded), buffers)
