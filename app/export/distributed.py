"""An export computed by several processes or a cluster: the bytes of one process.

Which texts each shard has is planned once, with hashes; a shard that is done is never made again; the manifest comes
last.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from polysema.app.export.export_folder import (
    PLAN,
    FinishedShards,
    ShardRecord,
    claimed,
    finish,
    is_current,
    settings_hash,
    writable,
    write_json,
)
from polysema.app.export.local_workers import LocalWorkers
from polysema.app.export.options import ExportedText, ShardWork
from polysema.app.export.place import parse_place
from polysema.app.export.rows import ShardTexts
from polysema.app.export.run import text_count, work_batches
from polysema.app.export.task import ShardMaker
from polysema.app.export.worker_model import WorkerModel
from polysema.app.export.workers import Workers
from polysema.core.errors import ConflictError, NotFoundError
from polysema.core.progress import Progress, no_progress


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """The texts of a shard: the number of the first in the input, how many they are, and their hash."""

    first: int
    texts: int
    sha256: str

    @classmethod
    def of(cls, batch: ShardTexts) -> "PlannedShard":
        """That of these texts."""
        return cls(batch.numbers[0], len(batch.texts), batch.sha256())


@dataclass(frozen=True, slots=True, eq=False)
class ShardTask:
    """The work on one shard, for whoever does it."""

    number: int
    work: ShardWork
    model: WorkerModel
    planned: PlannedShard
    batch: ShardTexts

    def run(self) -> ShardRecord:
        """Compute the shard and write it.

        Returns:
            What the manifest says of it.

        Raises:
            NotFoundError: This machine doesn't see the folder.
            ConflictError: The texts are not those that were planned, or another run writes to the folder.
        """
        if not is_current(self.work.folder, self.work.token):
            raise NotFoundError(
                f"{os.uname().nodename} doesn't see the folder {self.work.folder} of this run: export into a folder "
                "that all machines have by that path"
            )
        if PlannedShard.of(self.batch) != self.planned:
            raise ConflictError(f"the texts of shard {self.number} are not those that were planned")
        with writable(self.work.folder):
            maker = ShardMaker(self.work, self.model.load())
            return maker.write(self.number, maker.compute(self.batch))


def connect(address: str) -> Workers:
    """Who computes at `local:4`, `ray://host:port`, `ray:host:port` or `ray`.

    Raises:
        UserError: It is no such address, or no node has what a piece of work needs.
        UnavailableError: Ray isn't installed, or there is no cluster.
    """
    place = parse_place(address)
    if not place.address:
        return LocalWorkers(place.workers)
    from polysema.app.export.ray_workers import RayWorkers

    return RayWorkers(place)


def export_on(
    workers: Workers,
    read: Callable[[], Iterable[ExportedText]],
    work: ShardWork,
    model: WorkerModel,
    progress: Progress = no_progress,
) -> dict[str, object]:
    """As `export` of `run`, with the rows computed by workers; returns the manifest.

    Args:
        workers: Who computes.
        read: The texts from the first on, each time it is called.
        work: What is exported, of `shard_work`.
        model: The model as a worker loads it.
        progress: Told how many texts are done.

    Returns:
        The manifest, which has no trace of who computed.

    Raises:
        PolysemaError: What `export` raises, and what a worker raised.
    """
    folder = work.folder.absolute()
    model.check_memory(workers.n_here)
    with writable(folder), claimed(folder, work.settings) as token:
        current = replace(work, folder=folder, token=token)
        plan = _plan(current, read)
        finished = FinishedShards(folder, work.settings)
        shards = {number: record for number in range(len(plan)) if (record := finished.record(number)) is not None}
        done, total = sum(plan[number].texts for number in shards), text_count(work)
        if done:
            progress("texts", done, total)

        def tasks() -> Iterator[ShardTask]:
            if len(shards) == len(plan):
                return
            for number, batch in enumerate(work_batches(read(), work)):
                if number not in shards:
                    yield ShardTask(number, current, model, plan[number], batch.packed())

        for outcome in workers.run(tasks()):
            shards[outcome.number] = outcome.take()
            done += plan[outcome.number].texts
            progress("texts", done, total)
        return finish(folder, work.settings, [shards[number] for number in range(len(plan))], done)


def _plan(work: ShardWork, read: Callable[[], Iterable[ExportedText]]) -> list[PlannedShard]:
    """The texts of each shard: as an earlier run wrote it down, else made and written."""
    path = work.folder / PLAN
    key = settings_hash(work.settings)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if isinstance(known, Mapping) and known.get("settings_sha256") == key:
        return [PlannedShard(**shard) for shard in known["shards"]]
    plan = [PlannedShard.of(batch) for batch in work_batches(read(), work)]
    shards = [{"first": one.first, "texts": one.texts, "sha256": one.sha256} for one in plan]
    write_json(path, {"settings_sha256": key, "shards": shards})
    return plan
