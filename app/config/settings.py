"""Settings of the service: each is a field of `Settings`; its limits and meaning stand beside it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from polysema.app.config.api_keys import ApiKey, parse_key
from polysema.core.environment import home
from polysema.core.errors import UserError

STREAMLIT_MEGABYTES = 200  # what Streamlit takes where nothing else is set
MEGABYTE = 1 << 20
LESSONS_VARIABLE = "POLYSEMA_LESSONS"  # the setting `lessons` in the environment
_HOST = re.compile(r"\*|[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")
_ORIGIN = re.compile(r"\*|https?://(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")

Texts = Annotated[tuple[str, ...], Field(strict=False)]  # TOML and a shell's repeated flag give lists
Value = bool | int | float | str | tuple[str, ...]


class Settings(BaseSettings):
    """How the service runs and what it accepts. Raises `ValidationError` for a value outside its limits.

    Built directly it takes its arguments alone; `load_settings` reads the file, the environment and the flags.
    """

    model_config = SettingsConfigDict(env_prefix="POLYSEMA_", frozen=True, strict=True, extra="forbid")

    address: str = Field(default="127.0.0.1", description="the address to listen on; any but loopback needs a key")
    port: int = Field(default=8502, ge=1, le=65_535, description="the port to listen on")
    allowed_hosts: Texts = Field(
        default=(),
        description="allowed values of the Host header, beside localhost and the address; "
        "none: on loopback no other, else any; *: any",
    )
    cors_origins: Texts = Field(
        default=(),
        description="origins (https://example.org) whose pages may ask the service from a browser, with CORS; none: no "
        "page may; *: any",
    )
    data: str = Field(default="", description="the folder of the collections (empty: collections in POLYSEMA_HOME)")
    lessons: str = Field(default="", description="a folder of lessons of one's own, which the dashboard shows")
    keys: Texts = Field(default=(), description="API keys, hashed, as `polysema key` prints them")
    models: Texts = Field(
        default=(),
        description="what is served: NAME=PLACE gives a name to a folder, a file of vectors or a hub id; a name of the "
        "catalog alone limits the catalog to those that are named (none: all of it)",
    )
    max_body: int = Field(default=32 * MEGABYTE, ge=1024, le=4096 * MEGABYTE, description="bytes of a request's body")
    max_parsed: int = Field(
        default=200 * MEGABYTE,
        ge=MEGABYTE,
        le=1 << 40,
        description="bytes of memory that a JSON or Arrow body may take to be read, counted before it is",
    )
    max_upload: int = Field(
        default=20 * MEGABYTE,
        ge=1024,
        le=4096 * MEGABYTE,
        description="bytes that are uploaded in the dashboard at once",
    )
    max_texts: int = Field(default=256, ge=1, le=100_000, description="texts, words or vectors of one request")
    max_tokens: int = Field(
        default=32_768,
        ge=1,
        le=100_000_000,
        description="tokens of one request, all texts together; of /v1/embeddings: of one input",
    )
    max_inputs: int = Field(default=2048, ge=1, le=100_000, description="inputs of one request of /v1/embeddings")
    max_input_tokens: int = Field(
        default=300_000,
        ge=1,
        le=100_000_000,
        description="tokens of one request of /v1/embeddings, all inputs together",
    )
    token_ids: bool = Field(
        default=False,
        description="whether /v1/embeddings takes token ids of the model's own tokenizer; a request can say so as well",
    )
    max_k: int = Field(default=1000, ge=1, le=1_000_000, description="answers to one question")
    max_numbers: int = Field(
        default=16_777_216, ge=1, le=1 << 34, description="numbers of one answer, such as vectors or attention weights"
    )
    max_space: int = Field(
        default=268_435_456,
        ge=1,
        le=1 << 40,
        description="numbers of a collection's space that a map or a transform (centered, whitened, without) may read; "
        "other questions read no more than they need",
    )
    max_index_bytes: int = Field(
        default=1 << 30,
        ge=0,
        le=1 << 50,
        description="bytes of an index that is built for a request which names one; one is built at a time",
    )
    max_job_texts: int = Field(default=100_000, ge=1, le=10_000_000, description="texts of one job")
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="processes that answer at the same port, share collections and indexes, and have models, workers "
        "and limits each; one of them runs the jobs",
    )
    workers: int = Field(default=4, ge=1, le=1024, description="requests that are worked on at the same time")
    queue: int = Field(
        default=128, ge=0, le=100_000, description="requests that may wait for a worker; one more gets a 429"
    )
    connections: int = Field(default=1024, ge=1, le=100_000, description="connections at the same time")
    timeout: float = Field(
        default=60.0,
        ge=0.01,
        le=86_400,
        description="seconds a request (of embeddings: a slice of one) may wait and be worked on; then its "
        "work ends at its next step",
    )
    body_timeout: float = Field(
        default=20.0, ge=0.01, le=3600, description="seconds that the headers, and then the body, may take to come"
    )
    grace: float = Field(
        default=30.0, ge=0, le=3600, description="seconds that requests under way have to end after SIGTERM"
    )
    batch_texts: int = Field(
        default=64, ge=1, le=4096, description="texts of several requests that are embedded together; 1: no batching"
    )
    batch_wait: float = Field(
        default=2.0, ge=0, le=100, description="milliseconds that a text may wait for others, under load"
    )
    prepare_after: int = Field(
        default=256,
        ge=0,
        le=1_000_000_000,
        description="texts of `/v1/embeddings` after which a process of its own exports a model for ONNX Runtime, to "
        "be used where it is faster; 0: never",
    )
    jobs: int = Field(default=2, ge=1, le=64, description="jobs that run at the same time")
    jobs_queue: int = Field(default=16, ge=0, le=10_000, description="jobs that may wait")
    jobs_kept: int = Field(default=32, ge=1, le=10_000, description="ended jobs whose results are kept")
    log_texts: bool = Field(default=False, description="whether the texts of requests are logged")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments alone: `load_settings` layers the sources itself, to name the one that a wrong value is from."""
        return (init_settings,)

    @field_validator("keys")
    @classmethod
    def _check_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for line in keys:
            parse_key(line)
        return keys

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for name in hosts:
            if not _HOST.fullmatch(name):
                raise UserError(f"allowed_hosts are names or addresses without a port, or *; got {name!r:.80}")
        return hosts

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise UserError(
                    "cors_origins are origins as a browser sends them, https://example.org or "
                    f"http://localhost:3000, or *; got {origin!r:.80}"
                )
        return origins

    @field_validator("models", mode="before")
    @classmethod
    def _read_models(cls, models: object) -> object:
        """A table of the file, `[models]` with a line `name = "place"` each, as the list that a flag gives."""
        if not isinstance(models, dict):
            return models
        wrong = next((name for name, place in models.items() if not isinstance(place, str)), None)
        if wrong is not None:
            raise UserError(f'[models] has a line NAME = "PLACE" for each name; got {wrong} = {models[wrong]!r:.60}')
        return tuple(name if name == place else f"{name}={place}" for name, place in models.items())

    @field_validator("models")
    @classmethod
    def _check_models(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        if models:
            from polysema.core.model.catalog import catalog
            from polysema.core.model.catalog_file import check_model_name

            names = [row.name for row in catalog()]
            given = [one.partition("=")[0] for one in models]
            for one, name in zip(models, given, strict=True):
                if one == name and name not in names:
                    raise UserError(
                        f"the setting models names rows of the catalog ({', '.join(names)}), or gives names, "
                        f"NAME=PLACE; got {one!r:.80}"
                    )
                if one != name:
                    check_model_name(name)
                    if name in names:
                        raise UserError(f"the setting models: {name} is a name of the catalog; choose another one")
                if given.count(name) > 1:
                    raise UserError(f"the setting models has the name {name} twice; choose another one")
        return models

    @model_validator(mode="after")
    def _check_exposure(self) -> Settings:
        if not self.keys and not is_loopback(self.address):
            raise UserError(
                f"without an API key the service listens on loopback only; got the address {self.address!r}: "
                "make a key with `polysema key NAME` and put it into the settings"
            )
        return self

    @property
    def api_keys(self) -> tuple[ApiKey, ...]:
        """The keys, read."""
        return tuple(parse_key(line) for line in self.keys)

    @property
    def own_models(self) -> dict[str, str]:
        """The names that models and spaces are given, and what each stands for."""
        parts = (one.partition("=") for one in self.models if "=" in one)
        return {name: place for name, _, place in parts}

    @property
    def served_catalog(self) -> frozenset[str]:
        """The names of the catalog that are served; empty where all are."""
        return frozenset(one for one in self.models if "=" not in one)

    @property
    def hosts(self) -> frozenset[str] | None:
        """The allowed hosts, in lower case and without brackets; None if every host is allowed."""
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


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False
