"""Batch export: the vectors of a stream of texts as shards with a manifest.

Each file is there whole or not at all, and the manifest comes last: readers trust only it. An export that was
stopped goes on where it was when it is run again with the same settings, and ends in the same bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polysema.app.export.shards import DTYPES, TEXT_ONLY, WRITERS, ShardRows, narrowed, write_shard
from polysema.core.atomic import atomic_write, is_part, sweep
from polysema.core.corpus import Corpus
from polysema.core.errors import ConflictError, UnreadableError, UserError, check_list
from polysema.core.files.formats import MANIFEST, read_manifest
from polysema.core.locks import file_lock
from polysema.core.model.contextual import Choose, HiddenBatch, embed_stream, joined, texts_a_batch
from polysema.core.model.first_position import first_outliers, first_rows_note
from polysema.core.model.load import LanguageModel
from polysema.core.model.pooling import check_pooling
from polysema.core.model.recipe import Prompt, check_prompt
from polysema.core.model.sentences import Sentences, check_sentence_pooling, plan_sentences, sentence_stream
from polysema.core.model.static import static_vector
from polysema.core.model.tokens import Occurrence, occurrences_of
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats

__all__ = ["DTYPES", "UNITS", "WRITERS", "ExportOptions", "ExportSource", "export", "narrowed", "shard_texts", "verify"]

SETTINGS = "settings.json"
SHARD_BYTES = 64 << 20  # of vectors, roughly: what is in memory at a time
WORDS_A_TEXT = 24
CHARACTERS_A_WORD = 6
FORMAT = 2
UNITS = ("words", "tokens", "sentences")
# texts read in overlapping windows; words, tokens or texts that the tokenizer doesn't know, wholly or in part; words or
# texts of which it makes no token, so that they have no row
COUNTS = ("split", "unknown", "unseen")


@dataclass(frozen=True, slots=True)
class ExportSource:
    """What the texts are: a name to show, a hash over all of them, how many there are, and the columns they are in.

    `dialect` is what was said of the files (separator, header, encoding), `notes` what was found out or mended.
    """

    name: str
    sha256: str
    lines: int
    column: str | None = None
    id_column: str | None = None
    dialect: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, corpus: Corpus) -> "ExportSource":
        """What the texts of these files are."""
        said = corpus.dialect.said()
        return cls(corpus.name, corpus.sha256, corpus.lines, corpus.column, corpus.id_column, said, corpus.notes)

    def to_json(self) -> dict[str, Any]:
        """For the manifest; what is empty is left out but for the columns."""
        more = {"dialect": dict(self.dialect), "notes": list(self.notes)}
        named = {
            "name": self.name,
            "sha256": self.sha256,
            "lines": self.lines,
            "column": self.column,
            "id_column": self.id_column,
        }
        return named | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is exported, and how: see `polysema export --help`.

    `words` are the only ones wanted (in any case); `static` puts the model's static vector of a word or token beside
    the contextual one; `limit` takes the first texts only, `shard` (i, n) every n-th of them from the i-th (from 1);
    `prompt` is for sentences by the model's own recipe.
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
    prompt: Prompt | None = None

    def checked(self) -> "ExportOptions":
        """The same back; raises `UserError` for what doesn't exist or doesn't go together."""
        for what, given, allowed in (
            ("unit", self.unit, UNITS),
            ("format", self.to, tuple(WRITERS)),
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
        check_prompt(self.prompt, self.unit)
        if self.words and self.unit != "words":
            raise UserError(f"chosen words are for the unit words; got {self.unit}")
        if self.static and self.unit == "sentences":
            raise UserError("a sentence has no static vector; choose words or tokens")
        if self.limit is not None and self.limit < 1:
            raise UserError(f"the limit must be at least 1 text; got {self.limit}")
        index, count = self.shard
        if not 1 <= index <= count:
            raise UserError(f"a shard is i/n with i from 1 to n, such as 2/4; got {index}/{count}")
        return self


def export(
    texts: "Iterable[str] | Iterable[tuple[str, str]]",
    source: ExportSource,
    folder: "Path | str",
    model: LanguageModel,
    layers: Sequence[int],
    wanted: ExportOptions | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Write the vectors at `layers` to shards in `folder`; returns the manifest. `texts` may be pairs of id and text.

    A row is a word, token or sentence at a layer: text_id (from 0), id where the texts have one, word, start, end
    (characters), layer, vector. Raises `ConflictError` when the folder holds anything else or an export with other
    settings, `UserError` for a layer that isn't there, an unwritable folder or a full disk (what is written so far
    stays good).
    """
    check_list(texts, "texts")
    folder, chosen = Path(folder), (wanted or ExportOptions()).checked()
    layers = model.check_layers(layers)
    origin = model.origin(None, chosen.pooling if chosen.unit == "words" else "single tokens")
    alike = [layer for layer in first_outliers(model).alike if layer in layers]
    if chosen.unit == "sentences":
        origin = plan_sentences(model, layers, chosen.pooling, chosen.prompt).origin
    elif alike:
        origin = replace(origin, notes=(*origin.notes, first_rows_note(alike)))
    settings = {
        "format": FORMAT,
        "input": source.to_json(),
        "origin": origin.to_json(),
        "layers": list(layers),
        "unit": chosen.unit,
        "pooling": chosen.pooling,
        "only_words": list(chosen.words),
        "to": chosen.to,
        "dtype": chosen.dtype,
        "static": chosen.static,
        "text": chosen.text or chosen.to == "atlas",
        "limit": chosen.limit,
        "shard": list(chosen.shard),
        "shard_texts": shard_texts(len(layers), model.dim),
    }
    try:
        with _claimed(folder, settings):
            return _run(texts, source, settings, folder, model, chosen, progress)
    except OSError as error:
        raise UserError(
            f"can't write to {folder}: {error.strerror or error}; what is finished stays good, run the same "
            "command again to go on"
        ) from None


