"""The direction of imports, and the few things that must not be there."""

import ast
import importlib
import inspect
import re
import tomllib
from enum import Enum
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

ROOT = Path(__file__).parent.parent

EVERYWHERE = {
    "core.argument_types",
    "core.atomic",
    "core.compiled",
    "core.display",
    "core.environment",
    "core.errors",
    "core.import_lock",
    "core.jobs",
    "core.locks",
    "core.progress",
}
# what each room may import of ours, beside itself and `EVERYWHERE`
ALLOWED: dict[str, set[str]] = {
    "core.argument_types": set(),
    "core.atomic": set(),
    "core.compiled": set(),
    "core.corpus": {"core.files"},
    "core.data": set(),
    "core.display": set(),
    "core.environment": set(),
    "core.errors": set(),
    "core.files": {"core.space"},
    "core.import_lock": set(),
    "core.inside": {"core.model", "core.space"},
    "core.maps": {"core.model", "core.space"},
    "core.measure": {"core.corpus", "core.maps", "core.model", "core.space"},
    "core.model": {"core.space"},
    "core.jobs": set(),
    "core.locks": set(),
    "core.progress": set(),
    "core.space": set(),
    "indexes": {"core.files", "core.maps", "core.space"},
    "app.config": {"core"},
    "app.export": {"core", "indexes"},
    "app.collection": {"app.config", "app.export", "core", "indexes"},
    "app.explorer": {"app.collection", "app.config", "app.export", "core", "indexes"},
    "app.client": {"app.explorer", "core", "indexes"},
    "app.service": {"app.collection", "app.config", "app.explorer", "app.export", "core", "indexes"},
    "app.dashboard": {"app.collection", "app.config", "app.explorer", "app.export", "core", "indexes"},
    "app.cli": {
        "app.client",
        "app.collection",
        "app.config",
        "app.dashboard",
        "app.explorer",
        "app.export",
        "app.service",
        "core",
        "indexes",
    },
    "app.__main__": {"app.cli"},
    "app.public": {"app.client", "app.dashboard", "app.explorer", "core", "indexes"},
}
HEAVY = {
    "numba",
    "openTSNE",
    "torch",
    "transformers",
    "umap",
    "sklearn",
    "streamlit",
    "faiss",
    "pandas",
    "altair",
    "openpyxl",
    "tqdm",
}
COMPILED = {
    "umap_kernel",
    "text_parser",
    "int8_codes",
    "analogy_kernel",
}  # numba's own modules: they are imported where they are used
MODULES = sorted(path for top in ("app", "core", "indexes") for path in (ROOT / top).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(name: str) -> str:
    return next((r for r in sorted(ALLOWED, key=len, reverse=True) if name == r or name.startswith(r + ".")), name)


def imports(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.append(node.module or "")
    return found


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 25


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_imports_point_down() -> None:
    wrong = []
    for path in MODULES:
        mine = room(name_of(path))
        if mine in ("app", "core"):  # an __init__ of a room of rooms
            continue
        assert mine in ALLOWED, f"{mine} is no room"
        allowed = ALLOWED[mine] | EVERYWHERE | {mine}
        for name in imports(tree_of(path)):
            theirs = room(name.removeprefix("polysema."))
            if name.startswith("polysema.") and not any(theirs == a or theirs.startswith(a + ".") for a in allowed):
                wrong.append(f"{name_of(path)} imports {name}")
    assert wrong == []


def test_the_rooms_form_no_circle() -> None:
    """Rooms can be put in an order in which each imports only earlier ones."""
    waiting = {
        name: {other for other in ALLOWED if any(other == a or other.startswith(a + ".") for a in allowed)}
        for name, allowed in ALLOWED.items()
    }
    while waiting:
        ready = {name for name, needs in waiting.items() if not needs & set(waiting) - {name}}
        assert ready, f"a circle among {sorted(waiting)}"
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}


def top_imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in tree_of(path).body if isinstance(node, (ast.Import, ast.ImportFrom))]


def test_heavy_imports_wait() -> None:
    light = [path for path in MODULES if "dashboard" not in path.parts and path.stem not in COMPILED]
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in light
        for node in top_imports(path)
        for name in imports(node)
        if name.partition(".")[0] in HEAVY
    ]
    assert wrong == []


def test_compiled_code_waits() -> None:
    wrong = [
        f"{name_of(path)}, line {node.lineno}"
        for path in MODULES
        for node in top_imports(path)
        if COMPILED & ({part for name in imports(node) for part in name.split(".")} | {a.name for a in node.names})
    ]
    assert wrong == []


UNPACKERS = {"pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal"}  # modules that run what they load


