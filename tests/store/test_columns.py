"""Columns keep the family of their type: what fits is cast, what doesn't is refused, and a column can be widened."""

import datetime
import random
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polysema.core.errors import IncompatibleError, NotFoundError, UserError
from polysema.indexes.collection import Collection
from polysema.indexes.import_export import export_from
from polysema.indexes.store.column_types import MisfitError, cast, parse_type, stored_type
from polysema.indexes.store.columns import table_of
from polysema.indexes.store.verify import verify
from polysema.indexes.store.wider_types import wider

Rows = tuple[list[str], Any]


def rows(*names: str) -> Rows:
    return list(names), np.eye(len(names), 3, dtype=np.float32)


def test_a_widened_column_is_the_same_in_every_way_it_is_read(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    c.add(*rows("a", "b"), {"price": [1, None], "word": ["x", "y"]})
    c.history.snapshot("whole")
    old = c.view()
    assert c.widen("price", "double") == "double"
    c.add(*rows("c"), {"price": [2.5]})
    for _ in range(2):
        for here in (c, Collection(tmp_path / "c")):
            assert here.space().column("price") == [1.0, None, 2.5]
            assert here.get(["c", "a"]).column("price") == [2.5, 1.0]
            assert here.search([[0, 1, 0]], 5, "price >= 1 and price < 2").ids == [["a"]]
            assert here.search([[1, 0, 0]], 2, "price > 2").table(["price"]).column("price").to_pylist() == [2.5]
            assert here.view().manifest.columns.field("price").type == pa.float64()
        c.compact()
    assert old.space(None).column("price") == [1, None]  # the version that is still read
    export_from(c, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").column("price").to_pylist() == [1.0, None, 2.5]
    c.history.restore("whole")
    assert c.space().column("price") == [1, None]
    assert c.space().columns.schema.field("price").type == pa.int64()  # type: ignore[union-attr]
    assert not verify(tmp_path / "c").problems


def test_widening_is_one_version_and_refused_where_a_value_would_change(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    c.add(*rows("a", "b"), {"n": [1, 2**53 + 1], "word": ["x", "7"]})
    version = c.view().manifest.version
    with pytest.raises(
        IncompatibleError, match=r"column n can't hold 9,007,199,254,740,993 \(int\) in row 2 as double"
    ):
        c.widen("n", "double")
    with pytest.raises(IncompatibleError, match="column word can't hold 'x'"):
        c.widen("word", "int64")
    with pytest.raises(NotFoundError, match="no column 'nope'; it has n, word"):
        c.widen("nope", "double")
    with pytest.raises(UserError, match="'dubble' is no type of a column; there are int64"):
        c.widen("n", "dubble")
    c.widen("n", "int64")
    assert c.view().manifest.version == version
    c.widen("n", pa.decimal128(38, 3))
    assert c.view().manifest.version == version + 1
    assert c.view().manifest.what == "widen n from int64 to decimal128(38, 3)"
    assert c.space().column("n") == [Decimal(1), Decimal(2**53 + 1)]


def test_an_upsert_that_does_not_fit_writes_nothing_and_makes_no_space(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    with pytest.raises(UserError, match="interval"):
        c.add(*rows("a"), pa.table({"x": pa.array([None], pa.month_day_nano_interval())}))
    assert not c.view().manifest.spaces
    c.add(*rows("a"), {"x": [1]})
    files = sorted(path.name for path in (tmp_path / "c" / "segments").iterdir())
    with pytest.raises(IncompatibleError, match=r"x holds int64.*got string: 'six' \(str\) in row 2"):
        c.upsert(*rows("a", "b"), {"x": pa.array([None, "six"])})
    assert sorted(path.name for path in (tmp_path / "c" / "segments").iterdir()) == files
    assert c.space().column("x") == [1]


def test_changes_of_one_commit_see_each_others_columns(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    c.add(*rows("a"), {"x": pa.array([1], pa.int8())})
    writing, done = threading.Lock(), []

    def change(do: Any) -> threading.Thread:
        def run() -> None:
            with writing:
                pass
            do()
            done.append(do)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with c._files._writing:  # all of them wait, and are written together
        threads = [change(lambda: c.add(*rows("b"), {"x": [300]})), change(lambda: c.add(*rows("c"), {"x": [70_000]}))]
        while len(c._files._queue) < 2:
            pass
        threads.append(change(lambda: c.widen("x", "double")))
        while len(c._files._queue) < 3:
            pass
    for thread in threads:
        thread.join()
    assert len(done) == 3
    assert sorted(c.space().column("x")) == [1.0, 300.0, 70_000.0]
    assert c.view().manifest.version == 3


VALUES: list[tuple[pa.DataType, list[Any]]] = [
    (pa.int8(), [1, -128, None]),
    (pa.int32(), [2**31 - 1]),
    (pa.int64(), [2**63 - 1, -5]),
    (pa.uint8(), [255]),
    (pa.uint64(), [2**64 - 1]),
    (pa.float32(), [0.5, float("inf")]),
    (pa.float64(), [0.1, 3.0]),
    (pa.decimal128(5, 2), [Decimal("1.25")]),
    (pa.decimal128(38, 0), [Decimal(10**30)]),
    (pa.string(), ["a", ""]),
    (pa.large_string(), ["b"]),
    (pa.string_view(), ["c"]),
    (pa.dictionary(pa.int32(), pa.string()), ["d", "d"]),
    (pa.binary(), [b"\xff"]),
    (pa.bool_(), [True, None]),
    (pa.date32(), [datetime.date(2020, 1, 2)]),
    (pa.timestamp("us"), [datetime.datetime(2020, 1, 2), datetime.datetime(2020, 1, 2, 3, 4, 5, 6)]),
    (pa.timestamp("us", "UTC"), [datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)]),
    (pa.time32("s"), [datetime.time(1, 2, 3)]),
    (pa.duration("us"), [datetime.timedelta(1)]),
    (pa.list_(pa.int64()), [[1, 2], [], None]),
    (pa.list_(pa.float64(), 2), [[1.0, 2.5]]),
    (pa.list_(pa.string()), [["a"]]),
    (pa.struct([("a", pa.int64())]), [{"a": 1}]),
    (pa.struct([("a", pa.float64()), ("b", pa.string())]), [{"a": 1.0, "b": None}]),
    (pa.null(), [None, None]),
]


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same, keys that are missing and keys without a value alike."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(same(a.get(key), b.get(key)) for key in {*a, *b})
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, datetime.date) and isinstance(b, datetime.date) and type(a) is not type(b):
        return str(a)[:10] == str(b)[:10] and "00:00:00" in f"{a}{b}"
    if isinstance(a, Decimal) != isinstance(b, Decimal) and float in (type(a), type(b)):
        return float(a) == float(b)
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=lambda one: str(one)[:24])
def test_whatever_is_cast_is_the_same_and_whatever_is_not_says_so(kind: pa.DataType, values: list[Any]) -> None:
    array = pa.array(values, kind)
    for other, _ in VALUES:
        if pa.types.is_null(other):
            continue
        try:
            made = cast(array, other)
        except MisfitError:
            continue
        assert made.type == other
        made.validate(full=True)
        assert all(map(same, made.to_pylist(), values)), (kind, other)


@pytest.mark.parametrize(("old", "values"), VALUES, ids=lambda one: str(one)[:24])
def test_a_wider_type_holds_every_value_of_the_one_before(old: pa.DataType, values: list[Any]) -> None:
    for new, _ in VALUES:
        kind = wider(old, new)
        if kind is not None:
            made = cast(pa.array(values, old), kind)
            assert all(map(same, made.to_pylist(), values)), (old, new, kind)


def test_batches_of_any_types_of_a_family_come_back_as_they_were_given(tmp_path: Path) -> None:
    rng = random.Random(5)
    families: list[list[Any]] = [
        [pa.array([1, None], pa.int8()), [2**40, -1], [3.0, 4.0], pa.array([200, 1], pa.uint8())],
        [["a", "b"], pa.array(["c", None], pa.large_string()), pa.array(["d", "d"]).dictionary_encode(), [None, None]],
        [[[1], []], [[2.0], None], pa.array([[1, 2], [3, 4]], pa.list_(pa.int16(), 2)), [[], []]],
        [[Decimal("0.1"), Decimal("22.75")], [Decimal("1234567.5"), None], [Decimal(3), Decimal("1e3")]],
    ]
    for number, family in enumerate(families):
        for order in range(6):
            rng.shuffle(family)
            c = Collection.create(tmp_path / f"{number}-{order}")
            given: list[Any] = []
            for place, values in enumerate(family):
                c.add([f"{place}-0", f"{place}-1"], np.eye(2), {"x": values})
                given += values.to_pylist() if isinstance(values, pa.Array) else values
            found = c.space()
            names = found.columns.column_names if found.columns is not None else []
            there = found.column("x") if "x" in names else [None] * len(given)
            assert all(map(same, there, given)), (family, there)


def test_types_by_their_names() -> None:
    assert parse_type("timestamp[ms, tz=Europe/Berlin]") == pa.timestamp("ms", "Europe/Berlin")
    assert parse_type(" Double ") == pa.float64()
    assert parse_type("decimal(40, 2)") == pa.decimal256(40, 2)
    assert stored_type(pa.dictionary(pa.int8(), pa.string_view()), "x") == pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": 5}, r"the column x is a list of values, one a row; got 5 \(int\)"),
        ({"x": {"a": 1}}, "the column x is a list of values"),
        ({3: [1]}, "a column's name is a text; got 3, a int"),
        (5, "columns are a table, or lists by name; got a int"),
        ({"x": [object()]}, "the column x can't be kept: .*give numbers, texts, times, or lists of them"),
        ({"x": [{1: 2}]}, "the column x can't be kept: Expected dict key"),
        ({"a": [1, 2], "b": [1]}, "lists of one length by name: a has 2, b has 1"),
        ({"x": [[1, "a"]]}, "the column x mixes kinds of values: row 1 holds 1 .int., row 1 holds 'a'"),
        ({"x": [10**5000]}, r"the column x holds an integer beyond 64 bits in row 1, a number of 16,610 bits"),
    ],
)
def test_what_is_no_column_is_told_by_its_name(columns: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        table_of(columns)
    assert "\n" not in str(caught.value)
