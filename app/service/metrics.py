"""Counts and latencies, printed as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Requests by route, method and status, and their latencies; batches of texts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[Labels, int] = {}
        self._buckets: dict[Labels, list[int]] = {}
        self._seconds: dict[Labels, float] = {}
        self.batches = 0
        self.batched_texts = 0

    def seen(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        by = (("method", method), ("route", route))
        with self._lock:
            key = (*by, ("status", str(status)))
            self._requests[key] = self._requests.get(key, 0) + 1
            counts = self._buckets.setdefault(by, [0] * (len(BUCKETS) + 1))
            counts[bisect_left(BUCKETS, seconds)] += 1
            self._seconds[by] = self._seconds.get(by, 0.0) + seconds

    def batch(self, texts: int) -> None:
        """Count a batch of texts that were embedded together."""
        with self._lock:
            self.batches += 1
            self.batched_texts += texts

    def text(self, gauges: Mapping[str, tuple[str, float]], counters: Mapping[str, tuple[str, float]]) -> str:
        """Everything, with gauges and counters (name to help and value) of others."""
        with self._lock:
            lines = _head("polysema_requests_total", "counter", "Requests answered.")
            lines += [f"polysema_requests_total{_labels(key)} {count}" for key, count in sorted(self._requests.items())]
            lines += _head("polysema_request_seconds", "histogram", "Seconds from the first byte to the last.")
            for key, counts in sorted(self._buckets.items()):
                total = 0
                for edge, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                    total += count
                    lines.append(f"polysema_request_seconds_bucket{_labels((*key, ('le', edge)))} {total}")
                lines.append(f"polysema_request_seconds_sum{_labels(key)} {self._seconds[key]:.6f}")
                lines.append(f"polysema_request_seconds_count{_labels(key)} {total}")
            counters = {
                "batches_total": ("Batches of texts that were embedded.", self.batches),
                "batched_texts_total": ("Texts in them.", self.batched_texts),
                **counters,
            }
        for kind, values in (("counter", counters), ("gauge", gauges)):
            for name, (what, value) in values.items():
                lines += [
                    *_head(f"polysema_{name}", kind, what),
                    f"polysema_{name} {value:g}" if isinstance(value, float) else f"polysema_{name} {value}",
                ]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, what: str) -> list[str]:
    return [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels) + "}"
