"""Loading is told step by step and ends at the step at which it is cancelled, from folders and from a hub."""

import gc
import io
import json
import re
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from polysema.app.cli.output import progress_bar
from polysema.app.explorer import Explorer, ModelOptions
from polysema.core.errors import BeyondMemoryError, UserError
from polysema.core.jobs import JobCancelledError
from polysema.core.model.catalog import locate
from polysema.core.model.description import describe_model
from polysema.core.model.hub import cached_folder
from polysema.core.model.hub_download import bring
from polysema.core.model.load import load_model
from polysema.core.model.watched_load import Watch
from polysema.core.progress import no_progress
from tests.conftest import build
from tests.core.hub_server import LocalHub, served_hub

NAME = "owner/tiny"
CODE = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}


class Steps:
    """What was told, up to a stage at which it is cancelled."""

    def __init__(self, until: str = "") -> None:
        self.told: list[tuple[str, int, int]] = []
        self._until = until

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        self.told.append((stage, done, total))
        if stage == self._until and done:
            raise JobCancelledError

    def of(self, stage: str) -> list[tuple[int, int]]:
        return [(done, total) for name, done, total in self.told if name == stage]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("bert-mlm", tmp_path_factory.mktemp("weights") / "bert")


@pytest.fixture
def hub(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with served_hub(monkeypatch, tmp_path / "hub") as server:
        server.add(NAME, "main", weights)
        server.commits["main"] = "0123456789abcdef0123456789abcdef01234567"
        yield server


def tables_in_memory(weights: Path) -> int:
    """How many tables of as many rows as the model has tokens are in memory."""
    rows = json.loads((weights / "config.json").read_text())["vocab_size"]
    gc.collect()
    return sum(type(one) in (torch.Tensor, torch.nn.Parameter) and one.shape[:1] == (rows,) for one in gc.get_objects())


def test_a_folder_is_told_in_bytes_and_weights(weights: Path) -> None:
    steps = Steps()
    model = load_model(str(weights), "cpu", "torch", progress=steps)
    size = (weights / "model.safetensors").stat().st_size
    assert steps.of("hash")[-1] == (size, size)
    weights = steps.of("read weights")
    assert [done for done, _ in weights] == list(range(len(weights)))
    assert weights[-1] == (weights[-1][1],) * 2
    assert len(weights) > len(list(model.whole.parameters())) // 2


def test_a_terminal_shows_one_line_that_goes(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar() as progress:
        load_model(str(weights), "cpu", "torch", progress=progress)
    shown = terminal.getvalue()
    assert re.search(r"hash: .*B/s.*read weights: ", shown, re.DOTALL)
    assert "\n" not in shown
    assert shown.rpartition("\r")[0].endswith(" ")


@pytest.mark.parametrize("stage", ["hash", "read weights"])
def test_what_is_cancelled_leaves_nothing_in_memory(weights: Path, stage: str) -> None:
    explorer, folder = Explorer("cpu"), str(weights)
    n_before = tables_in_memory(weights)
    with pytest.raises(JobCancelledError) as cancelled:
        explorer.model(folder, ModelOptions(engine="torch"), Steps(stage))
    assert (tables_in_memory(weights), len(cancelled.traceback) > 3) == (n_before, True)  # though that is still here
    assert explorer.model(folder, ModelOptions(engine="torch")).model.dim == 16


def test_a_model_of_the_hub_is_described_brought_and_loaded(hub: LocalHub, weights: Path) -> None:
    told = describe_model(NAME)
    here = describe_model(str(weights))
    assert (told.family, told.architecture, told.file_bytes) == (here.family, here.architecture, here.file_bytes)
    assert told.tokenizer == here.tokenizer
    assert cached_folder(NAME) is None
    steps = Steps()
    model = load_model(NAME, "cpu", "torch", progress=steps)
    folder = cached_folder(NAME)
    assert folder is not None
    brought = steps.of("download")
    assert all(one[0] <= other[0] for one, other in pairwise(brought))
    assert (
        brought[-1] == (sum(path.stat().st_size for path in folder.iterdir() if path.name != "config.json"),) * 2
    )  # which is here
    wanted = load_model(str(weights), "cpu", "torch").whole.state_dict()
    assert all(torch.equal(one, wanted[name]) for name, one in model.whole.state_dict().items())
    n_requests = len(hub.ranges)
    load_model(NAME, "cpu", "torch")
    assert len(hub.ranges) == n_requests  # what is in the cache is not brought again


def test_a_download_is_cancelled_and_keeps_nobody_waiting(hub: LocalHub, weights: Path) -> None:
    n_before, others = tables_in_memory(weights), []

    def meanwhile() -> None:
        other = threading.Thread(target=lambda: others.append(load_model(str(weights), "cpu", "torch")), daemon=True)
        other.start()
        other.join(120)

    hub.hold = meanwhile
    with pytest.raises(JobCancelledError):
        load_model(NAME, "cpu", "torch", progress=Steps("download"))
    assert len(others) == 1  # loaded while the download waited for it
    others.clear()
    assert cached_folder(NAME) is None
    assert tables_in_memory(weights) == n_before
    hub.hold = lambda: None
    assert load_model(NAME, "cpu", "torch").dim == 16


def test_a_model_of_the_hub_bigger_than_memory_is_not_brought(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polysema.core.model.loading_cost.free_memory", lambda: 1000)
    hub.hold = lambda: pytest.fail("its weights are brought")
    with pytest.raises(BeyondMemoryError, match=rf"{NAME} takes 0.0 GB of memory in float32, and 0.0 GB are free"):
        load_model(NAME, "cpu", "torch")
    assert cached_folder(NAME) is None


def test_a_download_that_ended_between_two_files_of_weights_goes_on(hub: LocalHub, weights: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    files = hub.repositories[NAME]["main"]
    files["model-00001-of-00002.safetensors"] = files.pop("model.safetensors")
    files["model-00002-of-00002.safetensors"] = b"\0" * 8
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    folder = bring(locate(NAME), Watch(no_progress)).path
    assert folder is not None
    second = folder / "model-00002-of-00002.safetensors"
    second.unlink()
    assert cached_folder(NAME) is None
    assert bring(locate(NAME), Watch(no_progress)).path == folder
    assert second.is_file()


def test_what_the_hub_can_not_give_is_one_line(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    files = hub.repositories[NAME]["main"]
    config = json.loads(files["config.json"])
    hub.repositories["owner/code"] = {"main": files | {"config.json": json.dumps(config | CODE).encode()}}
    pickles = {name: content for name, content in files.items() if not name.endswith(".safetensors")}
    hub.repositories["owner/pickle"] = {"main": pickles | {"pytorch_model.bin": b"\x80"}}
    for name, message in (
        ("owner/none", "owner/none .*check the id and the connection, or give a local folder"),
        ("owner/code", "it needs code that comes with it.* and such code is never run here"),
        ("owner/pickle", "owner/pickle has no weights as safetensors"),
    ):
        for ask in (describe_model, load_model):
            with pytest.raises(UserError, match=message) as refused:
                ask(name)
            assert "\n" not in str(refused.value)
            assert "trust_remote_code" not in str(refused.value)
