"""Names of commands, options and heads: every help fits a terminal, every former name works and says the new one."""

import csv
import io
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from polysema.app.cli.former_names import CurrentGroup, RenamedOption
from polysema.app.cli.main import cli
from polysema.core.errors import UserError
from polysema.core.inside.head_names import head_name, parse_head, zero_based_head

LETTERS = ("phone", "-m", "g2p-t5")
COLUMNS = 80


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def groups(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from groups(command, *path, name)


@pytest.mark.parametrize("path", list(groups(cli)), ids=lambda path: " ".join(path) or "polysema")
def test_the_list_of_commands_fits_a_terminal(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, [*path, "--help"], terminal_width=COLUMNS, env={"COLUMNS": str(COLUMNS)})
    lines = done.output.splitlines()
    assert lines
    assert max(map(len, lines)) <= COLUMNS
    assert not [line for line in lines if "..." in line and not line.startswith("Usage:")]


@pytest.mark.parametrize(
    ("former", "name", "rest"),
    [
        (("store", "info"), "collection", ("/no/such/folder",)),
        (("inside", "contributions"), "inside attribution", (*LETTERS[:1], "F", *LETTERS[1:], "--at", "0")),
        (("inside", "roads"), "inside compare-families", ("the white swan", *LETTERS[1:], "--format", "json")),
    ],
)
def test_a_former_command_still_works_and_says_the_new_name(
    former: tuple[str, ...], name: str, rest: tuple[str, ...]
) -> None:
    current = (*name.split(), *former[len(name.split()) :])
    before, after = (CliRunner().invoke(cli, (*command, *rest)) for command in (former, current))
    assert (before.exit_code, before.stdout) == (after.exit_code, after.stdout)
    (line,) = [line for line in before.stderr.splitlines() if "is now called" in line]
    assert f"{name}; the former name still works" in line
    assert "is now called" not in after.stderr


@pytest.mark.parametrize(
    ("former", "current"),
    [
        (("ablate", *LETTERS, "--mlp", "1", "--new", "3"), ("ablate", *LETTERS, "--mlp", "1", "--max-new-tokens", "3")),
        (("ablate", *LETTERS, "--mlp", "1", "--new=3"), ("ablate", *LETTERS, "--mlp", "1", "--max-new-tokens=3")),
        (("attention", "the swan", "--special", "fold"), ("attention", "the swan", "--special-tokens", "merge")),
        (("attention", "the swan", "--special-tokens", "show"), ("attention", "the swan", "--special-tokens", "keep")),
        (("attention", "the swan", "--head", "3.5"), ("attention", "the swan", "--head", "L2H4")),
    ],
    ids=" ".join,
)
def test_a_former_option_gives_the_same(former: tuple[str, ...], current: tuple[str, ...]) -> None:
    before, after = (run("inside", *command) for command in (former, current))
    assert before.exit_code == after.exit_code == 0
    assert before.stdout == after.stdout
    assert after.stderr == ""
    assert ("is now called" in before.stderr) == ("--head" not in former)


def test_the_former_options_of_a_table_of_static_vectors(tmp_path) -> None:  # type: ignore[no-untyped-def]
    texts = tmp_path / "t.txt"
    texts.write_text("The swan swam.\nThe swan flew.\n", encoding="utf-8")
    made = []
    for name, options in (
        ("a", ("--at-least", "2", "--most", "2")),
        ("b", ("--min-count", "2", "--max-contexts", "2")),
    ):
        target = tmp_path / f"{name}.vec"
        done = run("table", str(target), "--corpus", str(texts), *options)
        assert done.exit_code == 0, done.output
        made.append((target.read_text(encoding="utf-8"), done.stderr))
    assert made[0][0] == made[1][0]
    assert "--at-least is now called --min-count" in made[0][1]
    assert "--most is now called --max-contexts" in made[0][1]
    assert "is now called" not in made[1][1]


def test_former_names_are_not_listed() -> None:
    def every(group: click.Group) -> Iterator[click.Command]:
        for command in group.commands.values():
            yield command
            if isinstance(command, click.Group):
                yield from every(command)

    former = {"store", "contributions", "roads", "--new", "--special", "--at-least", "--most"}
    names = {command.name for command in every(cli)} | {o for c in every(cli) for p in c.params for o in p.opts}
    assert not former & names
    options = {p.former_name for c in every(cli) for p in c.params if isinstance(p, RenamedOption)}
    commands = {
        name for g in (cli, cli.commands["inside"]) for name in (g.former_names if isinstance(g, CurrentGroup) else ())
    }
    assert options | commands == former


def test_the_two_notations_of_a_head() -> None:
    assert parse_head("3.5") == parse_head("L2H4") == parse_head("l2h4") == (3, 5)
    assert (zero_based_head(3, 5), head_name(1, 1)) == ("L2H4", "1.1 (L0H0)")
    assert parse_head("-1.2") == (-1, 2)
    for text in ("3", "3.", "L3", "H4L3", "L-1H2", "3.5.1", "L3.H4"):
        with pytest.raises(UserError, match="counted from 1, such as 3.5, or L2H4, both counted from 0"):
            parse_head(text)


def test_a_ranking_of_heads_has_both_notations() -> None:
    done = run("inside", "find-head", "the -> swan", "--text", "the swan", "--format", "csv", "-k", "3")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 3
    for row in rows:
        layer, head = map(int, row["head"].split("."))
        assert row["name"] == f"L{layer - 1}H{head - 1}"
