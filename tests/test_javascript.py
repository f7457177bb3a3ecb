"""The dashboard's JavaScript: small files, small classes, and modules that can be joined into one."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from polysema.app.dashboard.components import assets

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "app" / "dashboard").rglob("*.js"))
COMPONENTS = ROOT / "app" / "dashboard" / "components"
ENTRIES = (
    "scatter/mount.js",
    "charts/mount.js",
    "heads/mount.js",
    "drawing/drawing.js",
    "steps/settle.js",
    "notebook/widget.js",
    "offline/page.js",
)
IN_THE_PAGE = {"steps/steps.js", "steps/paste.js"}
TYPES_ONLY = {"scatter/payload.js"}
MAX_LINES, MAX_METHODS = 300, 10

CLASS = re.compile(r"^(?:export )?class (\w+).*?^\}", re.MULTILINE | re.DOTALL)
METHOD = re.compile(
    r"^  (?:(?:static|async|get|set) )*\*?([A-Za-z]\w*)(?:\(| = (?:async )?(?:\([^)]*\)|\w+) =>)", re.MULTILINE
)
DECLARATION = re.compile(r"^(?:async function|function|class|const|let) (\w+)", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(COMPONENTS).as_posix()


def public_methods(text: str) -> dict[str, set[str]]:
    """The public methods of each class; a getter and its setter are one, `#name` and `_name` are private."""
    return {found[1]: set(METHOD.findall(found[0])) - {"constructor"} for found in CLASS.finditer(text)}


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_files_and_classes_are_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert {name: methods for name, methods in public_methods(text).items() if len(methods) > MAX_METHODS} == {}


def test_methods_are_counted_as_they_are_written() -> None:
    text = """export class Plot extends Base {
  #size = 0;
  shared = true;
  constructor(parent) {
    this.parent(parent);
  }

  get size() {
    return this.#size;
  }

  set size(size) {
    if (size) this.#size = size;
  }

  async load(
    data,
  ) {
    for (const row of data) this.draw(row);
  }

  late = (event) => this.load(event);
  #hidden() {}
  _hidden() {}
  static of(parent) {}
}

class Other {
  draw() {}
}
"""
    assert public_methods(text) == {"Plot": {"size", "load", "late", "of"}, "Other": {"draw"}}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_component_is_one_module(entry: str) -> None:
    text = assets.module(entry)
    assert re.findall(r"^(?:import|export)\b.*?\bfunction \w+", text, re.MULTILINE) == re.findall(
        r"^export default function \w+", text, re.MULTILINE
    )
    assert len(re.findall(r"^(?:import|export)\b", text, re.MULTILINE)) == (entry != "offline/page.js")  # runs itself
    assert [name for name, count in Counter(DECLARATION.findall(text)).items() if count > 1] == []


def test_every_file_is_part_of_a_component() -> None:
    joined = "\n".join(assets.module(entry) for entry in ENTRIES)
    first_lines = {name_of(path): path.read_text("utf-8").splitlines()[0] for path in SCRIPTS}
    assert len(set(first_lines.values())) == len(first_lines)
    assert {name for name, line in first_lines.items() if line not in joined} == IN_THE_PAGE | TYPES_ONLY


def test_a_circle_of_imports_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.js").write_text("import { two } from './two.js';\n")
    (tmp_path / "a" / "two.js").write_text("import { one } from '../a/one.js';\n")
    with pytest.raises(ValueError, match=r"in a circle: a/one\.js -> a/two\.js -> a/one\.js"):
        assets.module("a/one.js", tmp_path)


def test_only_tools_are_locked_and_from_the_public_registry() -> None:
    project = json.loads((ROOT / "package.json").read_text())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert "dependencies" not in project
    assert {name: locked[f"node_modules/{name}"]["version"] for name in project["devDependencies"]} == project[
        "devDependencies"
    ]
    for entry in locked.values():
        assert entry.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/")
