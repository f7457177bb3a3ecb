"""Counts and latencies, printed as Prometheus reads them (text format 0.0.4), with those of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Requests by route, method and status, and their latencies; batches of texts. Each service counts for itself."""

    def __init__(self) -> None:
        disable: Callable[[], None] = disable_created_metrics  # which has no types
        disable()  # a second series for each of ours, which nothing reads
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "polysema_requests_total", "Completed requests.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "polysema_request_seconds",
            "Seconds from the first byte to the last.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._batches = Counter(
            "polysema_batches_total", "Batches of texts that were embedded.", registry=self.registry
        )
        self._batched_texts = Counter("polysema_batched_texts_total", "Texts in them.", registry=self.registry)

        # finding them by their labels takes longer than counting; there are few, by the routes' patterns
        self._series = lru_cache(maxsize=1024)(self._of_route)

    def _of_route(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a completed request."""
        counter, histogram = self._series(route, method, status)
        counter.inc()
        histogram.observe(seconds)

    def count_batch(self, texts: int) -> None:
        """Count a batch of texts that were embedded together."""
        self._batches.inc()
        self._batched_texts.inc(texts)

    def value(self, name: str, **labels: str) -> float:
        """What one of them counts now: 0 for what was not counted yet."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def text(self, gauges: Mapping[str, tuple[str, float]], counters: Mapping[str, tuple[str, float]]) -> bytes:
        """Everything, with gauges and counters (name to help and value) of others."""
        others = CollectorRegistry()
        others.register(_Families(gauges, counters))
        return generate_latest(self.registry) + generate_latest(others)


class _Families(Collector):
    """Values that others keep, as they are now."""

    def __init__(self, gauges: Mapping[str, tuple[str, float]], counters: Mapping[str, tuple[str, float]]):
        self._gauges, self._counters = gauges, counters

    def collect(self) -> Iterable[Metric]:
        """One family for each."""
        for name, (what, value) in self._counters.items():
            yield CounterMetricFamily(f"polysema_{name}", what, value)
        for name, (what, value) in self._gauges.items():
            yield GaugeMetricFamily(f"polysema_{name}", what, value)
