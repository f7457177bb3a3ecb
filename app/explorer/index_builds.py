"""Who may build an index that a question needs: one builds at a time, within what a request may cost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from polysema.core.errors import BusyError, UserError
from polysema.indexes.index_spec import IndexSpec, choose


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """What may be built for a question.

    Args:
        max_bytes: The most that an index may take; None for no limit.
        max_seconds: The longest that its building may be expected to take; None for no limit.
        wait: Whether one waits while another index is built, or is told to come again.
    """

    max_bytes: int | None = None
    max_seconds: float | None = None
    wait: bool = True


_limits: ContextVar[BuildLimits] = ContextVar("build_limits", default=BuildLimits())  # noqa: B039 (it is frozen)
_turn = threading.Lock()


@contextmanager
def limited_builds(limits: BuildLimits) -> Iterator[None]:
    """Within it this thread builds no index beyond the limits."""
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)


@contextmanager
def build_turn() -> Iterator[None]:
    """Within it no other index is built by this process; raises `BusyError` where one is, and it isn't waited for."""
    if not _turn.acquire(blocking=_limits.get().wait):
        raise BusyError("another index is being built; ask again in a few seconds, or without an index")
    try:
        yield
    finally:
        _turn.release()


def check_build(spec: IndexSpec, n_rows: int, dim: int) -> None:
    """Raise `UserError` for an index that is too large, or takes too long, to be built for a question."""
    limits = _limits.get()
    whole = (choose(n_rows, dim)[0] if spec.kind == "auto" else spec).fitted(n_rows, dim)
    size, seconds = whole.index_bytes(n_rows, dim), whole.build_seconds(n_rows, dim)
    what = f"an index {whole} of {n_rows:,} x {dim}"
    remedy = "leave the index out, name a smaller recipe, or put the vectors into a collection and compact it"
    if limits.max_bytes is not None and size > limits.max_bytes:
        raise UserError(f"{what} takes about {size:,} bytes; {limits.max_bytes:,} may be built for a request: {remedy}")
    if limits.max_seconds is not None and seconds > limits.max_seconds:
        raise UserError(
            f"{what} takes about {seconds:,.0f} seconds to build; {limits.max_seconds:,.0f} may go into a request: "
            f"{remedy}"
        )
