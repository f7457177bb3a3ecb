"""The page Data, adding: texts or vectors come in, are looked at, embedded, and put into a collection."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from polysema.app.collection import ingest, uploads
from polysema.app.collection.ingest import Destination, IngestResult, TextOptions
from polysema.app.collection.uploads import TEXTS, VECTORS, Upload, UploadedTexts, UploadedVectors
from polysema.app.config.loading import load_settings
from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.data.collection_tab import size
from polysema.app.dashboard.data.files_tab import FILE, PASTE, columns, pasted, uploaded, written
from polysema.app.dashboard.data.running import running
from polysema.core.errors import UserError
from polysema.core.model.catalog import models_here
from polysema.core.model.load import LanguageModel
from polysema.core.model.pooling import POOLINGS
from polysema.core.progress import Progress
from polysema.core.space.metric import Metric

UNITS = {"words": "Every word", "sentences": "Every text", "tokens": "Every token"}
SENTENCE_UNIT = ("own", "mean", "cls", "last")
Open = Callable[[str, str], None]  # shows a collection and a space of it


def section(show: Open) -> None:
    """The whole section; `show` opens a collection in the other one."""
    how = st.segmented_control(
        "What comes in",
        [PASTE, FILE],
        default=PASTE,
        required=True,
        key="dadd",
        bind="query-params",
        label_visibility="collapsed",
        help="A few texts by hand, or files of texts or of vectors.",
    )
    files = pasted() if how != FILE else uploaded()
    running(show)
    if not files:
        return
    key = uploads.key_of(files)
    put: IngestResult | None = st.session_state.get("data_put", {}).get(key)
    if put is not None:
        tell_put(key, put, show)
        return
    try:
        upload = uploads.receive(files, load_settings().settings.max_upload)
        found = uploads.kind(upload)
    except UserError as error:
        widgets.problem(error)
        return
    tell_known(upload, show)
    if how == FILE and upload.files[0].suffix not in (".npy", ".npz", ".safetensors", ".bin"):
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


def texts_part(upload: Upload, key: str) -> None:
    """Look at texts, say how they are to be embedded, and do it."""
    dialect = written(upload, key)
    column, id_column = columns(upload, dialect, key)
    if column is False:
        return
    texts: UploadedTexts | None = work.answer(
        ("texts", key, column, id_column, dialect),
        lambda progress: uploads.read_texts(upload, column or None, id_column, dialect),
    )
    if texts is None:
        return
    corpus = texts.corpus
    st.markdown(f"**{corpus.texts:,} texts**, {texts.characters:,} characters; the longest has {texts.longest:,}.")
    st.dataframe(
        [{"id": name, "text": text[:400]} for name, text in texts.first],
        hide_index=True,
        width="stretch",
        alt="The first texts",
    )
    for note in texts.notes:
        st.caption(widgets.plain(note[0].upper() + note[1:]) + ".")
    models = models_here()
    if not models:
        st.info("No language model is here yet: bring one under Models and spaces.")
        return
    first, second = st.columns([4, 8])
    name = first.selectbox("Model", models, key="dem", bind="query-params", help="Which model reads the texts.")
    unit = (
        second.segmented_control(
            "A vector for",
            list(UNITS),
            default="words",
            required=True,
            key="deu",
            bind="query-params",
            format_func=lambda one: UNITS[one],
            help="What becomes a row: a word where it stands, a token of the model, or the whole text.",
        )
        or "words"
    )
    model: LanguageModel | None = work.answer(("model", name), lambda progress: model_of(name, progress))
    if model is not None:
        embed_part(upload, texts, model, unit, key)


def embed_part(upload: Upload, texts: UploadedTexts, model: LanguageModel, unit: str, key: str) -> None:
    """Layers and pooling, what it will come to, where it goes; then the work itself."""
    first, second = st.columns([8, 4])
    layers = first.multiselect(
        "Layers",
        range(model.n_layers + 1),
        default=[model.n_layers],
        key=f"del_{model.name}",
        bind="query-params",
        help=f"0 is the embedding, {model.n_layers} the last block. Each layer becomes a space.",
    )
    pooling = "mean"
    if unit != "tokens":
        choices = list(POOLINGS) if unit == "words" else list(SENTENCE_UNIT)
        pooling = second.selectbox(
            "Pooling",
            choices,
            index=choices.index("mean"),
            key=f"dep_{unit}",
            bind="query-params",
            help="How several tokens become one vector.",
        )
    if not layers:
        st.info("Choose at least one layer.")
        return
    reading = TextOptions(tuple(sorted(layers)), unit, pooling)
    guess: ingest.Estimate | None = work.answer(
        ("estimate", texts.corpus.sha256, texts.corpus.column, texts.corpus.dialect, model.name, reading),
        lambda progress: measured(model, texts, reading, progress),
    )
    if guess is None:
        return
    st.caption(
        f"About {_rounded(guess.rows)} rows, {size(guess.bytes)} of vectors, {_time(guess.seconds)} on this "
        "machine; it can be cancelled."
    )
    target, pressed = target_part(upload, key)
    job = (
        "intake",
        upload.name,
        target,
        key,
        model.name,
        reading,
        texts.corpus.column,
        texts.corpus.id_column,
        texts.corpus.dialect,
    )

    def stopped() -> None:
        kept = ingest.finished(upload, model, reading, target)
        st.info(
            f"Cancelled. No collection was made or changed. {kept:,} rows that were finished are kept for a day: "
            "Embed goes on from there."
            if kept
            else "Cancelled. No collection was made or changed, and nothing is kept."
        )
        if not kept:
            ingest.give_up(upload, model, reading, target)
        elif st.button("Remove what was finished", help="Free the room; embedding then starts from the first text."):
            ingest.give_up(upload, model, reading, target)
            work.dismiss(job)
            st.rerun()

    put = work.on_request(
        job,
        lambda progress: ingest.embed_into(widgets.shelf(), model, upload, texts, reading, target, progress),
        pressed,
        stopped,
    )
    finish(key, job, put)
    widgets.python_lines(
        "from polysema.app.export.run import ExportOptions, ExportSource, export\nfrom polysema.core.corpus import Dialect, "
        "open_corpus\n"
        "from polysema.core.model.load import load_model\nfrom polysema.indexes.collection import Collection\n"
        "from polysema.indexes.import_export import import_into\n\n"
        "corpus = "
        f"open_corpus({upload.files[0].name!r}{f', {texts.corpus.column!r}' if texts.corpus.column else ''}{_said(texts)})\n"
        f"export(corpus, ExportSource.of(corpus), 'out', load_model({model.name!r}), {list(reading.layers)}, "
        f"ExportOptions({unit!r}, {pooling!r}, text=True))\n"
        f"import_into(Collection.create({target.collection!r}), 'out')",
        "The same from the shell: `polysema export`, then `polysema store import`. The ids made here have the "
        "file's name and the "
        "beginning of its hash before them, so that two files never take each other's place.",
    )


def _said(texts: UploadedTexts) -> str:
    """The argument of `open_corpus` that says how the file is written, where that was said."""
    said = ", ".join(f"{name}={value!r}" for name, value in texts.corpus.dialect.said().items())
    return f", dialect=Dialect({said})" if said else ""


def model_of(name: str, progress: Progress) -> LanguageModel:
    """The model of that name, loaded the first time."""
    progress(f"load {name}", 0, 0)
    return widgets.explorer().model(name)


def measured(model: LanguageModel, texts: UploadedTexts, reading: TextOptions, progress: Progress) -> ingest.Estimate:
    """What embedding will come to, by the first texts."""
    progress("embed the first texts, to say how long all will take", 0, 0)
    return ingest.estimate(model, texts, reading)


def vectors_part(upload: Upload, key: str) -> None:
    """Look at vectors, and put them into a collection."""
    vectors: UploadedVectors | None = work.answer(
        ("vectors", key), lambda progress: uploads.look_at_vectors(upload, progress)
    )
    if vectors is None:
        return
    st.markdown(f"**{vectors.rows:,} vectors**, {vectors.dim:,} wide. {widgets.plain(vectors.layout)}.")
    st.dataframe(
        [
            {"name": name, "vector": " ".join(f"{value:.3f}" for value in row) + (" …" if vectors.dim > 4 else "")}
            for name, row in vectors.first
        ],
        hide_index=True,
        width="stretch",
        alt="The first vectors",
    )
    if vectors.columns:
        st.caption(f"Columns beside them: {widgets.plain(', '.join(vectors.columns))}.")
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
    job = ("intake", upload.name, target, key)
    put = work.on_request(
        job,
        lambda progress: ingest.vectors_into(widgets.shelf(), upload, vectors, target, progress),
        pressed,
        lambda: st.info("Cancelled. No collection was made or changed.") and None,
    )
    finish(key, job, put)
    widgets.python_lines(
        "from polysema.indexes.collection import Collection\nfrom polysema.indexes.import_export import ImportOptions, "
        "import_into\n\n"
        f"import_into(Collection.create({target.collection!r}), {upload.files[0].name!r}, "
        f"ImportOptions(metric={metric!r}))",
        "The same from the shell: `polysema store import`.",
    )


def target_part(upload: Upload, key: str, metric: str = Metric.COSINE.value) -> tuple[Destination, bool]:
    """Into which collection and space, and whether the button was pressed."""
    there = widgets.shelf().names()
    fresh = _free(upload.stem, there)
    with st.form(f"into_{key[:12]}", border=False):
        first, second, run = st.columns([5, 4, 2], vertical_alignment="bottom")
        name = first.selectbox(
            "Into the collection",
            [fresh, *there],
            key=f"into_name_{key[:12]}",
            accept_new_options=True,
            help="One that exists, or a new name: letters, digits, _ . and -.",
        )
        space = second.text_input(
            "Space (may be empty)",
            key=f"into_space_{key[:12]}",
            max_chars=64,
            placeholder="named by layer or file",
            help="Rows of one model, layer and pooling. Of several layers it is the beginning of their names.",
        )
        pressed = run.form_submit_button("Put it in", type="primary", width="stretch", help="Start the work.")
    return Destination((name or "").strip(), (space or "").strip(), metric), pressed


def finish(key: str, job: Any, put: IngestResult | None) -> None:
    """Keep what came of it for this session, and show that instead."""
    if put is None:
        return
    st.session_state.setdefault("data_put", {})[key] = put
    work.dismiss(job)
    st.rerun()


def _free(stem: str, there: Sequence[str]) -> str:
    """A name that no collection has yet."""
    name, number = stem, 1
    while name in there:
        number += 1
        name = f"{stem}-{number}"
    return name


def _rounded(count: int) -> str:
    """Two figures are as much as an estimate knows."""
    step = 10 ** max(0, len(str(count)) - 2)
    return f"{round(count / step) * step:,}"


def _time(seconds: float) -> str:
    if seconds < 2:
        return "a second or two"
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
