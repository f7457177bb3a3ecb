"""What the kinds of jobs do. Each checks its request and returns the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from fastapi.responses import Response

from polysema.app.explorer import WordSpace
from polysema.app.explorer.embedding import TextUnit, embedded
from polysema.app.explorer.lazy_rows import TableRows
from polysema.app.explorer.results.jobs import CompactAnswer, CorpusAnswer, EmbeddedAnswer, VerifyAnswer
from polysema.app.explorer.results.map_answers import MapAnswer, MapSummary, MatchedAnswer, MatchedSummary
from polysema.app.explorer.results.maps import MatchedMaps, SpaceMap, WordMap
from polysema.app.explorer.serialization import json_object
from polysema.app.service import encoding as form
from polysema.app.service.circuit_jobs import patch_work
from polysema.app.service.collection_rows import columns_of_texts
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.embeddings import model_and_layers
from polysema.app.service.jobs import Outcome
from polysema.app.service.measure_jobs import (
    analogy_work,
    annotated_senses_work,
    bias_work,
    contextuality_work,
    probe_work,
    similarity_work,
    word_in_context_work,
)
from polysema.app.service.row_limits import check_rows_read
from polysema.app.service.schemas import jobs as of
from polysema.app.service.schemas.fields import SpaceView
from polysema.app.service.text_source import one_source, texts_of
from polysema.core.errors import UserError
from polysema.core.maps.methods import check_options, check_together
from polysema.core.maps.options import MapOptions
from polysema.core.measure.sense_clusters import SenseClusters
from polysema.core.model.recipe import SentenceOptions, check_unit
from polysema.core.model.tokens import find_word
from polysema.core.progress import Progress
from polysema.core.space.space import Space

Work: TypeAlias = Callable[[Progress], object]
BATCH_ROWS = 64  # texts that are embedded and written together, between two looks at whether the job was cancelled
WRITING_KINDS = ("compact", "embed")  # kinds that change a collection


def work_of(request: of.JobRequest, state: ServiceState) -> Work:
    """The work of a request. Raises `UserError` for mistakes that can be detected before it starts."""
    return KINDS[request.kind](request, state)


def _map(request: of.MapRequest, state: ServiceState) -> Work:
    options = MapOptions(**request.options.model_dump())
    method = check_options(request.method, options)
    state.names.check_space(request.space)

    def work(progress: Progress) -> Outcome:
        seen = state.view(request, progress=progress)
        rows = len(seen) if request.n is None else min(request.n, len(seen))
        state.limits.check_numbers(rows * options.n_components, "this map")
        check_rows_read(seen, rows, state.settings.max_space, "this map")
        found = state.explorer.maps.map(seen, method, options, request.n, request.k, progress)
        return Outcome(MapSummary.of(found), found)

    return work


def map_answer(wanted: str, found: SpaceMap) -> Response:
    """A map's points, each with its name, its columns and the share of its neighbors that it kept."""
    kept = pa.array(found.kept, from_pandas=True)  # NaN, where nothing was measured, is null
    table = _with_columns({"key": found.space.keys.array, "kept": kept}, found.space, ("position",))
    if wanted != form.ARROW:
        return form.answer(MapAnswer.of(found, TableRows(table)), kind=wanted)
    more = json_object(MapAnswer.of(found, []), without=("rows", "positions", "dim"))
    return form.arrow(table.append_column("position", form.lists(np.asarray(found.map.positions, np.float32))), more)


def _with_columns(own: dict[str, pa.Array], space: Space, taken: Sequence[str] = ()) -> pa.Table:
    """Columns of one's own, and those of a space whose names are free."""
    table = pa.table(own)
    columns = space.columns if space.columns is not None else pa.table({})
    for name in columns.column_names:
        if name not in own and name not in taken:
            table = table.append_column(name, columns.column(name))
    return table


