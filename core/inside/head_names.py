"""How a head is written: 3.4 in this project's counting, L2H3 in TransformerLens's."""

import re

from polysema.core.errors import UserError

HEAD_SYNTAX = "LAYER.HEAD, both counted from 1, such as 3.5, or L2H4, both counted from 0 as in TransformerLens"

_DOTTED = re.compile(r"(-?\d+)\.(\d+)")
_ZERO_BASED = re.compile(r"L(\d+)H(\d+)", re.IGNORECASE)


def parse_head(text: str) -> tuple[int, int]:
    """The layer and the head that a text names, both counted from 1.

    Args:
        text: `3.5`, layer 3 and head 5 counted from 1 (a negative layer counts from the end), or `L2H4`, the same head
            in the notation of TransformerLens, where both are counted from 0.

    Returns:
        The layer and the head; whether a model has them is not checked here.

    Raises:
        UserError: The text is written in neither way.

    Example:
        >>> parse_head("3.5"), parse_head("L2H4")
        ((3, 5), (3, 5))
    """
    if (dotted := _DOTTED.fullmatch(text.strip())) is not None:
        return int(dotted[1]), int(dotted[2])
    if (named := _ZERO_BASED.fullmatch(text.strip())) is not None:
        return int(named[1]) + 1, int(named[2]) + 1
    raise UserError(f"a head is written {HEAD_SYNTAX}; got {text!r}")


def zero_based_head(layer: int, head: int) -> str:
    """The name that TransformerLens gives a head whose layer and number are counted from 1.

    Example:
        >>> zero_based_head(3, 5)
        'L2H4'
    """
    return f"L{layer - 1}H{head - 1}"


def head_name(layer: int, head: int) -> str:
    """A head in both notations, for people.

    Example:
        >>> head_name(3, 5)
        '3.5 (L2H4)'
    """
    return f"{layer}.{head} ({zero_based_head(layer, head)})"
