"""What Prometheus can scrape."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from mien.trace import Trace

BUCKETS_SEC = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 4, 8)


class Total(Collector):
    """A counter that somebody else counts. name: without ``_total``."""

    def __init__(self, name: str, help_: str, count: Callable[[], int]) -> None:
        self._name, self._help, self._count = name, help_, count

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(self._name, self._help, value=self._count())


class Metrics:
    """One registry per server, so that several servers can live in one process (tests)."""

    def __init__(
        self,
        sessions: Callable[[], int],
        viewers: Callable[[], int],
        *collectors: Collector,
    ) -> None:
        self._registry = CollectorRegistry()
        for collector in collectors:
            self._registry.register(collector)
        self._stages = Histogram(
            "mien_turn_stage_seconds",
            "Time from the user's text to each stage of the answer",
            ["stage"],
            registry=self._registry,
            buckets=BUCKETS_SEC,
        )
        self._spoken_stages = Histogram(
            "mien_spoken_turn_stage_seconds",
            "Time from the end of the user's speech to each stage of the answer",
            ["stage"],
            registry=self._registry,
            buckets=BUCKETS_SEC,
        )
        for name, help_, count in (
            ("mien_sessions", "Open sessions", sessions),
            ("mien_viewers", "Viewers, by whatever path", viewers),
            ("mien_tasks", "asyncio tasks", lambda: len(asyncio.all_tasks())),
            ("mien_threads", "Threads", threading.active_count),
        ):
            Gauge(name, help_, registry=self._registry).set_function(count)

    def trace(self, trace: Trace) -> None:
        stages = self._spoken_stages if trace.is_spoken else self._stages
        for stage, ms in trace.milliseconds().items():
            stages.labels(stage).observe(ms / 1000)

    def heard(self, ms: float) -> None:
        """First sound as the page measured it."""
        self._stages.labels("page_heard").observe(ms / 1000)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)
