"""Settings of the service: from a file, the environment and flags, read once.

A later source wins: what is written here, the TOML file named by `--settings` or POLYSEMA_SETTINGS, variables
POLYSEMA_NAME, flags. Each setting is a field of `Settings`; its limits and meaning stand beside it.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from polysema.app.config.api_keys import ApiKey, parse_key
from polysema.core.environment import home
from polysema.core.errors import NotFoundError, UnreadableError, UserError

STREAMLIT_MEGABYTES = 200  # what Streamlit takes where nothing else is set
MEGABYTE = 1 << 20
_HOST = re.compile(r"\*|[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")

_ORIGIN = re.compile(r"\*|https?://(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")


def _setting(default: Any, what: str, least: float = -math.inf, most: float = math.inf) -> Any:
    return field(default=default, metadata={"what": what, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service runs and what it accepts. Raises `UserError` for a value outside its limits."""

    address: str = _setting("127.0.0.1", "the address to listen on; any but loopback needs a key")
    port: int = _setting(8502, "the port to listen on", 1, 65535)
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        "names under which the service may be asked (the Host header), beside localhost and its address; none: on "
        "loopback no other, else any; *: any",
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        "origins (https://example.org) whose pages may ask the service from a browser, with CORS; none: no page "
        "may; *: any",
    )
    data: str = _setting("", "the folder of the collections (empty: collections in POLYSEMA_HOME)")
    keys: tuple[str, ...] = _setting((), "API keys, hashed, as `polysema key` prints them")
    models: tuple[str, ...] = _setting((), "the names of the catalog that are served (none: all)")
    max_body: int = _setting(32 * MEGABYTE, "bytes of a request's body", 1024, 4096 * MEGABYTE)
    max_upload: int = _setting(20 * MEGABYTE, "bytes that are uploaded in the dashboard at once", 1024, 4096 * MEGABYTE)
    max_texts: int = _setting(256, "texts, words or vectors of one request", 1, 100_000)
    max_tokens: int = _setting(
        32_768, "tokens of one request, all texts together; of /v1/embeddings: of one input", 1, 100_000_000
    )
    max_inputs: int = _setting(2048, "inputs of one request of /v1/embeddings", 1, 100_000)
    max_input_tokens: int = _setting(
        300_000, "tokens of one request of /v1/embeddings, all inputs together", 1, 100_000_000
    )
    token_ids: bool = _setting(
        False, "whether /v1/embeddings takes token ids of the model's own tokenizer; a request can say so as well"
    )
    max_k: int = _setting(1000, "answers to one question", 1, 1_000_000)
    max_numbers: int = _setting(16_777_216, "numbers of one answer, such as vectors or attention weights", 1, 1 << 34)
    max_space: int = _setting(
        268_435_456,
        "numbers of a collection's space that is held in memory, for maps and questions by its name",
        1,
        1 << 40,
    )
    max_job_texts: int = _setting(100_000, "texts of one job", 1, 10_000_000)
    workers: int = _setting(4, "requests that are worked on at the same time", 1, 1024)
    queue: int = _setting(128, "requests that may wait for a worker; one more is answered 429", 0, 100_000)
    connections: int = _setting(1024, "connections at the same time", 1, 100_000)
    timeout: float = _setting(
        60.0, "seconds a request (of embeddings: a slice of one) may wait and be worked on", 0.01, 86_400
    )
    body_timeout: float = _setting(20.0, "seconds that the headers, and then the body, may take to come", 0.01, 3600)
    grace: float = _setting(30.0, "seconds that requests under way have to end after SIGTERM", 0, 3600)
    batch_texts: int = _setting(64, "texts of several requests that are embedded together; 1: no batching", 1, 4096)
    batch_wait: float = _setting(2.0, "milliseconds that a text may wait for others, under load", 0, 100)
    jobs: int = _setting(2, "jobs that run at the same time", 1, 64)
    jobs_queue: int = _setting(16, "jobs that may wait", 0, 10_000)
    jobs_kept: int = _setting(32, "ended jobs whose results are kept", 1, 10_000)
    log_texts: bool = _setting(False, "whether the log holds what was asked")

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(one, getattr(self, one.name))
        for line in self.keys:
            parse_key(line)
        for name in self.allowed_hosts:
            if not _HOST.fullmatch(name):
                raise UserError(f"allowed_hosts are names or addresses without a port, or *; got {name!r:.80}")
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise UserError(
                    "cors_origins are origins as a browser sends them, https://example.org or "
                    "http://localhost:3000, or *; "
                    f"got {origin!r:.80}"
                )
        if self.models:
            _check_models(self.models)
        if not self.keys and not is_loopback(self.address):
            raise UserError(
                f"without an API key the service listens on loopback only; got the address {self.address!r}: "
                "make a key "
                "with `polysema key NAME` and put it into the settings"
            )

    @property
    def api_keys(self) -> tuple[ApiKey, ...]:
        """The keys, read."""
        return tuple(parse_key(line) for line in self.keys)

    @property
    def hosts(self) -> frozenset[str] | None:
        """The hosts that are answered, in lower case and without brackets; None where every one is."""
        if "*" in self.allowed_hosts or not (self.allowed_hosts or is_loopback(self.address)):
            return None
        own = ("localhost", "127.0.0.1", "::1", self.address)  # no foreign name can be bound to these
        return frozenset(name.strip("[]").lower() for name in (*own, *self.allowed_hosts))

    @property
    def received_megabytes(self) -> int:
        """What a browser may send at once: beyond the limit of uploads, so that a larger file is refused in words."""
        limit = -(-self.max_upload // MEGABYTE)
        return max(limit, min(10 * limit, STREAMLIT_MEGABYTES))

    @property
    def folder(self) -> Path:
        """Where the collections are."""
        return Path(self.data).expanduser() if self.data else home() / "collections"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and for each name where its value comes from."""

    settings: Settings
    sources: dict[str, str]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each setting: name, value (secrets masked), source, meaning."""
        return [
            {
                "name": one.name,
                "value": _shown(one.name, getattr(self.settings, one.name)),
                "from": self.sources[one.name],
                "what": one.metadata["what"],
            }
            for one in fields(Settings)
        ]


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str | None = None,
) -> LoadedSettings:
    """The settings of a file, the environment and flags (None: not given). Raises `UserError` naming what is wrong."""
    environment = os.environ if environment is None else environment
    known = {one.name: one for one in fields(Settings)}
    values: dict[str, Any] = {}
    sources = dict.fromkeys(known, "default")
    chosen = file or environment.get("POLYSEMA_SETTINGS")
    if chosen:
        for name, value in _file(chosen).items():
            if name not in known:
                raise UserError(f"{chosen}: there is no setting {name!r:.60}; there are: {', '.join(known)}")
            values[name], sources[name] = _typed(known[name], value, f"{chosen}: {name}"), chosen
    for name, one in known.items():
        variable = f"POLYSEMA_{name.upper()}"
        if variable in environment:
            values[name], sources[name] = _parsed(one, environment[variable], variable), variable
    for name, value in (flags or {}).items():
        if value is not None:
            values[name], sources[name] = _typed(known[name], value, f"--{name}"), "flag"
    return LoadedSettings(Settings(**values), sources)


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _file(name: str) -> dict[str, Any]:
    path = Path(name).expanduser()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"the settings file {name} is not there") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableError(f"the settings file {name} can't be read as TOML: {error}") from None


