"""The page Measures: the texts and labels that are measured, pasted or from a file, and what stands there at first."""

import csv
import hashlib
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.core.errors import UserError
from polysema.core.measure.senses import load_senses

Value = TypeVar("Value")
EXAMPLE_WORDS = ("bank", "match", "light")
MAX_EXAMPLES = 20  # sentences of a word
FILE_TYPES = ["csv", "tsv", "txt", "json", "jsonl", "parquet", "arrow", "xlsx"]


class OwnFile(NamedTuple):
    """What is measured, as it would stand in a file."""

    name: str
    content: bytes

    @property
    def key(self) -> str:
        """What tells it from others."""
        return hashlib.sha256(self.name.encode() + b"\0" + self.content).hexdigest()

    def read(self, reader: Callable[[Path], Value]) -> Value:
        """What a function reads from it; messages name the file alone."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(self.name).name
            path.write_bytes(self.content)
            try:
                return reader(path)
            except UserError as error:
                raise UserError(str(error).replace(str(path), path.name)) from None


def own_file(kind: str, label: str, start: str, explains: str) -> OwnFile | None:
    """A text box, and beside it a file that comes before it; None where both are empty."""
    left, right = st.columns([8, 4], gap="medium")
    text = permalink.box(
        left.text_area, "measures", label, start, key=f"own_{kind}", height=150, help=f"{explains} {widgets.LOCAL_NOTE}"
    )
    given = right.file_uploader(
        "Or a file", FILE_TYPES, key=f"file_{kind}", help="The same columns as in the box; it comes before the box."
    )
    if given is not None:
        return OwnFile(given.name, given.getvalue())
    widgets.check_length(text or "")
    if not (text or "").strip():
        return None
    suffix = "txt" if kind == "contextuality" else "csv"
    return OwnFile(f"{kind}.{suffix}", (text or "").encode())


@lru_cache(maxsize=1)
def example_texts() -> str:
    """A hundred sentences of the bundled corpus, one a line."""
    texts = load_senses().texts
    return "\n".join(texts[:: max(1, len(texts) // 100)][:100])


@lru_cache(maxsize=1)
def example_labels() -> str:
    """Annotated words of the bundled corpus, as CSV."""
    corpus = load_senses()
    rows = [
        {"word": one.word, "sense": one.sense, "text": corpus.texts[one.text_id], "start": one.start, "end": one.end}
        for word in EXAMPLE_WORDS
        for one in corpus.of(word)[:MAX_EXAMPLES]
    ]
    return _csv(rows)


@lru_cache(maxsize=1)
def example_pairs() -> str:
    """Pairs of sentences of the bundled corpus in which a word has one sense, or two, as CSV."""
    corpus = load_senses()
    pairs = []
    for word in EXAMPLE_WORDS:
        known = corpus.of(word)[:MAX_EXAMPLES]
        half = len(known) // 2  # the occurrences of a sense stand together
        pairs += [(one, known[(place + step) % len(known)]) for place, one in enumerate(known) for step in (1, half)]
    rows = [
        {
            "word": one.word,
            "sentence1": corpus.texts[one.text_id],
            "sentence2": corpus.texts[other.text_id],
            "label": one.sense == other.sense,
            "span1": f"{one.start}-{one.end}",
            "span2": f"{other.start}-{other.end}",
        }
        for one, other in pairs
    ]
    return _csv(rows)


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
