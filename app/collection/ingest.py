"""From an upload into a collection: texts are embedded first, vectors go in as they are.

The work is that of `polysema export`, `polysema collection import` and `polysema collection compact`. A new collection
is there
under its name, whole, or not at all; rows that go into one that exists are put in by a step that isn't stopped.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from polysema.app.collection.registry import CollectionRegistry
from polysema.app.collection.upload_preview import UploadedTexts, UploadedVectors
from polysema.app.collection.uploaded_files import Upload
from polysema.app.collection.uploads import forget, in_use, remember
from polysema.app.export.options import ExportInput, ExportOptions, ExportSource
from polysema.app.export.run import export
from polysema.core.errors import ConflictError, UserError
from polysema.core.files.formats import MANIFEST
from polysema.core.files.vector_cache import drop
from polysema.core.model.contextual import EmbeddingOptions, embed_stream
from polysema.core.model.load import LanguageModel
from polysema.core.model.sentences import plan_sentences, sentence_stream
from polysema.core.progress import Progress, in_stage
from polysema.core.space.metric import Metric
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.import_export import ImportOptions, ImportReport, import_into
from polysema.indexes.store.manifest import check_name

SAMPLE_TEXTS = 48  # texts that are embedded to say how long all will take
COPIES_A_ROW = 2.2  # times the vectors' bytes that are on the disk for a while


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How texts become vectors: at which `layers` of a model, a vector for each `unit`, pooled how; and which `columns`
    go along (None: all).
    """

    layers: tuple[int, ...]
    unit: str = "words"
    pooling: str = "mean"
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where rows go: a collection's name, the name of the space (empty: the layer's, or the file's), and the metric of
    a space that is new.
    """

    collection: str
    space: str = ""
    metric: str = Metric.COSINE.value


@dataclass(frozen=True, slots=True)
class TextIngest:
    """The texts of which upload a model embeds, how, and where they go: the same ones go on where they stopped."""

    model: LanguageModel
    upload: Upload
    reading: TextOptions
    target: Destination


@dataclass(frozen=True, slots=True)
class Estimate:
    """What embedding will come to, by the first texts: rows of all layers, bytes of vectors, seconds."""

    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What was put in: the collection, rows by space, how each space is searched, whether the collection is new, and
    how many texts were longer than the model's window, and how many words, tokens or texts its tokenizer doesn't know.
    `notes` say what was guessed, left out or renamed.
    """

    collection: str
    rows: dict[str, int]
    index: dict[str, str]
    new: bool
    split: int = 0
    unknown: int = 0
    notes: tuple[str, ...] = ()


def estimate(model: LanguageModel, texts: UploadedTexts, reading: TextOptions) -> Estimate:
    """Embed the first texts and say how many rows, bytes and seconds all of them will come to."""
    sample = [text for text in islice(texts.corpus, SAMPLE_TEXTS) if text.strip()] or [" "]
    begun = time.perf_counter()
    rows = 0
    if reading.unit == "sentences":
        for part in sentence_stream(plan_sentences(model, reading.layers, reading.pooling), sample):
            rows += part.vectors.shape[1] - len(part.empty)
    else:
        for hidden in embed_stream(model, sample, reading.layers, EmbeddingOptions(reading.pooling, reading.unit)):
            rows += len(hidden.occurrences)
    seconds = time.perf_counter() - begun
    times = (
        texts.corpus.texts / len(sample)
        if reading.unit == "sentences"
        else texts.characters / max(1, sum(map(len, sample)))
    )
    all_rows = round(rows * max(1.0, times)) * len(reading.layers)
    slower = texts.characters / max(1, sum(map(len, sample)))
    return Estimate(all_rows, all_rows * model.dim * 4, seconds * max(1.0, slower))


def embed_into(shelf: CollectionRegistry, ingest: TextIngest, texts: UploadedTexts, progress: Progress) -> IngestResult:
    """Embed texts and put their rows into a collection; then the upload is removed.

    What `progress` raises ends the work: shards that were finished are kept and used when the same request is repeated
    (`finished`, `give_up`), and no collection is made or changed. Ids are those of the texts' column, else
    `name-hash-number`, so that two files never take each other's place.
    """
    with in_use(ingest.upload):
        put = _embedded(shelf, ingest, texts, progress)
    _done(ingest.upload, put)
    return put


