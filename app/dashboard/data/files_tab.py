"""The page Data, what comes in: texts from a box or files, how the files are written, and which column is meant."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from polysema.app.collection import upload_preview, uploads
from polysema.app.collection.upload_preview import PreviewColumn
from polysema.app.collection.uploaded_files import Upload
from polysema.app.config.loading import load_settings
from polysema.app.config.settings import MEGABYTE, is_loopback
from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.core.corpus import Dialect
from polysema.core.errors import UserError

PASTE, FILE, PATH = "Write or paste texts", "Upload files", "Open by path"
MAX_PASTED = 200_000  # characters
MAX_TICK_BOXES = 40
MAX_SHOWN_NAME = 60  # characters of a column's name or value
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
EXAMPLE_NAME = "example.txt"
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
    return [(EXAMPLE_NAME if text == EXAMPLE else "written.txt", text.encode("utf-8", "replace"))]


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
        f"Up to {most / MEGABYTE:.0f} MB at once; open a larger file by its path, or run **polysema export FILE out** "
        "for texts, **polysema collection import mine FILE** for vectors, which have no limit. Texts: a line each, "
        "CSV, TSV, JSON, JSON Lines, Parquet, Arrow, Excel (.xlsx). Vectors: word2vec, "
        "GloVe or fastText text, word2vec binary, .npy with a .vocab, .npz, safetensors, Parquet, Arrow, JSON Lines, "
        "CSV, a TensorBoard pair. Every column goes along. Text and tables "
        "of text may be packed with gzip, texts also with bzip2, xz or zip. Pickles are never opened. A file "
        "stays on this machine and "
        "can't be in a copied link; the collection that is made of it can."
    )
    return [(one.name, one.getvalue()) for one in given or []]


def by_path() -> Upload | None:
    """The file of this machine whose path is in the box; None until one is given."""
    with st.form("by_path", border=False):
        box, button = st.columns([10, 2], vertical_alignment="bottom")
        given = permalink.box(
            box.text_input,
            "data",
            "Path of a file on this machine",
            "",
            key="path",
            max_chars=4096,
            placeholder="/home/me/reviews.parquet",
            help="It is read where it lies, whatever its size; a folder that datasets saved counts as one file.",
        )
        button.form_submit_button("Open", type="primary", width="stretch", help="Read the file.")
    given = (given or "").strip()
    if not given:
        st.info("Give the path of a file: texts, or vectors with their columns.")
        return None
    opened: Upload | None = work.answer(("path", given), lambda progress: uploads.open_path(given, progress))
    return opened


def is_own_machine() -> bool:
    """Whether only browsers of this machine reach the dashboard, so that its files are theirs."""
    address = st.get_option("server.address")
    return bool(address) and is_loopback(str(address))


def chosen_columns(there: Sequence[PreviewColumn], key: str) -> tuple[str, ...] | None:
    """A tick box for each column that goes along, all of them at first; None for all. Many columns are one list."""
    if not there:
        return None
    st.markdown(f"**{len(there):,} columns** go along: what isn't ticked stays behind.")
    names = [column.name for column in there]
    if len(there) > MAX_TICK_BOXES:
        left = st.multiselect(
            "Columns that stay behind",
            names,
            key=f"behind_{key[:12]}",
            placeholder="none",
            help="Every other column goes along with its type.",
        )
        return tuple(name for name in names if name not in left) if left else None
    boxes = st.columns(min(4, len(there)))
    taken = [
        boxes[place % len(boxes)].checkbox(
            widgets.plain(column.name[:MAX_SHOWN_NAME]),
            True,
            key=f"tick_{key[:12]}_{place}",
            help=widgets.plain(f"{column.kind}: {_first_values(column)}"),
        )
        for place, column in enumerate(there)
    ]
    if all(taken):
        return None
    return tuple(name for name, ticked in zip(names, taken, strict=True) if ticked)


def shown_values(columns: Sequence[PreviewColumn], row: int) -> dict[str, str]:
    """The values of a row of a preview, the first columns of many."""
    return {
        column.name: str(column.first[row])[:MAX_SHOWN_NAME] if row < len(column.first) else ""
        for column in columns[:MAX_TICK_BOXES]
    }


def _first_values(column: PreviewColumn) -> str:
    return ", ".join(str(value)[:MAX_SHOWN_NAME] for value in column.first) or "no value in the first rows"


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
        placeholder="id where each row has its own, else the file's name and the row",
        help="Rows whose ids are in the collection already are replaced.",
    )
    return None if column == layout.column else column, id_column
