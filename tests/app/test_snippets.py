"""The Python that the pages show beside an answer names what is there."""

import ast
import importlib
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "app" / "dashboard"


def text_of(node: ast.AST) -> str:
    """A string as it is written, with `_` for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "_" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


SNIPPETS = {
    f"{path.stem}-{node.lineno}": text
    for path in sorted(PAGES.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if re.search(r"^from polysema[.\w]* import ", text := text_of(node), re.MULTILINE)
}


def imported(snippet: str) -> list[tuple[str, str]]:
    lines = re.findall(r"^from (polysema[.\w]*) import (.+)$", snippet, re.MULTILINE)
    return [(module, name.strip()) for module, names in lines for name in names.split(",")]


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) > 10


@pytest.mark.parametrize("snippet", SNIPPETS.values(), ids=SNIPPETS)
def test_a_snippet_imports_what_is_there_and_what_it_calls(snippet: str) -> None:
    names = set()
    for module, name in imported(snippet):
        names.add(name)
        home = importlib.import_module(module)
        assert hasattr(home, name) or importlib.import_module(f"{module}.{name}")
    assert set(re.findall(r"(?<![.\w])([A-Z]\w+)[(.]", snippet)) - names == set()
