"""How the exporter is, gathered from its parts: for people, for Prometheus and as points."""

import time
from pathlib import Path

import pytest

from shelly_core import Level
from shelly_exporter.spool import Stream
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly
from tests.exporter.whole_vitals import whole


@virtual_time
async def test_all_is_well(tmp_path: Path) -> None:
    meter, relays = Shelly(METER), Shelly(RELAYS)
    async with whole(tmp_path, meter, relays) as parts:
        report = parts.vitals.report()
        assert (report["status"], report["reason"]) == ("ok", None)
        assert [hop["name"] for hop in report["hops"]] == [
            "broker", "spool", "target", f"device:{meter.id}", f"device:{relays.id}",
        ]  # fmt: skip
        parts.world.devices.workers[meter.id].invented = 4
        counts = parts.hop("broker")["details"]["counts"]
        expected = {"oversized": 1, "failed": 2, "stale_receipts": 3, "not_met": 0, "invented": 4}
        assert counts == {**parts.world.devices.counts, **expected}
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
