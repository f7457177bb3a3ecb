"""The index of a space on Milvus: built by the recipe, waited for, and measured as an embedded one is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polysema.core.errors import BusyError, UserError
from polysema.core.progress import Progress
from polysema.core.space.space import Floats
from polysema.indexes.collection_compaction import Compaction
from polysema.indexes.engines.milvus.catalog import Catalog, Entry
from polysema.indexes.engines.milvus.connection import Connection
from polysema.indexes.engines.milvus.reading import MilvusView
from polysema.indexes.engines.milvus.rows import EVERY_ROW, WHOLE, id_of, vectors_of
from polysema.indexes.engines.milvus.searching import METRICS, Hit, SpaceQuery
from polysema.indexes.faiss_measurement import SUFFICIENT_RECALL
from polysema.indexes.index_spec import IndexSpec
from polysema.indexes.recall import RecallCurve, RecallPoint, Setting, ladder, recalls, setting_of
from polysema.indexes.store.compaction import planned
from polysema.indexes.store.matches import Search

KINDS = {"flat": "FLAT", "hnsw": "HNSW", "ivf": "IVF_FLAT", "ivf-sq8": "IVF_SQ8", "ivf-pq": "IVF_PQ"}
FOR_OTHERS = {"hnsw-sq8": "ivf-sq8", "pq-fastscan": "ivf-pq"}  # what `auto` takes where Milvus lacks its kind
MAX_CELLS = 65_536
HELD_OUT = 64  # rows that are searched for, each left out of its own answer
SINGLE_QUERIES = 4
FACTORS = (2, 8, 32)  # the k_factor that are measured: each answer comes over the network
BUILD_SECONDS = 24 * 3_600.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class MilvusCompaction:
    """Builds the index of a space. Searches wait while Milvus changes the kind of an index: it can't answer then."""

    connection: Connection
    catalog: Catalog
    progress: Progress

    def run(self, how: Compaction) -> str:
        """Build what is wanted; why that kind was taken."""
        view = MilvusView(self.connection, self.catalog.read())
        name = view.name(how.space)
        recipe, reason = self._planned(view, name, how)
        rows = view.n_rows(name)
        wanted = (recipe or IndexSpec("flat")).fitted(max(1, rows), view.entry.spaces[name].dim)
        if wanted.nlist > MAX_CELLS:
            wanted = replace(wanted, nlist=MAX_CELLS)
        self.build(view, name, wanted)
        card = self._card(view, name, wanted, rows) if wanted.kind != "flat" and rows else None

        def noted(entry: Entry) -> Entry:
            spaces = dict(entry.spaces)
            spaces[name] = replace(spaces[name], index=recipe.to_json() if recipe else {"kind": "none"})
            indexes = {one: there for one, there in entry.indexes.items() if one != name}
            if card is not None:
                indexes[name] = card
            return replace(entry, spaces=spaces, indexes=indexes, what=f"compact {name}")

        self.catalog.change(noted)
        return reason

    @staticmethod
    def _planned(view: MilvusView, name: str, how: Compaction) -> tuple[IndexSpec | None, str]:
        recipe, reason = planned(view, name, how.index, how.memory_bytes, how.recall)
        is_file = view.connection.address.is_file
        kinds = [kind for kind in KINDS if not (is_file and kind == "ivf-pq")]
        if recipe is None or recipe.kind in kinds:
            return recipe, reason
        engine = "milvus-lite" if is_file else "Milvus"
        other = FOR_OTHERS.get(recipe.kind)
        if how.index in (None, "auto") and other in kinds:
            return IndexSpec.parse(f"{other}:nprobe={recipe.nprobe}"), f"{other}: {engine} has no {recipe.kind}"
        raise UserError(f"{engine} has no index {recipe.kind}; choose {', '.join(kinds)}, auto or none")

    def build(self, view: MilvusView, name: str, recipe: IndexSpec) -> None:
        """Write the rows together, and build the index of that recipe; returns when it is there and searched."""
        place, call = view.rows.place(name), self.connection.call
        self.progress("rows", 0, 0)
        call("flush", place)
        now = self._described(place)
        parameters = _parameters(recipe)
        if now.get("index_type") != KINDS[recipe.kind] or any(
            str(now.get(key)) != str(value) for key, value in parameters.items()
        ):
            call("release_collection", place)
            for index in call("list_indexes", place):
                call("drop_index", place, index)
            try:
                self._create(view, place, name, recipe)
            except UserError:
                for index in call("list_indexes", place):
                    call("drop_index", place, index)
                self._create(view, place, name, IndexSpec("flat"))
                call("load_collection", place)
                raise
        self._merge(place)
        self._wait(place)
        call("release_collection", place)  # what was searched row by row is searched by its index from here on
        call("load_collection", place)

    def _create(self, view: MilvusView, place: str, name: str, recipe: IndexSpec) -> None:
        from pymilvus import MilvusClient

        indexes = MilvusClient.prepare_index_params()
        metric = METRICS[view.entry.spaces[name].metric]
        kind = KINDS[recipe.kind]
        indexes.add_index("vector", index_type=kind, metric_type=metric, params=_parameters(recipe))
        self.connection.call("create_index", place, indexes, timeout=BUILD_SECONDS)

    def _described(self, place: str) -> dict[str, Any]:
        names = self.connection.call("list_indexes", place)
        return dict(self.connection.call("describe_index", place, names[0])) if names else {}

    def _merge(self, place: str) -> None:
        """Let Milvus write small segments together, and forget rows that are gone."""
        job = self.connection.call("compact", place)
        end = time.monotonic() + BUILD_SECONDS
        while time.monotonic() < end:
            if not job or "execut" not in str(self.connection.call("get_compaction_state", job)).casefold():
                return
            time.sleep(LOOK_SECONDS)

    def _wait(self, place: str) -> None:
        end = time.monotonic() + BUILD_SECONDS
        while time.monotonic() < end:
            state = self._described(place)
            total, left = int(state.get("total_rows", 0)), int(state.get("pending_index_rows", 0))
            self.progress("index", total - left, total)
            if not left:
                return
            time.sleep(LOOK_SECONDS)
        raise BusyError(f"{self.connection.address}: the index isn't there after {BUILD_SECONDS / 3600:.0f} hours")

    # what it finds

    def _card(self, view: MilvusView, name: str, recipe: IndexSpec, rows: int) -> dict[str, object]:
        curve = IndexMeasurement(view, name, recipe, self.progress).curve()
        return {"recipe": recipe.to_json(), "rows": rows, "curve": curve.to_json()}


