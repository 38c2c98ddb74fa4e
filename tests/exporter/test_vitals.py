"""How the exporter is, gathered from its parts: for people, for Prometheus and as points."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shelly_core import Level
from shelly_exporter import vitals as module
from shelly_exporter.broker import Broker
from shelly_exporter.cluster import Cluster
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.sender import Sender
from shelly_exporter.spool import Spool, Stream
from shelly_exporter.vitals import MEMORY, Parts, Vitals
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, Stage, stage
from tests.exporter.stored_points import Point, points_of

MAX_BYTES = 1_000_000


class Whole:
    """Vitals with real devices and a real spool; the other parts are what a test says."""

    def __init__(self, world: Stage, directory: Path) -> None:
        self.world = world
        self.spool = Spool(directory / "spool", max_bytes=MAX_BYTES)
        self.spool.open()
        self.broker = SimpleNamespace(
            connected=True, reason=None, version="5", session_present=True, oversized=1, failed=2, stale_receipts=3
        )
        self.sender = SimpleNamespace(
            last_success_at=time.time(), failing_since=None, reason=None, in_flight=0, complaints=()
        )
        self.cluster = SimpleNamespace(alone=True, connected=False, reason=None, members=set[str](), held=set[str]())
        self.pipeline = Pipeline(self.spool, commit_s=0.01, acknowledge=lambda _receipts: None)
        self.vitals = Vitals("attic", self.spool, MAX_BYTES)
        self.vitals.watch(
            Parts(
                broker=cast("Broker", self.broker),
                pipeline=self.pipeline,
                sender=cast("Sender", self.sender),
                devices=world.devices,
                cluster=cast("Cluster", self.cluster),
            )
        )

    def hop(self, name: str) -> dict[str, Any]:
        return next(hop for hop in self.vitals.report()["hops"] if hop["name"] == name)

    def points(self, ts: float = 1790000000.0) -> dict[str, Point]:
        """The points of a moment, by what they are of."""
        return {next(iter(point.tags.values())): point for point in points_of(self.vitals.lines(ts))}

    def metrics(self) -> dict[tuple[str, ...], float]:
        """What Prometheus sees, by name and values of labels."""
        return {
            (sample.name.removeprefix("shelly_exporter_"), *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.vitals.metrics.text().decode())
            for sample in family.samples
        }


@asynccontextmanager
async def whole(directory: Path, *shellys: Shelly) -> AsyncIterator[Whole]:
    async with stage(*shellys) as world:
        for shelly in shellys:
            await world.connected(shelly)
        parts = Whole(world, directory)
        try:
            yield parts
        finally:
            parts.spool.close()


@virtual_time
async def test_all_is_well(tmp_path: Path) -> None:
    meter, relays = Shelly(METER), Shelly(RELAYS)
    async with whole(tmp_path, meter, relays) as parts:
        report = parts.vitals.report()
        assert (report["status"], report["reason"]) == ("ok", None)
        assert [hop["name"] for hop in report["hops"]] == [
            "broker", "spool", "target", f"device:{meter.id}", f"device:{relays.id}",
        ]  # fmt: skip
        counts = parts.hop("broker")["details"]["counts"]
        assert counts == {**parts.world.devices.counts, "oversized": 1, "failed": 2, "stale_receipts": 3, "not_met": 0}
        points = parts.points()
        assert points.keys() == {meter.id, relays.id, "attic"}
        assert points[meter.id].fields["level"] == "ok"
        own = points["attic"].fields
        assert own["messages"] == parts.world.devices.counts.total()
        assert (own["broker"], own["devices"], own["devices_down"]) == (True, 2, 0)
        assert (own["spool_bytes"], own["spool_age"]) == (0.0, 0.0)
        assert "write_time" not in own
        metrics = parts.metrics()
        assert metrics["devices",] == 2
        assert metrics["device_up", meter.id] == 1
        assert metrics["messages_total", "taken"] == parts.world.devices.counts["taken"]
        assert metrics["messages_total", "oversized"] == 1
        assert metrics["points_total", "em"] == 4
        assert ("broker_dropped_total",) not in metrics


@virtual_time
async def test_what_waits_in_the_spool(tmp_path: Path) -> None:
    async with whole(tmp_path) as parts:
        now = time.time()
        parts.spool._wall = lambda: now - 90.0
        parts.spool.append({Stream.RAW: [b"em a=1 1"]})
        parts.spool._wall = lambda: now - 30.0
        parts.spool.append({Stream.COUNTERS: [b"emdata a=1 1"]})
        depth = parts.spool.depth_bytes(Stream.RAW) + parts.spool.depth_bytes(Stream.COUNTERS)
        own = parts.points(now)["attic"].fields
        assert own["spool_bytes"] == depth
        assert own["spool_age"] == pytest.approx(90)
        # A clock that was put back makes no negative age.
        assert parts.points(now - 3600)["attic"].fields["spool_age"] == 0.0
        metrics = parts.metrics()
        assert metrics["spool_bytes", "raw"] == parts.spool.depth_bytes(Stream.RAW) > 0
        assert metrics["spool_age_seconds", "raw"] == pytest.approx(90, abs=10)
        assert metrics["spool_age_seconds", "counters"] == pytest.approx(30, abs=10)
        assert parts.hop("spool")["details"]["bytes"] == {stream: parts.spool.depth_bytes(stream) for stream in Stream}


@virtual_time
async def test_a_disk_that_does_not_answer_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(stream: Stream) -> float | None:
        if stream is Stream.RAW:
            raise OSError(5, "Input/output error")
        return 1790000000.0

    async with whole(tmp_path) as parts:
        monkeypatch.setattr(parts.spool, "oldest", broken)
        assert parts.points(1790000010.0)["attic"].fields["spool_age"] == 10.0
        assert parts.hop("spool")["name"] == "spool"
        assert parts.metrics()["spool_age_seconds", "raw"] == 0.0


@virtual_time
async def test_lines_that_were_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with whole(tmp_path) as parts:
        parts.spool._streams[Stream.RAW].lost["quota"] += 7
        assert parts.hop("spool")["details"]["lost_lines"] == {"quota": 7}
        parts.pipeline.traffic.given_up = 5
        assert parts.hop("spool")["details"]["lost_lines"] == {"quota": 7, MEMORY: 5}
        assert parts.hop("spool")["level"] == Level.DEGRADED
        assert "12 lines were given up since the start (quota, memory)" in parts.hop("spool")["reason"]
        assert parts.metrics()["spool_lost_lines_total", "quota", "raw"] == 7
        assert parts.metrics()["spool_lost_lines_total", MEMORY, "raw"] == 5
        assert parts.points()["attic"].fields["errors"] == 12
        assert parts.points()["attic"].fields["errors"] == 0
        # Ten minutes later it is history, until there is more of it.
        monkeypatch.setattr(module, "RECENT_S", 0.0)
        assert (parts.hop("spool")["level"], parts.hop("spool")["reason"]) == (Level.OK, None)
        parts.pipeline.problem = "no room"
        assert (parts.vitals.report()["status"], parts.hop("spool")["reason"]) == ("down", "no room")


@virtual_time
async def test_what_the_sender_says(tmp_path: Path) -> None:
    async with whole(tmp_path) as parts:
        parts.vitals.written(Stream.RAW, 100, 0.25)
        parts.vitals.failed("denied")
        parts.vitals.rejected("conflict", 3)
        parts.pipeline.traffic.lines = 40
        own = parts.points()["attic"].fields
        assert (own["write_time"], own["errors"], own["dead_letters"], own["points"]) == (0.25, 4, 3, 40)
        metrics = parts.metrics()
        assert metrics["written_lines_total", "raw"] == 100
        assert metrics["write_failures_total", "denied"] == 1
        assert metrics["dead_letters_total", "conflict"] == 3
        parts.sender.complaints = ("The bucket has no retention",)
        assert (parts.hop("target")["level"], parts.hop("target")["reason"]) == (
            Level.DEGRADED,
            "The bucket has no retention",
        )
        parts.sender.failing_since, parts.sender.reason = time.time() - 3600, "refused"
        assert (parts.hop("target")["level"], parts.hop("target")["reason"]) == (Level.DOWN, "refused")


@virtual_time
async def test_a_broker_that_drops_messages(tmp_path: Path) -> None:
    async with whole(tmp_path) as parts:
        dropped = parts.world.devices.dropped
        dropped.take(b"3", time.time())
        assert parts.hop("broker")["level"] == Level.OK
        dropped.take(b"4", time.time() - 601)
        assert parts.hop("broker")["level"] == Level.OK
        dropped.take(b"5", time.time())
        hop = parts.hop("broker")
        assert hop["level"] == Level.DEGRADED
        assert "dropped messages" in hop["reason"]
        assert parts.metrics()["broker_dropped_total",] == 5
        # What is worse is said instead.
        parts.broker.reason = "a subscription is refused"
        assert parts.hop("broker")["reason"] == "a subscription is refused"
        parts.broker.connected, parts.broker.reason = False, None
        assert (parts.hop("broker")["level"], parts.hop("broker")["reason"]) == (Level.DOWN, "not connected yet")


@virtual_time
async def test_devices_of_another_exporter_are_its_own_affair(tmp_path: Path) -> None:
    meter, relays = Shelly(METER), Shelly(RELAYS)
    async with whole(tmp_path, meter, relays) as parts:
        parts.world.notify(meter, {"em:0": {"id": 0, "a_voltage": 1e9}})
        parts.world.notify(meter, {"em:0": {"id": 0, "a_voltage": 231.5}}, parts.world.wall() - 60)
        assert parts.points()["attic"].fields["rejects"] == 1
        before = parts.metrics()
        assert before["rejects_total", "out of range"] == 1
        parts.world.devices.follow_lease(meter.id, held=False)
        assert parts.vitals.healths().keys() == {relays.id}
        points = parts.points()
        assert points.keys() == {relays.id, "attic"}
        # The device is gone, but a count never falls, nor is one below zero.
        assert points["attic"].fields["rejects"] == 0
        assert parts.metrics()["rejects_total", "out of range"] == 1
        assert {key: value for key, value in parts.metrics().items() if key[0] == "drops_total"} == {
            key: value for key, value in before.items() if key[0] == "drops_total"
        }
        assert ("device_up", meter.id) not in parts.metrics()


@virtual_time
async def test_a_device_that_nothing_reaches(tmp_path: Path) -> None:
    meter = Shelly(METER)
    async with whole(tmp_path, meter) as parts:
        parts.world.lose_broker()
        assert parts.points()["attic"].fields["devices_down"] == 1
        assert parts.hop(f"device:{meter.id}")["level"] == Level.DOWN
        assert parts.metrics()["device_up", meter.id] == 0


@virtual_time
async def test_the_group(tmp_path: Path) -> None:
    async with whole(tmp_path) as parts:
        assert "redis" not in [hop["name"] for hop in parts.vitals.report()["hops"]]
        parts.cluster.alone = False
        assert (parts.hop("redis")["level"], parts.hop("redis")["reason"]) == (Level.DEGRADED, "not asked yet")
        parts.cluster.reason = "Redis does not answer"
        assert parts.hop("redis")["reason"] == "Redis does not answer"
        parts.cluster.connected, parts.cluster.members, parts.cluster.held = True, {"b", "a"}, {"x"}
        assert parts.hop("redis") == {
            "name": "redis",
            "level": Level.OK,
            "reason": None,
            "details": {"members": ["a", "b"], "held": 1},
        }