def _kind(one: Field[Any]) -> type:
    return type(one.default)


def _typed(one: Field[Any], value: Any, where: str) -> Any:
    kind = _kind(one)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is tuple and isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if type(value) is not kind:
        wanted = {
            tuple: "a list of texts",
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            str: "a text",
        }
        raise UserError(f"{where} must be {wanted[kind]}; got {value!r:.60}")
    return value


def _parsed(one: Field[Any], text: str, where: str) -> Any:
    kind = _kind(one)
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in ("0", "1", "true", "false", "yes", "no"):
            raise UserError(f"{where} must be true or false; got {text!r:.60}")
        return text.lower() in ("1", "true", "yes")
    try:
        return kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise UserError(f"{where} must be {wanted}; got {text!r:.60}") from None


def _check(one: Field[Any], value: Any) -> None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        least, most = one.metadata["least"], one.metadata["most"]
        if not least <= value <= most:
            raise UserError(f"the setting {one.name} goes from {least:,} to {most:,}; got {value}")


def _check_models(models: tuple[str, ...]) -> None:
    from polysema.core.model.catalog import CATALOG

    names = [row.name for row in CATALOG]
    for name in models:
        if name not in names:
            raise UserError(f"the setting models names rows of the catalog ({', '.join(names)}); got {name!r:.80}")


def _shown(name: str, value: Any) -> Any:
    if name == "keys":
        return ", ".join(f"{key.name} ({'+'.join(sorted(key.scopes))}) ****" for key in map(parse_key, value)) or "none"
    return ", ".join(value) if isinstance(value, tuple) else value
