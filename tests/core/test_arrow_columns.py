"""Columns made without pandas are those that Arrow itself makes."""

import subprocess
import sys

import pyarrow as pa
import pytest

from polysema.core.space.arrow_columns import integer_column, text_column


@pytest.mark.parametrize("numbers", [[], [0], [3, -2, 7], range(5)])
@pytest.mark.parametrize("kind", [pa.int16(), pa.int32(), pa.int64()])
def test_integers(numbers: list[int] | range, kind: pa.DataType) -> None:
    made = integer_column(numbers, kind)
    made.validate(full=True)
    assert made.equals(pa.array(numbers, kind))


@pytest.mark.parametrize("texts", [[], [""], ["bank", "", "жёлтый", "👩‍🚀"]])
def test_texts(texts: list[str]) -> None:
    made = text_column(texts)
    made.validate(full=True)
    assert made.equals(pa.array(texts, pa.large_string()))


def test_a_number_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(OverflowError):
        integer_column([40_000], pa.int16())


def test_pandas_is_not_imported() -> None:
    code = (
        "import sys, pyarrow as pa\n"
        "from polysema.core.space.arrow_columns import integer_column, text_column\n"
        "pa.table({'a': integer_column([1, 2], pa.int64()), 'b': text_column(['x', 'y'])})\n"
        "print('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
