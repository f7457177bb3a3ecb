"""The mutation run: which changes it makes, and that a changed module is the one that is imported."""

from pathlib import Path

import pytest

from tests import mutants
from tests.mutants import HOOK, ROOT, module_name, mutants_of, paths_of, run

SOURCE = '''
def first(rows: "list[int] | None", k: int = 2) -> int:
    """Words, which are not changed: 7."""
    if not rows:
        raise ValueError(f"no row 8 {k + 9}")
    return rows[0] * k if k > 3 and rows else -k
'''


def test_every_place_is_changed_once_and_words_are_not() -> None:
    found = {(one.before, one.after) for one in mutants_of(SOURCE, 100, "any")}
    assert {
        ("2", "3"),
        ("2", "1"),
        ("rows[0] * k", "rows[0] / k"),
        ("k > 3", "k >= 3"),
        ("k > 3 and rows", "k > 3 or rows"),
        ("return rows[0] * k if k > 3 and rows else -k", "return None"),
    } <= found
    assert not any(digit in before + after for before, after in found for digit in "789" if len(before) == 1)
    assert all("raise ValueError(f'no row 8 {k + 9}')" in one.source for one in mutants_of(SOURCE, 100, "any"))


def test_the_same_seed_draws_the_same_mutants() -> None:
    drawn = [[one.after for one in mutants_of(SOURCE, 4, seed)] for seed in ("a", "a", "b")]
    assert len(drawn[0]) == 4
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_module_is_tested_by_the_files_that_import_it() -> None:
    first, second = mutants.test_files("polysema.core.space.axes")
    assert first == ["tests/core/test_space.py"]
    assert second  # those that reach it by other modules
    assert not set(second) & set(first)
    assert module_name(ROOT / "core" / "space" / "metric.py") == "polysema.core.space.metric"
    with pytest.raises(SystemExit, match="tests holds no module that can be mutated"):
        paths_of(["tests"])


def test_a_changed_module_is_noticed_and_the_file_stays(tmp_path: Path) -> None:
    place = ROOT / "core" / "measure" / "bias.py"
    before = place.read_bytes()
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    changed = tmp_path / "mutant.py"
    changed.write_text(before.decode().replace("def weat(", "def lost("))
    test = tmp_path / "test_it.py"
    test.write_text("def test_it():\n    from polysema.core.measure.bias import weat\n    assert weat\n")
    assert run([str(test)], 100)
    assert not run([str(test)], 100, ("polysema.core.measure.bias", place, changed))
    assert place.read_bytes() == before
