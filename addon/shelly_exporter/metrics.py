"""What Prometheus is told. Nothing here is done per message: totals and states are read when Prometheus asks."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, override

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shelly_core import Health, Level

PREFIX: Final = "shelly_exporter_"

RESULTS: Final = ("taken", "retained", "foreign", "oversized", "malformed")
"""What becomes of a message; those that did not happen yet are told as 0."""
FAILURES: Final = ("unavailable", "denied", "missing", "disk", "bug")
"""Why a batch could not be written, as `sender.Observer.failed` has it."""

_COMMIT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_WRITE_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

type Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The exporter at one moment. Counts are totals since the start and never fall, not even with a device gone."""

    messages: Counts = field(default_factory=dict[str, int])
    """By what became of them, see `RESULTS`."""
    points: Counts = field(default_factory=dict[str, int])
    """Made of readings, by measurement."""
    rejects: Counts = field(default_factory=dict[str, int])
    """Readings and frames that made no sense, by reason."""
    drops: Counts = field(default_factory=dict[str, int])
    """Frames that were left out without fault of the device, by reason."""
    spool_bytes: Counts = field(default_factory=dict[str, int])
    """What waits, by stream."""
    spool_oldest: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    """Unix time of the oldest that waits, by stream; `None` where nothing does."""
    spool_lost: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """Lines given up, by stream and reason."""
    broker_connected: bool = False
    broker_dropped: int | None = None
    """Messages that the broker says it dropped since it started; `None` if it does not say."""
    devices: Mapping[str, Health] = field(default_factory=dict[str, Health])


class Metrics:
    """The exporter's own registry. As `sender.Observer` it counts what the sender does."""

    def __init__(self, snapshot: Callable[[], Snapshot], *, wall: Callable[[], float] = time.time) -> None:
        """Take a `snapshot` for every scrape."""
        self.registry = CollectorRegistry()
        self._commits = self._histogram("commit_seconds", "Time to put readings safely on disk.", _COMMIT_BUCKETS)
        self._writes = self._histogram("write_seconds", "Time to write a batch to the store.", _WRITE_BUCKETS)
        self._lines = self._counter("written_lines", "Lines that the store has taken.", "stream")
        self._failures = self._counter("write_failures", "Batches to be written again, by what went wrong.", "kind")
        self._dead_letters = self._counter("dead_letters", "Lines that the store refused for good.", "reason")
        for kind in FAILURES:
            self._failures.labels(kind)
        self.registry.register(_Scrape(snapshot, wall))

    def committed(self, seconds: float) -> None:
        """Count a commit to the spool."""
        self._commits.observe(seconds)

    def written(self, stream: str, lines: int, seconds: float) -> None:
        """Count a batch that is in the store."""
        self._writes.observe(seconds)
        self._lines.labels(stream).inc(lines)

    def failed(self, kind: str) -> None:
        """Count a batch that will be tried again."""
        self._failures.labels(kind).inc()

    def rejected(self, cause: str, lines: int) -> None:
        """Count lines that went to the dead letters."""
        self._dead_letters.labels(cause).inc(lines)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)

    def _counter(self, name: str, what: str, label: str) -> Counter:
        return Counter(f"{PREFIX}{name}", what, (label,), registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"{PREFIX}{name}", what, buckets=buckets, registry=self.registry)


class _Scrape(Collector):
    """Makes the metrics of a snapshot."""

    def __init__(self, snapshot: Callable[[], Snapshot], wall: Callable[[], float]) -> None:
        self._snapshot = snapshot
        self._wall = wall

    @override
    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        messages = dict.fromkeys(RESULTS, 0) | dict(now.messages)
        yield _counts("messages", "MQTT messages received, by what became of them.", "result", messages)
        yield _counts("points", "Points made of readings.", "measurement", now.points)
        yield _counts("rejects", "Readings and frames that made no sense.", "reason", now.rejects)
        yield _counts("drops", "Frames left out without fault of the device.", "reason", now.drops)
        yield from self._spool(now)
        yield _gauge("broker_connected", "Whether the MQTT broker is connected.", int(now.broker_connected))
        if now.broker_dropped is not None:
            dropped = CounterMetricFamily(f"{PREFIX}broker_dropped", "Messages that the broker says it dropped.")
            dropped.add_metric((), now.broker_dropped)
            yield dropped
        yield _gauge("devices", "Devices that are known.", len(now.devices))
        yield from _devices(now.devices)

    def _spool(self, now: Snapshot) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(f"{PREFIX}spool_bytes", "Bytes on disk that wait for the store.", labels=["stream"])
        for stream, size in now.spool_bytes.items():
            waiting.add_metric((stream,), size)
        yield waiting
        age = GaugeMetricFamily(
            f"{PREFIX}spool_age_seconds", "Age of the oldest reading that waits; 0 if none does.", labels=["stream"]
        )
        wall = self._wall()
        for stream, oldest in now.spool_oldest.items():
            age.add_metric((stream,), 0.0 if oldest is None else max(0.0, wall - oldest))
        yield age
        lost = CounterMetricFamily(
            f"{PREFIX}spool_lost_lines", "Lines given up before the store had them.", labels=["stream", "reason"]
        )
        for labels, lines in now.spool_lost.items():
            lost.add_metric(labels, lines)
        yield lost


def _devices(devices: Mapping[str, Health]) -> Iterator[Metric]:
    up = GaugeMetricFamily(f"{PREFIX}device_up", "Whether the device can be reached in any way.", labels=["device"])
    links = GaugeMetricFamily(
        f"{PREFIX}device_link",
        "Whether the link would carry the device; absent if not known.",
        labels=["device", "link"],
    )
    for device, health in devices.items():
        up.add_metric((device,), int(health.level is not Level.DOWN))
        for transport, link in health.links.items():
            if link.delivers is not None:
                links.add_metric((device, transport), int(link.delivers))
    yield up
    yield links


def _counts(name: str, what: str, label: str, counts: Counts) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}{name}", what, labels=[label])
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}{name}", what, value=value)
