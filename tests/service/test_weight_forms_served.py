"""A GGUF file, a LoRA folder and fastText's binary behind names of a service, over HTTP and in the client."""

import json
import re
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.app.client.client import Client
from polysema.app.config.loading import load_settings
from polysema.app.explorer import Explorer
from polysema.core.errors import UnreadableError
from polysema.core.model.description import describe_model
from tests.core.hub_server import served_hub
from tests.core.test_fasttext import model as fasttext  # noqa: F401
from tests.core.test_sentencepiece import folders, marian  # noqa: F401
from tests.core.test_weight_forms import adapter, write_gguf  # noqa: F401
from tests.service.conftest import running

TEXT = "the river"


def test_three_forms_of_weights_behind_names(
    tiny: dict[str, Path],
    adapter: Path,  # noqa: F811
    fasttext: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    cut = Path(shutil.copy(fasttext, tmp_path / "cut.bin"))
    places = {"file": path, "lora": adapter, "words": fasttext, "cut": cut}
    own = tuple(f"{name}={place}" for name, place in places.items())
    service = running(Explorer("cpu", models={name: str(place) for name, place in places.items()}), models=own)
    here = Explorer("cpu")
    cut.write_bytes(fasttext.read_bytes()[:300])  # after the start, which refuses it
    with service as (url, _), Client(url) as client, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        assert {"file", "lora"} <= set(client.models().names)
        assert set(places) <= set(client.spaces().names)
        for name in ("file", "lora"):
            wanted = here.model(str(places[name])).embed([TEXT], [0, 2], unit="tokens")
            found = client.model(name).embed([TEXT], [0, 2], unit="tokens")
            np.testing.assert_allclose(found.vectors, wanted.vectors, atol=1e-5)
            given = {"attention": {"text": TEXT}, "lens": {"text": TEXT}, "surprisal": {"text": TEXT}}
            answers = [http.post(f"/v1/{verb}", json={"model": name, **body}) for verb, body in given.items()]
            answers.append(http.post("/v1/embed", json={"model": name, "texts": [TEXT]}))
            answers.append(http.get("/v1/neighbors", params={"space": name, "word": "river", "k": 1}))
            for answer in answers:
                assert answer.status_code == 200, answer.text
                for place in (*places.values(), tiny["llama"]):
                    assert str(place) not in answer.text
        theirs, found = (
            here.space(str(fasttext)).neighbors("riverbanks", 2),
            client.space("words").neighbors("riverbanks", 2),
        )
        assert [(one.key, one.row) for one in found] == [(one.key, one.row) for one in theirs]
        np.testing.assert_allclose([one.score for one in found], [one.score for one in theirs], atol=1e-6)
        assert found.how == "made of its n-grams"
        refused = http.post("/v1/lens", json={"model": "words", "text": TEXT})
        broken = http.get("/v1/neighbors", params={"space": "cut", "word": "river"})
        assert (broken.status_code, str(tmp_path) in broken.text) == (422, False), broken.text
        assert (refused.status_code, "words is a static space" in refused.text) == (422, True)
    started = CliRunner().invoke(cli, ["serve", "--port", "1", "--models", f"words={cut}"])
    assert isinstance(started.exception, UnreadableError)
    assert re.fullmatch(r"\S+cut.bin is cut off: .*|\S+cut.bin ends among its words.*", str(started.exception))
    (tmp_path / "none.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(UnreadableError, match="none.gguf can't be read as GGUF"):
        Explorer("cpu", models={"mine": str(tmp_path / "none.gguf")}).names.locate("mine")


@pytest.mark.parametrize("kind", ["t5", "marian"])
def test_models_of_sentencepiece_alone_by_the_id_of_a_hub(
    kind: str,
    folders: dict[str, Path],  # noqa: F811
    marian: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, name = marian if kind == "marian" else folders[kind], f"owner/{kind}"
    wanted = Explorer("cpu").model(str(folder)).embed(["the bank"], [0, 2]).vectors
    with served_hub(monkeypatch, tmp_path / "python") as hub:
        hub.add(name, "main", folder)
        hub.commits["main"] = "0123456789abcdef0123456789abcdef01234567"
        told, here = describe_model(name), describe_model(str(folder))
        assert (told.tokenizer, told.architecture, told.family) == (here.tokenizer, here.architecture, here.family)
        np.testing.assert_array_equal(Explorer("cpu").model(name).embed(["the bank"], [0, 2]).vectors, wanted)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "shell"))
        command = ["embed", "the bank", "-m", name, "--layers", "0,2", "--engine", "torch", "--format", "json"]
        printed = CliRunner().invoke(cli, command)
        np.testing.assert_allclose(json.loads(printed.stdout)["vectors"], wanted, atol=1e-6)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "service"))
        own = load_settings({"models": [f"mine={name}"]}, {}, None).settings.own_models
        service = running(Explorer("cpu", models=own), models=(f"mine={name}",))
        with service as (url, _), Client(url) as client:
            assert not list((tmp_path / "service").rglob("*.safetensors"))
            np.testing.assert_allclose(client.model("mine").embed(["the bank"], [0, 2]).vectors, wanted, atol=1e-6)
