"""Searching a space on Milvus: by its index, or exactly; what comes back is looked at with the condition itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError
from polysema.core.space.metric import Metric, unit
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import check_k, checked
from polysema.indexes.engines.milvus.connection import CONSISTENCY
from polysema.indexes.engines.milvus.reading import MilvusContents, MilvusView
from polysema.indexes.engines.milvus.rows import EVERY_ROW, WHOLE, WITHOUT_VECTOR, Row, id_of, vectors_of
from polysema.indexes.filters import Filter, parse
from polysema.indexes.index_spec import IndexSpec
from polysema.indexes.recall import RecallCurve, Setting
from polysema.indexes.setting_choice import SettingChoice
from polysema.indexes.store.manifest import SpaceCard
from polysema.indexes.store.matches import Matches, Search

MAX_TOP = 16_384  # rows that Milvus gives for one query
MARGIN = 16  # rows beyond k, among which equal scores are put in our order
MAX_ANSWER_ROWS = 20_000  # of all queries of one call
METRICS = {Metric.COSINE: "COSINE", Metric.INNER_PRODUCT: "IP", Metric.EUCLIDEAN: "L2"}
RESCORED = ("ivf-sq8", "ivf-pq")  # kinds whose own scores are those of codes


class Hit(NamedTuple):
    """A row that was found, and its score."""

    score: float
    row: Row

    @property
    def order(self) -> tuple[float, int]:
        """Best first, equal scores by the order in which rows came."""
        return -self.score, int(self.row["place"])


@dataclass(frozen=True, slots=True)
class FoundRows:
    """The rows of an answer, as `Matches` reads them; vectors are fetched when they are looked at."""

    view: MilvusView
    found: Sequence[Row]

    @property
    def manifest(self) -> MilvusContents:
        """What was searched."""
        return self.view.manifest

    @property
    def schema(self) -> pa.Schema:
        """The `id` and the columns."""
        return self.view.schema

    def card(self, space: str | None) -> SpaceCard:
        """The card of a space."""
        return self.view.card(space)

    def table(self, space: str, places: Ints, rows: Ints, names: Sequence[str] | None = None) -> pa.Table:
        """The id and the columns (all, or those named) of rows."""
        if names is not None:
            unknown = next((name for name in names if self.view.schema.get_field_index(name) < 0), None)
            if unknown is not None:
                there = ", ".join(self.view.schema.names)
                raise UserError(f"there is no column {unknown!r:.80}; there are: {there}")
        table = self.view.rows.table_of([self.found[row] for row in rows.tolist()])
        return table if names is None else table.select(list(dict.fromkeys(["id", *names])))

    def vectors(self, space: str, places: Ints, rows: Ints) -> Floats:
        """The vectors of rows: (n, dim)."""
        ids = [id_of(self.found[row]) for row in rows.tolist()]
        there = self.view.get(space, pa.array(list(dict.fromkeys(ids)), pa.large_string()))
        return there.vectors[[there.keys.row(one) for one in ids]]


def search(view: MilvusView, queries: Floats, how: Search) -> Matches:
    """The best rows for each query (n_queries, dim). See `Collection.search`."""
    check_k(how.k)
    if how.recall is not None and not 0 < how.recall <= 1:
        raise UserError(f"recall is a share of the true best, above 0 and at most 1; got {how.recall}")
    if not view.entry.spaces and how.space is None:
        if how.where is not None and isinstance(how.where, str):
            parse(how.where)
        return _matches(view, "", [[] for _ in checked(queries, None, "queries")], 1.0, 0)
    name = view.name(how.space)
    space_query = SpaceQuery.of(view, replace(how, space=name))
    queries = space_query.checked(queries)
    setting, recall = space_query.setting()
    n_rows = view.n_rows(name)
    k = min(how.k, n_rows)
    if not n_rows or not len(queries):
        return _matches(view, name, [[] for _ in queries], 1.0, k)
    hits = space_query.scanned(queries, k) if setting is None else space_query.found(queries, k, setting)
    return _matches(view, name, hits, recall, k)


def _matches(view: MilvusView, name: str, hits: "Sequence[Sequence[Hit]]", recall: float | None, k: int) -> Matches:
    rows, found = np.full((len(hits), k), -1, np.int64), list[Row]()
    scores = np.full((len(hits), k), -np.inf, np.float32)
    for query, line in enumerate(hits):
        for rank, hit in enumerate(line):
            rows[query, rank], scores[query, rank] = len(found), hit.score
            found.append(hit.row)
    ids = [[id_of(hit.row) for hit in line] for line in hits]
    places = np.where(rows < 0, -1, 0)
    return Matches(ids, scores, name, recall, FoundRows(view, found), places, rows)


@dataclass(frozen=True, slots=True)
class SpaceQuery:
    """A question to one space: its card, the recipe of its index, the condition and as much of it as Milvus can be
    told. `consistency` is how fresh an answer must be.
    """

    view: MilvusView
    how: Search
    name: str
    card: SpaceCard
    recipe: IndexSpec
    condition: Filter | None
    text: str
    consistency: str = CONSISTENCY

    @classmethod
    def of(cls, view: MilvusView, how: Search) -> "SpaceQuery":
        """The question to a view."""
        name = view.name(how.space)
        index = view.entry.indexes.get(name)
        recipe = IndexSpec.from_json(index["recipe"]) if index else IndexSpec("flat")
        condition, said = view.rows.condition(how.where)
        return cls(view, how, name, view.entry.spaces[name], recipe, condition, said.text)

    def checked(self, queries: Floats) -> Floats:
        """The queries, of length 1 for the cosine; raises `UserError` for one without a direction."""
        queries = checked(queries, self.card.dim, "queries")
        if self.card.metric is Metric.COSINE:
            lengths = np.sqrt(np.einsum("qd,qd->q", queries, queries))
            if not lengths.all():
                raise UserError(f"query {int(np.argmin(lengths))} is all zeros: it has no direction, so no cosine")
            queries = queries / lengths[:, None]
        return queries

    def setting(self) -> tuple[Setting | None, float | None]:
        """The setting that is searched with (None: every row is compared here) and the recall to expect."""
        if self.recipe.kind == "flat":
            return Setting(), 1.0
        if self.how.exact:
            return None, 1.0
        card = self.view.entry.indexes[self.name]
        curve = RecallCurve.from_json(card["curve"])
        setting, recall, _ = SettingChoice(self.recipe, curve).choose(self.how.k, self.how.recall)
        return setting, recall

    def found(self, queries: Floats, k: int, setting: Setting) -> "list[list[Hit]]":
        """The k best by the index, or fewer where fewer pass; every row is compared where it can't be known."""
        more = setting.k_factor * k if setting.k_factor else 2 * k if self.recipe.kind in RESCORED else k
        wanted = min(max(more, k) + MARGIN, MAX_TOP)
        if k > MAX_TOP:
            return self.scanned(queries, k)
        out: list[list[Hit]] = []
        each = max(1, min(1_000, MAX_ANSWER_ROWS // wanted))
        for start in range(0, len(queries), each):
            part = queries[start : start + each]
            lines = self._hits(part, wanted, setting)
            short = [place for place, line in enumerate(lines) if len(line) < k]
            if short:
                for place, line in zip(short, self._completed(part[short], k, wanted, setting), strict=True):
                    lines[place] = line
            out += [line[:k] for line in lines]
        return out

    def _completed(self, queries: Floats, k: int, wanted: int, setting: Setting) -> "list[list[Hit]]":
        """What was too short: more is requested while a condition may have left rows out, then every row compared."""
        if self.condition is None and self.recipe.kind == "flat":
            return self._hits(queries, wanted, setting)
        most = min(MAX_TOP, 16 * wanted)
        if most > wanted and self.condition is not None:
            lines = self._hits(queries, most, setting)
            if all(len(line) >= k for line in lines):
                return lines
        return self.scanned(queries, k)

    def _hits(self, queries: Floats, wanted: int, setting: Setting) -> "list[list[Hit]]":
        """What Milvus finds of those that pass, best first, up to so many for each query."""
        rescored = self.recipe.kind in RESCORED
        parameters: dict[str, Any] = {"metric_type": METRICS[self.card.metric]}
        parameters["params"] = self._parameters(wanted, setting)
        answers = self.view.connection.call(
            "search",
            self.view.rows.place(self.name),
            data=list(queries),
            limit=wanted,
            anns_field="vector",
            filter=self.text,
            output_fields=[*(WHOLE if rescored else WITHOUT_VECTOR)],
            search_params=parameters,
            consistency_level=self.consistency,
        )
        zero = self._zero_rows() if self.card.metric is Metric.COSINE else []
        lines = []
        for query, answer in zip(queries, answers, strict=True):
            found = [(one["distance"], one["entity"] | {"id": one["id"]}) for one in answer]
            rows = [row for _, row in found]
            scores = self.scores(query[None], vectors_of(rows))[0] if rescored and rows else self._own(found)
            line = [Hit(score, row) for score, row in zip(scores, rows, strict=True) if np.isfinite(score)]
            lines.append(self._kept(line + self._missing(line, zero, wanted)))
        return lines

    def _parameters(self, wanted: int, setting: Setting) -> dict[str, int]:
        if self.recipe.kind == "hnsw":
            return {"ef": max(setting.ef_search, wanted)}
        return {"nprobe": setting.nprobe} if setting.nprobe else {}

    def _own(self, found: "Sequence[tuple[float, Row]]") -> "list[float]":
        """Milvus' scores as ours: higher is better, and a distance is no square."""
        values = np.array([score for score, _ in found], np.float32)
        if self.card.metric is Metric.EUCLIDEAN:
            values = -np.sqrt(np.maximum(values, 0))
        return [float(value) for value in values]

    def _kept(self, line: "list[Hit]") -> "list[Hit]":
        """Those that pass, best first."""
        passing = {id(row) for row in self.view.rows.passing([hit.row for hit in line], self.condition)}
        return sorted((hit for hit in line if id(hit.row) in passing), key=lambda hit: hit.order)

    def _zero_rows(self) -> "list[Row]":
        """Rows of zeros, whose cosine is 0 here; Milvus has none for them, or leaves them out."""
        text = f"({self.text}) and zero == true" if self.text else "zero == true"
        found = self.view.connection.call(
            "query",
            self.view.rows.place(self.name),
            filter=text,
            output_fields=[*WITHOUT_VECTOR],
            limit=MAX_TOP,
            consistency_level="Eventually",
        )
        return list(found)

    @staticmethod
    def _missing(line: "Sequence[Hit]", zero: "Sequence[Row]", wanted: int) -> "list[Hit]":
        if not zero or (len(line) >= wanted and line[-1].score > 0):
            return []
        there = {hit.row["id"] for hit in line}
        return [Hit(0.0, row) for row in zero if row["id"] not in there]

    # every row compared

    def scores(self, queries: Floats, vectors: Floats) -> Floats:
        """Each query's score of each vector, (n_queries, n); for the cosine queries have length 1."""
        if self.card.metric is Metric.EUCLIDEAN:
            answer: Floats = -np.sqrt(((queries[:, None].astype(np.float64) - vectors[None]) ** 2).sum(axis=2)).astype(
                np.float32
            )
            return answer
        if self.card.metric is Metric.COSINE:
            vectors = np.nan_to_num(unit(vectors))
        found: Floats = queries @ vectors.T
        return found

    def scanned(self, queries: Floats, k: int) -> "list[list[Hit]]":
        """The k best of all rows that pass, each compared here: memory stays bounded, the time grows with the rows."""
        best: list[list[Hit]] = [[] for _ in queries]
        for rows in self._passing_rows():
            scores = self.scores(queries, vectors_of(rows))
            for line, values in zip(best, scores, strict=True):
                top = np.argpartition(-values, k - 1)[:k] if len(values) > k else np.arange(len(values))
                line += [Hit(float(values[place]), _without_vector(rows[place])) for place in top.tolist()]
                line.sort(key=lambda hit: hit.order)
                del line[k:]
        return best

    def _passing_rows(self) -> "Iterator[list[Row]]":
        for rows in self.view.rows.raw_rows(self.name, self.text or EVERY_ROW, WHOLE):
            kept = self.view.rows.passing(rows, self.condition)
            if kept:
                yield kept


def _without_vector(row: Row) -> Row:
    return {name: row[name] for name in WITHOUT_VECTOR if name in row}
