"""A model that many texts go through is exported by another process, and answers by the faster engine from then on."""

import json
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.core.model.load import load_model
from tests.command_line import call
from tests.service.conftest import running


def test_an_engine_is_prepared_while_requests_are_answered(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    explorer = Explorer(models={"mine": str(tiny["bert"])})
    with running(explorer, models=[f"mine={tiny['bert']}"], prepare_after=4, data=str(tmp_path / "data")) as (
        url,
        made,
    ):

        def ask(n: int) -> np.ndarray:
            body = {"model": "mine", "input": [f"the bank {i}" for i in range(n)]}
            answer = httpx.post(f"{url}/v1/embeddings", json=body, timeout=60, trust_env=False)
            return np.array([row["embedding"] for row in answer.raise_for_status().json()["data"]])

        def engine() -> str:
            return made._polysema.engines.model("mine", explorer.model("mine").model, 0).engine.name

        first = ask(3)
        assert not (tmp_path / "engines").exists()
        ask(1)
        end = time.monotonic() + 240
        while not (found := list(tmp_path.glob("engines/*/record.json"))):
            assert time.monotonic() < end, "nothing was exported"
            time.sleep(0.1)
        assert engine() == "torch"
        record = json.loads(found[0].read_text())
        assert record["exact"] is True
        found[0].write_text(json.dumps(record | {"faster": 2.0}))  # of so small a model it may be either
        ask(4)
        assert engine() == "onnx"
        np.testing.assert_allclose(ask(3), first, atol=1e-5)
    shown = call(["models", "prepare", str(tiny["bert"])], tmp_path)
    assert shown.status == 0, shown.err
    assert "runs on onnx: onnx is 2 times as fast as torch here, with states equal to" in shown.out


def test_nothing_is_exported_where_it_is_not_wished_and_what_cannot_be_stays_on_torch(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polysema.app.service.engine_preparation import EnginePreparation

    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    loaded = load_model(str(tiny["bert"]), "cpu", patient=False)
    for engines in (EnginePreparation({}, 0), EnginePreparation({}, 2, exports=False)):
        assert engines.model("mine", loaded, 10) is loaded
        assert engines.model("mine", loaded, 10) is loaded
        engines.close()
    assert not list(tmp_path.iterdir())
    shown = call(["models", "prepare", "glove-6b-50d"], tmp_path)
    assert (shown.status, "is a static space" in shown.err) == (2, True)
