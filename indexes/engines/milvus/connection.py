"""Calls of Milvus: repeated while it is overloaded or restarts, its errors told in one line of ours."""

import logging
import threading
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from polysema.core.errors import BusyError, NotFoundError, UnavailableError, UserError
from polysema.indexes.engines.address import Address

if TYPE_CHECKING:
    from pymilvus import MilvusClient

T = TypeVar("T")
INSTALL = "pip install 'polysema[milvus]'"
CALL_SECONDS = 60.0  # of one call
WAIT_SECONDS = 120.0  # for a server that is overloaded, or restarts: after a kill it takes half a minute
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
# what Milvus says when trying again later helps: it has a code for few of these
PASSING = (
    "rate limit",
    "ratelimit",
    "quota",
    "memory protect",
    "no available",
    "not available",
    "unavailable",
    "not ready",
    "not healthy",
    "not serving",
    "shard leader",
    "node not found",
    "node not match",
    "channel not",
    "fail connecting",
    "connection refused",
    "deadline exceeded",
    "collection not loaded",
    "collection not fully loaded",
    "cannot find out",
    "server is closed",
    "timeout",
    "service internal error",  # a segment was merged away while it was read
)
CONSISTENCY = "Strong"  # a row is found as soon as it is acknowledged, whoever wrote it

_clients: dict[str, "MilvusClient"] = {}
_connecting = threading.Lock()


class Connection:
    """One Milvus; every collection of a process at the same place shares its client."""

    def __init__(self, address: Address, wait: float = WAIT_SECONDS):
        self.address, self.wait = address, wait

    @cached_property
    def client(self) -> "MilvusClient":
        """The client, connected."""
        try:
            from pymilvus import MilvusClient
        except ModuleNotFoundError:
            raise UnavailableError(f"{self.address}: pymilvus isn't installed; {INSTALL}") from None
        if self.address.is_file:
            self._check_file()
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # every error is raised as well
        with _connecting:
            if self.address.uri not in _clients:
                try:
                    _clients[self.address.uri] = MilvusClient(uri=self.address.uri, timeout=10)
                except ModuleNotFoundError:
                    raise UnavailableError(f"{self.address}: milvus-lite isn't installed; {INSTALL}") from None
                except Exception as error:
                    raise UnavailableError(f"{self.address}: no Milvus answers there: {shortly(error)}") from None
            return _clients[self.address.uri]

    def _check_file(self) -> None:
        folder = Path(self.address.uri).parent
        if not folder.is_dir():
            raise NotFoundError(f"{self.address}: there is no folder {folder}")

    def call(self, verb: str, *given: Any, **named: Any) -> Any:  # noqa: ANN401  pymilvus has a type of its own for each
        """Call the client's method of that name, again and again while Milvus says that it can't just now.

        Raises `BusyError` when that lasts, `UserError` for what it refuses.
        """
        named.setdefault("timeout", CALL_SECONDS)
        return self.attempt(verb, lambda: getattr(self.client, verb)(*given, **named))

    def attempt(self, verb: str, once: Callable[[], T]) -> T:
        """What a function gives, called again and again as `call` does."""
        end, pause = time.monotonic() + self.wait, FIRST_PAUSE
        while True:
            try:
                return once()
            except Exception as error:
                if isinstance(error, UserError):
                    raise
                if not _is_passing(error):
                    raise UserError(f"{self.address}: Milvus refused {verb}: {shortly(error)}") from None
                if time.monotonic() + pause > end:
                    raise BusyError(
                        f"{self.address}: Milvus can't answer {verb} since {self.wait:.0f} seconds: {shortly(error)}; "
                        "try again later"
                    ) from None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def has(self, name: str) -> bool:
        """Whether Milvus has a collection of that name of its own."""
        return bool(self.call("has_collection", name))

    def properties(self, name: str) -> dict[str, str]:
        """What is written beside a collection of Milvus' own."""
        return dict(self.call("describe_collection", name).get("properties") or {})


def _is_passing(error: Exception) -> bool:
    text = str(error).casefold()
    return any(sign in text for sign in PASSING)


def shortly(error: Exception) -> str:
    """What an error says, in a line."""
    said = getattr(error, "message", None) or str(error)
    return " ".join(str(said).split())[:200]
