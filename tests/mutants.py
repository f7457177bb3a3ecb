"""A small mutation run: does a test fail when one line of `core/` or `indexes/` is wrong? Run by `make mutants`.

    python -m tests.mutants [-n MUTANTS_A_MODULE] [-s SEED] [MODULE ...]

Of each module some places are drawn with a fixed seed and changed one at a time: a comparison, an operator, a
condition, a number, an answer. The test files that import the module are run on each; a mutant that they all pass has
survived. The files on the disk stay as they are: the changed source is given to Python's import system, also in the
processes that tests start.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "indexes")
SOURCES = (*ROOMS, "app/explorer")  # whose imports lead from a module to the tests of what is made of it
COMPILED = {
    "umap_kernel",
    "text_parser",
    "int8_codes",
    "analogy_kernel",
}  # numba takes their machine code from its cache
SLOW_TESTS = {"tests/core/test_trained.py", "tests/store/test_processes.py", "tests/store/test_kills.py"}
MAX_FILES = 3  # of tests in a ring
MAX_RINGS = 2  # of test files, each farther from the module, that a survivor has passed
BASE_LIMIT = 900.0  # seconds for the tests on the code as it is
BASE_SECONDS = 30  # of a mutant's time-out, beside three times what the tests take on the code as it is

HOOK = '''"""Gives Python the source of one module from another file."""
import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader

NAME, SOURCE = os.environ["MUTANT_MODULE"], os.environ["MUTANT_SOURCE"]


class MutantLoader(SourceFileLoader):
    def get_code(self, fullname):
        with open(SOURCE, encoding="utf-8") as file:
            return compile(file.read(), self.path, "exec", dont_inherit=True)


class MutantFinder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != NAME:
            return None
        from importlib.util import spec_from_file_location

        place = os.environ["MUTANT_PLACE"]
        return spec_from_file_location(name, place, loader=MutantLoader(name, place))


sys.meta_path.insert(0, MutantFinder)
'''

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """One change: where it is, what stood there and what stands there now."""

    line: int
    before: str
    after: str
    source: str


class Places(ast.NodeVisitor):
    """Finds what can be changed, leaving out what only words and types are made of."""

    def __init__(self) -> None:
        self.changes: list[tuple[ast.AST, Callable[[], Callable[[], None]]]] = []

    def visit_Raise(self, node: ast.Raise) -> None:
        """The words of an error are no behavior to mutate."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Nor are those of a message."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in node.body:
            self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name != "__repr__":
            for part in (*node.args.defaults, *(one for one in node.args.kw_defaults if one), *node.body):
                self.visit(part)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if not isinstance(node.test, ast.Compare):
            self._set(node, "test", ast.UnaryOp(ast.Not(), node.test))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if type(node.ops[0]) in COMPARISONS:
            self._set(node, "ops", [COMPARISONS[type(node.ops[0])](), *node.ops[1:]])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in OPERATORS:
            self._set(node, "op", OPERATORS[type(node.op)]())
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._set(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._set(node, "value", not node.value)
        elif isinstance(node.value, int):
            self._set(node, "value", node.value + 1)
            self._set(node, "value", node.value - 1)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._set(node, "value", ast.Constant(None))
        self.generic_visit(node)

    def _set(self, node: ast.AST, field: str, value: object) -> None:
        def change() -> Callable[[], None]:
            old = getattr(node, field)
            setattr(node, field, value)
            return lambda: setattr(node, field, old)

        self.changes.append((node, change))


def mutants_of(source: str, number: int, seed: str) -> Iterator[Mutant]:
    """Some mutants of a source, the same for a seed; all of them where it has fewer than `number`."""
    tree = ast.parse(source)
    places = Places()
    places.visit(tree)
    chosen = random.Random(seed).sample(places.changes, min(number, len(places.changes)))
    for node, change in chosen:
        before = ast.unparse(node)
        undo = change()
        ast.fix_missing_locations(tree)
        yield Mutant(getattr(node, "lineno", 0), before, ast.unparse(node), ast.unparse(tree))
        undo()


def module_name(path: Path) -> str:
    """`polysema.core.space.metric` of core/space/metric.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("polysema", *parts)).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, or a name of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_files(name: str) -> list[list[str]]:
    """The test files that import a module, and, for what survives them, those that import what imports it."""
    folders = [ROOT / "tests" / name for name in (*ROOMS, "store", "engines")]
    files = sorted([path for folder in folders for path in folder.glob("test_*.py")])
    files += [ROOT / "tests" / "app" / "test_explorer.py"]
    imports = {path: imported(path) for path in files if str(path.relative_to(ROOT)) not in SLOW_TESTS}
    sources = {module_name(path): imported(path) for room in SOURCES for path in (ROOT / room).rglob("*.py")}
    wanted, rings, seen = {name}, [], set()
    for _ in range(5):
        ring = [str(path.relative_to(ROOT)) for path, names in imports.items() if names & wanted]
        first = [f"/test_{name.rpartition('.')[2]}.py", "/test_explorer.py"]
        ring.sort(key=lambda file: [not file.endswith(end) for end in first])
        rings.append([file for file in ring if file not in seen][:MAX_FILES])
        seen |= set(ring)
        wanted |= {other for other, names in sources.items() if names & wanted}
    return [ring for ring in rings if ring][:MAX_RINGS]


def run(tests: Sequence[str], seconds: float, mutant: tuple[str, Path, Path] | None = None) -> bool:
    """Whether the tests pass, with a module replaced; False also where they take too long."""
    environment = dict(os.environ)
    if mutant is not None:
        name, place, source = mutant
        environment |= {"MUTANT_MODULE": name, "MUTANT_PLACE": str(place), "MUTANT_SOURCE": str(source)}
        environment["PYTHONPATH"] = os.pathsep.join([str(source.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # and what the tests started
            return False


def paths_of(chosen: Sequence[str]) -> list[Path]:
    """The modules of `core/` and `indexes/`, or those of the files and folders named."""
    found = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.stem not in COMPILED)
    if not chosen:
        return found
    places = [(ROOT / one).resolve() for one in chosen]
    for place in places:
        if not any(path == place or place in path.parents for path in found):
            raise SystemExit(f"{place.relative_to(ROOT)} holds no module that can be mutated")
    return [path for path in found if any(path == place or place in path.parents for place in places)]


def survivors_of(path: Path, mutants: Sequence[Mutant], hook: Path) -> list[Mutant]:
    """The mutants of a module that all of its test files pass; raises `SystemError` where those fail without one."""
    name, source, left = module_name(path), hook.with_name("mutant.py"), list(mutants)
    for tests in test_files(name):
        started = time.perf_counter()
        if left and not run(tests, BASE_LIMIT):
            raise SystemError(f"the tests fail on the code as it is: {' '.join(tests)}")
        limit = BASE_SECONDS + 3 * (time.perf_counter() - started)
        before, left = left, []
        for one in before:
            source.write_text(one.source, encoding="utf-8")
            if run(tests, limit, (name, path, source)):
                left.append(one)
    return left


def main() -> int:
    """Print a score for each module, and every survivor."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("modules", nargs="*", help="files or folders, such as core/space (default: all)")
    parser.add_argument("-n", type=int, default=3, help="mutants a module")
    parser.add_argument("-s", "--seed", default="0")
    options = parser.parse_args()
    killed = made = 0
    with tempfile.TemporaryDirectory() as folder:
        hook = Path(folder) / "sitecustomize.py"
        hook.write_text(HOOK, encoding="utf-8")
        for path in paths_of(options.modules):
            name = module_name(path)
            mutants = list(mutants_of(path.read_text(encoding="utf-8"), options.n, f"{options.seed} {name}"))
            if not mutants or not test_files(name):
                continue
            try:
                survivors = survivors_of(path, mutants, hook)
            except SystemError as error:
                print(f"{name}: {error}", flush=True)
                continue
            made, killed = made + len(mutants), killed + len(mutants) - len(survivors)
            print(f"{name}: {len(mutants) - len(survivors)} of {len(mutants)} killed", flush=True)
            for one in survivors:
                print(f"  survived: line {one.line}: {one.before}  ->  {one.after}", flush=True)
    print(f"{killed} of {made} mutants were killed ({killed / max(1, made):.0%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
