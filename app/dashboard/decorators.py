"""Streamlit's decorators with the types of what they decorate."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import streamlit as st

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def cached_resource(max_entries: int) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """`st.cache_resource` without a spinner: the same object for the same arguments, for all sessions."""

    def decorate(make: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        kept = st.cache_resource(make, show_spinner=False, max_entries=max_entries)
        return cast("Callable[Arguments, Result]", kept)

    return decorate


def cached_data(
    max_entries: int, seconds: float | None = None, spinner: str | bool = False
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """`st.cache_data`: a copy of the result for the same arguments, kept so many `seconds` (None: for good)."""

    def decorate(make: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        kept = st.cache_data(make, show_spinner=spinner, max_entries=max_entries, ttl=seconds)
        return cast("Callable[Arguments, Result]", kept)

    return decorate


def fragment(run_every: float | None) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """`st.fragment`: a part of a page that runs by itself, every so many seconds where they are given."""

    def decorate(part: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        return cast("Callable[Arguments, Result]", st.fragment(part, run_every=run_every))

    return decorate
