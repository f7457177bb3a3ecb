"""Long answers are written while they are sent: the JSON that would be written at once, of rows that are read late."""

import gc
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fastapi.responses import StreamingResponse

from polysema.app.explorer import collection_answers
from polysema.app.explorer.collection_answers import MatchedHits, search_answer
from polysema.app.explorer.lazy_rows import TableRows
from polysema.app.explorer.results import Neighbor, RowsAnswer
from polysema.app.explorer.results.words import NeighborAnswers, QueryNeighbors
from polysema.app.explorer.serialization import to_json
from polysema.app.explorer.text_limits import check_texts_read, limited_texts
from polysema.app.service import encoding, pauses
from polysema.core.errors import UserError
from polysema.core.space.space import Origin
from polysema.indexes.collection import Collection
from tests.event_loop import run


def written(value: object) -> bytes:
    """The bytes of an answer, which is long enough to be sent in parts."""
    found = encoding.answer(value)
    assert isinstance(found, StreamingResponse)

    async def collect() -> list[bytes]:
        return [bytes(part) async for part in found.body_iterator]  # type: ignore[arg-type]

    parts = run(collect)
    assert len(parts) > 1
    assert max(map(len, parts)) < 4 * encoding.PART_BYTES
    return b"".join(parts)


def test_long_lists_are_written_as_whole_ones_are() -> None:
    near = tuple(Neighbor(rank, f"wörd {rank}", 0.5, rank, "text" * 20) for rank in range(1, 1200))
    found = NeighborAnswers(Origin("here"), "policy", tuple(QueryNeighbors(near, "bank") for _ in range(5)))
    assert json.loads(written(found)) == to_json(found)
    table = pa.table({"id": [f"id {row}" for row in range(20_000)], "n": range(20_000)})
    vectors = np.ones((20_000, 3), np.float32)
    lazy = RowsAnswer(TableRows(table), vectors, 3, Origin("here"))  # type: ignore[arg-type]
    whole = RowsAnswer(tuple(table.to_pylist()), vectors, 3, Origin("here"))
    assert json.loads(written(lazy)) == to_json(whole) == to_json(lazy)
    short = encoding.answer(NeighborAnswers(Origin("here"), "policy", (QueryNeighbors(near[:1000]),)))
    assert int(short.headers["content-length"]) == len(short.body)


def test_rows_that_are_read_late_are_a_sequence() -> None:
    rows = TableRows(pa.table({"n": range(600)}))
    assert (len(rows), rows[-1], rows[3:1], rows[598:]) == (600, {"n": 599}, [], [{"n": 598}, {"n": 599}])
    assert list(rows) == [{"n": number} for number in range(600)] == rows[::1]
    assert rows[::-200] == [{"n": 599}, {"n": 399}, {"n": 199}]
    with pytest.raises(IndexError):
        rows[600]


@pytest.mark.parametrize("columns", [None, ["word"], ["id"]])
def test_hits_of_a_large_search_are_read_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: list[str] | None
) -> None:
    c = Collection.create(tmp_path / "c")
    random = np.random.default_rng(0)
    names = [f"r{row}" for row in range(300)]
    c.add(names[:200], random.normal(size=(200, 4)), {"word": names[:200]})
    c.add(names[200:], random.normal(size=(100, 4)), {"word": names[200:]})
    found = c.search(random.normal(size=(3, 4)), 290)
    whole = search_answer(found, columns)
    monkeypatch.setattr(collection_answers, "MAX_READ_HITS", 100)
    late = search_answer(found, columns)
    assert [type(line) for line in late.answers] == [MatchedHits] * 3
    assert [list(line) for line in late.answers] == [list(line) for line in whole.answers]
    assert late.answers[1][7:9] == list(whole.answers[1][7:9])
    with pytest.raises(UserError, match="there is no column 'color'"):
        search_answer(found, ["color"])


def test_texts_beside_rows_are_counted() -> None:
    check_texts_read(["any length"] * 1000)
    with limited_texts(20):
        check_texts_read(["bank", None, ""])
        with pytest.raises(UserError, match="more than 20 letters"):
            check_texts_read(["a" * 17])


def test_what_stays_is_left_out_of_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "LONG_SECONDS", 0.0)
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    try:
        pauses.shorten_pauses()
        pauses.shorten_pauses()
        assert len(gc.callbacks) == len(callbacks) + 1
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold() == pauses.THRESHOLDS
    finally:
        gc.callbacks[:] = callbacks
        gc.set_threshold(*before)
        gc.unfreeze()
