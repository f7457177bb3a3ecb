"""Pieces of work, and who does them: processes of this machine, or a cluster."""

import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

from polysema.core import errors
from polysema.core.errors import PolysemaError, UserError

MAX_TRIES = 4  # of a piece of work whose worker was ended, before its texts are thought to be why


class Task(Protocol):
    """A piece of work that can be sent to another process, and done twice without harm."""

    @property
    def number(self) -> int:
        """Which one it is, from 0."""

    def run(self) -> dict[str, Any]:
        """Do it.

        Returns:
            What is to be known of it.
        """


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What came of a piece of work: its `result`, or an `error`, whose `code` is empty where it is nobody's mistake."""

    number: int
    result: dict[str, Any] | None = None
    error: str = ""
    code: str = ""

    def take(self) -> dict[str, Any]:
        """The result; raises the error."""
        if self.result is not None:
            return self.result
        if not self.code:
            raise RuntimeError(f"a worker failed: {self.error}")
        kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PolysemaError)]
        raise next((kind for kind in kinds if kind.code == self.code), UserError)(self.error)


class Workers(Protocol):
    """Who does pieces of work."""

    n_here: int  # how many processes they are on this machine, whose memory they share
    device: str  # what they compute on: `cpu`, `cuda`, or empty for what who gives out the work computes on

    def run(self, tasks: Iterator[Task]) -> Iterator[TaskOutcome]:
        """Do all the work; what a worker that was ended had begun is begun again by another.

        Args:
            tasks: Taken as workers get free.

        Yields:
            What came of each, in the order in which they end.

        Raises:
            UserError: A piece of work ended its worker `MAX_TRIES` times.
        """

    def close(self) -> None:
        """Let go of the workers; what they are doing is given up."""


def attempt(task: Task, threads: int, expected_version: str) -> TaskOutcome:
    """Do a piece of work in this process, with so many threads; errors are an outcome, too."""
    if (mine := version("polysema")) != expected_version:
        message = f"{os.uname().nodename} has polysema {mine}, not {expected_version}: every node needs the same"
        return TaskOutcome(task.number, error=message, code="incompatible")
    try:
        _limit_threads(threads)
        return TaskOutcome(task.number, task.run())
    except PolysemaError as error:
        return TaskOutcome(task.number, error=str(error), code=error.code)
    except Exception as error:  # whatever it is, it has to reach who gave out the work
        line = f"{type(error).__name__}: {error}"
        return TaskOutcome(task.number, error=f"{line}\n{traceback.format_exc()}")


def _limit_threads(count: int) -> None:
    import torch

    from polysema.core.model.onnx_engine import limit_threads

    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
    limit_threads(count)


def worn_out(task: Task, tries: int, why: str) -> UserError:
    """The error for a piece of work that ended each of its workers."""
    return UserError(
        f"shard {task.number} ended its worker {tries} times ({why}): often there is no memory left; take fewer "
        "workers. What is finished stays good: run the same command again to go on"
    )