def _matched(request: of.MatchedMapsRequest, state: ServiceState) -> Work:
    options = MapOptions(**request.options.model_dump())
    method = check_together(request.method, options)
    given = [request.a, *request.through, request.b]
    for one in given:
        state.names.check_space(one if isinstance(one, str) else one.space)

    def side(one: str | SpaceView, progress: Progress) -> WordSpace:
        if isinstance(one, str):
            return state.space(one, progress=progress)
        return state.view(one, progress=progress)

    def work(progress: Progress) -> Outcome:
        spaces = [side(one, progress) for one in given]
        rows = min(len(space) for space in spaces) if request.n is None else request.n
        rows = min(rows, *(len(space) for space in spaces))
        state.limits.check_numbers(rows * len(spaces) * (options.n_components + 2 * request.k + 1), "this comparison")
        for space in spaces:
            check_rows_read(space, rows, state.settings.max_space, "this comparison")
        # a name of the catalog goes as it is: the stages of the progress tell it
        a, *through, b = [
            one if isinstance(one, str) and not state.names.check_space(one) else space
            for one, space in zip(given, spaces, strict=True)
        ]
        maps = state.explorer.maps
        found = maps.matched(a, b, request.n, request.k, method, options, through=through, progress=progress)
        sides = [
            replace(made, name=one) if isinstance(one, str) else made
            for one, made in zip(given, found.sides, strict=True)
        ]
        found = replace(found, a=sides[0], b=sides[-1], between=tuple(sides[1:-1]))
        return Outcome(MatchedSummary.of(found), found)

    return work


def matched_answer(wanted: str, found: MatchedMaps) -> Response:
    """The rows that several spaces share, and, for each of the spaces, where they lie and what is near them.

    In an Arrow stream the columns `position_0`, `near_0`, `distance_0` and `kept_0` are those of the first space, and
    so on.
    """
    own = {"key": found.a.space.keys.array}
    if wanted == form.ARROW:
        own |= {"overlap": pa.array(found.overlap), "changed": pa.array(found.changed)}
        for number, side in enumerate(found.sides):
            own |= {
                f"position_{number}": form.lists(side.positions),
                f"near_{number}": form.lists(side.neighbors.rows),
                f"distance_{number}": form.lists(side.neighbors.distances),
                f"kept_{number}": pa.array(side.kept, from_pandas=True),  # NaN, where nothing was measured, is null
            }
        return form.arrow(_with_columns(own, found.a.space), json_object(MatchedSummary.of(found)))
    rows = TableRows(_with_columns(own, found.a.space))
    return form.answer(MatchedAnswer.of(found, rows), kind=wanted)


def _word_map(request: of.WordMapRequest, state: ServiceState) -> Work:
    state.names.check(request.model)
    if request.space is not None:
        state.names.check_space(request.space)

    def work(progress: Progress) -> WordMap:
        texts = texts_of(state, request)
        return state.explorer.maps.word_map(request.word, request.model, request.method, request.texts, progress, texts)

    return work


def _clusters(request: of.SenseClustersRequest, state: ServiceState) -> Work:
    state.names.check(request.model)
    state.limits.check_job_texts(len(request.texts))

    def work(progress: Progress) -> SenseClusters:
        texts = one_source(request.texts, texts_of(state, request))
        return state.explorer.model(request.model).senses.clusters(
            request.word, request.layer, request.min_cluster_size, texts, progress
        )

    return work


def _senses(request: of.SensesRequest, state: ServiceState) -> Work:
    for name in request.models:
        state.names.check(name)
    return lambda progress: state.explorer.measures.senses(request.models, progress)


def _corpus(request: of.CorpusRequest, state: ServiceState) -> Work:
    state.names.check(request.model)

    def work(progress: Progress) -> CorpusAnswer:
        space = state.explorer.model(request.model).senses.corpus(request.layer, progress)
        return CorpusAnswer(f"{request.model}@{space.origin.layer}", len(space), space.origin)

    return work


