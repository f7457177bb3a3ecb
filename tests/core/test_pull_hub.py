"""Entries of the hub, pulled from a hub on loopback: resumed, compared with their hashes, whole or not at all."""

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.app.explorer import Explorer
from polysema.core.errors import UnavailableError, UnreadableError
from polysema.core.jobs import JobCancelledError
from polysema.core.model.catalog import CATALOG, entry, folder_of, locate
from polysema.core.model.catalog_file import CatalogEntry, read_catalog
from polysema.core.model.load import load_model
from polysema.core.model.pull import pull
from polysema.core.model.pull_hub import source_notes
from tests.conftest import build
from tests.core.hub_server import LocalHub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CLASSICS = ("bert-base", "gpt2", "t5-small", "opus-mt-en-fr", "glove-6b-300d", "fasttext-en")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("bert-mlm", tmp_path_factory.mktemp("weights") / "bert")


@pytest.fixture
def hub(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with LocalHub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.add("owner/tiny", COMMIT, weights)
        path = tmp_path / "catalog.toml"
        file = weights / "model.safetensors"
        path.write_text(
            f'[[model]]\nname = "tiny"\nfamily = "encoder"\nhub = "owner/tiny"\nrevision = "{COMMIT}"\nfiles = [\n'
            f'{{ path = "model.safetensors", bytes = {file.stat().st_size}, sha256 = "{digest(file)}" }},\n'
            '{ path = "config.json" }, { path = "tokenizer.json" }, { path = "tokenizer_config.json" } ]\n'
        )
        monkeypatch.setenv("POLYSEMA_CATALOG", str(path))
        yield server
        server.shutdown()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "home").rglob("*") if p.is_file() and not p.name.endswith(".lock"))


def test_a_model_is_pulled_and_loads(hub: LocalHub, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["models", "pull", "tiny"])
    assert result.exit_code == 0, result.output
    folder = folder_of(entry("tiny"))
    assert folder == tmp_path / "home" / "models" / f"tiny-{COMMIT[:12]}"
    assert str(folder) in result.output
    assert load_model("tiny", "cpu", "torch").dim == 16
    told = json.loads((folder / "SOURCE.json").read_text())
    assert {one["path"] for one in told["files"]} == {
        *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    }
    assert hub.ranges == [0, 0, 0, 0]
    assert pull(entry("tiny")) == folder
    assert len(hub.ranges) == 4  # what is here is not requested again


def test_a_cut_connection_goes_on_where_it_ended(hub: LocalHub) -> None:
    hub.cut_after, hub.cuts = 4096, 3
    steps: list[tuple[int, int]] = []
    pull(entry("tiny"), lambda stage, done, total: steps.append((done, total)) if stage == "download" else None)
    assert hub.ranges[:4] == [0, 4096, 8192, 12288]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == steps[-1][1]


def test_what_a_cancelled_pull_brought_is_taken_up(hub: LocalHub, tmp_path: Path) -> None:
    hub.cut_after, hub.cuts = 4096, 1

    def stop(stage: str, done: int, total: int) -> None:
        if done >= 4096:
            raise JobCancelledError

    with pytest.raises(JobCancelledError):
        pull(entry("tiny"), stop)
    assert folder_of(entry("tiny")) is None
    pull(entry("tiny"))
    assert hub.ranges[1] == 4096
    assert all(".parts" not in str(path) for path in (tmp_path / "home").rglob("*"))


def test_other_bytes_are_refused_and_nothing_is_kept(hub: LocalHub, tmp_path: Path) -> None:
    hub.repositories["owner/tiny"][COMMIT]["model.safetensors"] += b"x"
    with pytest.raises(UnavailableError, match=r"has other bytes than its sha256 says .* nothing of it was kept"):
        pull(entry("tiny"))
    hub.repositories["owner/tiny"][COMMIT]["model.safetensors"] = bytes(
        len(hub.repositories["owner/tiny"][COMMIT]["model.safetensors"]) - 1
    )
    result = CliRunner().invoke(cli, ["models", "pull", "tiny"])
    assert isinstance(result.exception, UnavailableError)
    assert left(tmp_path) == []
    assert "\n" not in str(result.exception)


def test_a_file_without_a_hash_is_held_to_the_hubs(hub: LocalHub) -> None:
    good = hub.repositories["owner/tiny"][COMMIT]["config.json"]
    hub.tampered["config.json"] = good.replace(b"16", b"61")
    with pytest.raises(UnavailableError, match=r"config.json from .* has other bytes than its git's sha1 says"):
        pull(entry("tiny"))
    hub.tampered.clear()
    del hub.repositories["owner/tiny"][COMMIT]["tokenizer.json"]
    with pytest.raises(UnavailableError, match="owner/tiny has no tokenizer.json at 0123"):
        pull(entry("tiny"))
    assert folder_of(entry("tiny")) is None


