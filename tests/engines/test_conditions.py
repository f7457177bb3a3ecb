"""A condition lets the same rows through on every engine, whether it is translated or the rows are looked at again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polysema.indexes.collection import Collection
from polysema.indexes.engines.milvus.expression import translated
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.filters import parse
from tests.endurance import ENDURE

N = 80
RNG = np.random.default_rng(3)
TEXTS = ["", "bank", "Bank", "ba_k", "b%", "日本", "río", 'a "b"', "back\\slash", "shore", None]
REALS = [0.5, -2.25, 1e20, float("nan"), float("inf"), float("-inf"), 0.0, 3.0, None]
VECTORS = RNG.normal(size=(N, 4)).astype(np.float32)
IDS = [f"{'ab'[row % 2]}{row}" if row % 9 else f'{row} "quoted" {"x" * 600}' for row in range(N)]


def _drawn(values: list[object]) -> list[object]:
    return [values[place] for place in RNG.integers(0, len(values), N)]


COLUMNS = pa.table(
    {
        "whole": pa.array(_drawn([0, 1, -3, 7, 2**53 + 1, -(2**63), None]), pa.int64()),
        "large": pa.array(_drawn([0, 2**63, 2**64 - 1, None]), pa.uint64()),
        "real": pa.array(_drawn(list(REALS)), pa.float64()),
        "short": pa.array(_drawn([0.1, 2.5, float("nan"), None]), pa.float32()),
        "text": pa.array(_drawn(list(TEXTS)), pa.string()),
        "kind": pa.array(_drawn(["x", "y", None]), pa.string()).dictionary_encode(),
        "true": pa.array(_drawn([True, False, None]), pa.bool_()),
        "tags": pa.array(_drawn([["bank", "b"], [], ["río"], None]), pa.list_(pa.string())),
        "when": pa.array(_drawn([0, 86_400_000, None]), pa.timestamp("ms")),
    }
)
LITERALS = {
    "whole": ["0", "1", "-3", "7", "0.5", "9007199254740993", "-9223372036854775808", "1e300"],
    "large": ["0", "9223372036854775808", "18446744073709551615", "5"],
    "real": ["0.5", "-2.25", "1e20", "0", "3", "2.9999", "-1"],
    "short": ["0.1", "2.5", "1"],
    "text": ["'bank'", "''", "'ba_k'", "'b%'", "'日本'", "'río'", "'shore'", "'a \"b\"'", "'back\\\\slash'"],
    "kind": ["'x'", "'y'", "'z'"],
    "when": ["'1970-01-01'", "'1970-01-02'", "'1970-01-01 12:00'"],
    "id": ["'a4'", "'b1'", "'a'", "'0 '"],
}


@st.composite
def one_test(draw: st.DrawFn) -> str:
    column = draw(st.sampled_from([*LITERALS, "true", "tags"]))
    if draw(st.integers(0, 5)) == 0:
        return f"{column} is {draw(st.sampled_from(['', 'not ']))}null"
    if column == "true":
        return draw(st.sampled_from(["true = true", "true != true", "true = false"])).replace("true", "`true`", 1)
    if column == "tags":
        return f"tags {draw(st.sampled_from(['contains', 'starts with']))} {draw(st.sampled_from(LITERALS['text']))}"
    literal = st.sampled_from(LITERALS[column])
    operators = ["=", "!=", "<", "<=", ">", ">=", "in", "not in", "between"]
    if column in ("text", "kind", "id"):
        operators += ["starts with", "not starts with", "contains", "ends with", "like"]
    op = draw(st.sampled_from(operators))
    if op.endswith("in"):
        return f"{column} {op} ({', '.join(draw(st.lists(literal, min_size=1, max_size=3)))})"
    if op == "between":
        return f"{column} between {draw(literal)} and {draw(literal)}"
    return f"{column} {op} {draw(literal)}"


def _joined(parts: tuple[str, str, str]) -> str:
    return f"({parts[0]}) {parts[1]} ({parts[2]})"


conditions = st.recursive(
    one_test().map(lambda text: text.replace("true is", "`true` is")),
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"
        ),
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def filled(new_address: Callable[[], str]) -> Iterator[VectorCollection]:
    made = Collection.create(new_address())
    made.add(IDS, VECTORS, COLUMNS)
    yield made
    getattr(made, "drop", lambda: None)()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder: Path = tmp_path_factory.mktemp("reference")
    made = Collection.create(folder / "c")
    made.add(IDS, VECTORS, COLUMNS)
    return made


def test_the_same_rows_pass(filled: VectorCollection, reference: Collection, engine: str) -> None:
    if engine == "embedded":
        return

    @settings(
        max_examples=(20 if engine == "milvus" else 40) * (10 if ENDURE else 1),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(conditions)
    def same(where: str) -> None:
        wanted = reference.search(VECTORS[:1], N, where)
        found = filled.search(VECTORS[:1], N, where)
        assert sorted(found.ids[0]) == sorted(wanted.ids[0]), where
        assert filled.view().n_rows(None, where) == len(wanted.ids[0]), where
        few = filled.search(VECTORS[:1], 5, where)
        assert few.ids[0] == wanted.ids[0][:5], where

    same()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("whole > 3 and text = 'bank'", True),
        ("not (whole = 3 or text starts with 'ba')", True),
        ("`true` = true and whole is null", True),
        ("text ends with 'k' and whole = 1", False),
        ("when > '1970-01-01'", False),
    ],
)
def test_what_milvus_can_be_told_it_is_told(where: str, said: bool) -> None:
    made = translated(parse(where), COLUMNS.schema)
    assert made.whole == said
    assert ("row[" in made.text) == (where != "when > '1970-01-01'")
