"""Lines of words and numbers, parsed by compiled code. Imported only where a text is read: numba takes half a
second.
"""

import numpy as np

from polysema.core.compiled import compiled
from polysema.core.space.array_types import Bytes, Floats, Ints

_POWERS = 10.0 ** np.arange(23)  # those that a double holds exactly
NEWLINE, RETURN, SPACE, TAB, POINT, MINUS, PLUS = 10, 13, 32, 9, 46, 45, 43

DONE, SHORT_LINE, MANY_FAULTS = 0, 1, 2


@compiled()
def parse(  # noqa: C901, PLR0913  one compiled loop over the bytes, which fills arrays that the caller made
    text: Bytes, dim: int, padded: bool, vectors: Floats, ends: Ints, words: Bytes, lines: Ints, faults: Ints
) -> tuple[int, int, int, int, int]:
    """Parse whole lines, each a word (which may hold spaces) and `dim` numbers after it; blank lines are passed over.

    Several spaces or tabs between two numbers are as one, and around the word where it is `padded`.

    Filled in: `vectors` (rows, dim); `words`, the bytes of all words, row r ending at `ends[r + 1]`; `lines` (rows,),
    each row's line from 0; `faults` (n, 4), the cells that are no plain decimal number: row, column, first byte, end.
    Returns what happened (DONE, SHORT_LINE, MANY_FAULTS), rows, faults, the line it happened in, and lines with a CR.

    A number of up to 18 digits and an exponent of at most 22 is one exact integer times or over one exact power, so it
    is rounded once (Clinger 1990's fast path); every other is left to the caller.
    """
    at, row, filled, fault, line, returns = 0, 0, 0, 0, 0, 0
    n = len(text)
    while at < n:
        end = at
        while end < n and text[end] != NEWLINE:
            end += 1
        stop = end
        if stop > at and text[stop - 1] == RETURN:
            stop -= 1
            returns += 1
        while stop > at and (text[stop - 1] == SPACE or text[stop - 1] == TAB):
            stop -= 1
        if stop == at:
            at = end + 1
            line += 1
            continue
        first = stop
        left = dim
        while first > at and left > 0:
            first -= 1
            if text[first] <= SPACE and (text[first] == SPACE or text[first] == TAB):
                left -= 1
                while (
                    left > 0
                    and first > at
                    and text[first - 1] <= SPACE
                    and (text[first - 1] == SPACE or text[first - 1] == TAB)
                ):
                    first -= 1
        if left > 0:
            return SHORT_LINE, row, fault, line, returns
        begin, close = at, first
        if padded:
            while close > begin and (text[close - 1] == SPACE or text[close - 1] == TAB):
                close -= 1
            while begin < close and (text[begin] == SPACE or text[begin] == TAB):
                begin += 1
        for place in range(begin, close):
            words[filled] = text[place]
            filled += 1
        ends[row + 1] = filled
        lines[row] = line
        place = first
        for column in range(dim):
            place += 1
            if text[place] <= SPACE:
                while text[place] == SPACE or text[place] == TAB:
                    place += 1
            start = place
            negative = text[place] == MINUS
            if negative or text[place] == PLUS:
                place += 1
            mantissa, digits, exponent, seen = np.int64(0), 0, 0, False
            point = False
            while place < stop:
                digit = np.int64(text[place]) - 48
                if 0 <= digit <= 9:
                    seen = True
                    if digits < 18:
                        mantissa = mantissa * 10 + digit
                        if mantissa > 0:
                            digits += 1
                        if point:
                            exponent -= 1
                    elif not point:
                        exponent += 1
                elif digit == POINT - 48 and not point:
                    point = True
                else:
                    break
                place += 1
            if seen and place < stop and (text[place] == 101 or text[place] == 69):
                place += 1
                under = place < stop and text[place] == MINUS
                if under or (place < stop and text[place] == PLUS):
                    place += 1
                seen = False
                power = 0
                while place < stop and 48 <= text[place] <= 57:
                    power = power * 10 + int(text[place]) - 48 if power < 100000 else 100000
                    seen = True
                    place += 1
                exponent += -power if under else power
            whole = place == stop or text[place] == SPACE or text[place] == TAB
            if seen and whole and -22 <= exponent <= 22:
                value = mantissa / _POWERS[-exponent] if exponent < 0 else mantissa * _POWERS[exponent]
                vectors[row, column] = -value if negative else value
            else:
                while place < stop and text[place] != SPACE and text[place] != TAB:
                    place += 1
                if fault == len(faults):
                    return MANY_FAULTS, row, fault, line, returns
                faults[fault, 0] = row
                faults[fault, 1] = column
                faults[fault, 2] = start
                faults[fault, 3] = place
                fault += 1
        row += 1
        line += 1
        at = end + 1
    return DONE, row, fault, line, returns
