"""What Prometheus can scrape about outputs: totals that outlive them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mien.server.outputs import Airing


class OutputMetrics(Collector):
    """current: every output of the server, when asked."""

    def __init__(self, current: Callable[[], Iterable[Airing]]) -> None:
        self._current = current
        self._reconnects: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def watch(self, airing: Airing) -> None:
        """An output has changed; what an ended one did is kept."""
        if airing.supervised.status.state == "ended":
            _count(airing, self._reconnects, self._bytes)

    def collect(self) -> Iterator[Metric]:
        states: Counter[tuple[str, str]] = Counter()
        reconnects, sent = Counter(self._reconnects), Counter(self._bytes)
        for airing in self._current():
            supervised = airing.supervised
            states[supervised.output.kind, supervised.status.state] += 1
            _count(airing, reconnects, sent)
        outputs = GaugeMetricFamily("mien_outputs", "Outputs", labels=["kind", "state"])
        for labels, count in states.items():
            outputs.add_metric(labels, count)
        yield outputs
        for name, help_, totals in (
            ("mien_output_reconnects", "Times an output came back on the air", reconnects),
            ("mien_output_bytes", "Bytes sent or written by outputs", sent),
        ):
            family = CounterMetricFamily(name, help_, labels=["kind"])
            for kind, total in totals.items():
                family.add_metric([kind], total)
            yield family


def _count(airing: Airing, reconnects: Counter[str], sent: Counter[str]) -> None:
    kind = airing.supervised.output.kind
    reconnects[kind] += airing.supervised.reconnects
    sent[kind] += airing.supervised.count_bytes()
