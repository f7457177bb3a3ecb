"""Which space a page shows: static vectors, a collection, or the hidden states of the corpus at a layer of a model."""

from collections.abc import Iterable, Sequence
from functools import partial

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.core.model.catalog import models_here
from polysema.core.progress import Progress
from polysema.core.space.space import Space

HIDDEN_SPACES = "@"  # `minilm-l6@` is the model's hidden states; with a layer it is the name of a space, `minilm-l6@6`


def sources() -> list[str]:
    """The spaces on this machine, and for each model its hidden states."""
    return widgets.spaces() + [f"{model}{HIDDEN_SPACES}" for model in models_here()]


def source_label(name: str) -> str:
    """How a source is called in a list."""
    return f"{name[:-1]} (hidden states)" if name.endswith(HIDDEN_SPACES) else widgets.space_label(name)


def pick_source(label: str, start: str, key: str, ask: str) -> str:
    """A list of sources, `start` chosen at first where it is there."""
    names = sources()
    index = names.index(start) if start in names else 0
    return permalink.pick(st, label, names, "space", key=key, names=source_label, index=index, help=ask)


def layers_of(found: Iterable[str]) -> dict[str, tuple[int, ...]] | None:
    """The layers at which there are hidden states, for each source; none for other spaces. None while a model is
    loaded.
    """
    known: dict[str, tuple[int, ...]] = {}
    for source in dict.fromkeys(found):  # each once: two bars of the same work can't stand on one page
        if not source.endswith(HIDDEN_SPACES):
            known[source] = ()
            continue
        model = source[:-1]
        layers = work.answer(("layers", model), partial(_layers, model))
        if layers is None:
            return None
        known[source] = layers
    return known


def _layers(model: str, progress: Progress) -> tuple[int, ...]:
    progress(f"load {model}", 0, 1)
    return widgets.explorer().model(model).senses.layers


def pick_layer(source: str, layers: Sequence[int], key: str, last: bool = True) -> str:
    """The name of the space of a source: of hidden states at the layer that is chosen here."""
    if not layers:
        return source
    model = source[:-1]
    layer = permalink.pick_layer(
        layers,
        key=f"{key}_{model}",
        value=layers[-1 if last else 0],
        help="0 is the embedding, before any attention; the last is what the model answers with.",
    )
    return f"{model}{HIDDEN_SPACES}{layer}"


def without_rows(name: str) -> bool:
    """Whether a name is that of a collection in which there are no rows, which is shown."""
    folder = name.partition("/")[0]
    if folder not in widgets.shelf().names() or len(widgets.shelf().get(folder)):
        return False
    st.info(f"There are no rows in {widgets.plain(folder)} now. Add some on the page Data, or choose another space.")
    return True


def opened(name: str) -> Space | None:
    """The space of that name as it is now; None while it is read, or where it can't be (which is shown)."""
    if without_rows(name):
        return None
    found: Space | None = work.answer(
        ("open", name, widgets.explorer().stamp(name)),
        lambda progress: widgets.explorer().space(name, progress).space,
    )
    return found


@st.fragment(run_every=3)
def follow(name: str, stamp: object) -> None:
    """Run the page again when a collection has changed."""
    if widgets.explorer().stamp(name) != stamp:
        st.rerun()
