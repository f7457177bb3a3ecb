"""How much of a collection a request may bring into memory."""

from __future__ import annotations

from polysema.app.explorer import WordSpace
from polysema.core.errors import UserError


def check_rows_read(space: WordSpace, rows: int, most: int, what: str) -> None:
    """Raise `UserError` for more numbers of a collection than may be read into memory for one request."""
    numbers = rows * space.dim
    if hasattr(space.space.vectors, "streams") and numbers > most:
        raise UserError(
            f"{what} needs {numbers:,} numbers in memory; {most:,} of a collection may be read here: ask for fewer "
            "rows (n), for the collection as it is (raw), or raise max_space"
        )