def shard_texts(n_layers: int, dim: int) -> int:
    """How many texts make a shard, at most: a power of two, the same for the same settings."""
    wanted = SHARD_BYTES // (n_layers * dim * 4 * WORDS_A_TEXT)
    return int(min(4096, max(texts_a_batch(n_layers, dim), 1 << max(0, wanted.bit_length() - 1))))


@contextmanager
def _claimed(folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    """The folder is ours: empty or new, or one that was begun with the same settings; and nobody else works in it."""
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{folder} is a file; give a folder to export into")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    known = _read_settings(folder / SETTINGS) if SETTINGS in there else None
    if known is None and [name for name in there if name != ".lock" and not is_part(name)]:
        raise ConflictError(f"{folder} holds something else ({there[0]}); export into a new or an empty folder")
    if known is not None and known != settings:
        wrong = ", ".join(key for key in settings if known.get(key) != settings[key])
        raise ConflictError(f"{folder} holds an export with other settings ({wrong}); export into another folder")
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another export is writing to {folder}"
    with file_lock(folder / ".lock", 0, busy, "wait for it or choose another folder", remove=True):
        sweep(folder, locked=True)
        if known is None:
            _write_json(folder / SETTINGS, settings)
        yield


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} can't be read: {error}; export into another folder") from None
    return settings if isinstance(settings, dict) else {}


