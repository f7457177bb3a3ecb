"""An export straight into a collection: stopped and killed at any place, run again, each row is there once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.app.export import run as module
from polysema.app.export.options import ExportOptions
from polysema.core.corpus import open_records
from polysema.core.errors import UserError
from polysema.core.space.space import Space
from polysema.indexes.collection import Collection
from polysema.indexes.import_export import import_into
from tests.endurance import ENDURE

SHARD, TEXTS = 8, 60
DRIVER = """
import os, signal, sys
from polysema.app.explorer import Explorer
from polysema.app.export import run
from polysema.app.export.options import ExportOptions
from polysema.core.corpus import open_records

run.shard_texts = lambda n_layers, dim: {shard}
model, texts, place, on, stage, least = sys.argv[1:]
def kill(name, done, total):
    if stage in name and done >= int(least):
        os.kill(os.getpid(), signal.SIGKILL)
Explorer("cpu").exports.texts(model, open_records(texts), place, [0, 2], ExportOptions(on=on, to="collection"), kill)
"""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("into") / "texts.csv"
    rows = [f"t{i},the white swan {i} in the blue water of the bank,{i % 5}" for i in range(TEXTS)]
    path.write_text("\n".join(["id,text,year", *rows]) + "\n")
    return path


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "shard_texts", lambda n_layers, dim: SHARD)


@pytest.fixture(scope="module")
def expected(texts: Path, tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Space]:
    """The rows of an export to files that was imported."""
    base = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "shard_texts", lambda n_layers, dim: SHARD)
        options = ExportOptions(text=True)
        Explorer("cpu").exports.texts(str(tiny["bert"]), open_records(texts), base / "out", [0, 2], options)
    c = Collection.create(base / "c")
    import_into(c, base / "out")
    return {name: c.space(name) for name in ("layer-0", "layer-2")}


def check(place: Path, expected: dict[str, Space], tolerance: float = 0) -> None:
    c = Collection.open(place)
    assert list(c.view().manifest.spaces) == list(expected)
    for name, space in expected.items():
        found = c.space(name)
        assert found.keys[:] == space.keys[:]
        np.testing.assert_allclose(found.vectors, space.vectors, rtol=0, atol=tolerance)
        assert found.columns == space.columns
        assert found.origin == space.origin
    assert sorted(path.name for path in place.parent.iterdir()) == [place.name]


def stopped(stage: str, least: int) -> Callable[[str, int, int], None]:
    def tell(name: str, done: int, total: int) -> None:
        if stage in name and done >= least:
            raise KeyboardInterrupt

    return tell


def test_stopped_anywhere_and_run_again(
    texts: Path, tiny: dict[str, Path], tmp_path: Path, expected: dict[str, Space]
) -> None:
    place, model, exports = tmp_path / "c", str(tiny["bert"]), Explorer("cpu").exports
    options = ExportOptions(to="collection")
    for stage, least in (("texts", 30), ("rows", 1)):
        with pytest.raises(KeyboardInterrupt):
            exports.texts(model, open_records(texts), place, [0, 2], options, stopped(stage, least))
        assert len([path for path in tmp_path.iterdir() if path.name.startswith(".c.export-")]) == 1
    found = exports.texts(model, open_records(texts), place, [0, 2], options)
    assert (found.folder, found.texts, found.rows) == (str(place), TEXTS, sum(map(len, expected.values())))
    check(place, expected)
    exports.texts(model, open_records(texts), place, [0, 2])  # it is a collection: no need to say so
    check(place, expected)


def test_killed_and_run_again(texts: Path, tiny: dict[str, Path], tmp_path: Path, expected: dict[str, Space]) -> None:
    place, model, on = tmp_path / "c", str(tiny["bert"]), "local:1" if ENDURE else ""
    code = DRIVER.format(shard=SHARD)
    command = [sys.executable, "-c", code, model, str(texts), str(place), on, "rows", "1"]
    killed = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert 0 < len(Collection(place)) < sum(map(len, expected.values()))
    Explorer("cpu").exports.texts(model, open_records(texts), place, [0, 2], ExportOptions(to="collection", on=on))
    check(place, expected, 1e-5)  # another process, of other threads, made some


def test_on_another_engine(  # type: ignore[no-untyped-def]
    polysema, texts: Path, tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))  # in the tests' one other processes export, too
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    place = f"milvus-lite://{tmp_path}/m.db/swans"
    arguments = ["export", str(texts), place, "--model", str(tiny["bert"]), "--space", "first", "--limit", "4"]
    status, out, err = polysema(*arguments)
    assert (status, out) == (0, f"44 rows (44 words of 4 texts) in {place}\n"), err
    there = Collection.open(place)
    assert (there.view().n_rows("first"), len(there)) == (44, 44)
    assert polysema(*arguments)[0] == 0
    assert len(there) == 44
    there.close() if hasattr(there, "close") else None
    assert not list((Path(os.environ["POLYSEMA_HOME"]) / "exports").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "collection", "dtype": "int8"}, "a collection keeps float32, and one vector a row"),
        ({"to": "collection", "static": True}, "one vector a row"),
        ({"to": "collection", "space": "a/b"}, "a space"),
    ],
)
def test_what_is_for_files_is_refused(
    texts: Path, tiny: dict[str, Path], tmp_path: Path, options: dict[str, str], message: str
) -> None:
    exports = Explorer("cpu").exports
    with pytest.raises(UserError, match=message):
        exports.texts(str(tiny["bert"]), open_records(texts), tmp_path / "c", None, ExportOptions(**options))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UserError, match="is no collection; give one, or a folder that isn't there yet"):
        exports.texts(str(tiny["bert"]), open_records(texts), tmp_path / "other", None, ExportOptions(to="collection"))
    Collection.create(tmp_path / "c")
    with pytest.raises(UserError, match="a layout of its own: leave out npy"):
        exports.texts(str(tiny["bert"]), open_records(texts), tmp_path / "c", None, ExportOptions(to="npy"))
