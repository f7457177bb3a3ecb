"""Writes docs/formats.md, the page "What is read, and what is refused", from the table of cases."""

from pathlib import Path

from tests.cases import load_cases

PAGE = Path(__file__).parent.parent.parent / "docs" / "formats.md"
HEAD = """# What is read, and what is refused

Every row is checked by a test (`tests/cases/`); this page is written from them by `python -m tests.cases.page`.
*read*: taken as it is meant. *noted*: taken by a rule, and a note says so where the answer is shown. *refused*: one
line says what is wrong and what to do; nothing is written.

| what | rule | outcome |
|---|---|---|
"""


def page() -> str:
    rows = dict.fromkeys((case.format, case.rule, case.outcome) for case in load_cases() if case.rule)
    return HEAD + "".join(
        f"| {what} | {rule} | {outcome} |\n" for what, rule, outcome in sorted(rows, key=lambda row: row[0])
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
