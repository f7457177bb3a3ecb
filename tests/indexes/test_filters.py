"""Filters: their language, its errors, and what passes, against an oracle of plain Python values."""

import datetime as dt
import operator
import time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polysema.core.errors import IncompatibleError, UserError
from polysema.indexes.filters import MAX_DEPTH, MAX_TESTS, BooleanGroup, Condition, Filter, Not, parse

UTC = dt.UTC
TABLE = pa.table(
    {
        "layer": pa.array([5, 6, 7, None], pa.int16()),
        "word": pa.array(["bank", "shore", "river", None]).dictionary_encode(),
        "sense": ["river", "money", None, "river"],
        "text_id": pa.array([12, 12, 12, 1], pa.uint64()),
        "score": pa.array([0.1, -2.5, float("nan"), None], pa.float32()),
        "exact": pa.array([Decimal("1.10"), Decimal("-0.05"), None, Decimal("9.99")], pa.decimal128(5, 2)),
        "known": [True, False, None, True],
        "day": pa.array([dt.date(2024, 5, 30), dt.date(2024, 5, 31), None, dt.date(1969, 12, 31)]),
        "at": pa.array(
            [dt.datetime(2024, 5, 31, hour, tzinfo=UTC) for hour in (0, 12, 22, 23)],
            pa.timestamp("ns", "Europe/Berlin"),
        ),
        "naive": pa.array([dt.datetime(2024, 5, 31, 12)] * 3 + [None], pa.timestamp("us")),
        "tags": [["a"], [], None, ["b", None, "ab"]],
        "sizes": pa.array([[1, 2], None, [2.5, 2.5], [3, 1]], pa.list_(pa.float64(), 2)),
        "contains": [1, 2, 3, 4],
        "text id": [1, 2, 3, 4],
        "odd`name": [1, 2, 3, 4],
        "in": [1, 2, 3, 4],
    }
)