def _write_json(path: Path, value: Any) -> None:
    content = (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    atomic_write(path, content)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The texts of one shard: their numbers in the input, their ids, and themselves."""

    numbers: list[int]
    ids: list[str]
    texts: list[str]


def _batches(
    texts: "Iterable[str] | Iterable[tuple[str, str]]", wanted: ExportOptions, most: int, characters: int
) -> Iterator[_Batch]:
    """Texts in shards of at most `most` texts, each ended by the text that brings it over so many characters."""
    index, count = wanted.shard
    batch, size = _Batch([], [], []), 0
    for number, given in enumerate(texts):
        if wanted.limit is not None and number >= wanted.limit:
            break
        if number % count != index - 1:
            continue
        name, text = (str(number), given) if isinstance(given, str) else given
        batch.numbers.append(number)
        batch.ids.append(name)
        batch.texts.append(text)
        size += len(text)
        if len(batch.texts) == most or size >= characters:
            yield batch
            batch, size = _Batch([], [], []), 0
    if batch.texts:
        yield batch


def _run(
    texts: "Iterable[str] | Iterable[tuple[str, str]]",
    source: ExportSource,
    settings: dict[str, Any],
    folder: Path,
    model: LanguageModel,
    wanted: ExportOptions,
    progress: Progress,
) -> dict[str, Any]:
    """A shard is written while the next one is computed."""
    shards: list[dict[str, Any]] = []
    done = 0
    total = len(range(wanted.shard[0] - 1, min(source.lines, wanted.limit or source.lines), wanted.shard[1]))
    finished = _finished(folder)
    characters = settings["shard_texts"] * WORDS_A_TEXT * CHARACTERS_A_WORD
    statics = _Statics(model) if wanted.static else None
    writing: Future[dict[str, Any]] | None = None

    def written(future: "Future[dict[str, Any]] | None") -> None:
        if future is not None:
            shards.append(future.result())

    def advance(n_texts: int) -> None:
        nonlocal done
        done += n_texts
        progress("texts", done, total)

    with ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        for number, batch in enumerate(_batches(texts, wanted, settings["shard_texts"], characters)):
            kept = finished(number)
            if kept is not None:
                written(writing)
                writing = None
                shards.append(kept)
                advance(len(batch.texts))
                continue
            layers, counts = _computed(batch, model, settings, wanted, source, statics, advance)
            written(writing)
            writing = writer.submit(_write, folder, number, settings, layers, counts)
        written(writing)
    manifest = {
        **settings,
        "texts": done,
        "rows": sum(s["rows"] for s in shards),
        "shards": shards,
        "words": sum(s["rows"] for s in shards) // len(settings["layers"]),
    } | {count: sum(s.get(count, 0) for s in shards) for count in COUNTS}
    _write_json(folder / MANIFEST, manifest)
    for path in folder.glob(".part-*.done"):
        path.unlink()
    return manifest


def _write(
    folder: Path, number: int, settings: dict[str, Any], layers: Sequence[ShardRows], counts: dict[str, int]
) -> dict[str, Any]:
    files = write_shard(folder, number, settings["to"], settings["dtype"], layers)
    shard = {"files": files, "rows": sum(len(rows.vectors) for rows in layers), **counts}
    _write_json(folder / f".part-{number:05d}.done", shard)
    return shard


def _finished(folder: Path) -> Callable[[int], dict[str, Any] | None]:
    """Looks up the record of a shard that an earlier run finished, if its files are there, byte for byte."""
    try:
        known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["shards"]
    except (OSError, ValueError, KeyError):
        known = []

    def record(number: int) -> dict[str, Any] | None:
        try:
            shard = (
                known[number]
                if number < len(known)
                else json.loads((folder / f".part-{number:05d}.done").read_text(encoding="utf-8"))
            )
            same = all(_sound(folder / file["name"], file) is None for file in shard["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return shard if same else None

    return record


def _sound(path: Path, record: dict[str, Any]) -> str | None:
    """What is wrong with a file; None when it is as its record says."""
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != record["bytes"]:
        return f"has {path.stat().st_size:,} bytes, not {record['bytes']:,}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest == record["sha256"] else "has other bytes than were written"


def verify(folder: "Path | str") -> dict[str, Any]:
    """Read every byte of a finished export and return its manifest.

    Raises `NotFoundError` for an export that isn't finished, `UnreadableError` that names each file that is missing,
    changed, or doesn't belong there.
    """
    folder = Path(folder)
    manifest: dict[str, Any] = dict(read_manifest(folder))
    try:
        files = [file for shard in manifest["shards"] for file in shard["files"]]
        wrong = [f"{file['name']} {problem}" for file in files if (problem := _sound(folder / str(file["name"]), file))]
        if manifest["rows"] != sum(int(shard["rows"]) for shard in manifest["shards"]):
            wrong.append(f"{MANIFEST} counts {manifest['rows']:,} rows, its shards others")
        settings = _read_settings(folder / SETTINGS)
        wrong += [
            f"{SETTINGS} and {MANIFEST} differ in {key}" for key in settings if manifest.get(key) != settings[key]
        ]
    except (KeyError, TypeError):
        raise UnreadableError(f"{folder / MANIFEST} is no manifest of an export of this version") from None
    known = {str(file["name"]) for file in files} | {MANIFEST, SETTINGS}
    wrong += [f"{path.name} doesn't belong there" for path in sorted(folder.iterdir()) if path.name not in known]
    if wrong:
        raise UnreadableError(f"{folder} is not as it was exported: {'; '.join(wrong)}")
    return manifest


# The rows


def _computed(
    batch: _Batch,
    model: LanguageModel,
    settings: dict[str, Any],
    wanted: ExportOptions,
    source: ExportSource,
    statics: "_Statics | None",
    advance: Callable[[int], None],
) -> tuple[list[ShardRows], dict[str, int]]:
    """The rows of a shard at every layer, and the `COUNTS` of its texts.

    `advance` hears of each part of the shard how many texts it adds.
    """
    if wanted.unit == "sentences":
        found = []
        for sentences in sentence_stream(model, batch.texts, settings["layers"], wanted.pooling, 0, wanted.prompt):
            found.append(sentences)
            advance(sentences.vectors.shape[1])
        return _sentences(batch, found, settings, source)
    choose: Choose = occurrences_of
    if wanted.words:
        names = {word.casefold() for word in wanted.words}

        def choose(texts: Sequence[str], first: int) -> list[Occurrence]:
            return [o for o in occurrences_of(texts, first) if o.word.casefold() in names]

    parts: list[HiddenBatch] = []
    for part in embed_stream(model, batch.texts, settings["layers"], wanted.pooling, choose, unit=wanted.unit):
        parts.append(part)
        advance(part.n_texts)
    hidden = joined(parts)
    texts = [o.text for o in hidden.occurrences]
    columns = _text_columns(batch, texts, settings, source)
    columns["word" if wanted.unit == "words" else "token"] = pa.array(
        [o.word for o in hidden.occurrences], pa.large_string()
    )
    columns["start"] = pa.array([o.span.start for o in hidden.occurrences], pa.int32())
    columns["end"] = pa.array([o.span.end for o in hidden.occurrences], pa.int32())
    static = statics.of([o.word for o in hidden.occurrences], wanted.unit) if statics is not None else None
    table = pa.table(columns)
    layers = [ShardRows(layer, table, hidden.vectors[place], static) for place, layer in enumerate(hidden.layers)]
    counts = (len(hidden.split), len(hidden.unknown), len(hidden.unseen))
    return layers, dict(zip(COUNTS, counts, strict=True))


def _text_columns(
    batch: _Batch, texts: Sequence[int], settings: dict[str, Any], source: ExportSource
) -> dict[str, Any]:
    """The columns that say which text a row is of; `texts` are places in the batch."""
    columns: dict[str, Any] = {"text_id": pa.array([batch.numbers[text] for text in texts], pa.int64())}
    if source.id_column is not None:
        columns["id"] = pa.array([batch.ids[text] for text in texts], pa.large_string())
    if settings["text"]:
        columns["text"] = pa.array([batch.texts[text] for text in texts], pa.large_string())
    return columns


def _sentences(
    batch: _Batch, found: Sequence[Sentences], settings: dict[str, Any], source: ExportSource
) -> tuple[list[ShardRows], dict[str, int]]:
    """A row for each text that isn't empty."""
    vectors = np.concatenate([part.vectors for part in found], axis=1)
    first = 0
    empty: set[int] = set()
    for part in found:
        empty |= set(part.empty)
        first += part.vectors.shape[1]
    kept = [place for place in range(first) if place not in empty and batch.texts[place].strip()]
    table = pa.table(_text_columns(batch, kept, settings, source))
    layers = [ShardRows(layer, table, vectors[place, kept]) for place, layer in enumerate(found[0].layers)]
    counts = (sum(len(part.split) for part in found), sum(len(part.unknown) for part in found), first - len(kept))
    return layers, dict(zip(COUNTS, counts, strict=True))


class _Statics:
    """Static vectors of words and tokens, each looked up once while there is room."""

    MOST = 200_000

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._known: dict[str, Floats] = {}

    def of(self, names: Sequence[str], unit: str) -> Floats:
        """(len(names), static_dim)."""
        if unit == "tokens":
            ids = self._model.tokenizer.convert_tokens_to_ids(list(names))
            return np.asarray(self._model.input_table[ids].float().cpu().numpy(), np.float32)
        if len(self._known) > self.MOST:
            self._known.clear()
        for name in set(names) - self._known.keys():
            self._known[name] = static_vector(self._model, name)[0]
        width = int(self._model.input_table.shape[1])
        return np.stack([self._known[name] for name in names]) if names else np.empty((0, width), np.float32)
