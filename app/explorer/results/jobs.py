"""Long work: how far it is, and what came of it."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from polysema.core.space.space import Origin

JobState: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class JobCard:
    """How far a job is. `result` is there when it is done: of maps all but their points, which `/result` gives."""

    id: str
    kind: str
    state: JobState
    stopping: bool
    stage: str
    done: int
    total: int
    result: dict[str, Any] | None
    error: JobError | None


@dataclass(frozen=True, slots=True)
class CorpusAnswer:
    """The corpus of senses as a model sees it at a layer: the `name` of the space, and how many rows it has."""

    name: str
    rows: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class EmbeddedAnswer:
    """How many rows texts became in a collection; `left_out` are the texts without a token, or without the word."""

    collection: str
    rows: int
    left_out: int
    version: int


@dataclass(frozen=True, slots=True)
class CompactAnswer:
    """Which index was built, and why."""

    index: str


@dataclass(frozen=True, slots=True)
class VerifyAnswer:
    """What a check of every byte found: the `files` and `bytes` that were read, `problems` and `leftovers`."""

    files: int
    bytes: int
    problems: tuple[str, ...]
    leftovers: tuple[str, ...]
