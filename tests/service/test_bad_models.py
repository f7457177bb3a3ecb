"""Models that can't be right, through Python, the shell, HTTP and the card before loading: one line, nothing loaded."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from polysema.app.cli.main import cli
from polysema.app.client.client import Client
from polysema.app.explorer import Explorer, ModelOptions
from polysema.app.explorer.description import describe
from polysema.core.errors import BeyondMemoryError, PolysemaError
from polysema.core.model import loading_cost
from polysema.core.model.catalog import locate
from tests.service.conftest import running

Change = Callable[[Path], object]


def config(**fields: Any) -> Change:
    def write(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return write


def weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    def write(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(change(load_file(path)), path, {"format": "pt"})

    return write


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-500])


def without_tokenizer(folder: Path) -> None:
    for path in folder.glob("token*"):
        path.unlink()


def one_more_token(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["zebra"] = len(vocabulary)
    path.write_text(json.dumps(tokenizer))


def is_nan(tensors: dict[str, Any]) -> dict[str, Any]:
    name = next(key for key in tensors if key.endswith("layer.1.output.dense.weight"))
    return tensors | {name: torch.full_like(tensors[name], float("nan"))}


def not_of(part: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda tensors: {key: one for key, one in tensors.items() if part not in key}


BIAS = {"model.layers.0.self_attn.q_proj.bias": torch.ones(16)}
CODE = {"model_type": "mine", "auto_map": {"AutoModel": "mine.Model"}}
# name, the model that it is made of, what is done to it, the message
KNOWN_BY_LOADING: list[tuple[str, str, Change, str]] = [
    ("other", "bert-mlm", config(model_type="roberta"), "the weights of {} don't fit its config: .* missing"),
    ("missing", "bert-mlm", weights(not_of("layer.1.attention.self.query")), "don't fit its config: 2 missing"),
    (
        "extra",
        "llama",
        weights(lambda tensors: tensors | BIAS),
        "leaves out 1 which they have, among them",
    ),
    (
        "shape",
        "bert-mlm",
        config(vocab_size=10**9),
        r"weight is \(.*\) in the file and \(1000000000, 16",
    ),
    ("tokens", "bert-mlm", one_more_token, r"the tokenizer of {} has \d+ tokens, its table of embeddings \d+ rows"),
    ("wordless", "bert-mlm", without_tokenizer, "{} has no tokenizer: no tokenizer.json"),
    ("nan", "bert-mlm", weights(is_nan), "the weights of {} are not all numbers: NaN or infinite are 512 of 512"),
    ("cut", "bert-mlm", cut, "a file of its weights is cut off or damaged"),
]
KNOWN_BEFORE: list[tuple[str, Change, str]] = [
    (
        "mamba",
        config(model_type="mamba", num_attention_heads=None),
        "a mamba model has no attention heads",
    ),
    ("vit", config(model_type="vit", vocab_size=None), "is a vit model, which reads no texts"),
    ("layers", config(num_hidden_layers=10**6), "says 1,000,000 layers, and its files hold"),
    ("none", config(num_hidden_layers=0), "the config says that there are 0 layers"),
    ("heads", config(num_attention_heads=0), "says that there are 0 attention heads; a layer has at least 1"),
    ("dtype", config(dtype="float99"), "has no attribute 'float99'"),
    ("text", config(num_hidden_layers="two"), "num_hidden_layers' expected int, got str"),
    ("code", config(**CODE), r"it needs code that comes with it \(mine.Model\), and such code is never run here"),
]


def one_line(message: str) -> str:
    assert "\n" not in message
    assert "trust_remote_code" not in message
    return message


@pytest.fixture(scope="module")
def bad(headed: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base = tmp_path_factory.mktemp("bad")
    made = [*((name, of, change) for name, of, change, _ in KNOWN_BY_LOADING)]
    made += [(name, "bert-mlm", change) for name, change, _ in KNOWN_BEFORE]
    for name, of, change in made:
        change(Path(shutil.copytree(headed[of], base / name)))
    return base


def test_what_only_loading_tells(bad: Path, tmp_path: Path) -> None:
    explorer, shell = Explorer("cpu"), CliRunner()
    own = tuple(f"{name}={bad / name}" for name, *_ in KNOWN_BY_LOADING)
    service = running(Explorer("cpu"), data=str(tmp_path / "data"), models=own)
    with service as (url, _), httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        for name, _, _, message in KNOWN_BY_LOADING:
            path = str(bad / name)
            with pytest.raises(PolysemaError, match=message.format(path)) as refused:
                explorer.model(path, ModelOptions(engine="torch")).embed(["the bank"])
            one_line(str(refused.value))
            result = shell.invoke(cli, ["embed", "the bank", "--model", path, "--engine", "torch"])
            assert isinstance(result.exception, PolysemaError), result.output
            assert one_line(str(result.exception)) == str(refused.value)
            answer = http.post("/v1/embed", json={"model": name, "texts": ["the bank"]})
            assert 400 <= answer.status_code < 500 or answer.json()["error"]["code"] == "unreadable", answer.text
            assert str(bad) not in one_line(answer.text)


def test_what_the_config_tells_before_anything_is_loaded(bad: Path) -> None:
    for name, _, message in KNOWN_BEFORE:
        path = str(bad / name)
        with pytest.raises(PolysemaError, match=message) as told:
            describe(locate(path))  # the card of the picker
        with pytest.raises(PolysemaError, match=message):
            Explorer("cpu").model(path)
        result = CliRunner().invoke(cli, ["serve", "--port", "1", "--models", f"mine={path}"])
        assert isinstance(result.exception, PolysemaError), (name, result.output)
        one_line(str(told.value))
        one_line(str(result.exception))


def test_three_models_too_big_for_the_machine_are_told_before_the_first_is_loaded(
    headed: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 5 * 10**9  # numbers of 4 bytes: 20 GB
    header = json.dumps({"x": {"dtype": "F32", "shape": [n], "data_offsets": [0, 4 * n]}}).encode()
    folders = [str(shutil.copytree(headed["bert-mlm"], tmp_path / f"big{number}")) for number in range(3)]
    for folder in folders:
        (Path(folder) / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    memory = tmp_path / "meminfo"
    memory.write_text(f"MemTotal: 1 kB\nMemAvailable: {24 * 10**9 // 1024} kB\n")
    monkeypatch.setattr(loading_cost, "MEMORY_FILE", memory)
    monkeypatch.setattr(loading_cost, "GROUP_FILES", ())
    together = r"take 60.0 GB of memory together, and 24.0 GB are free \(big0 20.0 GB, .*; free memory, or take fewer"
    own = {f"big{number}": folder for number, folder in enumerate(folders)}
    explorer = Explorer("cpu", models=own)
    with pytest.raises(BeyondMemoryError, match=together):
        explorer.compare_families("the bank", list(own))
    arguments = [part for folder in folders for part in ("-m", folder)]
    result = CliRunner().invoke(cli, ["inside", "compare-families", "the bank", *arguments])
    assert "take 60.0 GB of memory together" in one_line(str(result.exception))
    served = tuple(f"{name}={folder}" for name, folder in own.items())
    with running(explorer, data=str(tmp_path / "data"), models=served) as (url, _):
        refused = httpx.post(
            f"{url}/v1/compare-families", json={"models": list(own), "text": "the bank"}, trust_env=False
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "beyond_memory"), refused.text
        assert re.search(together, one_line(refused.json()["error"]["message"]))
        memory.write_text(f"MemTotal: 1 kB\nMemAvailable: {10 * 10**9 // 1024} kB\n")
        for path, body, status in (
            ("/v1/embed", {"texts": ["the bank"]}, 422),
            ("/v1/attention", {"text": "the bank"}, 422),
            ("/v1/embeddings", {"input": "the bank"}, 400),
        ):
            alone = httpx.post(f"{url}{path}", json={"model": "big0", **body}, trust_env=False)
            assert (alone.status_code, alone.json()["error"]["code"]) == (status, "beyond_memory"), alone.text
            assert "Retry-After" not in alone.headers
            assert (
                "big0 takes 20.0 GB of memory in float32, and 10.0 GB are free; float16 or bfloat16 take half; "
                "free memory or take a smaller model"
            ) in one_line(alone.json()["error"]["message"])
        with Client(url) as client, pytest.raises(BeyondMemoryError, match="big1 takes 20.0 GB"):
            client.model("big1").embed(["the bank"])
    assert explorer.memory_usage()["models"] == 0


def test_a_container_has_no_more_than_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, used, stat = tmp_path / "memory.max", tmp_path / "memory.current", tmp_path / "memory.stat"
    monkeypatch.setattr(loading_cost, "GROUP_FILES", ((limit, used),))
    limit.write_text("3000000\n")
    used.write_text("2500000\n")
    stat.write_text("anon 2000000\ninactive_file 400000\n")
    assert loading_cost.free_memory() == 900_000
    limit.write_text("max\n")
    assert (loading_cost.free_memory() or 0) > 900_000
