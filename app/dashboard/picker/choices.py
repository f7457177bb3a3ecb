"""What can be chosen on a page: the names on this machine, what was opened before, and of which family each is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from polysema.app.config.settings import is_loopback
from polysema.app.dashboard import widgets
from polysema.app.explorer.description import describe
from polysema.app.explorer.opened_models import OpenedModel, opened_before
from polysema.core.model.catalog import CatalogEntry, folder_of, models_here
from polysema.core.space.space import Family

HIDDEN_SPACES = "@"  # `minilm-l6@` is the model's hidden states; with a layer it is the name of a space, `minilm-l6@6`
MODEL_FAMILIES = (Family.ENCODER, Family.DECODER, Family.ENCODER_DECODER)


def on_this_machine() -> bool:
    """Whether only this machine reaches the dashboard: then its user may open whatever is on it."""
    return is_loopback(str(st.get_option("server.address") or ""))


def rows() -> tuple[CatalogEntry, ...]:
    """The rows of the catalogs and of the settings' own names."""
    return widgets.explorer().names.rows()


def opened() -> tuple[OpenedModel, ...]:
    """What was opened before; where others than this machine reach the dashboard, nothing."""
    return opened_before() if on_this_machine() else ()


def models(reads: Sequence[str] = ("texts",), families: Sequence[Family] = MODEL_FAMILIES) -> list[str]:
    """The models that are here: those that have a name, and those that were opened before.

    Args:
        reads: What they were made to read.
        families: Of which families they are.

    Returns:
        Names, paths and hub ids.
    """
    known = {row.name: row.family for row in rows()}
    owns = widgets.explorer().names.owns
    here = (row for row in rows() if owns(row.name) and row.family in MODEL_FAMILIES and folder_of(row) is not None)
    named = [*models_here(tuple(reads)), *(row.name for row in here if row.reads in reads)]
    return [name for name in named if known[name] in families] + [
        one.name for one in opened() if one.family in families and one.family in MODEL_FAMILIES
    ]


def spaces() -> list[str]:
    """The static spaces that are here: vectors that have a name or were opened before, the models' own tables, and the
    collections of the data folder, as `collection` or `collection/space`.
    """
    static = [row.name for row in rows() if row.family is Family.STATIC and folder_of(row) is not None]
    static += [one.name for one in opened() if one.family is Family.STATIC]
    return static + models() + widgets.collected()


def sources() -> list[str]:
    """The spaces on this machine, and for each model its hidden states."""
    return spaces() + [f"{model}{HIDDEN_SPACES}" for model in models()]


def family_of(name: str) -> Family:
    """The family of a model; raises `UserError` for one that isn't there."""
    known = {one.name: one.family for one in opened()} | {row.name: row.family for row in rows()}
    if name in known:
        return known[name]
    return describe(widgets.explorer().names.locate(name)).family


def reads_letters(name: str) -> bool:
    """Whether a model was made to read the letters of one word."""
    return any(row.name == name and row.reads == "letters" for row in rows())


def name_label(name: str) -> str:
    """How a model or file is called in a list: a name as it is, a path by its last part and where that lies."""
    path = Path(name)
    if not path.is_absolute():
        return name
    user = Path.home()
    folder = f"~/{path.parent.relative_to(user)}" if path.parent.is_relative_to(user) else str(path.parent)
    return f"{path.name} (in {folder})"


def space_label(name: str) -> str:
    """How a static space is called in a list."""
    return f"{name_label(name)} (input embeddings)" if name in models() else name_label(name)


def source_label(name: str) -> str:
    """How a source, a static space or a model's hidden states, is called in a list."""
    return f"{name_label(name[:-1])} (hidden states)" if name.endswith(HIDDEN_SPACES) else space_label(name)
