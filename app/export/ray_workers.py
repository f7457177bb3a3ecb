"""The nodes of a Ray cluster that do pieces of work.

Plain tasks, not Ray Data: a piece of work is a shard with hashes of its own, whose files are either there or not, so
nothing has to be shuffled, merged into blocks or kept in the object store; and a pool of actors that scales by itself
was seen to hang where CPUs are scarce.
"""

import socket
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from polysema.app.export.place import Place
from polysema.app.export.workers import MAX_TRIES, Task, TaskOutcome, attempt, worn_out
from polysema.core.errors import UnavailableError, UserError

if TYPE_CHECKING:
    from ray import ObjectRef

AHEAD = 2  # pieces of work that wait on the cluster, so that no worker waits for one
CONNECT_SECONDS = 10.0


class RayWorkers:
    """What a cluster's nodes have room for, also nodes that come later."""

    n_here = 0

    def __init__(self, place: Place):
        self._ray_is_ours = _connect(place.address)
        self._cpus, self._gpus = place.cpus, 0.0
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        most = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in ("CPU", "GPU")}
        self._gpus = place.gpus if place.gpus is not None else min(1.0, most["GPU"])
        for name, wanted in (("CPU", self._cpus), ("GPU", self._gpus)):
            if wanted > most[name]:
                self.close()
                raise UserError(f"no node of the cluster has {wanted:g} {name}s; the largest has {most[name]:g}")
        self.device = "cuda" if self._gpus else "cpu"

    def run(self, tasks: Iterator[Task]) -> Iterator[TaskOutcome]:
        """See `Workers`."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        # a worker is used again, also one with a GPU: it has the model
        remote = ray.remote(num_cpus=self._cpus, num_gpus=self._gpus, max_retries=0, max_calls=0)(attempt)
        threads, expected_version = max(1, int(self._cpus)), version("polysema")
        pending: dict[ObjectRef, tuple[Task, int]] = {}

        def give(task: Task, tries: int) -> None:
            pending[remote.remote(task, threads, expected_version)] = task, tries

        while True:
            while len(pending) < self._slots() and (task := next(tasks, None)) is not None:
                give(task, 1)
            if not pending:
                return
            for ref in ray.wait(list(pending), num_returns=1)[0]:
                task, tries = pending.pop(ref)
                try:
                    outcome = ray.get(ref)
                except RayTaskError as error:  # before `attempt` began: polysema is missing, or another Python
                    raise UnavailableError(f"the cluster can't do this work: {_last_line(error)}") from None
                except RayError as error:  # the worker or its node was ended
                    if tries >= MAX_TRIES:
                        raise worn_out(task, tries, type(error).__name__) from None
                    give(task, tries + 1)
                else:
                    yield outcome

    def close(self) -> None:
        """See `Workers`."""
        import ray

        if self._ray_is_ours:
            ray.shutdown()

    def _slots(self) -> int:
        import ray

        there = ray.cluster_resources()
        room = there.get("CPU", 0.0) / self._cpus
        if self._gpus:
            room = min(room, there.get("GPU", 0.0) / self._gpus)
        return max(1, int(room)) + AHEAD


def _connect(address: str) -> bool:
    """Connect to the cluster, unless this process is connected already; whether it was not."""
    if find_spec("ray") is None:
        raise UnavailableError("Ray isn't installed: pip install 'polysema[ray]'")
    import ray

    if ray.is_initialized():
        return False
    if address != "auto":
        _check_port(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, AssertionError) as error:
        where = "that runs on this machine" if address == "auto" else f"at {address}"
        raise UnavailableError(f"there is no Ray cluster {where} to work on: {_last_line(error)}") from None
    return True


def _check_port(address: str) -> None:
    """Ray itself tries for half a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UnavailableError(f"there is no Ray cluster at {address}: {error}") from None


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
