"""A link that holds its view itself, texts and selection, so that it opens on another machine."""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from polysema.app.dashboard.permalink import MAX_BYTES, PARAMETER, save

CONTENT = "content"
"""The parameter that holds a view itself, as `packed_view` writes it, instead of its name."""


def packed_view(view: Mapping[str, Any]) -> str:
    """A view as a text for an address."""
    content = json.dumps(view, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def take_content() -> None:
    """Keep the view that the address holds on this machine, and put its name in its place; one that can't be read is
    told as one that is lost.
    """
    text = st.query_params.get(CONTENT)
    if text is None:
        return
    st.query_params.pop(CONTENT)
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        view = json.loads(zlib.decompressobj().decompress(packed, MAX_BYTES))
        values = view["values"]
        whole = isinstance(view["page"], str) and all(_is_plain(value) for value in values.values())
    except (ValueError, zlib.error, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    st.query_params[PARAMETER] = (whole and save({"page": view["page"], "values": values})) or "lost"


def _is_plain(value: object) -> bool:
    """Whether a value of a link is one that `keep` takes."""
    return isinstance(value, str | int | float | bool | None) or (
        isinstance(value, list) and all(isinstance(one, str | int | float) for one in value)
    )
