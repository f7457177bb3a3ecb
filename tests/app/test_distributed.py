"""An export on several processes and on a Ray cluster: killed at every place, and the bytes of one process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from polysema.app.explorer import Explorer
from polysema.app.export import run as module
from polysema.app.export.distributed import PlannedShard, ShardTask, connect
from polysema.app.export.local_workers import LocalWorkers
from polysema.app.export.options import ExportOptions, ExportSource
from polysema.app.export.place import Place, parse_place
from polysema.app.export.rows import ShardTexts
from polysema.app.export.run import shard_work, verify
from polysema.app.export.worker_model import WorkerModel
from polysema.core.corpus import Corpus, open_records
from polysema.core.errors import BeyondMemoryError, ConflictError, NotFoundError, UserError
from polysema.core.measure.annotations import LabeledWord, annotations_of
from polysema.core.model.catalog import locate
from polysema.core.model.load import load_model
from tests.endurance import ENDURE

SHARD = 8
TEXTS = 200
DRIVER = """
import sys
from polysema.app.explorer import Explorer
from polysema.app.export import run
from polysema.app.export.options import ExportOptions
from polysema.core.corpus import open_records

run.shard_texts = lambda n_layers, dim: {shard}
model, texts, folder, on = sys.argv[1:]
Explorer("cpu").exports.texts(model, open_records(texts), folder, None, ExportOptions(static=True, on=on))
"""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("distributed") / "texts.csv"
    rows = [f"t{i},the white swan {i} in the blue water of the river bank {i * 7},{i % 5}" for i in range(TEXTS)]
    path.write_text("\n".join(["id,text,year", *rows]) + "\n")
    return path


@pytest.fixture
def corpus(texts: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setattr(module, "shard_texts", lambda n_layers, dim: SHARD)
    return open_records(texts)


@pytest.fixture(scope="module")
def bytes_of_one_process(
    texts: Path, tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "shard_texts", lambda n_layers, dim: SHARD)
        explorer = Explorer("cpu")
        explorer.exports.texts(str(tiny["bert"]), open_records(texts), folder, None, ExportOptions(static=True))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def done_parts(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells whether a part that is done was written again."""
    names = [path.name[1:].removesuffix(".done") for path in folder.glob(".part-*.done")]
    files = [(folder / f"{name}.parquet").stat() for name in names]
    return {name: (file.st_ino, file.st_mtime_ns) for name, file in zip(names, files, strict=True)}


def run_killed_driver(texts: Path, model: Path, folder: Path, on: str) -> None:
    """The driver is killed as soon as three parts are done."""
    command = [sys.executable, "-c", DRIVER.format(shard=SHARD), str(model), str(texts), str(folder), on]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None and len(list(folder.glob(".part-*.done"))) < 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err.decode()
    assert not (folder / "manifest.json").exists()


def workers_of(pid: int, name: str) -> list[psutil.Process]:
    return [one for one in psutil.Process(pid).children(recursive=True) if name in " ".join(one.cmdline())]


