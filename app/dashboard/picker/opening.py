"""What is in the box behind *Other*: the catalog, a folder or file of this machine, an id of the hub."""

from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.data.collection_care import size
from polysema.app.dashboard.decorators import cached_data
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import bring
from polysema.app.dashboard.picker.card import card, fits
from polysema.app.explorer.description import describe
from polysema.app.explorer.opened_models import forget, remember
from polysema.core.errors import UserError
from polysema.core.model.catalog import CatalogEntry, ModelLocation, folder_of, locate
from polysema.core.model.description import ModelDescription
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.hub import HUB_ID_EXAMPLE, cached_models, why_unreachable
from polysema.core.model.pull import download_bytes
from polysema.core.progress import Progress
from polysema.core.space.space import Family

CATALOG, MACHINE, HUB = "Catalog", "Folder or file", "Hub"


@dataclass(frozen=True, slots=True)
class Picker:
    """A list of models or spaces: its key, the families that it takes, and whether a model stands in it for its hidden
    states.
    """

    key: str
    families: tuple[Family, ...] = tuple(Family)
    hidden_states: bool = False


def opening(picker: Picker) -> None:
    """Everything that can be opened beside what is in the list.

    Args:
        picker: The list that it is chosen in.
    """
    ways = [CATALOG, MACHINE, HUB] if choices.on_this_machine() else [CATALOG]
    way = ways[0]
    if len(ways) > 1:
        way = st.segmented_control(
            "From where",
            ways,
            default=CATALOG,
            required=True,
            key=f"{picker.key}_from",
            label_visibility="collapsed",
        )
    if way == MACHINE:
        from_machine(picker)
    elif way == HUB:
        from_hub(picker)
    else:
        from_catalog(picker)


def from_catalog(picker: Picker) -> None:
    """The rows of the catalog that are not here, each with what it is and a button that brings it."""
    missing = [row for row in choices.rows() if folder_of(row) is None and row.family in picker.families]
    if not missing:
        st.caption("Everything of the catalog that this page can use is here.")
        return
    by_name = {row.name: row for row in missing}
    name = st.selectbox(
        "Not here yet", list(by_name), key=f"{picker.key}_missing", help="What the catalog has besides."
    )
    described(by_name[name])
    bring(by_name[name], picker.key)


def described(row: CatalogEntry) -> None:
    """What the catalog says of a row."""
    st.markdown(
        f"{widgets.plain(row.summary)}. License {widgets.plain(row.license)}. From {widgets.plain(source(row))}"
        + (f", {size(download_bytes(row))} to download." if download_bytes(row) else "; only the hub knows its size.")
    )


def source(row: CatalogEntry) -> str:
    """Where a row comes from, in words."""
    if row.hub:
        return f"the hub, {row.requirement}"
    return f"the package {row.requirement}" if row.package else row.requirement


def from_machine(picker: Picker) -> None:
    """A folder or file by its path."""
    with st.form(f"{picker.key}_path_form", border=False):
        typed = st.text_input(
            "Folder or file on this machine",
            key=f"{picker.key}_path",
            placeholder="~/models/my-bert",
            help="A folder of a model or of a LoRA adapter, a GGUF file, or a file of vectors. Nothing that could run "
            "code is loaded.",
        )
        st.form_submit_button("Look at it")
    if typed and typed.strip():
        look(typed.strip(), picker)
    before = [one for one in choices.opened() if one.family in picker.families]
    if before:
        gone = st.pills(
            "Opened before (choose one to forget it)",
            [one.name for one in before],
            key=f"{picker.key}_forget",
            format_func=choices.name_label,
            help="The list is kept in POLYSEMA_HOME; the files themselves stay as they are.",
        )
        if gone and st.button("Forget it", key=f"{picker.key}_forget_now"):
            forget(gone)
            st.session_state.pop(f"{picker.key}_forget", None)
            st.rerun()