def _embedded(shelf: CollectionRegistry, ingest: TextIngest, texts: UploadedTexts, progress: Progress) -> IngestResult:
    model, upload, reading, target = ingest.model, ingest.upload, ingest.reading, ingest.target
    check_name(target.collection, "a collection")
    wanted = ExportOptions(reading.unit, reading.pooling, text=True).checked()
    layers = model.check_layers(reading.layers)
    _check_target(shelf, target, model, layers, reading)
    corpus = texts.corpus
    given = corpus.id_column is not None
    prefix = f"{upload.stem}-{upload.sha256[:6]}"
    rows = (one if given else one._replace(id=f"{prefix}-{one.id}") for one in corpus.records())
    folder = _work(ingest)
    _check_room(folder.parent, len(layers) * model.dim * 4 * max(1, texts.characters // 6))
    source = replace(ExportSource.of(corpus), name=upload.name, id_column=corpus.id_column or "id")
    if reading.columns is not None:
        source = replace(source, columns={old: new for old, new in source.columns.items() if old in reading.columns})
    try:
        manifest = export(ExportInput(rows, source), folder, model, layers, wanted, in_stage(progress, "embed"))
    except UserError as error:
        raise type(error)(str(error).replace(str(folder), "the work folder")) from None
    progress("embed", corpus.lines, corpus.lines)
    if not manifest["rows"]:
        raise UserError(f"{upload.name} holds no {reading.unit} to embed")
    how = ImportOptions(target.space or None, metric=Metric.parse(target.metric))
    counts, index, new = _put(shelf, folder, how, target.collection, progress)
    shutil.rmtree(folder, ignore_errors=True)
    return IngestResult(
        target.collection, counts, index, new, int(manifest["split"]), int(manifest["unknown"]), tuple(counts.notes)
    )


def vectors_into(
    shelf: CollectionRegistry,
    upload: Upload,
    vectors: UploadedVectors,
    target: Destination,
    progress: Progress,
    columns: tuple[str, ...] | None = None,
) -> IngestResult:
    """Put the rows of a file of vectors into a collection, with these columns of it (None: all); then the upload is
    removed.
    """
    check_name(target.collection, "a collection")
    source = upload.files[0].name
    how = ImportOptions(target.space or None, metric=Metric.parse(target.metric), source=source, columns=columns)
    with in_use(upload):
        try:
            counts, index, new = _put(shelf, vectors.path, how, target.collection, progress)
            put = IngestResult(target.collection, counts, index, new, notes=tuple(counts.notes))
        except UserError as error:
            raise type(error)(str(error).replace(f"{upload.folder}/", "")) from None
    _done(upload, put)
    if vectors.converted is not None:
        drop(*vectors.converted)
    return put


def finished(ingest: TextIngest) -> int:
    """Rows of a stopped embedding that are kept for going on."""
    rows = 0
    folder = _work(ingest)
    for path in (*folder.glob(".part-*.done"), folder / MANIFEST):  # the one or the other
        with suppress(OSError, ValueError, KeyError):
            rows += int(json.loads(path.read_text(encoding="utf-8"))["rows"])
    return rows


def give_up(ingest: TextIngest) -> None:
    """Remove what a stopped embedding kept."""
    shutil.rmtree(_work(ingest), ignore_errors=True)


def _work(ingest: TextIngest) -> Path:
    message = json.dumps([ingest.model.name, asdict(ingest.reading), asdict(ingest.target)])
    return ingest.upload.folder / f"work-{hashlib.sha256(message.encode()).hexdigest()[:16]}"


def _done(upload: Upload, put: IngestResult) -> None:
    remember(upload, put.collection, list(put.rows))
    forget(upload)


def _check_target(
    shelf: CollectionRegistry, target: Destination, model: LanguageModel, layers: Sequence[int], reading: TextOptions
) -> None:
    """What can't go in at the end is told before anything is embedded."""
    if target.space:
        check_name(target.space, "a space")
    if target.collection not in shelf.names():
        return
    pooling = {"words": reading.pooling, "tokens": "single tokens"}.get(reading.unit, f"{reading.pooling} of the text")
    spaces = shelf.get(target.collection).view().manifest.spaces
    for layer in layers:
        name = target.space if target.space and len(layers) == 1 else f"{target.space}-layer-{layer}".lstrip("-")
        if name not in spaces:
            continue
        origin = spaces[name].origin
        mine = model.origin(layer, pooling)
        try:
            if origin is None:
                raise UserError("it has no card")
            origin.require_same(mine)
        except UserError:
            current = origin.card() if origin else "vectors of unknown origin"
            raise ConflictError(
                f"{target.collection} has a space {name} of [{current}], and these would be [{mine.card()}]: "
                "name another space or collection"
            ) from None


def _check_room(folder: Path, most: int) -> None:
    free = shutil.disk_usage(folder).free
    if most * COPIES_A_ROW > free:
        raise UserError(
            f"the vectors may take {most * COPIES_A_ROW / 1e9:.1f} GB for a while, and {free / 1e9:.1f} GB are "
            "free: take fewer layers, sentences, or a part of the texts"
        )


def _put(
    shelf: CollectionRegistry, source: Path, how: ImportOptions, name: str, progress: Progress
) -> tuple[ImportReport, dict[str, str], bool]:
    """The rows and the reason for the index of each space, and whether the collection is new."""
    new = name not in shelf.names()
    with _collection(shelf, name, new) as collection:
        message = progress if new else _unstopped(progress)
        counts = import_into(
            collection, source, how, lambda space, done, _: message(f"put {done:,} rows into {space}", 0, 0)
        )
        index = {
            space: collection.compact(
                space, None, lambda stage, done, total: message(f"look after the {stage}", done, total)
            )
            for space in counts
        }
    return counts, index, new


@contextmanager
def _collection(shelf: CollectionRegistry, name: str, new: bool) -> Iterator[VectorCollection]:
    if not new:
        yield shelf.get(name)
        return
    with shelf.making(name) as made:
        yield made


def _unstopped(progress: Progress) -> Progress:
    """Progress that no longer ends the work: a collection that exists is not left with half of the rows."""

    def message(stage: str, done: int, total: int) -> None:
        with suppress(Exception):
            progress(stage, done, total)

    return message
