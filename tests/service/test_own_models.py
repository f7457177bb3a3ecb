"""Names that the owner of a service gives to folders, files and hub ids: every route takes them, none takes a path."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.app.client.client import Client
from polysema.app.config.loading import load_settings
from polysema.app.explorer import Explorer
from polysema.core.errors import BeyondMemoryError, UserError
from polysema.core.model.loading_cost import check_memory_together
from tests.conftest import build
from tests.core.test_static_embedding import model2vec, table
from tests.service.conftest import free_port, running

TEXT = "the river bank by the water"
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/embeddings", {"input": [TEXT]}),
    ("/v1/embed", {"texts": [TEXT], "layers": [0, 2]}),
    ("/v1/compare", {"word": "bank", "texts": [TEXT, "the bank"]}),
    ("/v1/occurrences", {"text": TEXT, "word": "bank", "layer": 2}),
    ("/v1/attention", {"text": TEXT}),
    ("/v1/lens", {"text": "the [MASK] bank"}),
    ("/v1/surprisal", {"text": TEXT}),
    ("/v1/rollout", {"text": TEXT}),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("bert-mlm", tmp_path_factory.mktemp("weights") / "bert")


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    path = tmp_path / "private" / "birds.txt"
    path.parent.mkdir()
    path.write_text("swan 1 0\ncrane 0.9 0.1\ncoal -1 0.2\n")
    return path


def test_every_route_takes_the_name_and_tells_no_path(weights: Path, birds: Path, tmp_path: Path) -> None:
    folder = weights
    own = (f"mine={folder}", f"birds={birds}")
    with running(Explorer(), data=str(tmp_path / "data"), models=own) as (url, _):
        takes_the_names(url, folder, birds)


def takes_the_names(url: str, folder: Path, birds: Path) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        cards = {one["id"]: one for one in http.get("/v1/models").json()["data"]}
        assert {"mine", "birds", "minilm-l6"} <= set(cards)
        assert (cards["mine"]["family"], cards["mine"]["here"]) == ("encoder", True)
        assert cards["mine"]["bytes"] == (folder / "model.safetensors").stat().st_size
        assert (cards["birds"]["family"], http.get("/v1/models/birds").json()) == ("static", cards["birds"])
        assert (cards["mine"]["source"], cards["minilm-l6"]["source"]) == ("settings", "catalog")
        http.put("/v1/collections/stored")
        spaces = {one["name"]: one for one in http.get("/v1/spaces").json()["spaces"]}
        assert {"mine", "birds", "stored"} <= set(spaces)
        assert spaces["stored"]["family"] == "collection"
        assert (spaces["birds"]["bytes"], spaces["birds"]["source"]) == (birds.stat().st_size, "settings")
        answers = [http.get(path) for path in ("/v1/models", "/v1/spaces", "/v1/spaces/birds", "/v1/spaces/mine")]
        answers += [http.post(path, json={"model": "mine", **body}) for path, body in BODIES]
        answers.append(http.get("/v1/neighbors", params={"space": "birds", "word": "swan", "k": 1}))
        assert answers[-1].json()["neighbors"][0]["word"] == "crane"
        answers.append(http.get("/v1/neighbors", params={"space": "mine", "word": "bank", "k": 1}))
        answers.append(http.get("/v1/analogy", params={"space": "birds", "expression": "swan - coal"}))
        for answer in answers:
            assert answer.status_code == 200, answer.text
            assert str(folder) not in answer.text
            assert "private" not in answer.text
        birds.unlink()
        gone = http.get("/v1/neighbors", params={"space": "birds", "word": "swan", "transform": "centered"})
        assert "private" not in gone.text
        taken = http.put("/v1/collections/mine")
        assert (taken.status_code, "of a model that is served" in taken.text) == (409, True)
    with Client(url) as client:
        assert client.model("mine").embed([TEXT], layers=[2]).vectors.shape[-1] == 16
        assert "mine" in client.models()
        assert "birds" not in client.models()
        assert {"mine", "stored"} <= set(client.spaces().names)


def test_a_static_embedding_model_reads_texts_over_http(weights: Path, tmp_path: Path) -> None:
    folder = model2vec(weights, tmp_path / "private", {"normalize": True}, embeddings=table(weights))
    here = Explorer().model(str(folder))
    texts = [TEXT, "a river", "the bank " * 40]
    wanted = here.embed(texts, unit="sentences").vectors
    service = running(Explorer(), data=str(tmp_path / "data"), models=(f"m2v={folder}",), batch_texts=2)
    with service as (url, _), Client(url) as client, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        np.testing.assert_allclose(client.model("m2v").embed(texts, unit="sentences").vectors, wanted, atol=1e-6)
        assert client.model("m2v").embed([TEXT]).rows == here.embed([TEXT]).rows
        made = http.post("/v1/embeddings", json={"model": "m2v", "input": texts})
        np.testing.assert_allclose([one["embedding"] for one in made.json()["data"]], wanted, atol=1e-6)
        assert made.json()["usage"]["prompt_tokens"] == sum(map(here.table.count_tokens, texts))
        short = http.post("/v1/embeddings", json={"model": "m2v", "input": TEXT, "dimensions": 2}).json()
        assert len(short["data"][0]["embedding"]) == 2
        for path, body, message in (
            ("/v1/embeddings", {"input": [[1, 2]], "token_ids": True}, "reads texts, not token ids"),
            ("/v1/embeddings", {"input": "the", "dimensions": 99}, "has 6 dimensions"),
            ("/v1/lens", {"text": TEXT}, "m2v is a static space: it has no layers"),
        ):
            refused = http.post(path, json={"model": "m2v", **body})
            assert refused.status_code in (400, 422), refused.text
            assert message in refused.text
            assert "private" not in refused.text
    printed = CliRunner().invoke(cli, ["embed", *texts, "-m", str(folder), "--unit", "sentences", "--format", "json"])
    np.testing.assert_allclose(json.loads(printed.stdout)["vectors"], wanted, atol=1e-6)


def test_no_request_names_a_path(weights: Path, birds: Path, tmp_path: Path) -> None:
    own = (f"mine={weights}", "minilm-l6")
    service = running(Explorer(), data=str(tmp_path / "data"), models=own)
    with service as (url, _), httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        assert [one["id"] for one in http.get("/v1/models").json()["data"]] == ["minilm-l6", "mine"]
        layer = http.post("/v1/attention", json={"model": "mine@1", "text": TEXT})
        assert (layer.status_code, "mine@1 is one layer of mine" in layer.text) == (422, True), layer.text
        for place in (str(weights), str(birds), f"file:{birds}", "owner/name", "../birds.txt", "mine@99999"):
            refuses(http, place)


def refuses(http: httpx.Client, place: str) -> None:
    for path, body in BODIES:
        refused = http.post(path, json={"model": place, **body})
        assert refused.status_code in (400, 404, 422), (path, refused.text)
    for space in (place, "glove-6b-50d"):  # the settings name neither
        assert http.get("/v1/neighbors", params={"space": space, "word": "swan"}).status_code == 422


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["mine=/nowhere/at/all"], "there is no model or space '/nowhere/at/all'"),
        (["../mine={birds}"], "a name of a model has small letters, digits, '-', '_' and single dots"),
        (["a..b={birds}"], "no path; got 'a..b'"),
        (["a/b={birds}"], "no path; got 'a/b'"),
        (["Mine={birds}"], "got 'Mine'"),
        (["={birds}"], "got ''"),
        (["mine={birds}", "mine={birds}"], "has the name mine twice"),
        (["minilm-l6={birds}"], "minilm-l6 is a name of the catalog"),
        (["mine="], "a model or space needs a name; got an empty one"),
        (["nope"], "names rows of the catalog"),
        (["mine={empty}"], "is not a model: it has no config.json"),
        (["mine=owner/name"], "owner/name is not on this machine, and can't be brought from the hub"),
        (["mine={notes}"], "notes.pdf is a PDF file"),
    ],
)
def test_a_mistake_is_told_at_the_start_in_one_line(
    given: list[str], message: str, birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.4 nothing")
    places = {"birds": birds, "empty": tmp_path / "empty", "notes": tmp_path / "notes.pdf"}
    arguments = [part for one in given for part in ("--models", one.format(**places))]
    result = CliRunner().invoke(cli, ["serve", "--port", str(free_port()), *arguments])
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert result.stdout == ""


def test_the_table_of_the_settings_file(tmp_path: Path, birds: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(f'port = 9000\n\n[models]\nbirds = "{birds}"\nminilm-l6 = "minilm-l6"\n')
    settings = load_settings(environment={}, file=str(file)).settings
    assert settings.own_models == {"birds": str(birds)}
    assert settings.served_catalog == {"minilm-l6"}
    file.write_text("[models]\nbirds = 3\n")
    with pytest.raises(UserError, match=r'\[models\] has a line NAME = "PLACE" for each name; got birds = 3'):
        load_settings(environment={}, file=str(file))


def test_models_too_big_together_are_told() -> None:
    with pytest.raises(
        BeyondMemoryError, match=r"a and b take 2000000.0 GB of memory together, and .* free \(a 1000000.0 GB, b"
    ):
        check_memory_together({"a": 10**15, "b": 10**15})
    check_memory_together({"a": 1})