def finish_with_kills(corpus: Corpus, model: Path, folder: Path, on: str, kills: dict[int, Callable[[], None]]) -> None:
    """Run again in this process, with what is done at so many parts; nothing that was done is done again."""
    before = done_parts(folder)
    seen: dict[str, tuple[int, int]] = dict(before)

    def progress(stage: str, done: int, total: int) -> None:
        there = done_parts(folder)
        assert seen.items() <= there.items()
        seen.update(there)
        if kill := kills.pop(done // SHARD, None):
            kill()

    options = ExportOptions(static=True, on=on)
    found = Explorer("cpu").exports.texts(str(model), corpus, folder, None, options, progress)
    assert (found.texts, kills) == (TEXTS, {})
    after = {path.stem: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.parquet")}
    assert seen.items() <= after.items()
    assert len(before) >= 3


@pytest.mark.skipif(not ENDURE, reason="the cluster's test kills the same parts: POLYSEMA_ENDURE runs both")
def test_processes_and_the_driver_are_killed(
    corpus: Corpus, texts: Path, tiny: dict[str, Path], tmp_path: Path, bytes_of_one_process: dict[str, bytes]
) -> None:
    folder = tmp_path / "out"
    run_killed_driver(texts, tiny["bert"], folder, "local:1")

    def kill() -> None:
        workers_of(os.getpid(), "polysema.app.export.worker")[0].kill()

    finish_with_kills(corpus, tiny["bert"], folder, "local:2", {12: kill})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == bytes_of_one_process
    verify(folder)
    assert workers_of(os.getpid(), "polysema.app.export.worker") == []


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class RayNodes:
    """A cluster of two nodes on this machine, by the address of the cluster and by that for clients."""

    address: str
    client: str
    remove_node: Callable[[], None]


def _head(start: Callable[[], Any]) -> Any:
    """The cluster's first node; Ray waits half a minute for its server, which may take longer to be read at first."""
    for _ in range(2):
        try:
            return start()
        except RuntimeError as error:
            if "Timed out waiting for file" not in str(error):
                raise
    return start()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayNodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")  # else the server for clients can't begin its processes
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # all that listens does so on 127.0.0.1; read on import
        ray = pytest.importorskip("ray")
        from ray.cluster_utils import Cluster

        small = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        port = free_port()
        made = _head(lambda: Cluster(True, head_node_args={**small, "ray_client_server_port": port}))
        nodes = [made.add_node(**small)]
        made.wait_for_nodes()
        try:
            yield RayNodes(
                f"ray:{made.address}",
                f"ray://127.0.0.1:{port}",
                lambda: made.remove_node(nodes.pop(), allow_graceful=False),
            )
        finally:
            if ray.is_initialized():
                ray.shutdown()
            made.shutdown()


def test_a_worker_a_node_and_the_driver_are_killed(
    corpus: Corpus,
    texts: Path,
    tiny: dict[str, Path],
    tmp_path: Path,
    cluster: RayNodes,
    bytes_of_one_process: dict[str, bytes],
) -> None:
    folder = tmp_path / "out"
    run_killed_driver(texts, tiny["bert"], folder, cluster.client)

    def kill_a_worker() -> None:
        user = psutil.Process().username()
        every = psutil.process_iter(["name", "username"])  # those that end meanwhile are passed over
        own = [one for one in every if one.info["username"] == user]
        workers = [one for one in own if (one.info["name"] or "").startswith("ray::attempt")]
        assert workers
        workers[0].kill()

    kills = {9: kill_a_worker, 15: cluster.remove_node}
    finish_with_kills(corpus, tiny["bert"], folder, cluster.address, kills)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == bytes_of_one_process


def test_a_table_and_measures_on_processes_have_the_digits_of_one(texts: Path, tiny: dict[str, Path]) -> None:
    explorer, model, corpus = Explorer("cpu"), str(tiny["bert"]), open_records(texts)
    here = explorer.exports.static_table(model, corpus=corpus)
    there = explorer.exports.static_table(model, corpus=corpus, on="local:2")
    assert (list(here), here.origin.notes) == (list(there), there.origin.notes)
    np.testing.assert_array_equal(np.asarray(here.space.vectors), np.asarray(there.space.vectors))
    lines = list(corpus)
    measured = [explorer.measures.contextuality(lines, [model], on=on).rows for on in ("", "local:2")]
    assert measured[0] == measured[1]
    rows = [LabeledWord("bank", str(number % 2), text) for number, text in enumerate(lines)]
    given = annotations_of(rows)
    senses = [explorer.measures.annotated_senses(given, [model], on=on).rows for on in ("", "local:2")]
    assert senses[0] == senses[1]
    with pytest.raises(UserError, match="on needs a corpus"):
        explorer.exports.static_table(model, ["bank"], on="local:2")


def test_a_table_on_a_cluster_has_the_digits_of_one_process(
    texts: Path, tiny: dict[str, Path], cluster: RayNodes
) -> None:
    explorer, model, corpus = Explorer("cpu"), str(tiny["bert"]), open_records(texts)
    here = explorer.exports.static_table(model, corpus=corpus)
    there = explorer.exports.static_table(model, corpus=corpus, on=cluster.address)
    assert list(here) == list(there)
    np.testing.assert_array_equal(np.asarray(here.space.vectors), np.asarray(there.space.vectors))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local:3", Place("", 3)),
        ("ray", Place("auto", 0)),
        ("ray:10.0.0.1:6379", Place("10.0.0.1:6379", 0)),
        ("ray://head.example:10001?cpus=2&gpus=0.5", Place("ray://head.example:10001", 0, 2.0, 0.5)),
        ("ray?gpus=0", Place("auto", 0, 1.0, 0.0)),
    ],
)
def test_a_place_is_read(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cluster", "'cluster' is no place to compute on; give local:4"),
        ("local:x", "'local:x' is no place"),
        ("local:0", "local:N takes 1 to 256 processes; got 0"),
        ("local:2?cpus=1", "has the option 'cpus'; a Ray address takes cpus and gpus"),
        ("ray://", "'ray://' is no place"),
        ("ray://host", "'ray://host' is no place"),
        ("ray?cpus=0", "a piece of work needs some of a CPU"),
        ("ray?cpus=1.2.3", "is no place"),
    ],
)
def test_what_is_no_place_is_said(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        ExportOptions(on=text).checked()


def test_a_cluster_that_is_not_there(polysema, texts: Path, tiny: dict[str, Path], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("ray")
    port = free_port()
    folder = tmp_path / "out"
    arguments = ["export", str(texts), str(folder), "--model", str(tiny["bert"]), "--on", f"ray://127.0.0.1:{port}"]
    status, out, err = polysema(*arguments)
    assert (status, out, folder.exists()) == (2, "", False)
    assert f"there is no Ray cluster at ray://127.0.0.1:{port}: [Errno 111] Connection refused" in err


def test_work_is_refused_where_the_folder_or_the_texts_are_others(
    corpus: Corpus, tiny: dict[str, Path], tmp_path: Path
) -> None:
    model = load_model(str(tiny["bert"]), "cpu", "torch")
    work = shard_work(ExportSource.of(corpus), tmp_path, model, [0])
    batch = ShardTexts()
    batch.add(0, "The bank.")
    loading = WorkerModel.of(model, locate(str(tiny["bert"])))
    task = ShardTask(0, work, loading, PlannedShard.of(batch), batch)
    with pytest.raises(NotFoundError, match="doesn't see the folder"):
        task.run()
    (tmp_path / ".run").write_text("")
    batch.add(1, "Another text.")
    with pytest.raises(ConflictError, match="the texts of shard 0 are not those that were planned"):
        task.run()


@dataclass
class EndingTask:
    """Ends the process that does it."""

    number: int = 7

    def run(self) -> dict[str, object]:
        os._exit(3)


def test_work_that_ends_its_workers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent.parent))
    monkeypatch.setattr("polysema.app.export.local_workers.MAX_TRIES", 2)
    workers = LocalWorkers(1)
    with pytest.raises(UserError, match=r"shard 7 ended its worker 2 times \(exit status 3\)"):
        list(workers.run(iter([EndingTask()])))
    workers.close()


def test_more_processes_than_memory_are_refused(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model = WorkerModel.of(load_model(str(tiny["bert"]), "cpu", "torch"), locate(str(tiny["bert"])))
    monkeypatch.setattr("polysema.core.model.loading_cost.free_memory", lambda: 1000)
    with pytest.raises(BeyondMemoryError, match=r"3 processes with .* take.* GB of memory, and 0.0 GB are free"):
        model.check_memory(connect("local:3").n_here)
