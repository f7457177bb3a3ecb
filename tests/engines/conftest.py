"""The engines that every test here runs on: the embedded store, milvus-lite, and a Milvus server of the package."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polysema.indexes.collection import Collection
from polysema.indexes.engines.protocol import VectorCollection
from tests.engines.milvus_server import MilvusServer, unpack

ENGINES = ("embedded", "milvus-lite", "milvus")
CACHE = Path(os.environ["POLYSEMA_HOME"])
numbers = itertools.count()


@pytest.fixture(scope="package")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    """A server for all tests here; idle, it would take a third of a core from those after them."""
    pytest.importorskip("milvus")
    server = MilvusServer(tmp_path_factory.mktemp("milvus"), unpack(CACHE))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="package", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """One engine after the other."""
    return str(request.param)


@pytest.fixture(scope="package")
def new_address(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Gives addresses at which nothing is yet, all of one engine."""
    if engine == "embedded":
        return lambda: str(tmp_path_factory.mktemp("embedded") / "c")
    pytest.importorskip("pymilvus")
    if engine == "milvus-lite":
        file = tmp_path_factory.mktemp("lite") / "all.db"
        return lambda: f"milvus-lite://{file}/c-{next(numbers)}"
    server = request.getfixturevalue("milvus_server")
    return lambda: f"milvus://{server.uri}/c-{next(numbers)}"


@pytest.fixture
def c(new_address: Callable[[], str]) -> Iterator[VectorCollection]:
    """An empty collection."""
    made = Collection.create(new_address())
    yield made
    getattr(made, "drop", lambda: None)()
