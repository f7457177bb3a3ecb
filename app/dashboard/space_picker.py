"""Which space a page shows: static vectors, a collection, or the hidden states of the corpus at a layer of a model."""

from collections.abc import Iterable, Sequence

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.decorators import fragment
from polysema.app.dashboard.loading import loaded
from polysema.app.dashboard.picker.choices import HIDDEN_SPACES
from polysema.core.space.space import Space


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
        if not loaded(model):
            return None
        known[source] = widgets.explorer().model(model).senses.layers
    return known


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


@fragment(3)
def follow(name: str, stamp: object) -> None:
    """Run the page again when a collection has changed."""
    if widgets.explorer().stamp(name) != stamp:
        st.rerun()
