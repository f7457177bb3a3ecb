"""The direction of imports, and the few things that must not be there."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# what each room may import of ours; `core.errors`, `core.home` and `core.imports` are for all
ALLOWED = {
    "core.errors": set(),
    "core.imports": set(),
    "core.home": set(),
    "core.corpus": {"core.corpus"},
    "core.data": set(),
    "core.space": {"core.space"},
    "core.model": {"core.model", "core.space"},
    "core.inside": {"core.inside", "core.model", "core.space"},
    "core.measure": {"core.measure", "core.model", "core.space"},
    "indexes": {"indexes", "core.space"},
    "app": {"app", "core", "indexes"},
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
    "layout_kernel",
    "text_kernel",
    "compiled",
    "answers",
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


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    mine = room(name_of(path))
    if mine == "core":
        return
    assert mine in ALLOWED, f"{mine} is no room"
    for name in imports(ast.parse(path.read_text())):
        if name.startswith("polysema."):
            theirs = room(name.removeprefix("polysema."))
            allowed = ALLOWED[mine] | {"core.errors", "core.home", "core.imports"}
            assert any(theirs == a or theirs.startswith(a + ".") for a in allowed), f"{name_of(path)} imports {name}"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if "dashboard" not in p.parts and p.stem not in COMPILED], ids=name_of
)
def test_heavy_imports_wait(path: Path) -> None:
    tree = ast.parse(path.read_text())
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {name.partition(".")[0] for node in top for name in imports(node)}
    assert not names & HEAVY


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_compiled_code_waits(path: Path) -> None:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {part for name in imports(node) for part in name.split(".")} | {a.name for a in node.names}
            assert not names & COMPILED


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_that_runs_code_is_loaded(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            assert not {n.partition(".")[0] for n in imports(node)} & {
                "pickle",
                "cloudpickle",
                "joblib",
                "dill",
                "shelve",
                "marshal",
            }
        if isinstance(node, ast.keyword) and node.arg in {"trust_remote_code", "allow_pickle"}:
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "__import__"}


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