def from_hub(picker: Picker) -> None:
    """A model of the hub by its id; where the hub can't be reached, what of it is in its cache here."""
    why = _hub_trouble()
    if why:
        st.caption(
            f"The hub is not reachable from this machine ({widgets.plain(why)}): only what was brought before opens."
        )
    there = cached_models()
    if there:
        st.caption(f"Brought before: {widgets.plain(', '.join(there[:8]))}")
    with st.form(f"{picker.key}_hub_form", border=False):
        typed = st.text_input(
            "Id of the hub" + (" (not reachable)" if why else ""),
            key=f"{picker.key}_hub",
            placeholder=HUB_ID_EXAMPLE,
            help="owner/name, and behind an @ a branch, tag, commit or refs/pr/N. Only safetensors are loaded.",
        )
        st.form_submit_button("Look at it")
    if typed and typed.strip():
        look(typed.strip(), picker, hub=True)


@cached_data(1, 60, "Asking the hub …")
def _hub_trouble() -> str:
    """Why the hub can't be reached, looked up once a minute."""
    return why_unreachable()


def look(typed: str, picker: Picker, hub: bool = False) -> None:
    """What stands at a path or behind an id, and the button that opens it; or one line why it can't be."""
    try:
        found = _found(typed, hub)
        told = describe(found)
    except UserError as error:
        widgets.problem(error)
        return
    card(told)
    if told.family not in picker.families:
        what = "a model, which reads texts" if told.family is Family.STATIC else "another kind of model"
        st.info(f"This page needs {what}.")
        return
    open_here(picker, found, told)


def _found(typed: str, hub: bool) -> ModelLocation:
    """What is at a path or behind an id; raises `UserError` for a path where an id is wanted, and the other way."""
    found = locate(typed)
    if hub and not found.hub_id:
        raise UserError(f"an id of the hub is owner/name, such as {HUB_ID_EXAMPLE}; got {typed!r:.80}")
    if not hub and found.entry is None and found.path is not None:
        path = found.path.resolve()
        return ModelLocation(str(path), path=path)
    if not hub and found.hub_id:
        raise UserError(f"there is no folder or file {typed!r:.200} on this machine")
    return found


def open_here(picker: Picker, found: ModelLocation, told: ModelDescription) -> None:
    """The button that loads something, the bar with which that is cancelled, and, when it is there, the choice of it in
    the list.

    Args:
        picker: The list that it is chosen in.
        found: Where it is.
        told: What it is.
    """
    key = ("open", found.name, picker.key)
    under_way = widgets.jobs().find(key)
    if under_way is not None and under_way.stopping:
        under_way.wait(5)  # it ends at its next step, and can be started again
    pressed = st.button(
        "Open it",
        type="primary",
        key=f"{picker.key}_open",
        disabled=not fits(told) or (under_way is not None and under_way.pending),
        help="It is loaded now; that can be cancelled.",
    )
    of_words = told.family is Family.STATIC or (Family.STATIC in picker.families and not picker.hidden_states)
    opened = work.on_request(
        key,
        lambda progress: _opened(found.name, of_words, progress),
        pressed,
        lambda: st.info("Cancelled. Nothing of it is in memory."),
    )
    if opened is None:
        return
    work.dismiss(key)
    if found.entry is None:
        remember(found.name, told.family)
    hidden = picker.hidden_states and told.family is not Family.STATIC
    st.session_state[_chosen(picker.key)] = f"{found.name}{choices.HIDDEN_SPACES}" if hidden else found.name
    st.rerun()


def _opened(name: str, of_words: bool, progress: Progress) -> str:
    """The name of what was loaded: a space of words, or a model, of which what is seen inside it is tested as well,
    once for its content.
    """
    explorer = widgets.explorer()
    if of_words:
        explorer.space(name, progress)
        return name
    model = explorer.model(name, progress=progress)
    require_finite(model.model)
    with suppress(UserError):  # what can't be seen inside is said where that is tried
        model.internals.check(progress=progress)
    return name


def choose_opened(key: str) -> None:
    """Choose in a list what was opened beside it; call it before the list.

    Args:
        key: Of the list.
    """
    if _chosen(key) in st.session_state:
        st.session_state[key] = st.session_state.pop(_chosen(key))


def _chosen(key: str) -> str:
    return f"{key}_opened"
