"""A GGUF file, a LoRA folder and fastText's binary behind names of a service, over HTTP and in the client."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from polysema.app.client.client import Client
from polysema.app.explorer import Explorer
from polysema.core.errors import UnreadableError
from tests.core.test_fasttext import model as fasttext  # noqa: F401
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
    cut = tmp_path / "cut.bin"
    cut.write_bytes(fasttext.read_bytes()[:300])
    places = {"file": path, "lora": adapter, "words": fasttext, "cut": cut}
    own = tuple(f"{name}={place}" for name, place in places.items())
    service = running(Explorer("cpu", models={name: str(place) for name, place in places.items()}), models=own)
    here = Explorer("cpu")
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
    (tmp_path / "none.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(UnreadableError, match="none.gguf can't be read as GGUF"):
        Explorer("cpu", models={"mine": str(tmp_path / "none.gguf")}).names.locate("mine")
