"""The command line called in this process: what a new process would import and compile again is there already."""

import io
import os
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from polysema.app.cli.main import main


@dataclass(frozen=True)
class Finished:
    """A command that has ended: its exit status and what it wrote."""

    status: int
    out: str
    err: str


def call(words: list[str], folder: Path, columns: int = 200) -> Finished:
    """`polysema WORDS...` in `folder`, on a terminal of so many columns."""
    buffers = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(buffer, encoding="utf-8", newline="", write_through=True) for buffer in buffers)
    with pytest.MonkeyPatch.context() as patch, chdir(folder), redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["polysema", *words])
        patch.setitem(os.environ, "COLUMNS", str(columns))
        with pytest.raises(SystemExit) as stop:
            main()
    return Finished(int(stop.value.code or 0), *(buffer.getvalue().decode("utf-8") for buffer in buffers))