def _parameters(recipe: IndexSpec) -> dict[str, int]:
    return {
        "flat": {},
        "hnsw": {"M": min(recipe.M, 64), "efConstruction": min(recipe.ef_construction, 512)},
        "ivf": {"nlist": recipe.nlist},
        "ivf-sq8": {"nlist": recipe.nlist},
        "ivf-pq": {"nlist": recipe.nlist, "m": recipe.m, "nbits": recipe.nbits},
    }[recipe.kind]


@dataclass(frozen=True, slots=True)
class IndexMeasurement:
    """How much of the true best an index finds at each setting, by rows that are left out of their own answer."""

    view: MilvusView
    name: str
    recipe: IndexSpec
    progress: Progress

    def curve(self) -> RecallCurve:
        """The recall and the speed at the settings worth knowing."""
        sample = [row for row in self.view.sample(self.name, HELD_OUT) if any(row["vector"])]
        space_query = SpaceQuery.of(self.view, Search(space=self.name))
        space_query = replace(space_query, recipe=self.recipe, consistency="Eventually")
        if len(sample) < 2:
            return RecallCurve(0, ())
        queries, own = space_query.checked(vectors_of(sample)), [id_of(row) for row in sample]
        best = self._best(space_query, queries, own)
        points = list(self._points(space_query, queries, own, best))
        return RecallCurve(len(queries), tuple(points))

    def _best(self, space_query: SpaceQuery, queries: Floats, own: list[str]) -> Floats:
        """The scores of the 100 best other rows of each, by comparing all."""
        best = np.full((len(queries), 100), -np.inf, np.float32)
        done = 0
        for rows in self.view.rows.raw_rows(self.name, EVERY_ROW, WHOLE):
            scores = space_query.scores(queries, vectors_of(rows))
            there = {id_of(row): place for place, row in enumerate(rows)}
            for query, name in enumerate(own):
                if name in there:
                    scores[query, there[name]] = -np.inf
            best = -np.sort(-np.concatenate([best, scores], axis=1), axis=1)[:, :100]
            done += len(rows)
            self.progress("measure", done, 0)
        found: Floats = best[:, np.isfinite(best).all(axis=0)]
        return found

    def _points(self, space_query: SpaceQuery, queries: Floats, own: list[str], best: Floats) -> Iterator[RecallPoint]:
        enough: list[Setting] = []
        mine = setting_of(self.recipe)
        for setting in ladder(self.recipe):
            if setting.k_factor and setting.k_factor not in FACTORS and setting != mine:
                continue
            if any(done.within(setting) for done in enough) and setting != mine:
                continue
            started = time.perf_counter()
            ten = _without(space_query.found(queries, 11, setting), own, min(10, best.shape[1]))
            batch = len(queries) / (time.perf_counter() - started)
            hundred = _without(space_query.found(queries, 101, setting), own, best.shape[1])
            started = time.perf_counter()
            for query in queries[:SINGLE_QUERIES]:
                space_query.found(query[None], 10, setting)
            single = min(SINGLE_QUERIES, len(queries)) / (time.perf_counter() - started)
            each = recalls(ten, best, 10)
            wide = float(recalls(hundred, best, 100).mean())
            point = RecallPoint(setting, float(each.mean()), float(each.std() / len(each) ** 0.5), wide, single, batch)
            if min(point.recall, point.recall_100) >= SUFFICIENT_RECALL:
                enough.append(setting)
            yield point


def _without(lines: "list[list[Hit]]", own: list[str], k: int) -> Floats:
    """The scores of what was found beside each query's own row: (n_queries, k), -inf where fewer were."""
    out = np.full((len(lines), k), -np.inf, np.float32)
    for query, (line, name) in enumerate(zip(lines, own, strict=True)):
        scores = [hit.score for hit in line if id_of(hit.row) != name][:k]
        out[query, : len(scores)] = scores
    return out