def passing(text: str) -> list[int]:
    return np.flatnonzero(parse(text).mask_of(TABLE)).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("""layer >= 6 and word in ("bank", "shore") and not (sense = 'river' or text_id != 12)""", [1]),
        ("layer = 6", [1]),
        ("layer == 6 OR layer==5", [0, 1]),
        ("not layer = 6", [0, 2]),
        ("not (layer = 6 and word = 'nothing')", [0, 1, 2]),
        ("not (layer = 6 or word = 'nothing')", [0, 2]),
        ("layer <> 6", [0, 2]),
        ("layer in (5, 7.0, 100000)", [0, 2]),
        ("layer not in (5)", [1, 2]),
        ("layer between 5.5 and 7", [1, 2]),
        ("layer not between 5.5 and 6", [0, 2]),
        ("layer > 5.999 and layer < 1e300", [1, 2]),
        ("layer < -99999999999999999999", []),
        ("layer != 6.5", [0, 1, 2]),
        ("text_id > -1", [0, 1, 2, 3]),
        ("layer is null", [3]),
        ("layer IS NOT NULL", [0, 1, 2]),
        ("word starts with 'ba'", [0]),
        ('word Starts With ""', [0, 1, 2]),
        ("word not starts with 'ba'", [1, 2]),
        ("word starts_with 'r'", [2]),
        ("word >= 'bank' and word < 'rivers'", [0, 2]),
        ("word is null or sense is null", [2, 3]),
        ("score = 0.1", [0]),
        ("score in (0.1, -2.5)", [0, 1]),
        ("score < 1e300", [0, 1]),
        ("score != 0.1", [1, 2]),
        ("exact = 1.1", [0]),
        ("exact in (1.1, 9.99, 1.105)", [0, 3]),
        ("exact > -0.051 and exact <= 1.1", [0, 1]),
        ("exact < 1e20 and exact > -1e20", [0, 1, 3]),
        ("known = true", [0, 3]),
        ("known in (FALSE)", [1]),
        ("not known = true", [1]),
        ("day >= '2024-05-31'", [1]),
        ("day < '2024-05-30T00:00:01' and day > '1969-01-01'", [0, 3]),
        ("day = '1969-12-31'", [3]),
        ("at = '2024-05-31 14:00'", [1]),
        ("at >= '2024-06-01'", [2, 3]),
        ("at > '2024-05-31 22:00:00.000000001Z'", [3]),
        ("at <= '2024-05-31T12:00:00+00:00'", [0, 1]),
        ("naive = '2024-05-31 12:00:00.000'", [0, 1, 2]),
        ("naive != '2024-05-31 12:00:00.0000001'", [0, 1, 2]),
        ("tags is null", [2]),
        ("tags contains 'a'", [0]),
        ("tags contains 'ab' or tags contains 'none'", [3]),
        ("not tags contains 'a'", [1, 3]),
        ("tags not contains 'b'", [0, 1]),
        ("sizes contains 1", [0, 3]),
        ("sizes contains 2.5", [2]),
        ("sense contains 'iv'", [0, 3]),
        ("sense CONTAINS 'river'", [0, 3]),
        ("sense not contains 'on'", [0, 3]),
        ("sense contains ''", [0, 1, 3]),
        ("sense contains '.'", []),
        ("word contains 'h'", [1]),
        ("word icontains 'BAN'", [0]),
        ("word contains 'BAN'", []),
        ("word istarts with 'RI' or word istarts_with 'Sh'", [1, 2]),
        ("word ends with 'k'", [0]),
        ("word iends with 'ER'", [2]),
        ("word not ends with 'k'", [1, 2]),
        ("word like 'b_n%'", [0]),
        ("word like 'B%'", []),
        ("word ilike '%R%'", [1, 2]),
        ("word not like '%r%'", [0]),
        ("word matches '^b.*k$'", [0]),
        ("word matches 'r'", [1, 2]),
        ("word imatches '[A-H]AN'", [0]),
        ("word not matches '^.{4}$'", [1, 2]),
        ("word LIKE 'river' and word Is Not Null", [2]),
        ("tags icontains 'AB'", [3]),
        ("tags starts with 'a'", [0, 3]),
        ("tags matches '^ab$' or tags like 'a'", [0, 3]),
        ("contains = 2 or contains in (4)", [1, 3]),
        ("contains > 3", [3]),
        ("contains in (1) and not contains between 3 and 4", [0]),
        ("`text id` = 2", [1]),
        ("`odd``name` in (3,4)", [2, 3]),
        ("`in` = 1", [0]),
        ("((layer=5))or(layer=7)", [0, 2]),
        ("layer = 5 or layer = 6 and word = 'x'", [0]),
        ("not not layer = 5", [0]),
    ],
)
def test_what_passes(text: str, rows: list[int]) -> None:
    assert passing(text) == rows
    assert passing(str(parse(text))) == rows
    assert str(parse(str(parse(text)))) == str(parse(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layr = 1", r"there is no column 'layr' to filter by; there are: layer, .*; did you mean layer\?"),
        ("layer = 'x'", "column 'layer' holds int16: compare it with a number; got layer = 'x'"),
        ("layer in (1, true)", r"holds int16: compare it with a number; got layer in \(1, true\)"),
        ("layer starts with '1'", "holds int16: compare it with a number"),
        ("layer contains 1", "holds int16: compare it with a number; got layer contains 1"),
        ("known contains true", "only = true, = false and is null are allowed"),
        ("at contains '2024'", "compare it with a moment in quotes"),
        ("sense contains 3", "column 'sense' holds string: compare it with a string in quotes; got sense contains 3"),
        ("tags contains 3", "compare it with a string in quotes"),
        ("sizes starts with 'a'", "compare it with a number; got sizes starts with 'a'"),
        ("word matches '('", r"the regular expression '\(' of column 'word' can't be read: Invalid"),
        ("word matches '" + "a" * 1_001 + "'", "a regular expression has at most 1,000 characters; got 1,001"),
        ("word like 3", "expected a string in quotes, got '3'"),
        ("layer matches '5'", "holds int16: compare it with a number"),
        ("sense contains", "expected a value"),
        ("word > 3", "column 'word' holds string: compare it with a string in quotes; got word > 3"),
        ("known < true", "holds bool; only = true, = false and is null are allowed; got known < true"),
        ("known = 1", "holds bool"),
        ("score = '0.1'", "holds float: compare it with a number"),
        ("exact = false", r"holds decimal128\(5, 2\): compare it with a number"),
        ("day = '2024-02-30'", r"holds date32\[day\]: compare it with a moment in quotes, such as '2024-05-31'"),
        ("day = 20240530", "compare it with a moment in quotes"),
        ("naive > '2024-05-31 12:00Z'", "no time zone: compare it with a moment without an offset"),
        ("at > '2024-05-31 12:00+99:00'", "compare it with a moment"),
        (
            "tags = 'a'",
            r"column 'tags' holds list<.*>, which can't be compared; only contains and the other operators of "
            r"texts, of one of its elements, is null and is not null are allowed",
        ),
        ("layer", r"at character 6: expected an operator \(=, .*\), got its end: layer▸"),
        ("layer >= ", "at character 10: expected a value .*, got its end: layer >= ▸"),
        ("layer >= and word", "at character 10: expected a value .*, got 'and': layer >= ▸and word"),
        ("layer = word", r"expected a value: a number, true, false, or a string in quotes, got 'word'"),
        ("layer = null", "nothing equals null: write is null or is not null"),
        ("layer in ()", r"at character 11: expected a value"),
        ("layer in (1", r"expected , or \), got its end"),
        ("layer in 1", r"expected \(, got '1'"),
        ("layer between 1 or 2", "expected and, got 'or'"),
        ("layer not 3", "expected in, between, starts with, contains, like or matches, got '3'"),
        ("(layer = 1", r"expected \), got its end"),
        ("layer = 1 word = 2", "at character 11: expected and, or, or the end of the filter, got 'word'"),
        ("", "at character 1: expected a column's name"),
        ("3 = layer", "expected a column's name"),
        ("layer = 1 and", "expected a column's name .*, got its end"),
        ("word = 'bank", "expected a closing '"),
        ('word = "it\\q"', r"expected no \\q in a string"),
        ("a = $", "at character 5: expected a column, a value or an operator, got '\\$'"),
        ("a = 5x", "expected a column, a value or an operator"),
        ("a = 1e999", "expected a number between 1e-330 and 1e\\+330 in size"),
        ("a = " + "9" * 61, "expected a number of at most 60 digits"),
        ("word starts with 3", "expected a string in quotes, got '3'"),
        ("`` = 3", "at character 1"),
        ("(" * (MAX_DEPTH + 1) + "a=1" + ")" * (MAX_DEPTH + 1), f"may have {MAX_DEPTH} parentheses within each other"),
        ("(" * 100_000, f"may have {MAX_DEPTH} parentheses"),
        (" or ".join(["a=1"] * (MAX_TESTS + 1)), r"at most 1,000 conditions; .*use in \(…\) for a list"),
        ("a = '" + "x" * 300_000 + "'", "a filter has at most 200,000 characters; got 300,006"),
    ],
)
def test_mistakes_are_named_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse(text).mask_of(TABLE)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_hostile_text_takes_neither_the_stack_nor_long() -> None:
    started = time.perf_counter()
    assert passing("not " * 40_000 + "layer = 5") == [0]
    assert passing("(" * MAX_DEPTH + "layer = 5" + ")" * MAX_DEPTH) == [0]
    for text in ("'" * 100_001, '"\\' * 60_000, "layer in (" + "1," * 60_000, "`" * 99_999, " " * 150_000 + "("):
        with pytest.raises(UserError):
            parse(text)
    assert len(parse("layer in (" + ",".join(map(str, range(30_000))) + ")").node.values) == 30_000
    assert time.perf_counter() - started < 10


