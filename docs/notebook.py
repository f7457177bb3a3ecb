"""Run docs/notebooks/tour.ipynb, keep its outputs in it, and write its page: python docs/notebook.py.

The cells run in order in one namespace, as a kernel would run them; the value of a cell's last line is shown by its
`_repr_html_` and its `repr`. The page of the site is made from the outputs that are kept, so `make docs` runs nothing.
"""

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parent / "notebooks"
Notebook = dict[str, Any]


def read(path: Path) -> Notebook:
    """A notebook of format 4."""
    found: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return found


def source_of(cell: dict[str, Any]) -> str:
    """The text of a cell, which stands there as one text or as lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def run(notebook: Notebook) -> Notebook:
    """The notebook with the outputs of its code; what a cell raises ends the run."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell = {**cell, "execution_count": count, "outputs": _outputs(source_of(cell), namespace, count)}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _outputs(source: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"<cell {count}>", "exec"), namespace)  # noqa: S102 - that is what a notebook is
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"<cell {count}>", "eval"), namespace)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = _lines(value._repr_html_())
        outputs.append({"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data})
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def page(notebook: Notebook) -> str:
    """The notebook as a page of the site: its words, its code, and what came out."""
    parts = []
    for cell in notebook["cells"]:
        source = source_of(cell).strip()
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```py\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "text/html" in data and "<table" in (html := "".join(data["text/html"])):
                parts.append(html.strip())
            else:
                parts.append("```text\n" + "".join(data.get("text/plain", output.get("text", []))).rstrip() + "\n```")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Run every notebook anew."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        done = run(read(path))
        path.write_text(json.dumps(done, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(page(done), encoding="utf-8")


if __name__ == "__main__":
    main()
