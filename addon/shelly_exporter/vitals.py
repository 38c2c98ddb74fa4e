"""How the exporter is, gathered from all its parts: for /health, for /metrics, and as points."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shelly_core import Health, Level

from .broker import Broker
from .cluster import Cluster
from .devices import Devices
from .health import Hop, broker_hop, device_hop, report, spool_hop, target_hop
from .metrics import Metrics, Snapshot
from .pipeline import Pipeline
from .sender import Sender
from .spool import Spool, Stream
from .telemetry import ExporterLines, Totals, link_line

MEMORY = "memory"
"""Why lines were given up that never reached the spool."""
RECENT_S = 600.0
"""How long it is said that something was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that are asked."""

    broker: Broker
    pipeline: Pipeline
    sender: Sender
    devices: Devices
    cluster: Cluster


class Vitals:
    """Also the observer of the sender. `watch` names the parts; nothing else works before."""

    def __init__(self, instance: str, spool: Spool, max_bytes: int) -> None:
        self.metrics = Metrics(self.snapshot)
        self._spool = spool
        self._max_bytes = max_bytes
        self._lines = ExporterLines(instance)
        self._failures = 0
        self._rejected = 0
        self._write_s: float | None = None
        self._lost_total = 0
        self._lost_at = -math.inf
        self._parts: Parts

    def watch(self, parts: Parts) -> None:
        """Ask these parts from now on."""
        self._parts = parts

    def written(self, stream: Stream, lines: int, seconds: float) -> None:
        """Note that a batch is in the store."""
        self._write_s = seconds
        self.metrics.written(stream, lines, seconds)

    def failed(self, kind: str) -> None:
        """Note a failure that is tried again."""
        self._failures += 1
        self.metrics.failed(kind)

    def rejected(self, cause: str, lines: int) -> None:
        """Note lines that went to the dead letters."""
        self._rejected += lines
        self.metrics.rejected(cause, lines)

    def healths(self) -> dict[str, Health]:
        """Return how each device is that is asked from here."""
        workers = self._parts.devices.workers
        return {device_id: worker.client.health() for device_id, worker in workers.items() if worker.held}

    def _all_healths(self) -> list[Health]:
        """Return how all devices are: counts must not fall when another exporter takes one."""
        return [worker.client.health() for worker in self._parts.devices.workers.values()]

    def report(self) -> dict[str, Any]:
        """Return what /health shows."""
        now = time.time()
        sender = self._parts.sender
        target = target_hop(
            last_success_at=sender.last_success_at,
            failing_since=sender.failing_since,
            reason=sender.reason,
            in_flight=sender.in_flight,
            now=now,
            complaints=sender.complaints,
        )
        devices = [device_hop(device_id, health) for device_id, health in self.healths().items()]
        return report([self._broker_hop(now), self._spool_hop(now), target, *self._cluster_hops(), *devices])

    def snapshot(self) -> Snapshot:
        """Return what /metrics shows."""
        parts, spool, every = self._parts, self._spool, self._all_healths()
        return Snapshot(
            messages={**parts.devices.counts, "oversized": parts.broker.oversized},
            points=parts.devices.points,
            rejects=_sum(health.rejects for health in every),
            drops=_sum(health.drops for health in every),
            spool_bytes={stream: spool.depth_bytes(stream) for stream in Stream},
            spool_oldest={stream: self._oldest((stream,)) for stream in Stream},
            spool_lost=self._lost(),
            broker_connected=parts.broker.connected,
            broker_dropped=parts.devices.dropped.total,
            devices=self.healths(),
        )

    def lines(self, ts: float) -> Iterator[bytes]:
        """Return the points of a moment."""
        parts, spool, healths = self._parts, self._spool, self.healths()
        for device_id, health in healths.items():
            if (line := link_line(device_id, health, ts)) is not None:
                yield line
        lost = sum(self._lost().values())
        totals = Totals(
            messages=parts.devices.counts.total(),
            points=parts.pipeline.traffic.lines,
            rejects=sum(sum(health.rejects.values()) for health in self._all_healths()),
            errors=self._failures + self._rejected + lost,
            dead_letters=self._rejected,
        )
        oldest = self._oldest()
        state: dict[str, float | bool | int | None] = {
            "spool_bytes": sum(map(spool.depth_bytes, Stream)),
            "spool_age": 0.0 if oldest is None else max(0.0, ts - oldest),
            "write_time": self._write_s,
            "broker": parts.broker.connected,
            "devices": len(parts.devices.workers),
            "devices_down": sum(health.level is Level.DOWN for health in healths.values()),
        }
        line = self._lines.line(totals, state, ts)
        if line is not None:
            yield line

    def _oldest(self, streams: Iterable[Stream] = Stream) -> float | None:
        """Return since when something waits; `None` as well if the disk does not tell: the sender speaks of that."""
        told = []
        for stream in streams:
            with suppress(OSError):
                told.append(self._spool.oldest(stream))
        return min((since for since in told if since is not None), default=None)

    def _lost(self) -> dict[tuple[str, str], int]:
        lost: dict[tuple[str, str], int] = {(*key,): lines for key, lines in self._spool.lost.items()}
        if given_up := self._parts.pipeline.traffic.given_up:
            lost[Stream.RAW, MEMORY] = given_up
        return lost

    def _broker_hop(self, now: float) -> Hop:
        broker, devices = self._parts.broker, self._parts.devices
        reason = broker.reason
        if broker.connected and reason is None and now - devices.dropped.at < RECENT_S:
            reason = "the broker dropped messages, somebody was too slow or away: raise its max_queued_messages"
        counts = {
            **devices.counts,
            "oversized": broker.oversized,
            "failed": broker.failed,
            "stale_receipts": broker.stale_receipts,
            "not_met": devices.not_met,
            "invented": sum(worker.invented for worker in devices.workers.values()),
        }
        return broker_hop(
            connected=broker.connected,
            reason=reason,
            version=broker.version,
            session_present=broker.session_present,
            counts=counts,
        )

    def _spool_hop(self, now: float) -> Hop:
        spool = self._spool
        lost = Counter[str]()
        for (_, reason), lines in self._lost().items():
            lost[reason] += lines
        total = lost.total()
        if total > self._lost_total:
            self._lost_total, self._lost_at = total, now
        hop = spool_hop(
            depth_bytes={stream: spool.depth_bytes(stream) for stream in Stream},
            max_bytes=self._max_bytes,
            oldest=self._oldest(),
            now=now,
            problem=self._parts.pipeline.problem,
            lost=lost,
        )
        if hop.level is Level.OK and now - self._lost_at < RECENT_S:
            told = f"{total} lines were given up since the start ({', '.join(lost)}): make room, or mend the store"
            return hop._replace(level=Level.DEGRADED, reason=told)
        return hop

    def _cluster_hops(self) -> list[Hop]:
        cluster = self._parts.cluster
        if cluster.alone:
            return []
        level = Level.OK if cluster.connected else Level.DEGRADED
        details = {"members": sorted(cluster.members), "held": len(cluster.held)}
        return [Hop("redis", level, None if cluster.connected else cluster.reason or "not asked yet", details)]


def _sum(counts: Iterator[Any]) -> dict[str, int]:
    total = Counter[str]()
    for count in counts:
        total.update(count)
    return dict(total)
