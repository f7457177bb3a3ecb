"""Steps of a map that are compiled loops: done by this process, unless it is told who else does them."""

from collections.abc import Callable
from typing import Protocol

from polysema.core.progress import Progress, no_progress
from polysema.core.space.array_types import Floats


class CompiledStep(Protocol):
    """What is computed by compiled loops of arrays that it holds."""

    def run(self, progress: Progress) -> Floats:
        """Compute it, by this process."""


def _here(step: CompiledStep, progress: Progress) -> Floats:
    return step.run(progress)


_run: Callable[[CompiledStep, Progress], Floats] = _here


def run_step(step: CompiledStep, progress: Progress = no_progress) -> Floats:
    """What a step computes, by whoever does such steps for this process."""
    return _run(step, progress)


def run_steps_by(run: Callable[[CompiledStep, Progress], Floats] = _here) -> None:
    """Have `run` do the compiled steps of this process from now on; by default the process itself."""
    global _run
    _run = run
