"""Caches of computed results: in memory, and on disk for small ones."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from polysema.core.atomic import atomic_write, sweep
from polysema.core.progress import ended_by

_Value = TypeVar("_Value")


class SingleFlightCache:
    """The few things last used, each made once however many ask for it at the same time.

    Args:
        most: How many are kept.
        weigh: The bytes of one. More than `most` are kept as long as all of them together take no more than
            `most_bytes`.
        most_bytes: What small things may take together.
    """

    def __init__(self, most: int, weigh: Callable[[Any], int] | None = None, most_bytes: int = 0):
        self._most, self._weigh, self._most_bytes = most, weigh, most_bytes
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def values(self) -> list[Any]:
        """What is kept now."""
        with self._lock:
            return list(self._values.values())

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value kept under the key, made now when it isn't there."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    self.hits += 1
                    found: _Value = self._values[key]
                    return found
                self.misses += 1
            try:
                with ended_by(None):  # it is kept for whoever asks next, whether this asker waits or not
                    value = make()
            except BaseException:  # what can't be made, such as a word that isn't there, leaves nothing behind
                with self._lock:
                    self._making.pop(key, None)
                raise
            with self._lock:
                self._values[key] = value
                while len(self._values) > self._most and self._is_full():
                    dropped, _ = self._values.popitem(last=False)
                    self._making.pop(dropped, None)
        return value

    def _is_full(self) -> bool:
        """Whether more than `most` are too many."""
        return self._weigh is None or sum(map(self._weigh, self._values.values())) > self._most_bytes

    def peek(self, key: Hashable) -> object:
        """The value kept under the key, None where there is none; it counts as used."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            self.hits += 1
            return self._values[key]

    def put(self, key: Hashable, value: object) -> None:
        """Keep another value under the key."""
        with self._lock:
            self._values[key] = value

    def drop_oldest(self) -> bool:
        """Let go of what was used longest ago; False where nothing is kept."""
        with self._lock:
            if not self._values:
                return False
            dropped, _ = self._values.popitem(last=False)
            self._making.pop(dropped, None)
        return True

    def clear(self) -> None:
        """Keep nothing of what there is."""
        with self._lock:
            self._values.clear()


def digest(*parts: object) -> str:
    """A short name for what these parts, as they are written, stand for."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def keep_file(path: Path, content: str) -> None:
    """Keep a small derived file where there is room; without room it is computed again next time."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        atomic_write(path, content.encode(), durable=False)
