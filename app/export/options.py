"""What is exported, and how."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polysema.app.export.place import parse_place
from polysema.app.export.shards import DTYPES, TEXT_ONLY, WRITERS
from polysema.core.corpus import Corpus, TextRecord
from polysema.core.errors import UserError
from polysema.core.model.pooling import check_pooling
from polysema.core.model.recipe import SentenceOptions, check_unit
from polysema.core.model.sentences import check_sentence_pooling

ExportedText = str | tuple[str, str] | TextRecord  # a text, with its id, or with its id and its row of columns
UNITS = ("words", "tokens", "sentences")
COLLECTION = "collection"  # in the place of a format: the rows go into a collection
# what an export and the collection that it goes into call columns of their own
OWN_COLUMNS = (
    "text_id",
    "id",
    "text_name",
    "text",
    "word",
    "token",
    "start",
    "end",
    "layer",
    "vector",
    "static",
    "scale",
    "static_scale",
)


@dataclass(frozen=True, slots=True)
class ExportSource:
    """What the texts are: a name to show, a hash over all of them, how many there are, and the columns they are in.

    `dialect` is what was said of the files (separator, header, encoding), `notes` what was found out or mended,
    `columns` what the columns that go along are called in an export.
    """

    name: str
    sha256: str
    lines: int
    column: str | None = None
    id_column: str | None = None
    dialect: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, corpus: Corpus) -> "ExportSource":
        """What the texts of these files are."""
        said = corpus.dialect.said()
        names = exported_names(corpus.schema.names)
        renamed = [f"the column {old!r} is called {new!r} in the export" for old, new in names.items() if old != new]
        notes = (*corpus.notes, *renamed)
        return cls(corpus.name, corpus.sha256, corpus.lines, corpus.column, corpus.id_column, said, notes, names)

    def to_json(self) -> dict[str, object]:
        """For the manifest; what is empty is left out but for the columns."""
        more = {"dialect": dict(self.dialect), "notes": list(self.notes), "columns": dict(self.columns)}
        named = {
            "name": self.name,
            "sha256": self.sha256,
            "lines": self.lines,
            "column": self.column,
            "id_column": self.id_column,
        }
        return named | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, slots=True)
class ExportInput:
    """The texts of an export, pairs of id and text or the records of a corpus, and what they are."""

    texts: Iterable[ExportedText]
    source: ExportSource

    @classmethod
    def of(cls, corpus: Corpus) -> "ExportInput":
        """The texts of these files, whose columns go along."""
        return cls(corpus.records(), ExportSource.of(corpus))


def exported_names(columns: Sequence[str]) -> dict[str, str]:
    """What a file's columns are called in an export, which has columns of its own: `file_word` for `word`."""
    taken = {*columns, *OWN_COLUMNS}
    names = {}
    for column in columns:
        name = column
        while name in OWN_COLUMNS or (name != column and name in taken):
            name = f"file_{name}"
        names[column] = name
        taken.add(name)
    return names


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is exported, and how: see `polysema export --help`.

    `words` are the only ones wanted (in any case); `static` puts the model's static vector of a word or token beside
    the contextual one; `limit` takes the first texts only, `shard` (i, n) every n-th of them from the i-th (from 1);
    `sentence` holds the prompt and the dimensions of whole texts. `on` is where it is computed, `local:4` processes or
    the Ray cluster at `ray://host:port`; the same bytes come from anywhere. `space` is the name of the space of a
    collection that they go into (empty: by the layer).
    """

    unit: str = "words"
    pooling: str = "mean"
    words: tuple[str, ...] = ()
    to: str = "parquet"
    dtype: str = "float32"
    static: bool = False
    text: bool = False
    limit: int | None = None
    shard: tuple[int, int] = (1, 1)
    sentence: SentenceOptions | None = None
    on: str = ""
    space: str = ""

    def checked(self) -> "ExportOptions":
        """The same back; raises `UserError` for what doesn't exist or doesn't go together."""
        for what, given, allowed in (
            ("unit", self.unit, UNITS),
            ("format", self.to, (*WRITERS, COLLECTION)),
            ("dtype", self.dtype, DTYPES),
        ):
            if given not in allowed:
                raise UserError(f"{what} {given!r} does not exist; choose one of {', '.join(allowed)}")
        if self.unit == "words":
            check_pooling(self.pooling)
        elif self.unit == "sentences":
            check_sentence_pooling(self.pooling)
        if self.to in TEXT_ONLY and self.dtype != "float32":
            raise UserError(f"{self.to} is a text format: it has float32 only; got {self.dtype}")
        if self.to in TEXT_ONLY and self.static:
            raise UserError(f"{self.to} has one vector a row: static ones beside them need another format")
        check_unit(self.sentence, self.unit)
        if self.on:
            parse_place(self.on)
        self._check_choice_of_texts()
        return self

    def _check_choice_of_texts(self) -> None:
        if self.words and self.unit != "words":
            raise UserError(f"chosen words are for the unit words; got {self.unit}")
        if self.static and self.unit == "sentences":
            raise UserError("a sentence has no static vector; choose words or tokens")
        if self.limit is not None and self.limit < 1:
            raise UserError(f"the limit must be at least 1 text; got {self.limit}")
        index, count = self.shard
        if not 1 <= index <= count:
            raise UserError(f"a shard is i/n with i from 1 to n, such as 2/4; got {index}/{count}")


@dataclass(frozen=True, slots=True)
class ShardWork:
    """What all shards of an export have in common: where they go, the settings that stand there, what is exported of
    which texts, and the token of the run.
    """

    folder: Path
    settings: Mapping[str, Any]
    options: ExportOptions
    source: ExportSource
    token: str = ""
