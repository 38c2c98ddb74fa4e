"""What is said of lines given up, of dropped messages, and of a disk that does not answer."""

import time
from pathlib import Path

import pytest

from shelly_core import Level
from shelly_exporter import vitals as module
from shelly_exporter.spool import Stream
from shelly_exporter.vitals import MEMORY
from tests.core.virtual_time import virtual_time
from tests.exporter.whole_vitals import whole


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
        assert "max_queued_messages" in hop["reason"]
        assert parts.metrics()["broker_dropped_total",] == 5
        # What is worse is said instead.
        parts.broker.reason = "a subscription is refused"
        assert parts.hop("broker")["reason"] == "a subscription is refused"
        parts.broker.connected, parts.broker.reason = False, None
        assert (parts.hop("broker")["level"], parts.hop("broker")["reason"]) == (Level.DOWN, "not connected yet")
