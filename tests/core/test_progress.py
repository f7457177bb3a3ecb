"""One call that tells how far long work is, and its name for another's work."""

import re
from pathlib import Path

from polysema.core.progress import in_stage, no_progress

ROOT = Path(__file__).parent.parent.parent


def test_anothers_stages_are_told_under_one_of_the_callers() -> None:
    steps: list[tuple[str, int, int]] = []
    progress = in_stage(lambda *step: steps.append(step), "read the file")
    progress("rows", 3, 10)
    progress("words", 4, 0)
    assert steps == [("read the file", 3, 10), ("read the file", 4, 0)]
    in_stage(no_progress, "x")("y", 0, 1)


def test_progress_is_defined_once() -> None:
    """No second alias for it, no second call that does nothing."""
    own = re.compile(r"Callable\[\[(str, )?int(, int)?\], None\]|lambda \w+, \w+(, \w+)?: None|def _?silent\(")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for top in ("app", "core", "indexes")
        for path in (ROOT / top).rglob("*.py")
        for line in path.read_text().splitlines()
        if own.search(line) and "advance" not in line and "int8_codes" not in path.name
    ]
    assert not found
