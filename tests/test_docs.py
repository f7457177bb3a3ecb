"""The documentation is true: its examples run, its references are fresh, its links lead somewhere."""

import gzip
import importlib
import io
import re
import shlex
import struct
import subprocess
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path

import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli
from tests.command_line import call
from tests.documentation import PAGES, ROOT, code_blocks, load_generator

README = (ROOT / "README.md").read_text(encoding="utf-8")
WHOLE = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
PYTHON = {f"{path.stem}-{n}": code for path in PAGES for n, code in enumerate(code_blocks(path, "python"))}
SHELL = [
    (path.stem, line)
    for path in PAGES
    for code in code_blocks(path, "sh")
    for line in code.splitlines()
    if line.startswith("polysema ")
]
TEXTS = "The bank of the river was muddy.\nThe swan slept on the bank.\nHer bank keeps gold.\n"
# what the first lines of each example print; those of several answers depend on what was measured here
PRINTED = {
    "README-0": "banks\n[",
    "tutorial-0": "0 0.9",
    "export-0": "bank in text ",
    "programs-0": "woman 0.895\ngirl 0.849\nher 0.793\nboy 0.782\n0 0.9",
    "collections-0": "[['b']] 1.0",
    "indexes-0": ("exact among the ", "hnsw, "),
    "maps-0": "True (3, 2)\n[",
    "generation-0": "La\nLa banque\nLa banque prête\n",
    "inside-0": "F h 1.0\nOW o 1.0\nN n 1.0\n(end) </s> 1.0",
}


def test_the_readme_is_short_and_leads_with_the_two_commands() -> None:
    assert len(README.splitlines()) <= 150
    (first, *_) = code_blocks(ROOT / "README.md", "sh")
    assert first.startswith("make app ")
    assert all(len(code.strip().splitlines()) <= 11 for code in PYTHON.values())


@pytest.mark.parametrize("page", ["cli.md", "http.md", "settings.md"])
def test_the_reference_is_fresh(page: str) -> None:
    generator = load_generator()
    assert (generator.REFERENCE / page).read_text(encoding="utf-8") == generator.PAGES[page](), (
        "stale: run `python docs/generate.py`"
    )


def test_every_page_is_in_the_navigation_and_every_link_leads_somewhere() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in PAGES:
        if path.name != "README.md":
            assert str(path.relative_to(ROOT / "docs")) in navigation
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert "://" in target or (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_public_name_is_in_the_python_reference() -> None:
    import polysema

    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    assert [name for name in polysema.__all__ if name != "__version__" and f"`{name}`" not in page] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny: dict[str, Path]) -> Path:
    made = tmp_path_factory.mktemp("readme")
    (made / "texts.txt").write_text(TEXTS)
    (made / "reviews.csv.gz").write_bytes(gzip.compress(b"id,review\n7,A fine river bank.\n"))
    (made / "my-translator").symlink_to(tiny["t5"])
    return made


@pytest.mark.parametrize(("page", "line"), SHELL)
def test_the_commands_run(page: str, line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the README as a user starts them; the others, where no shell is needed, in this process."""
    parts = shlex.shlex(line, posix=True, punctuation_chars=True)
    if page != "README" and "$" not in line and not any(set(part) <= set("|><&;*") for part in parts):
        monkeypatch.chdir(folder)
        result = CliRunner().invoke(cli, shlex.split(line, comments=True)[1:])
        assert (result.exit_code, result.stdout != "") == (0, True), (result.stderr, result.exception)
        return
    _run(line, folder)


def _run(line: str, folder: Path) -> None:
    done = subprocess.run(
        line.replace("polysema", f"{sys.executable} -m polysema.app", 1),
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout != "") == (0, True), done.stderr


def test_every_python_example_has_its_expectation() -> None:
    assert set(PYTHON) == set(PRINTED)


@pytest.mark.parametrize("name", PYTHON)
def test_the_python_examples_run(name: str, folder: Path) -> None:
    """That of the README as a user starts it; the others in this process, each in names of its own."""
    if not (folder / "out").exists():
        assert call(["export", "texts.txt", "out", "--layers", "0,3,6"], folder).status == 0
    if name.startswith("README"):
        command = [sys.executable, "-c", PYTHON[name]]
        shown = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
    else:
        with chdir(folder), redirect_stdout(io.StringIO()) as out:
            exec(compile(PYTHON[name], name, "exec"), {"__name__": "__main__"})
        shown = out.getvalue()
    assert shown.startswith(PRINTED[name]), shown


def test_the_table_of_models_is_the_catalog() -> None:
    from polysema.core.model.catalog import CATALOG

    assert set(re.findall(r"^\| `([\w-]+)` \|", WHOLE, re.MULTILINE)) >= {row.name for row in CATALOG}


def test_the_figures_of_the_senses_are_those_of_the_corpus() -> None:
    from polysema.core.measure.senses import load_senses

    corpus = load_senses()
    senses = {(s.word, s.sense) for s in corpus.senses}
    expected = (
        f"({len(corpus.senses):,} occurrences in {len(corpus.texts):,} sentences: {len(corpus.words)} words in "
        f"{len(senses)} senses)"
    )
    assert expected in WHOLE


def picture(path: Path) -> tuple[bytes, int, int]:
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    return data[:8], width, height


def test_the_pictures_are_there_and_small() -> None:
    paths = [ROOT / path for path in re.findall(r"!\[.*?\]\((.*?)\)", README)]
    assert len(paths) == 13  # the first, and one of each page
    for path in paths:
        signature, width, height = picture(path)
        assert (signature, width >= 1000, height >= 500) == (b"\x89PNG\r\n\x1a\n", True, True)
        assert path.stat().st_size <= 150_000, f"{path.name} is larger than a picture of the documentation may be"


def test_the_readme_has_a_picture_of_each_page() -> None:
    pages = {path.stem for path in (ROOT / "app" / "dashboard" / "app_pages").glob("[a-z]*.py")}
    shown = {name.removesuffix("s") for name in re.findall(r"screenshots/(\w+)\.png", README)}
    assert {page.removesuffix("s") for page in pages} == shown


def test_make_help_names_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("app", "test", "lint", "bench", "browser", "help"):
        assert f"make {target} " in done.stdout


def test_the_changelog_names_the_version_and_has_its_form() -> None:
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\S+) \((?:unreleased|\d{4}-\d\d-\d\d)\)$", changelog, re.MULTILINE)
    assert versions[0] == version
    groups = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    for section in changelog.split("\n## ")[1:]:
        found = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert found == [group for group in groups if group in found], "the groups of Keep a Changelog, in their order"


def test_the_card_of_the_model_that_ships_has_its_figures() -> None:
    from polysema.core.model.catalog import entry

    card = (ROOT / "core" / "data" / "g2p-t5" / "README.md").read_text()
    rates = re.findall(r"(?:phoneme|word) error rate \| ([\d.]+) %", card)
    assert len(rates) == 2
    assert all(f"{rate} %" in WHOLE for rate in rates)
    assert all(f"{float(rate):.1f} %" in entry("g2p-t5").summary for rate in rates)


def test_what_the_python_reference_shows_is_there() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    for name in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE):
        module, _, attribute = name.rpartition(".")
        assert name == "polysema.core.errors" or hasattr(importlib.import_module(module), attribute), name
