"""What the kinds of jobs do. Each checks what was asked, and returns the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeAlias

import pyarrow as pa
from fastapi.responses import Response

from polysema.app.explorer.embedding import embedded
from polysema.app.explorer.results import MatchedMaps, SpaceMap
from polysema.app.explorer.serialization import plain
from polysema.app.service import encoding as form
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.jobs import Outcome, Progress
from polysema.app.service.schemas import requests as of
from polysema.core.errors import UserError
from polysema.core.maps.projection import ALIGNED, MapOptions, check_method
from polysema.core.model.tokens import find_word
from polysema.core.space.space import Space

Work: TypeAlias = Callable[[Progress], Any]
BATCH = 64  # texts that are embedded and written together, between two looks at whether the job was cancelled
WRITING = ("compact", "embed")  # kinds that change a collection


def work_of(asked: Any, state: ServiceState) -> Work:
    """The work that was asked for. Raises `UserError` for what can be seen to be wrong before it begins."""
    return KINDS[asked.kind](asked, state)


def _map(asked: of.MapRequest, state: ServiceState) -> Work:
    options = MapOptions(**asked.options.model_dump())
    method = check_method(asked.method)
    state.check_space(asked.space)

    def work(progress: Progress) -> Outcome:
        seen = state.view(asked.space, asked.transform, asked.without, progress=progress)
        rows = len(seen) if asked.n is None else min(asked.n, len(seen))
        state.check_numbers(rows * options.n_components, "this map")
        found = state.explorer.map(seen, method, options, asked.n, asked.k, progress)
        return Outcome(_map_card(found), found)

    return work


def _map_card(found: SpaceMap) -> dict[str, Any]:
    told = found.distortion
    return {
        "method": found.map.method,
        "options": asdict(found.map.options),
        "scale": found.map.scale,
        "n": len(found.space),
        "notes": found.map.notes,
        "distortion": None
        if told is None
        else {
            "k": told.k,
            "measured": len(told.rows),
            "preservation": told.preservation,
            "trustworthiness": told.trustworthiness,
            "by_chance": told.by_chance,
        },
        "origin": found.space.origin.to_json(),
    }


def map_answer(wanted: str, found: SpaceMap) -> Response:
    """A map's points, each with its name, its columns and the share of its neighbors that it kept."""
    kept = pa.array(found.kept, from_pandas=True)  # NaN, where nothing was measured, is null
    table = _with_columns({"key": found.space.keys.array, "kept": kept}, found.space, ("position",))
    card = _map_card(found) | {"distortion": plain(found.distortion)}
    return form.rows_answer(wanted, table, found.map.positions, card, "position")


def _with_columns(own: dict[str, pa.Array], space: Space, taken: Sequence[str] = ()) -> pa.Table:
    """Columns of one's own, and those of a space whose names are free."""
    table = pa.table(own)
    columns = space.columns if space.columns is not None else pa.table({})
    for name in columns.column_names:
        if name not in own and name not in taken:
            table = table.append_column(name, columns.column(name))
    return table


def _matched(asked: of.MatchedMapsRequest, state: ServiceState) -> Work:
    options = MapOptions(**asked.options.model_dump())
    method = check_method(asked.method, (ALIGNED,))
    given = [asked.a, *asked.through, asked.b]
    for one in given:
        state.check_space(one if isinstance(one, str) else one.space)

    def side(one: str | of.SpaceView, progress: Progress) -> Space:
        if isinstance(one, str):
            return state.space(one, progress=progress)
        return state.view(one.space, one.transform, one.without, progress=progress)

    def work(progress: Progress) -> Outcome:
        spaces = [side(one, progress) for one in given]
        rows = min(len(space) for space in spaces) if asked.n is None else asked.n
        rows = min(rows, *(len(space) for space in spaces))
        state.check_numbers(rows * len(spaces) * (options.n_components + 2 * asked.k + 1), "this comparison")
        # a name of the catalog goes as it is: the stages of the progress tell it
        a, *through, b = [
            one if isinstance(one, str) and not state.check_space(one) else space
            for one, space in zip(given, spaces, strict=True)
        ]
        found = state.explorer.matched(a, b, asked.n, asked.k, method, options, through, progress)
        sides = [
            replace(made, name=one) if isinstance(one, str) else made
            for one, made in zip(given, found.sides, strict=True)
        ]
        found = replace(found, a=sides[0], b=sides[-1], between=tuple(sides[1:-1]))
        return Outcome(_matched_card(found), found)

    return work


def _matched_card(found: MatchedMaps) -> dict[str, Any]:
    return {
        "method": found.method,
        "options": asdict(found.options),
        "n": len(found),
        "k": found.k,
        "matched": found.matched,
        "by": found.by,
        "rule": found.rule,
        "by_chance": found.by_chance,
        "sides": [
            {
                "name": side.name,
                "origin": side.space.origin.to_json(),
                "baseline": plain(side.baseline),
                "left_out": side.left_out,
            }
            for side in found.sides
        ],
    }


