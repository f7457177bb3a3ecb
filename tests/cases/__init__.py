"""What people bring and what becomes of it: a table of cases, each an action, its input and what it must show.

The rows stand in the `.tsv` files of this folder, their inputs in `files/`. `tests/test_cases.py` runs every row;
`python -m tests.cases.page` writes docs/formats.md from the rows that have a rule.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
FILES = FOLDER / "files"
OUTCOMES = ("read", "noted", "refused")


@dataclass(frozen=True)
class Case:
    """One row: `action` is a name of tests/cases/actions.py, `arguments` what it is given.

    `shows` and `never` are regular expressions on the text that the action returns. `format`, `rule` and `outcome`
    are the row of the documentation; cases that differ only in their input share them, or leave `rule` empty.
    """

    id: str
    format: str
    rule: str
    outcome: str
    action: str
    arguments: str
    shows: str
    never: str = ""


def load_cases() -> list[Case]:
    return [case for path in sorted(FOLDER.glob("*.tsv")) for case in _cases(path)]


def _cases(path: Path) -> Iterator[Case]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Case(**{name: value or "" for name, value in row.items()})
