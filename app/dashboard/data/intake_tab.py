"""The tab of the page Data that takes files: texts to embed, and vectors."""

from collections.abc import Callable

import streamlit as st

from polysema.app.collection import ingest, upload_kind, upload_preview, uploads
from polysema.app.collection.ingest import IngestResult
from polysema.app.collection.upload_kind import TEXTS, VECTORS
from polysema.app.collection.upload_preview import UploadedVectors
from polysema.app.collection.uploaded_files import Upload
from polysema.app.config.loading import load_settings
from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.data.files_tab import (
    FILE,
    PASTE,
    PATH,
    by_path,
    chosen_columns,
    is_own_machine,
    pasted,
    shown_values,
    uploaded,
)
from polysema.app.dashboard.data.intake_target import finish, target_part
from polysema.app.dashboard.data.intake_texts import texts_part
from polysema.app.dashboard.data.running import running
from polysema.core.errors import UserError
from polysema.core.space.metric import Metric

Open = Callable[[str, str], None]  # shows a collection and a space of it


def section(show: Open) -> None:
    """The whole section; `show` opens a collection in the other one."""
    how = st.segmented_control(
        "What comes in",
        [PASTE, FILE, *([PATH] if is_own_machine() else [])],
        default=PASTE,
        required=True,
        key="dadd",
        bind="query-params",
        label_visibility="collapsed",
        help="A few texts by hand, or files of texts or of vectors.",
    )
    opened = by_path() if how == PATH else None
    files = [] if how == PATH else uploaded() if how == FILE else pasted()
    running(show)
    if not files and opened is None:
        return
    key = uploads.key_of(files) if opened is None else opened.key
    put: IngestResult | None = st.session_state.get("data_put", {}).get(key)
    if put is not None:
        tell_put(key, put, show)
        return
    try:
        upload = opened or uploads.receive(files, load_settings().settings.max_upload)
        found = upload_kind.kind(upload)
    except UserError as error:
        widgets.problem(error)
        return
    except FileNotFoundError:
        if how == PATH:
            widgets.problem(UserError("the file is no longer there; give its path again"))
            return
        st.rerun()  # its work ended while the page was drawn, and the upload was removed
    tell_known(upload, show)
    if how != PASTE and upload.files[0].suffix not in (".npy", ".npz", ".safetensors", ".bin"):
        found = (
            st.segmented_control(
                "What is in it",
                [TEXTS, VECTORS],
                default=found,
                required=True,
                key=f"kind_{key[:12]}",
                help="Told by the content; choose yourself where it is mistaken.",
            )
            or found
        )
    if found == TEXTS:
        texts_part(upload, key)
    else:
        vectors_part(upload, key)


def tell_known(upload: Upload, show: Open) -> None:
    """A content that was here before is recognized."""
    there = widgets.shelf().names()
    known = [one for one in uploads.went_into(upload.sha256) if one.collection in there]
    if not known:
        return
    last = known[-1]
    box, button = st.columns([8, 2], vertical_alignment="center")
    named = "" if last.name == upload.name else f", as {widgets.plain(last.name)}"
    box.info(
        f"This was here before{named}: it is in the collection {widgets.plain(last.collection)} "
        f"({widgets.plain(', '.join(last.spaces))}) since {last.when}. The same rows put in once more take their "
        "own places."
    )
    button.button(
        f"Open {last.collection}",
        on_click=show,
        args=(last.collection, last.spaces[0] if last.spaces else ""),
        key="open_known",
        help="Show that collection.",
    )


def tell_put(key: str, put: IngestResult, show: Open) -> None:
    """What was put in, and what can be done with it."""
    rows = ", ".join(f"{count:,} rows in the space {space}" for space, count in put.rows.items())
    made = "The new collection" if put.new else "The collection"
    st.success(f"{made} **{widgets.plain(put.collection)}** has {widgets.plain(rows)}. The upload was removed.")
    if put.split:
        st.caption(f"{put.split:,} texts were longer than the model's window and were read in overlapping parts.")
    if put.unknown:
        st.caption(
            f"The model's tokenizer doesn't know {put.unknown:,} of them, wholly or in part: what it reads there "
            "is the same for every unknown word."
        )
    widgets.notes(put)
    for space, reason in put.index.items():
        st.caption(f"Search in {widgets.plain(space)}: {widgets.plain(reason)}.")
    one, two, _ = st.columns([3, 3, 6])
    one.button(
        "Open the collection",
        type="primary",
        on_click=show,
        args=(put.collection, next(iter(put.rows))),
        help="Search it, download it, see where it comes from.",
    )

    def again() -> None:
        st.session_state["data_put"].pop(key, None)

    two.button("Add it again, differently", on_click=again, help="Back to the same texts or vectors.")


def vectors_part(upload: Upload, key: str) -> None:
    """Look at vectors, and put them into a collection."""
    vectors: UploadedVectors | None = work.answer(
        ("vectors", key), lambda progress: upload_preview.look_at_vectors(upload, progress)
    )
    if vectors is None:
        return
    st.markdown(f"**{vectors.rows:,} vectors**, {vectors.dim:,} dimensions. {widgets.plain(vectors.layout)}.")
    st.dataframe(
        [
            {"name": name, "vector": " ".join(f"{value:.3f}" for value in row) + (" …" if vectors.dim > 4 else "")}
            | shown_values(vectors.columns, place)
            for place, (name, row) in enumerate(vectors.first)
        ],
        hide_index=True,
        width="stretch",
        alt="The first vectors",
    )
    columns = chosen_columns(vectors.columns, key)
    for note in vectors.notes:
        st.caption(f"Noted: {widgets.plain(note)}.")
    metric = st.selectbox(
        "Compared by",
        [metric.value for metric in Metric],
        key="dmetric",
        bind="query-params",
        format_func=lambda one: one.replace("_", " "),
        help="How the rows of a new space are compared.",
    )
    target, pressed = target_part(upload, key, metric)
    job = ("intake", upload.name, target, key, columns)
    put = work.on_request(
        job,
        lambda progress: ingest.vectors_into(widgets.shelf(), upload, vectors, target, progress, columns),
        pressed,
        lambda: st.info("Cancelled. No collection was made or changed."),
    )
    finish(key, job, put)
    widgets.python_lines(
        "from polysema.indexes.collection import Collection\nfrom polysema.indexes.import_export import "
        "ImportOptions, import_into\n\n"
        f"import_into(Collection.create({target.collection!r}), {upload.files[0].name!r}, "
        f"ImportOptions(metric={metric!r}))",
        "The same from the shell: `polysema collection import`.",
    )