def runs_code(node: ast.AST) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return bool({name.partition(".")[0] for name in imports(node)} & UNPACKERS)
    if isinstance(node, ast.keyword) and node.arg in {"trust_remote_code", "allow_pickle"}:
        return not (isinstance(node.value, ast.Constant) and node.value.value is False)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in {"eval", "exec", "__import__"}
    return False


def test_nothing_that_runs_code_is_loaded() -> None:
    wrong = [
        f"{name_of(path)}, line {getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if runs_code(node)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib.numpy_pickle import load",
        "load(x, allow_pickle=True)",
        "f(trust_remote_code=given)",
        "exec(x)",
    ],
)
def test_what_runs_code_is_noticed(line: str) -> None:
    assert any(runs_code(node) for node in ast.walk(ast.parse(line)))


def test_no_file_has_the_name_of_a_module_it_would_hide() -> None:
    for path in MODULES:
        assert path.stem not in {
            "http",
            "faiss",
            "types",
            "io",
            "select",
            "utils",
            "helpers",
            "common",
            "manager",
            "misc",
        }
    assert not (ROOT / "__init__.py").exists()


MAX_METHODS = 10
# classes of more public methods, inherited ones counted, that are still to be split: the list only shrinks
LARGE_CLASSES: dict[str, int] = {}


def methods_of(path: Path) -> dict[str, int]:
    """The public methods of the classes that a file defines, inherited ones of ours counted; properties are data."""
    module = importlib.import_module("polysema." + name_of(path))
    found = {}
    for name, kind in vars(module).items():
        if not inspect.isclass(kind) or kind.__module__ != module.__name__ or issubclass(kind, (BaseModel, Enum)):
            continue
        ours = [base for base in kind.__mro__ if base.__module__.startswith("polysema")]
        names = {
            method
            for base in ours
            for method, value in vars(base).items()
            if not method.startswith("_")
            and (inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)))
        }
        found[f"{name_of(path)}.{name}"] = len(names)
    return found


@pytest.mark.parametrize("room", ["app.explorer", "app", "core", "indexes"])
def test_a_class_has_ten_public_methods_at_most(room: str) -> None:
    files = [
        p
        for p in MODULES
        if name_of(p).startswith(room + ".") and "dashboard" not in p.parts and "__main__" not in p.stem
    ]
    large = {name: n for path in files for name, n in methods_of(path).items() if n > MAX_METHODS}
    allowed = {name: n for name, n in LARGE_CLASSES.items() if name.startswith(room + ".")}
    assert large.keys() == allowed.keys()
    for name, n in large.items():
        assert n <= allowed[name], f"{name} has grown to {n} public methods"
    if room == "app.explorer":
        assert not allowed


MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
# What is over a limit today: entries leave these lists and none comes in.
LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()


def is_compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is a compiled loop, which may be long: a call inside it could cost what it was compiled for."""
    return any(isinstance(one, ast.Call) and ast.unparse(one.func) == "compiled" for one in function.decorator_list)


def function_lengths() -> dict[str, int]:
    return {
        f"{name_of(path)}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_compiled(node)
    }


def over(sizes: dict[str, int], limit: int) -> set[str]:
    return {name for name, size in sizes.items() if size > limit}


def test_files_are_short() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert over(lines, MAX_FILE_LINES) == LONG_FILES


def test_functions_are_short() -> None:
    assert over(function_lengths(), MAX_FUNCTION_LINES) == LONG_FUNCTIONS


# what a folder may leave aside, each with its reason in pyproject.toml; a file of its own may leave nothing
EXEMPT_FOLDERS = {
    "tests/**": {"ANN401", "D", "PT017", "RUF043", "S", "N", "T20"},
    "benchmarks/**": {"ANN401", "D", "S", "T20"},
    "docs/notebooks/**": {"D", "T20"},
    "app/cli/**": {"PLR0913"},
    "app/dashboard/**": {"N999"},
}


def test_no_file_is_exempt_from_the_linter() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert {where: set(rules) for where, rules in lint["per-file-ignores"].items()} == EXEMPT_FOLDERS
    assert {"ANN401", "C90", "PLR0913"} <= set(lint["select"])


DROPPED = re.compile(r"neighbour|\basked\b|\banswered\b|\bheld\b|fmt: skip", re.IGNORECASE)


def test_no_line_has_a_word_of_the_earlier_vocabulary() -> None:
    """Words of the glossary stand in their place, and no line escapes its format."""
    lines = [(path, line) for path in MODULES for line in path.read_text(encoding="utf-8").splitlines()]
    assert [f"{path.relative_to(ROOT)}: {line}" for path, line in lines if DROPPED.search(line)] == []
