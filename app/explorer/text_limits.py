"""How many bytes of texts the answers to one question may hold, where somebody else than its asker pays for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from polysema.core.errors import UserError


@dataclass(slots=True)
class TextCount:
    """The letters that were read for an answer, and the most that may be."""

    most: int
    n_letters: int = 0


_count: ContextVar[TextCount | None] = ContextVar("text_count", default=None)


@contextmanager
def limited_texts(most: int) -> Iterator[None]:
    """Within it answers hold at most so many letters of texts that stand beside rows."""
    token = _count.set(TextCount(most))
    try:
        yield
    finally:
        _count.reset(token)


def check_texts_read(texts: Sequence[str | None]) -> None:
    """Count some more texts of an answer; raises `UserError` for more than there may be."""
    count = _count.get()
    if count is None:
        return
    count.n_letters += sum(len(text) for text in texts if text)
    if count.n_letters > count.most:
        raise UserError(
            f"the texts beside these rows have more than {count.most:,} letters; an answer holds "
            "no more: ask for fewer rows (k), or with fewer questions at once"
        )
