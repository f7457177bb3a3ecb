"""The walks of a few questions through the code: calls, files, stays in a file, returns to a file already left.

    python benchmarks/call_walk.py

An analogy by the handle, the shell, HTTP and the dashboard's page; a text through the shell's export; a collection that
is added to and searched. Traced with `sys.setprofile` over polysema's own files, in every thread, once warm; what is
taken for granted, such as a service that has started, is not part of a walk.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections.abc import Callable
from itertools import count, groupby
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from click.testing import CliRunner

import polysema
from polysema.app.cli.main import cli
from polysema.app.explorer import AnalogyOptions, Explorer
from polysema.indexes.collection import Collection

if TYPE_CHECKING:
    from fastapi import FastAPI

ROOT = Path(str(polysema.__file__)).resolve().parents[2]
NOT_WALKED = {".venv", "benchmarks", "tests", "build"}
DASHBOARD = ROOT / "app" / "dashboard" / "main.py"
SERVICE = "http://service"
QUESTION = "queen - king + man"
BATCH_ROWS = 50
WARM_ROUNDS = 3  # from the fourth pass on, compiled code searches


def walk(ask: Callable[[], object]) -> list[str]:
    """The files of all calls of polysema's own functions, in their order, in threads that start meanwhile as well."""
    files: list[str] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(ROOT) and NOT_WALKED.isdisjoint(path.parts):
                files.append(str(path.relative_to(ROOT)))

    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        ask()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return files


def returns(files: list[str]) -> int:
    """How often a walk comes back to a file that it had left."""
    return len([file for file, _ in groupby(files)]) - len(set(files))


def line(name: str, files: list[str]) -> str:
    """What a walk came to; a return is a stay in a file that had been left."""
    known = len(set(files))
    return f"{name:40} {len(files):6} {known:6} {known + returns(files):6} {returns(files):8}"


def shell(*arguments: str) -> None:
    """A command of the shell, in this process."""
    CliRunner().invoke(cli, arguments, catch_exceptions=False)


async def analogy_over_http(app: FastAPI) -> None:
    """An analogy over HTTP."""
    from httpx import ASGITransport, AsyncClient

    async with app.router.lifespan_context(app), AsyncClient(transport=ASGITransport(app), base_url=SERVICE) as client:
        (await client.get("/v1/analogy", params={"expression": QUESTION})).raise_for_status()


def analogies() -> dict[str, Callable[[], object]]:
    """The ways of an analogy."""
    from streamlit.testing.v1 import AppTest

    from polysema.app.config.settings import Settings
    from polysema.app.service.app import create_app

    words, plain = Explorer().space("glove-6b-50d"), AnalogyOptions(evidence=False)
    apps = iter([create_app(Explorer(), Settings(allowed_hosts=("service",))) for _ in range(WARM_ROUNDS + 1)])
    page = AppTest.from_file(str(DASHBOARD), default_timeout=120).switch_page("app_pages/analogies.py").run()
    return {
        "explorer.space(…).analogy": lambda: words.analogy(QUESTION),
        "the same, without evidence": lambda: words.analogy(QUESTION, options=plain),
        "polysema analogy": lambda: shell("analogy", QUESTION),
        "polysema analogy --no-evidence": lambda: shell("analogy", QUESTION, "--no-evidence"),
        "GET /v1/analogy, the service new": lambda: asyncio.run(analogy_over_http(next(apps))),
        "the page Analogies, run again": page.run,
    }


def storing(folder: Path) -> dict[str, Callable[[], object]]:
    """A text exported, and a collection with an index that is added to and searched."""
    (folder / "text.txt").write_text("The bank of a river.\nA bank lends money.\n", encoding="utf-8")
    numbers, exports, rng = count(), count(), np.random.default_rng(0)
    added, searched = Collection.create(folder / "added"), Collection.create(folder / "searched")

    def add(collection: Collection, n_rows: int) -> None:
        ids = [str(next(numbers)) for _ in range(n_rows)]
        collection.add(ids, rng.standard_normal((n_rows, 16)), pa.table({"year": range(n_rows)}))

    add(searched, 5_000)
    searched.compact(index="hnsw")
    query = rng.standard_normal((1, 16))
    return {
        "polysema export, two lines, two layers": lambda: shell(
            "export", str(folder / "text.txt"), str(folder / f"export-{next(exports)}"), "--layers", "0,6"
        ),
        "Collection.add, 50 rows": lambda: add(added, BATCH_ROWS),
        "Collection.search with a filter": lambda: searched.search(query, 10, "year < 2000"),
        "Collection.search through HNSW": lambda: searched.search(query, 10),
    }


def main() -> None:
    """Print a line for each walk."""
    print(f"{'walk':40} {'calls':>6} {'files':>6} {'stays':>6} {'returns':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, ask in {**analogies(), **storing(Path(folder))}.items():
            for _ in range(WARM_ROUNDS):
                ask()
            print(line(name, walk(ask)), flush=True)


if __name__ == "__main__":
    main()