def matched_answer(wanted: str, found: MatchedMaps) -> Response:
    """The rows that several spaces share, and, for each of the spaces, where they lie and what is near them.

    In an Arrow stream the columns `position_0`, `near_0`, `distance_0` and `kept_0` are those of the first space, and so on.
    """
    card, own = _matched_card(found), {"key": found.a.space.keys.array}
    if wanted == form.ARROW:
        own |= {"overlap": pa.array(found.overlap), "changed": pa.array(found.changed)}
        for number, side in enumerate(found.sides):
            own |= {
                f"position_{number}": form.lists(side.positions),
                f"near_{number}": form.lists(side.neighbors.rows),
                f"distance_{number}": form.lists(side.neighbors.distances),
                f"kept_{number}": pa.array(side.kept, from_pandas=True),  # NaN, where nothing was measured, is null
            }
        return form.arrow(_with_columns(own, found.a.space), card)
    packed = wanted == form.BASE64
    for said, side in zip(card["sides"], found.sides, strict=True):
        said |= plain({"positions": side.positions, "neighbors": side.neighbors, "kept": side.kept}, packed)
    value = plain({"overlap": found.overlap, "changed": found.changed}, packed)
    rows = plain(_with_columns(own, found.a.space).to_pylist())
    return form.answer(card | value | {"rows": rows}, kind=wanted)


def _word_map(asked: of.WordMapRequest, state: ServiceState) -> Work:
    state.known(asked.model)

    def work(progress: Progress) -> Any:
        return plain(state.explorer.word_map(asked.word, asked.model, asked.method, asked.texts, progress))

    return work


def _clusters(asked: of.SenseClustersRequest, state: ServiceState) -> Work:
    state.known(asked.model)
    state.check_job_texts(len(asked.texts))

    def work(progress: Progress) -> Any:
        return plain(
            state.explorer.sense_clusters(
                asked.word, asked.model, asked.layer, asked.min_cluster_size, asked.texts, progress
            )
        )

    return work


def _senses(asked: of.SensesRequest, state: ServiceState) -> Work:
    for name in asked.models:
        state.known(name)
    return lambda progress: plain(state.explorer.senses(asked.models, progress))


def _corpus(asked: of.CorpusRequest, state: ServiceState) -> Work:
    state.known(asked.model)

    def work(progress: Progress) -> Any:
        space = state.explorer.corpus(asked.model, asked.layer, progress)
        return {"name": f"{asked.model}@{space.origin.layer}", "rows": len(space), "origin": space.origin.to_json()}

    return work


def _fill(asked: of.EmbedIntoCollectionRequest, state: ServiceState) -> Work:
    state.known(asked.model)
    held = state.shelf.get(asked.collection)
    state.check_job_texts(len(asked.texts))
    names = [str(number) for number in range(len(asked.texts))] if asked.ids is None else asked.ids
    if len(names) != len(asked.texts) or len(set(names)) != len(names):
        raise UserError(
            f"every text needs an id of its own; got {len(set(names)):,} ids for {len(asked.texts):,} texts"
        )

    def work(progress: Progress) -> Any:
        progress(f"load {asked.model}", 0, 1)
        model = state.explorer.model(asked.model)
        (layer,) = model.check_layers([asked.layer])
        total, rows, left_out = len(asked.texts), 0, 0
        for start in range(0, total, BATCH):
            progress("embed", start, total)
            texts, ids = asked.texts[start : start + BATCH], names[start : start + BATCH]
            read = model.encode(texts)
            there = [place for place, text in enumerate(texts) if len(read[place]) and _has(text, asked.word)]
            left_out += len(texts) - len(there)
            if not there:
                continue
            mine = [texts[place] for place in there]
            made = embedded(model, mine, (layer,), asked.unit, asked.word, asked.pooling)
            if not len(made):
                continue
            own = [ids[place] for place in there]
            table = made.table
            numbers = table.column("text_id").to_pylist()
            columns = table.set_column(
                table.column_names.index("text_id"),
                "text_id",
                pa.array([start + there[n] for n in numbers], pa.int64()),
            ).append_column("text", pa.array([texts[there[n]] for n in numbers], pa.string()))
            origin = replace(made.origin, layer=layer)
            held.upsert(_ids([own[n] for n in numbers], table), made.vectors, columns, asked.space, origin)
            rows += len(made)
        progress("embed", total, total)
        version = held.view().manifest.version
        return {"collection": asked.collection, "rows": rows, "left_out": left_out, "version": version}

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


def _compact(asked: of.CompactRequest, state: ServiceState) -> Work:
    held = state.shelf.get(asked.collection)
    return lambda progress: {"index": held.compact(asked.space, asked.index, progress)}


def _verify(asked: of.VerifyRequest, state: ServiceState) -> Work:
    root = state.shelf.where(asked.collection)

    def work(progress: Progress) -> Any:
        from polysema.indexes.store.verify import verify

        report = verify(root, progress)
        return {
            "files": report.files,
            "bytes": report.bytes,
            "problems": [line.replace(state.folder, "") for line in report.problems],
            "leftovers": [line.replace(state.folder, "") for line in report.leftovers],
        }

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
}
