"""The page Data, what comes in: texts from a box or files, how the files are written, and which column is meant."""

from typing import Any

import streamlit as st

from polysema.app.collection import upload_preview
from polysema.app.collection.uploaded_files import Upload
from polysema.app.config.loading import load_settings
from polysema.app.config.settings import MEGABYTE
from polysema.app.dashboard import permalink, widgets
from polysema.core.corpus import Dialect
from polysema.core.errors import UserError

PASTE, FILE = "Write or paste texts", "Upload files"
MAX_PASTED = 200_000  # characters
DETECTED_CHOICE = "found out"
HEADER_CHOICES = {DETECTED_CHOICE: None, "the names of the columns": True, "a text": False}
SEPARATOR_CHOICES = [DETECTED_CHOICE, "comma", "semicolon", "tab", "pipe", "none"]
ENCODINGS = [
    DETECTED_CHOICE,
    "utf-8",
    "utf-16",
    "cp1252",
    "cp1250",
    "cp1251",
    "mac_roman",
    "shift_jis",
    "gb18030",
    "big5",
    "cp949",
]
EXAMPLE = """They sat on the bank of the river and watched the boats.
The bank raised its interest rates again.
Willows grow along the muddy bank.
She opened an account at the bank in town.
The swan slept on the bank, white against the mud.
The bank lends money to small shops.
A spring under the old bridge feeds the river.
In spring the shops sell seeds."""


def pasted() -> list[tuple[str, bytes]]:
    """The texts of the box, a line each, as a file."""
    with st.form("paste", border=False):
        text = permalink.box(
            st.text_area,
            "data",
            "Texts, one a line",
            EXAMPLE,
            key="pasted",
            height=190,
            help=f"Each line is a text. {widgets.LOCAL_NOTE}",
        )
        st.form_submit_button("Look at them", help="Take these texts (Ctrl+Enter in the box does it too).")
    text = text or ""
    if not text.strip():
        st.info("Write a text, such as: They sat on the bank of the river.")
        return []
    if len(text) > MAX_PASTED:
        widgets.problem(
            UserError(
                f"the box holds {len(text):,} characters, and up to {MAX_PASTED:,} are taken from it: save the "
                "texts as a file (.txt, a "
                f"text a line) and choose {FILE}"
            )
        )
        return []
    return [("example.txt" if text == EXAMPLE else "written.txt", text.encode("utf-8", "replace"))]


def uploaded() -> list[tuple[str, bytes]]:
    """The files of the uploader."""
    settings = load_settings().settings
    most = settings.max_upload
    given = st.file_uploader(
        "Texts or vectors",
        accept_multiple_files=True,
        key="files",
        max_upload_size=settings.received_megabytes,
        help="Several files of texts are read as one; a table of vectors and the file of its words go together.",
    )
    st.caption(
        f"Up to {most / MEGABYTE:.0f} MB at once; of a larger file (red above) give a part, or use **polysema "
        "export** and **polysema "
        "store import**, which have no limit. Texts: a line each, CSV, TSV, JSON, JSON Lines, Parquet, Excel "
        "(.xlsx). Vectors: word2vec, "
        "GloVe or fastText text, word2vec binary, .npy with a .vocab, .npz, safetensors, Parquet, a TensorBoard "
        "pair. Text and tables "
        "of text may be packed with gzip, texts also with bzip2, xz or zip. Pickles are never opened. A file "
        "stays on this machine and "
        "can't be in a copied link; the collection that is made of it can."
    )
    return [(one.name, one.getvalue()) for one in given or []]


def written(upload: Upload, key: str) -> Dialect:
    """How the files are written, where that is not to be found out."""
    with st.expander("How the file is written"):
        one, two, three = st.columns(3)
        header = one.selectbox(
            "Line 1 of a table is", list(HEADER_CHOICES), key=f"line1_{key[:12]}", help="What the first line holds."
        )
        sign = two.selectbox(
            "Between cells",
            SEPARATOR_CHOICES,
            key=f"sign_{key[:12]}",
            accept_new_options=True,
            help="What separates the columns of a line.",
        )
        encoding = three.selectbox(
            "Encoding",
            ENCODINGS,
            key=f"encoding_{key[:12]}",
            accept_new_options=True,
            help="What the bytes of the file mean.",
        )

    def chosen(value: str | None) -> str | None:
        return None if value in (None, "", DETECTED_CHOICE) else value

    return Dialect(chosen(sign), HEADER_CHOICES.get(header or DETECTED_CHOICE), chosen(encoding))


def columns(upload: Upload, dialect: Dialect, key: str) -> tuple[Any, str | None]:
    """Which column holds the texts (None: the one that was found out) and which the ids; False where the file can't be
    read.
    """
    try:
        layout = upload_preview.look_at_layout(upload, dialect)
    except UserError as error:
        widgets.problem(error)
        return False, None
    there = list(layout.columns)
    if not there:
        return None, None
    first, second = st.columns(2)
    start = there.index(layout.column) if layout.column in there else None
    column = first.selectbox(
        "Column of the texts",
        there,
        index=start,
        key=f"column_{key[:12]}",
        placeholder="say which",
        help="What is embedded.",
    )
    rest = [name for name in there if name != column]
    id_column = second.selectbox(
        "Column of the ids",
        rest,
        index=None,
        key=f"ids_{key[:12]}",
        placeholder="none: the file's name and the row",
        help="Rows whose ids are in the collection already are replaced.",
    )
    return None if column == layout.column else column, id_column
