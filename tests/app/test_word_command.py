"""Words, sums and texts that start with a minus, in the shell."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(arguments))
    return done.exit_code, f"{done.output}{done.stderr}{done.exception}"


def printed(*arguments: str) -> Any:
    status, output = run(arguments[0], "--format", "json", *arguments[1:])
    assert status == 0, output
    return json.loads(output.removesuffix("None"))


@pytest.mark.parametrize(
    "expression",
    ["-king + queen", "- king + queen", "-0.5*king + queen", "-mouse + king", '-"king" + queen', "-(king - queen)"],
)
def test_a_sum_that_starts_with_a_minus_is_taken_as_it_is(expression: str) -> None:
    fewest = ("-k", "1", "--no-evidence")
    assert printed("analogy", expression, *fewest) == printed("analogy", *fewest, "--", expression)


def test_the_other_commands_take_it_too() -> None:
    there = ("travel", "house", "-poor -> rich", "--steps", "1")
    assert printed(*there)["axis"] == "-poor -> rich"
    assert printed("project", "house", "--axis", "-poor -> rich")["axes"] == ["-poor -> rich"]
    assert "'-5 degrees' is not among the 400,000 words" in run("neighbors", "-5 degrees")[1]
    rows = printed("embed", "-5 degrees outside", "--word", "outside")
    assert "\0" not in json.dumps(rows)


@pytest.mark.parametrize(
    "arguments",
    [
        ("analogy", "-king"),
        ("neighbors", "-king"),
        ("similarity", "-king", "queen"),
        ("neighbors", "-unknown"),
        ("closer", "-a", "b"),
    ],
)
def test_a_word_that_could_be_an_option_is_told_where_it_goes(arguments: tuple[str, ...]) -> None:
    status, output = run(*arguments)
    assert status == 2
    if len(arguments[1]) > 2:
        assert f"an argument that starts with - goes behind --: -- '{arguments[1]}'" in output


def test_options_stay_options() -> None:
    assert printed("analogy", "queen - king", "-k1", "--no-evidence", "-sglove-6b-50d") == printed(
        "analogy", "queen - king", "-k", "1", "--no-evidence"
    )
    status, output = run("neighbors", "bank", "-sno such file.txt")
    assert (status, "no such file.txt" in output) != (0, False)
    assert "No such option '--nope'" in run("neighbors", "bank", "--nope")[1]
