"""The README is true: its examples run, its commands and names are all there, its picture is a picture."""

import gzip
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.help_text import SETTINGS, SETTINGS_END, block, help_text, settings_text

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
SHELL = [
    line for language, code in BLOCKS if language == "sh" for line in code.splitlines() if line.startswith("polysema ")
]
TEXTS = "The bank of the river was muddy.\nThe swan slept on the bank.\nHer bank keeps gold.\n"


def test_there_are_examples() -> None:
    assert (len(PYTHON), len(SHELL) >= 5) == (6, True)
    assert all(len(code.strip().splitlines()) <= 11 for code in PYTHON)


def test_the_block_of_commands_is_fresh() -> None:
    assert block(README) == help_text(), "README.md is stale: run `python tests/help_text.py`"


def test_the_table_of_settings_is_fresh() -> None:
    assert block(README, SETTINGS, SETTINGS_END) == settings_text(), (
        "README.md is stale: run `python tests/help_text.py`"
    )


def test_every_endpoint_is_in_the_readme() -> None:
    from polysema.app.api import create_app
    from polysema.app.explorer import Explorer

    for path in create_app(Explorer()).openapi()["paths"]:
        assert path.split("/{")[0] in README
        assert path.rpartition("}")[2] in README


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny: dict[str, Path]) -> Path:
    made = tmp_path_factory.mktemp("readme")
    (made / "texts.txt").write_text(TEXTS)
    (made / "reviews.csv.gz").write_bytes(gzip.compress(b"id,review\n7,A fine river bank.\n"))
    (made / "my-translator").symlink_to(tiny["t5"])
    return made


@pytest.mark.parametrize("line", SHELL)
def test_the_commands_run(line: str, folder: Path) -> None:
    done = subprocess.run(
        line.replace("polysema", f"{sys.executable} -m polysema.app", 1),
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout != "") == (0, True), done.stderr


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "bank in text "),
        (1, "woman 0.895\ngirl 0.849\nher 0.793\nboy 0.782\n0 0.9"),
        (2, "[['b']] 1.0"),
        (3, ("exact among the ", "hnsw, ")),  # whichever was measured to cost less
        (4, "True (3, 2)\n["),
        (5, "F h 1.0\nOW o 1.0\nN n 1.0\n(end) </s> 1.0"),
    ],
)
def test_the_python_examples_run(number: int, expected: str | tuple[str, ...], folder: Path) -> None:
    if not (folder / "out").exists():
        test_the_commands_run("polysema export texts.txt out --layers 0,3,6", folder)
    done = subprocess.run(
        [sys.executable, "-c", PYTHON[number]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(expected), done.stdout


def test_the_table_of_models_is_the_catalog() -> None:
    from polysema.core.model.catalog import CATALOG

    assert set(re.findall(r"^\| `([\w-]+)` \|", README, re.MULTILINE)) >= {row.name for row in CATALOG}


def test_the_figures_of_the_senses_are_those_of_the_corpus() -> None:
    from polysema.core.measure.senses import load_senses

    corpus = load_senses()
    senses = {(s.word, s.sense) for s in corpus.senses}
    expected = f"({len(corpus.senses):,} occurrences in {len(corpus.texts):,} sentences: {len(corpus.words)} words in {len(senses)} senses)"
    assert expected in README


def test_the_picture_is_there() -> None:
    (path,) = re.findall(r"!\[.*?\]\((.*?)\)", README)
    data = (ROOT / path).read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert (data[:8], width >= 1000, height >= 500) == (b"\x89PNG\r\n\x1a\n", True, True)


def test_make_help_names_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("app", "test", "lint", "bench", "browser", "help"):
        assert f"make {target} " in done.stdout


def test_the_changelog_names_the_version() -> None:
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_card_of_the_model_that_ships_has_its_figures() -> None:
    from polysema.core.model.catalog import entry

    card = (ROOT / "core" / "data" / "g2p-t5" / "README.md").read_text()
    rates = re.findall(r"(?:phoneme|word) error rate \| ([\d.]+) %", card)
    assert len(rates) == 2
    assert all(f"{rate} %" in README for rate in rates)
    assert all(f"{float(rate):.1f} %" in entry("g2p-t5").summary for rate in rates)
