"""The walk of one question through the code: calls, files, stays in a file, and returns to a file already left.

    python benchmarks/call_walk.py

Traced with `sys.setprofile` over polysema's own files, once warm, for the handle and for the shell's command, with the
evidence and without.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

from click.testing import CliRunner

import polysema
from polysema.app.cli.main import cli
from polysema.app.explorer import AnalogyOptions, Explorer

ROOT = Path(str(polysema.__file__)).resolve().parents[2]
QUESTION = "queen - king + man"


def walk(ask: Callable[[], Any]) -> list[str]:
    """The files of all calls of polysema's own functions, in their order."""
    files: list[str] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if (
                path.is_relative_to(ROOT)
                and ".venv" not in path.parts
                and "benchmarks" not in path.parts
                and "tests" not in path.parts
            ):
                files.append(str(path.relative_to(ROOT)))

    sys.setprofile(watch)
    try:
        ask()
    finally:
        sys.setprofile(None)
    return files


def returns(files: list[str]) -> int:
    """How often a walk comes back to a file that it had left."""
    return len([file for file, _ in groupby(files)]) - len(set(files))


def line(name: str, files: list[str]) -> str:
    """What a walk came to; a return is a stay in a file that had been left."""
    known = len(set(files))
    return f"{name:40} {len(files):6} {known:6} {known + returns(files):6} {returns(files):8}"


def main() -> None:
    """Print a line for each way."""
    words, plain = Explorer().space("glove-6b-50d"), AnalogyOptions(evidence=False)
    print(f"{'walk':40} {'calls':>6} {'files':>6} {'stays':>6} {'returns':>8}")
    for name, ask in {
        "explorer.space(…).analogy": lambda: words.analogy(QUESTION),
        "the same, without evidence": lambda: words.analogy(QUESTION, options=plain),
        "polysema analogy": lambda: CliRunner().invoke(cli, ["analogy", QUESTION], catch_exceptions=False),
        "polysema analogy --no-evidence": lambda: CliRunner().invoke(
            cli, ["analogy", QUESTION, "--no-evidence"], catch_exceptions=False
        ),
    }.items():
        ask()
        print(line(name, walk(ask)))


if __name__ == "__main__":
    main()