def _fill(request: of.EmbedIntoCollectionRequest, state: ServiceState) -> Work:
    name, layers = model_and_layers(
        state.names.check(request.model), None if request.layer is None else [request.layer]
    )
    options = SentenceOptions(request.prompt, request.prompt_name, request.dimensions)
    check_unit(options, request.unit)
    current = state.shelf.get(request.collection)
    state.limits.check_job_texts(len(request.texts))
    names = [str(number) for number in range(len(request.texts))] if request.ids is None else request.ids
    if len(names) != len(request.texts) or len(set(names)) != len(names):
        raise UserError(
            f"every text needs an id of its own; got {len(set(names)):,} ids for {len(request.texts):,} texts"
        )
    beside = columns_of_texts(request.columns, len(request.texts))

    def work(progress: Progress) -> EmbeddedAnswer:
        progress(f"load {name}", 0, 1)
        model = state.explorer.model(name).model
        (layer,) = model.check_layers(layers)
        total, rows, left_out = len(request.texts), 0, 0
        for start in range(0, total, BATCH_ROWS):
            progress("embed", start, total)
            texts, ids = request.texts[start : start + BATCH_ROWS], names[start : start + BATCH_ROWS]
            read = model.encode(texts)
            there = [place for place, text in enumerate(texts) if len(read[place]) and _has(text, request.word)]
            left_out += len(texts) - len(there)
            if not there:
                continue
            mine = [texts[place] for place in there]
            made = embedded(model, mine, (layer,), TextUnit(request.unit, request.word, request.pooling), options)
            if not len(made):
                continue
            own = [ids[place] for place in there]
            table = made.table
            numbers = table.column("text_id").to_pylist()
            places = pa.array([start + there[n] for n in numbers], pa.int64())
            columns = table.set_column(table.column_names.index("text_id"), "text_id", places)
            columns = columns.append_column("text", pa.array([texts[there[n]] for n in numbers], pa.string()))
            for column, values in beside.items():
                columns = columns.append_column(column, values.take(places))
            origin = replace(made.origin, layer=layer)
            current.upsert(_ids([own[n] for n in numbers], table), made.vectors, columns, request.space, origin)
            rows += len(made)
        progress("embed", total, total)
        version = current.view().manifest.version
        return EmbeddedAnswer(request.collection, rows, left_out, version)

    return work


def _has(text: str, word: str | None) -> bool:
    if word is None:
        return True
    try:
        find_word(text, word)
    except UserError:
        return False
    return True


def _ids(texts: list[str], table: pa.Table) -> list[str]:
    """The ids of rows: the text's, with the place of a word behind it, and a number where that stands there twice."""
    if "start" not in table.column_names:
        return texts
    found, seen = [], dict[str, int]()
    for text, start, end in zip(texts, table.column("start").to_pylist(), table.column("end").to_pylist(), strict=True):
        name = f"{text}:{start}-{end}"
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def _compact(request: of.CompactRequest, state: ServiceState) -> Work:
    current = state.shelf.get(request.collection)
    return lambda progress: CompactAnswer(current.compact(request.space, request.index, progress))


def _verify(request: of.VerifyRequest, state: ServiceState) -> Work:
    root = state.shelf.where(request.collection)

    def work(progress: Progress) -> VerifyAnswer:
        from polysema.indexes.store.verify import verify

        report = verify(root, progress)
        problems, leftovers = (tuple(map(state.without_paths, lines)) for lines in (report.problems, report.leftovers))
        return VerifyAnswer(report.files, report.bytes, problems, leftovers)

    return work


KINDS: dict[str, Callable[[Any, ServiceState], Work]] = {
    "map": _map,
    "matched": _matched,
    "word_map": _word_map,
    "sense_clusters": _clusters,
    "senses": _senses,
    "corpus": _corpus,
    "embed": _fill,
    "compact": _compact,
    "verify": _verify,
    "analogies": analogy_work,
    "similarities": similarity_work,
    "contextuality": contextuality_work,
    "annotated_senses": annotated_senses_work,
    "word_in_context": word_in_context_work,
    "probe": probe_work,
    "bias": bias_work,
    "patch": patch_work,
}
