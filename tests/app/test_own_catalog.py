"""Rows of a user's own catalog stand wherever polysema's own do: in Python, in the shell, over HTTP."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from polysema import Collection, Explorer
from polysema.app.cli.main import cli
from polysema.app.config.settings import Settings
from polysema.app.explorer.opened_models import remember
from polysema.app.service.app import create_app
from polysema.core.model.catalog import entry, folder_of, models_here
from polysema.core.space.space import Family


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


def test_every_kind_of_name_is_listed_with_what_it_is(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = entry("bert-tiny-en")
    birds = str(tmp_path / "birds.txt")
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    (tmp_path / "more.txt").write_text("a 1\nb 2\n")
    remember(str(tmp_path / "more.txt"), Family.STATIC)
    remember(birds, Family.STATIC)
    Path(tmp_path / "more.txt").write_bytes(b"%PDF-1.4 ")  # can't be opened any more, and is left out
    explorer = Explorer(models={"mine": "bert-tiny-en", "flock": birds})
    explorer.collections.create("stored")
    spaces = {one.name: one for one in explorer.spaces()}
    told = {name: (one.family, one.here, one.layers, one.source) for name, one in spaces.items()}
    assert told["glove-6b-300d"] == ("static", False, False, "catalog")
    assert told["my-birds"] == ("static", True, False, "own catalog")
    assert told["my-bert"] == ("encoder", True, True, "own catalog")
    assert told["mine"] == ("encoder", True, True, "settings")
    assert told["flock"] == ("static", True, False, "settings")
    assert told[birds] == ("static", True, False, "opened before")
    assert told["stored"] == ("collection", True, False, "collection")
    assert str(tmp_path / "more.txt") not in told
    size = (tmp_path / "birds.txt").stat().st_size
    assert {spaces[name].bytes for name in ("my-birds", "flock", birds)} == {size}
    models = {one.id: one for one in explorer.models()}
    assert {"my-bert", "mine", "gpt2"} <= set(models)
    assert not {"my-birds", "flock", birds, "stored"} & set(models)
    assert (models["gpt2"].here, models["gpt2"].license, models["gpt2"].bytes) == (False, "MIT", 548105171)
    assert models["my-bert"].bytes == (Path(str(folder_of(entry("minilm-l6")))) / "model.safetensors").stat().st_size
    assert (models["mine"].license, models["mine"].here) == (model.license, True)
    assert "gpt2" not in explorer.models()
    for command in (["models", "list"], ["spaces"]):
        plain = CliRunner().invoke(cli, command)
        assert plain.exit_code == 0, plain.output
        assert all(name in plain.output for name in ("my-birds", birds, "gpt2"))


def test_names_of_the_settings_are_names_in_the_shell(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[models]\nflock = "{tmp_path / "birds.txt"}"\nsmall = "gpt-tiny-en"\n')
    monkeypatch.setenv("POLYSEMA_SETTINGS", str(settings))
    run = CliRunner().invoke
    found = json.loads(run(cli, ["neighbors", "swan", "-s", "flock", "-k", "1", "--format", "json"]).stdout)
    assert (found["neighbors"][0]["word"], found["origin"]["source"]) == ("crane", "flock")
    written = run(cli, ["generate", "The", "-m", "small", "--max-new-tokens", "2", "--format", "json"])
    assert json.loads(written.stdout)["model"] == "small"
    listed = json.loads(run(cli, ["models", "list", "--format", "json"]).stdout)["data"]
    assert {one["id"]: one["source"] for one in listed}.items() >= {"flock": "settings", "small": "settings"}.items()
    settings.write_text('[models]\nflock = "/nowhere"\n')
    wrong = run(cli, ["neighbors", "swan", "-s", "flock"])
    assert "there is no model or space '/nowhere'" in str(wrong.exception)


def test_collections_of_the_data_folder_have_their_names_in_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    made = Collection.create(tmp_path / "data" / "flock")
    made.add(["swan", "crane", "coal"], [[1, 0], [0.9, 0.1], [-1, 0.2]])
    settings = tmp_path / "settings.toml"
    settings.write_text(f'data = "{tmp_path / "data"}"\n')
    for variable, value in (("POLYSEMA_DATA", tmp_path / "data"), ("POLYSEMA_SETTINGS", settings)):
        with monkeypatch.context() as patch:
            patch.setenv(variable, str(value))
            found = CliRunner().invoke(cli, ["neighbors", "swan", "-s", "flock", "-k", "1", "--format", "json"])
            assert json.loads(found.stdout)["neighbors"][0]["word"] == "crane"
            assert "flock" in CliRunner().invoke(cli, ["spaces"]).stdout