def test_without_the_hub_it_says_so(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match=r"tiny: http://127.0.0.1:9/api/.* can't be reached .*any folder with a"):
        pull(entry("tiny"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnavailableError, match="not reached from here, since HF_HUB_OFFLINE is set"):
        pull(entry("tiny"))
    assert left(tmp_path) == []


def test_the_converted_copy_of_a_pickle_is_found(hub: LocalHub, weights: Path) -> None:
    files = hub.repositories["owner/tiny"][COMMIT]
    hub.repositories["owner/tiny"]["refs/pr/7"] = {"model.safetensors": files["model.safetensors"]}
    hub.commits["refs/pr/7"] = "f" * 40
    hub.repositories["owner/tiny"][COMMIT] = {name: files[name] for name in files if name != "model.safetensors"}
    hub.discussions["owner/tiny"] = [
        {"num": 3, "title": "How to?", "isPullRequest": False},
        {"num": 7, "title": "Adding `safetensors` variant of this model", "isPullRequest": True},
    ]
    row = replace(entry("tiny"), converted=("model.safetensors",))
    row = replace(row, members=tuple(replace(one, bytes=0, sha256="") for one in row.members))
    notes = source_notes(pull(row))
    assert notes[0] == f"model.safetensors is the converted copy of refs/pr/7, commit {'f' * 40}"
    assert (
        notes[1] == f"the sha256 of model.safetensors is what the hub states, {digest(weights / 'model.safetensors')}"
    )
    assert load_model("tiny", "cpu", "torch").n_layers == 2
    hub.discussions["owner/tiny"] = []
    with pytest.raises(UnavailableError, match="has its weights only as a pickle, which is never loaded, and no pull"):
        pull(row, force=True)


def test_vectors_of_a_branch_say_which_commit_they_are(hub: LocalHub, tmp_path: Path) -> None:
    hub.repositories["owner/words"] = {"main": {"model.bin": b"swan 1 0\ncrane 0.9 0.1\ncoal -1 0.2\n"}}
    hub.commits["main"] = "a" * 40
    path = tmp_path / "catalog.toml"
    row = 'name = "words"\nfamily = "static"\nhub = "owner/words"\nrevision = "main"\n'
    path.write_text(f'[[model]]\n{row}files = [{{ path = "model.bin" }}]\n')
    with pytest.raises(UnreadableError, match="with unpinned = true, a branch"):
        read_catalog(path)
    path.write_text(f'[[model]]\n{row}unpinned = true\nfiles = [{{ path = "model.bin" }}]\n')
    assert source_notes(pull(entry("words")))[0].startswith("the sha256 of model.bin is what the hub states")
    assert f"the catalog pins no commit of owner/words: this is {'a' * 40}" in source_notes(pull(entry("words")))
    assert locate("words").path == pull(entry("words")) / "model.bin"
    assert Explorer().space("words").neighbors("swan", k=1)[0].key == "crane"
    assert Explorer().space("words").space.origin.source == "words"


def test_a_file_of_an_archive(hub: LocalHub, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "birds.zip", "w") as archive:
        archive.writestr("birds.txt", "swan 1 0\ncrane 0.9 0.1\n")
        archive.writestr("other.txt", "coal 1 0\n")
    content = (tmp_path / "birds.zip").read_bytes()
    hub.repositories["owner/zips"] = {"main": {"birds.zip": content}}
    path = tmp_path / "catalog.json"
    row = {"name": "birds", "family": "static", "version": "1", "url": "https://example.org/birds.zip"}
    row |= {"sha256": hashlib.sha256(content).hexdigest(), "wheel_bytes": len(content)}
    path.write_text(json.dumps({"model": [{**row, "files": [{"path": "birds.txt"}]}]}))
    (read,) = read_catalog(path)
    folder = pull(replace(read, url=f"{hub.url}/owner/zips/resolve/main/birds.zip"))
    assert sorted(one.name for one in folder.iterdir()) == ["SOURCE.json", "birds.txt"]
    wrong = replace(read, url=f"{hub.url}/owner/zips/resolve/main/birds.zip", sha256="0" * 64)
    with pytest.raises(UnavailableError, match="has other bytes than its sha256 says"):
        pull(wrong, force=True)
    assert (folder / "birds.txt").is_file()  # what was there stays
    path.write_text(json.dumps({"model": [{**row, "sha256": "", "files": [{"path": "birds.txt"}]}]}))
    with pytest.raises(UnreadableError, match="an archive needs its sha256"):
        read_catalog(path)


@pytest.mark.parametrize("name", CLASSICS)
def test_the_classics_are_in_the_catalog(name: str) -> None:
    row: CatalogEntry = next(one for one in CATALOG if one.name == name)
    assert row.license
    assert (len(row.revision) == 40 and not row.unpinned) or row.unpinned or len(row.sha256) == 64
    pinned = {one.path for one in row.members if one.sha256}
    assert "model.safetensors" in pinned or row.converted or row.family.value == "static"