def test_what_a_filter_is_about_and_what_it_takes() -> None:
    wanted = parse("layer > 5 and (word = 'x' or not layer is null)")
    assert wanted.columns == {"layer", "word"}
    columns = {name: TABLE.column(name) for name in wanted.columns}
    assert wanted.mask(columns, 4).dtype == np.bool_
    assert wanted.mask({name: column.combine_chunks() for name, column in columns.items()}, 4).tolist() == [
        False,
        True,
        True,
        False,
    ]
    with pytest.raises(IncompatibleError, match="column 'layer' has 4 rows where 5 are filtered"):
        wanted.mask(columns, 5)
    with pytest.raises(UserError, match="there is no column 'word' to filter by; there are: layer"):
        wanted.mask({"layer": columns["layer"]}, 4)
    with pytest.raises(UserError, match="there are 2 columns named 'a'"):
        parse("a = 1").check(pa.schema([("a", pa.int8()), ("a", pa.int8())]))
    assert wanted.mask(
        {"layer": pa.chunked_array([], pa.int8()), "word": pa.chunked_array([], pa.string())}, 0
    ).shape == (0,)


TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
NUMBERS = [
    pa.int8(),
    pa.uint8(),
    pa.int32(),
    pa.int64(),
    pa.uint64(),
    pa.float16(),
    pa.float32(),
    pa.float64(),
    pa.decimal128(7, 2),
    pa.decimal256(45, 1),
    pa.dictionary(pa.int16(), pa.int64()),
]
words = st.text("ab'\"\\é\n", max_size=4)
numbers = st.one_of(
    st.integers(-6, 6),
    st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 10**40, 127, 128, -129, 255]),
    st.sampled_from([Decimal(text) for text in ("0.5", "-0.5", "1.25", "2.0", "1E+1", "-0.0", "1e-300", "3.3")]),
)
OF_TEXTS = {"starts with": str.startswith, "ends with": str.endswith, "contains": operator.contains}
COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@st.composite
def columns_and_tests(draw: Any) -> tuple[pa.Array, Any]:
    """A column named `a`, and conditions on it."""
    text = draw(st.booleans())
    kind = draw(st.sampled_from(TEXTS if text else NUMBERS))
    values = draw(
        st.lists(
            st.none() | (words if text else st.integers(0, 6) | st.sampled_from([0.5, -1.0, 1.25, -0.0])), max_size=9
        )
    )
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not text and not pa.types.is_floating(inner):
        unsigned = str(inner).startswith("uint")
        values = [None if v is None else abs(int(v)) if unsigned else int(v) for v in values]
    array = pa.array(values, inner)
    array = array.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else array
    literal = words if text else numbers
    ops = [*COMPARE, "in", "between", "is null"] + (["starts with", "ends with", "contains"] if text else [])

    def test(draw: Any) -> Condition:
        op = draw(st.sampled_from(ops))
        count = {"in": draw(st.integers(1, 3)), "between": 2, "is null": 0}.get(op, 1)
        return Condition("a", op, tuple(draw(literal) for _ in range(count)))

    leaf = st.composite(test)()
    tree = st.recursive(
        leaf,
        lambda inner: st.one_of(
            inner.filter(lambda n: not isinstance(n, Not)).map(Not),
            st.builds(BooleanGroup, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        ),
        max_leaves=6,
    )
    return array, draw(tree)


def meant(value: Any, kind: Any) -> Any:
    """A literal as the column's kind has it: floats are rounded, everything else is compared as it is."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not pa.types.is_floating(inner):
        return value
    rounded = inner.to_pandas_dtype()(float(value))
    return float(rounded) if np.isfinite(rounded) else float(value)


def oracle(node: Any, value: Any, kind: Any) -> bool | None:
    if isinstance(node, Not):
        inner = oracle(node.inner, value, kind)
        return None if inner is None else not inner
    if isinstance(node, BooleanGroup):
        answers = [oracle(part, value, kind) for part in node.parts]
        decided = node.word == "or"
        return decided if decided in answers else None if None in answers else not decided
    if node.op == "is null":
        return value is None
    if value is None:
        return None
    wanted = [meant(v, kind) for v in node.values]
    if node.op == "in":
        return value in wanted
    if node.op == "between":
        return wanted[0] <= value <= wanted[1]
    if node.op in OF_TEXTS:
        return OF_TEXTS[node.op](value, wanted[0])
    return COMPARE[node.op](value, wanted[0])


@pytest.mark.filterwarnings("ignore:overflow")
@settings(max_examples=200, deadline=None)
@given(columns_and_tests(), st.integers(0, 3))
def test_arrow_agrees_with_plain_python(case: tuple[pa.Array, Any], cut: int) -> None:
    array, node = case
    expected = [oracle(node, value, array.type) is True for value in array.to_pylist()]
    wanted = Filter(node)
    assert wanted.mask({"a": array}, len(array)).tolist() == expected
    assert parse(str(wanted)).mask({"a": array}, len(array)).tolist() == expected
    pieces = pa.chunked_array([array[:cut], array[cut:]], array.type)  # slices keep their offset
    assert wanted.mask({"a": pieces}, len(array)).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(st.text("layer word=<>!()'\"`,0159.-+eandorotbewish nulstx\\\n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = parse(text)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert str(parse(str(read))) == str(read)
