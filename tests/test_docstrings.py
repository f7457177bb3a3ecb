"""Docstrings of the public interface: what they have, that they agree with the signatures, and true examples."""

import doctest
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import polysema
from tests.documentation import ROOT

NAMES = [name for name in polysema.__all__ if name != "__version__"]
NO_EXAMPLE = {"Client", "Explorer"}  # it needs a service; docs/guides/programs.md has its examples
SHARED = ["polysema.core.space.hits", "polysema.indexes.base", "polysema.core.display"]
MODULES = sorted({getattr(polysema, name).__module__ for name in NAMES} | set(SHARED))
MODULES = [name for name in MODULES if not name.startswith("polysema.app.")]


# what `Explorer` hands out
HANDLES = (
    "circuits.CircuitExplorer",
    "file_exports.ExportExplorer",
    "internals.ModelInternals",
    "map_explorer.MapExplorer",
    "measures.MeasureExplorer",
    "model_explorer.ModelExplorer",
    "senses.SenseExplorer",
    "word_lookup.WordLookup",
    "word_space.WordSpace",
)


def handle_of(path: str) -> object:
    module, _, name = path.partition(".")
    return getattr(importlib.import_module(f"polysema.app.explorer.{module}"), name)


def members(name: str, value: object) -> Iterator[tuple[str, Callable[..., object]]]:
    """A function itself, or what a class lets one call."""
    if not inspect.isclass(value):
        assert callable(value)
        yield name, value
        return
    for member, function in inspect.getmembers(value, callable):
        if not member.startswith("_") and str(getattr(function, "__module__", "")).startswith("polysema."):
            yield f"{name}.{member}", function


PUBLIC = {name: getattr(polysema, name) for name in NAMES} | {path: handle_of(path) for path in HANDLES}
CALLABLES = dict(one for name, value in PUBLIC.items() for one in members(name, value))


@pytest.mark.parametrize("name", CALLABLES)
def test_a_docstring_says_what_is_given_and_what_comes_back(name: str) -> None:
    function = CALLABLES[name]
    text, signature = inspect.getdoc(function) or "", inspect.signature(function)
    first = text.partition("\n")[0]
    assert first.endswith((".", ":")), f"{name}: the first line is a sentence; got {first!r}"
    if set(signature.parameters) - {"self", "cls"}:
        assert "\nArgs:\n" in text
    if signature.return_annotation not in (None, "None"):
        assert "\nReturns:\n" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example(name: str) -> None:
    assert name in NO_EXAMPLE or ">>> " in (inspect.getdoc(getattr(polysema, name)) or "")


class Finder(doctest.DocTestFinder):
    """Finds the examples of decorated functions too."""

    def _from_module(self, module: object, found: object) -> bool:
        return bool(super()._from_module(module, inspect.unwrap(found)))  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name: str) -> None:
    module, runner = importlib.import_module(name), doctest.DocTestRunner()
    for found in Finder().find(module, name):
        runner.run(found)
    expected = sum(line.strip().startswith(">>> ") for line in Path(str(module.__file__)).read_text().splitlines())
    assert (runner.summarize().failed, runner.tries) == (0, expected)


def test_the_linter_reads_every_public_module() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    (named,) = re.findall(r"^PUBLIC := (.*)$", makefile, re.MULTILINE)
    files = [Path(str(importlib.import_module(name).__file__)).relative_to(ROOT) for name in MODULES]
    assert sorted(named.split()) == sorted(map(str, files))
