"""The service for real, on a free port of loopback."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from polysema.app.config.settings import Settings
from polysema.app.explorer import Explorer
from polysema.app.service.server import Draining, server


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(explorer: Explorer, **settings: Any) -> Iterator[tuple[str, Draining]]:
    port = free_port()
    made = server(explorer, Settings(port=port, **settings))
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        while not made.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}", made
    finally:
        made.should_exit = True
        thread.join(30)


Service = Callable[..., Any]


@pytest.fixture(scope="session")
def url(explorer: Explorer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(explorer, data=str(tmp_path_factory.mktemp("data") / "collections"), max_body=1 << 20) as (address, _):
        yield address


@pytest.fixture(scope="session")
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def served(explorer: Explorer, tmp_path: Path) -> Iterator[Service]:
    """Starts a service with settings of one's own."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(**settings: Any) -> tuple[str, Draining]:
            return stack.enter_context(running(explorer, **{"data": str(tmp_path / "data"), **settings}))

        yield start
