"""The model of an export as each of several processes loads it."""

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from polysema.core.environment import cores, home
from polysema.core.errors import IncompatibleError, NotFoundError
from polysema.core.model.catalog import ModelLocation, locate
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.loading_cost import check_memory_together, loading_cost


@dataclass(frozen=True, slots=True)
class WorkerModel:
    """Where a model is and how it is loaded, so that a worker's is the same as that of who gives out the work.

    `n_cores` are those that texts were shared between there: a padded batch's last bits hang on what it holds.
    """

    location: ModelLocation
    device: str
    engine: str
    dtype: str
    final_norm: str
    stack: str
    bos: bool
    weights_sha256: str
    n_cores: int
    home: str

    @classmethod
    def of(cls, model: LanguageModel, location: ModelLocation, device: str = "") -> "WorkerModel":
        """That of a model that is loaded from there, for workers with such a device (empty: one like its own)."""
        own = str(getattr(model.engine, "device", "cpu")).partition(":")[0]
        path = location.path.resolve() if location.path is not None else None
        return cls(
            replace(location, path=path),
            device or own,
            model.engine.name,
            model.dtype,
            model.final_norm or "after",
            model.stack or "encoder",
            bool(model.beginning),
            model.weights_sha256,
            cores(),
            str(home().resolve()),
        )

    def check_memory(self, n_processes: int) -> None:
        """Refuse more processes on this machine than its free memory has models for, before the first one begins.

        Raises:
            BeyondMemoryError: They don't fit; the message says how much they take.
        """
        path = self.location.path
        if n_processes and path is not None and path.is_dir():
            cost = n_processes * loading_cost(path, self.dtype)
            check_memory_together({f"{n_processes} processes with {self.location.name}": cost})

    def load(self) -> LanguageModel:
        """The model, loaded once in a process.

        Raises:
            PolysemaError: It isn't there, or has other weights.
        """
        return _loaded(self)


@lru_cache(maxsize=1)
def _loaded(wanted: WorkerModel) -> LanguageModel:
    from polysema.core.model.load import load_model
    from polysema.core.model.onnx_engine import OnnxEngine

    if Path(wanted.home).is_dir():
        os.environ["POLYSEMA_HOME"] = wanted.home
    location = wanted.location
    if location.path is not None and not location.path.exists():
        if location.entry is None or location.entry.path:
            raise NotFoundError(f"{os.uname().nodename} has no {location.path}: a model is needed on every node")
        location = locate(location.entry.name)
    model = load_model(
        location,
        wanted.device,
        wanted.engine,
        wanted.dtype,
        final_norm=wanted.final_norm,
        stack=wanted.stack,
        bos=wanted.bos,
    )
    if model.weights_sha256 != wanted.weights_sha256:
        raise IncompatibleError(f"{location.name} on {os.uname().nodename} has other weights than where it was started")
    if isinstance(model.engine, OnnxEngine):
        model = replace(model, engine=replace(model.engine, n_cores=wanted.n_cores))
    return model
