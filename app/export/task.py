"""The work on a shard: the same two steps in one process, in several and on a cluster."""

from collections.abc import Callable
from dataclasses import dataclass

from polysema.app.export.export_folder import (
    SETTINGS_HASH,
    ShardRecord,
    done_path,
    is_current,
    settings_hash,
    write_json,
)
from polysema.app.export.options import ShardWork
from polysema.app.export.rows import ShardTexts, StaticVectors, compute_shard
from polysema.app.export.shards import ShardRows, write_shard
from polysema.core.errors import ConflictError
from polysema.core.model.language_model import LanguageModel


@dataclass(frozen=True, slots=True, eq=False)
class ComputedShard:
    """The rows of a shard at each layer, and how many texts were split, words unknown, words unseen."""

    layers: list[ShardRows]
    counts: dict[str, int]


class ShardMaker:
    """Makes shards of one export with one model: computes their rows, then writes them."""

    def __init__(self, work: ShardWork, model: LanguageModel):
        self._work, self._model = work, model
        self._statics = StaticVectors(model) if work.options.static else None

    def compute(self, batch: ShardTexts, advance: Callable[[int], None] = lambda n_texts: None) -> ComputedShard:
        """The rows of a shard's texts; `advance` hears of each part of them how many it has."""
        return ComputedShard(*compute_shard(batch, self._model, self._work, self._statics, advance))

    def write(self, number: int, shard: ComputedShard) -> ShardRecord:
        """Write the files of a shard, each whole or not at all, then the record that they are there.

        Raises:
            ConflictError: Another run writes to the folder now.
        """
        work = self._work
        self._check()
        files = write_shard(work.folder, number, work.settings["to"], work.settings["dtype"], shard.layers)
        record = {"files": files, "rows": sum(len(rows.vectors) for rows in shard.layers), **shard.counts}
        self._check()
        write_json(done_path(work.folder, number), {**record, SETTINGS_HASH: settings_hash(work.settings)})
        return record

    def _check(self) -> None:
        if not is_current(self._work.folder, self._work.token):
            raise ConflictError(f"{self._work.folder} is another run's now (or not the same folder here)")
