"""The page Data: a file of texts, what becomes of it, and its embedding."""

from dataclasses import replace

import streamlit as st

from polysema.app.collection import ingest, upload_preview
from polysema.app.collection.ingest import Destination, TextOptions
from polysema.app.collection.upload_preview import UploadedTexts
from polysema.app.collection.uploaded_files import Upload
from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.data.collection_care import size
from polysema.app.dashboard.data.files_tab import EXAMPLE_NAME, chosen_columns, columns, shown_values, written
from polysema.app.dashboard.data.intake_target import finish, target_part
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.pick import pick_model
from polysema.core.model.load import LanguageModel
from polysema.core.model.pooling import POOLINGS
from polysema.core.progress import Progress

MANY_WORDS = 5  # a text, on average: from here on it is a sentence rather than a phrase
UNITS = {"words": "Every word", "sentences": "Every text", "tokens": "Every token"}
SENTENCE_UNIT = ("own", "mean", "cls", "last")


def texts_part(upload: Upload, key: str) -> None:
    """Look at texts, say how they are to be embedded, and do it."""
    dialect = written(upload, key)
    column, id_column = columns(upload, dialect, key)
    if column is False:
        return
    texts: UploadedTexts | None = work.answer(
        ("texts", key, column, id_column, dialect),
        lambda progress: upload_preview.read_texts(upload, column or None, id_column, dialect),
    )
    if texts is None:
        return
    corpus = texts.corpus
    st.markdown(f"**{corpus.texts:,} texts**, {texts.characters:,} characters; the longest has {texts.longest:,}.")
    st.dataframe(
        [
            {"id": name, "text": text[:400]} | shown_values(texts.columns, place)
            for place, (name, text) in enumerate(texts.first)
        ],
        hide_index=True,
        width="stretch",
        alt="The first texts",
    )
    for note in texts.notes:
        st.caption(widgets.plain(note[0].upper() + note[1:]) + ".")
    kept = chosen_columns(texts.columns, key)
    models = choices.models()
    if not models:
        st.info("No language model is here yet: bring one under Models and spaces.")
        return
    if st.session_state.get("unit_of") not in (None, key):  # other texts: their own default
        st.session_state["deu"] = default_unit(upload, texts)
    st.session_state["unit_of"] = key
    first, second = st.columns([4, 8])
    name = pick_model(first, models, "dem", "Which model reads the texts.")
    unit = (
        second.segmented_control(
            "A vector for",
            list(UNITS),
            default=default_unit(upload, texts),
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
        embed_part(upload, texts, model, TextOptions((), unit, columns=kept), key)


def default_unit(upload: Upload, texts: UploadedTexts) -> str:
    """A vector a text where texts have many words; one a word for words and phrases, and for the example, which is
    about one word's contexts.
    """
    return "sentences" if texts.words >= MANY_WORDS and upload.name != EXAMPLE_NAME else "words"


def layer_boxes(model: LanguageModel, unit: str) -> tuple[list[int], str]:
    """The boxes for the layers and the pooling."""
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
    return list(layers), pooling


def embed_part(upload: Upload, texts: UploadedTexts, model: LanguageModel, chosen: TextOptions, key: str) -> None:
    """Layers and pooling, what it will come to, where it goes; then the work itself."""
    layers, pooling = layer_boxes(model, chosen.unit)
    if not layers:
        st.info("Choose at least one layer.")
        return
    reading = replace(chosen, layers=tuple(sorted(layers)), pooling=pooling)
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
    wanted = ingest.TextIngest(model, upload, reading, target)
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
        kept = ingest.finished(wanted)
        st.info(
            f"Cancelled. No collection was made or changed. {kept:,} rows that were finished are kept for a day: "
            "Embed goes on from there."
            if kept
            else "Cancelled. No collection was made or changed, and nothing is kept."
        )
        if not kept:
            ingest.give_up(wanted)
        elif st.button("Remove what was finished", help="Free the room; embedding then starts from the first text."):
            ingest.give_up(wanted)
            work.dismiss(job)
            st.rerun()

    put = work.on_request(
        job,
        lambda progress: ingest.embed_into(widgets.shelf(), wanted, texts, progress),
        pressed,
        stopped,
    )
    finish(key, job, put)
    show_python(upload, texts, model.name, reading, target)


def show_python(upload: Upload, texts: UploadedTexts, model: str, reading: TextOptions, target: Destination) -> None:
    """The lines that export the texts and import the vectors."""
    widgets.python_lines(
        "from polysema.app.export.options import ExportInput, ExportOptions\n"
        "from polysema.app.export.run import export\n"
        "from polysema.core.corpus import Dialect, open_records\n"
        "from polysema.core.model.load import load_model\nfrom polysema.indexes.collection import Collection\n"
        "from polysema.indexes.import_export import import_into\n\n"
        "corpus = "
        f"open_records({upload.files[0].name!r}{f', {texts.corpus.column!r}' if texts.corpus.column else ''}"
        f"{_said(texts)})\n"
        f"export(ExportInput.of(corpus), 'out', load_model({model!r}), {list(reading.layers)}, "
        f"ExportOptions({reading.unit!r}, {reading.pooling!r}, text=True))\n"
        f"import_into(Collection.create({target.collection!r}), 'out')",
        "The same from the shell: `polysema export`, then `polysema collection import`. The ids made here have "
        "the file's name and the "
        "beginning of its hash before them, so that two files never take each other's place.",
    )


def _said(texts: UploadedTexts) -> str:
    """The argument of `open_records` that says how the file is written, where that was said."""
    said = ", ".join(f"{name}={value!r}" for name, value in texts.corpus.dialect.said().items())
    return f", dialect=Dialect({said})" if said else ""


def model_of(name: str, progress: Progress) -> LanguageModel:
    """The model of that name, loaded the first time."""
    progress(f"load {name}", 0, 0)
    return widgets.explorer().model(name, progress=progress).model


def measured(model: LanguageModel, texts: UploadedTexts, reading: TextOptions, progress: Progress) -> ingest.Estimate:
    """What embedding will come to, by the first texts."""
    progress("embed the first texts, to say how long all will take", 0, 0)
    return ingest.estimate(model, texts, reading)


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
