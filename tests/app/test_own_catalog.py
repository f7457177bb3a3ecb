"""Rows of a user's own catalog stand wherever polysema's own do: in Python, in the shell, over HTTP."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from polysema import Explorer
from polysema.app.cli.main import cli
from polysema.app.config.settings import Settings
from polysema.app.service.app import create_app
from polysema.core.model.catalog import entry, folder_of, models_here


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "birds.txt").write_text("swan 1 0\ncrane 0.9 0.1\ncoal -1 0.2\n")
    model = folder_of(entry("minilm-l6"))
    path = tmp_path / "mine.toml"
    path.write_text(
        f'[[model]]\nname = "my-birds"\nfamily = "static"\npath = "{tmp_path / "birds.txt"}"\n'
        f'[[model]]\nname = "my-bert"\nfamily = "encoder"\npath = "{model}"\n'
    )
    monkeypatch.setenv("POLYSEMA_CATALOG", str(path))
    return path


def test_they_are_listed_and_opened(own: Path, tmp_path: Path) -> None:
    explorer = Explorer()
    assert "my-bert" in models_here()
    assert "my-bert" in explorer.models()
    assert "my-birds" in explorer.spaces()
    assert explorer.space("my-birds").neighbors("swan", k=1)[0].key == "crane"
    with TestClient(create_app(explorer, Settings(data=str(tmp_path / "data"), allowed_hosts=("testserver",)))) as http:
        told = http.get("/v1/models")
        assert {"my-bert", "my-birds"} <= {one["id"] for one in told.json()["data"]}
        assert str(tmp_path) not in told.text
        found = http.get("/v1/neighbors", params={"word": "swan", "space": "my-birds", "k": 1}).json()
        assert found["neighbors"][0]["word"] == "crane"
    listed = json.loads(CliRunner().invoke(cli, ["models", "--format", "json"]).stdout)
    assert {"my-bert", "my-birds"} <= {one["id"] for one in listed["data"]}


def test_a_change_of_the_file_is_seen(own: Path) -> None:
    assert "my-bert" in models_here()
    own.write_text('[[model]]\nname = "other"\nfamily = "encoder"\npath = "/nowhere"\n')
    os.utime(own, (1, 1))
    assert "my-bert" not in models_here()
    assert entry("other").path == "/nowhere"
