"""A faster engine for a model that many texts go through, prepared while it answers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import ReferenceType, ref

from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.core.model.engine import Engine
    from polysema.core.model.load import LanguageModel

MOST_BYTES = 1 << 29  # of the weights: the export of a model takes several times as much memory
NICENESS = 10  # of the process that exports: requests come first


class EnginePreparation:
    """Has a model exported for ONNX Runtime, once so many texts went through it, and then answers by that engine where
    it is exact and faster here.

    The export runs in a process of its own (`polysema models prepare`), whose memory is given back at its end. What
    another process prepared is found too. One model is exported at a time.

    Args:
        places: The names that models were given, and what each stands for.
        every: The texts after which it is looked for an engine; 0: never.
        exports: Whether this process has models exported, or finds only what others prepared.
    """

    def __init__(self, places: Mapping[str, str], every: int, exports: bool = True):
        self._places, self._every, self._exports = places, every, exports
        self._texts: Counter[str] = Counter()
        self._ready: dict[str, tuple[ReferenceType[LanguageModel], Engine]] = {}  # a model is not kept alive by it
        self._tried: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def model(self, name: str, loaded: LanguageModel, n_texts: int) -> LanguageModel:
        """The model to embed the next `n_texts` by: `loaded`, or the same on the engine that is ready for it."""
        with self._lock:
            kept = self._ready.get(name)
            if kept is not None and kept[0]() is loaded:
                return replace(loaded, engine=kept[1])
            if not self._every:
                return loaded
            before = self._texts[name]
            self._texts[name] += n_texts
            if before // self._every == self._texts[name] // self._every:
                return loaded
            return self._look(name, loaded)

    def _look(self, name: str, loaded: LanguageModel) -> LanguageModel:
        from polysema.core.model.load import with_ready_engine
        from polysema.core.model.onnx_engine import engine_report, why_not

        try:
            ready = with_ready_engine(loaded)
        except UserError:  # what was kept is damaged: torch goes on
            ready = loaded
        if ready is not loaded or why_not(loaded) is not None or engine_report(loaded) is not None:
            self._ready[name] = ref(loaded), ready.engine
        elif self._exports and name not in self._tried and not self._is_busy() and self._fits(loaded):
            self._tried.add(name)
            self._start(self._places.get(name, name))
        return ready

    def _is_busy(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _fits(self, loaded: LanguageModel) -> bool:
        from polysema.core.model.loading_cost import weight_bytes

        return weight_bytes(loaded) <= MOST_BYTES

    def _start(self, place: str) -> None:
        command = [sys.executable, "-m", "polysema.app", "models", "prepare", "--", place]
        with suppress(OSError):  # no memory for another process: torch goes on
            quiet = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603
            if hasattr(os, "setpriority"):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)

    def close(self) -> None:
        """End an export that is under way; the next one sweeps away what it had begun."""
        if self._is_busy():
            assert self._process is not None
            self._process.terminate()
            self._process.wait()
