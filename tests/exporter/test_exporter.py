"""All parts together: from the broker to the store, over a stop and a start, and when a part cannot begin."""

import asyncio
import json
import socket
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from shelly_exporter import exporter as module
from shelly_exporter import rounds
from shelly_exporter.cluster.errors import ClusterError
from shelly_exporter.exporter import Exporter
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.sender import Sender
from shelly_exporter.settings import Cluster, Settings, SettingsError, Web
from shelly_exporter.spool import Spool, SpoolError, SpoolFullError, Stream
from tests.exporter.spool_stage import taken
from tests.exporter.stored_points import points_of
from tests.exporter.whole_exporter import connected, device, health, hops, mosquitto, settings_for
from tests.stack.influxdb import InfluxServer
from tests.stack.processes import wait_until


def waiting(settings: Settings, stream: Stream) -> list[bytes]:
    """Take what is left in the spool of an exporter that has ended."""
    spool = Spool(settings.spool.directory / "spool", max_bytes=8 * 1024 * 1024)
    spool.open()
    try:
        return taken(spool, stream)
    finally:
        spool.close()


async def test_the_whole_way(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, InfluxServer(tmp_path / "influxdb") as store, device(broker) as meter:
        settings = settings_for(tmp_path, broker, store.url)
        ts = time.time()
        async with Exporter(settings):
            await connected(settings, "broker")
            await meter.tell({"emdata:0": {"id": 0, "total_act": 1586287.72}}, ts - 60)
            await connected(settings, f"device:{meter.id}")
            assert (await health(settings))["status"] == "ok"
            assert len(meter.asked) >= 3
        wide = await store.query("shelly", "SELECT * FROM emdata_wide")
        first, *_, newest = wide
        assert (first["device"], first["total_act"], first["origin"]) == (meter.id, 1586287.72, "mqtt")
        assert first["time"] == round((ts - 60) * 1000)
        assert newest["total_act_ret"] == 955012.04
        (own,) = await store.query("shelly", "SELECT * FROM exporter")
        assert (own["instance"], own["broker"], own["devices"]) == ("attic", True, 1)
        assert own["points"] >= 1
        assert {row["phase"] for row in await store.query("shelly_rollups", "SELECT * FROM energy_1h")} == {
            "a", "b", "c", "total",
        }  # fmt: skip
        # All is delivered, and what is known is on disk.
        assert [waiting(settings, stream) for stream in Stream] == [[], []]
        saved = {path.stem: json.loads(path.read_text()) for path in settings.spool.directory.glob("*.json")}
        assert saved["devices"][meter.id]["info"]["name"] == "House meter"
        assert {device_id for device_id, *_ in saved["rollups"]["series"]} == {meter.id}

        meter.asked.clear()
        async with Exporter(settings):
            # Met before, so it is asked before it has said a word.
            await connected(settings, f"device:{meter.id}")
            assert "Shelly.GetStatus" in meter.asked


async def test_what_is_acknowledged_is_kept_and_what_is_not_comes_again(tmp_path: Path) -> None:
    """An end in the midst of it, without a store: each message is in the spool, or still at the broker."""
    count = 300
    async with mosquitto(tmp_path) as broker, device(broker) as meter:
        settings = settings_for(tmp_path, broker)
        ts = time.time()
        with capture_logs() as logs:
            async with Exporter(settings) as exporter:
                await connected(settings, "broker")
                telling = asyncio.gather(
                    *(meter.tell({"temperature:0": {"tC": 20 + n / 1000}}, ts - n) for n in range(count))
                )
                # As soon as some are there.
                await wait_until(lambda: bool(exporter.running) and meter.asked != [], 5, "it begins", interval_s=0.001)
            await telling
        assert any("wait in the spool" in entry["event"] for entry in logs)
        async with Exporter(settings):
            await connected(settings, "broker")
            await asyncio.sleep(0.3)
        points = points_of(waiting(settings, Stream.RAW))
        told = {point.ts for point in points if point.measurement == "temperature"}
        assert {round((ts - n) * 1000) for n in range(count)} <= told


async def test_without_a_broker_and_a_store_it_says_so(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, None)

    async def said() -> bool:
        found = await hops(settings)
        return found["broker"] == "down" and found["target"] == "degraded"

    async with Exporter(settings) as exporter:
        await wait_until(said, 5, "what is wrong is said")
        assert (await health(settings))["status"] == "down"
        assert not any(task.done() for task in exporter.running)
    assert all(task.cancelled() for task in exporter.running)
    (point,) = [point for point in points_of(waiting(settings, Stream.RAW)) if point.measurement == "exporter"]
    assert (point.fields["broker"], point.fields["errors"] > 0) == (False, True)


async def test_what_is_not_committed_yet_is_kept_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LAST_S", 0.05)
    settings = settings_for(tmp_path, None)
    settings = replace(settings, spool=replace(settings.spool, commit_ms=3_600_000))
    async with Exporter(settings):
        pass
    assert [point.measurement for point in points_of(waiting(settings, Stream.RAW))] == ["exporter"]


async def test_one_directory_is_for_one_exporter(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, None)
    async with Exporter(settings):
        with pytest.raises(SpoolError, match="in use"):
            async with Exporter(settings):
                pytest.fail("two exporters in one directory")
        # The one that was there first is not disturbed.
        assert "spool" in await hops(settings)
    async with Exporter(settings):
        assert "spool" in await hops(settings)


async def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        occupied = Web(port=taken_port.getsockname()[1])
        before = asyncio.all_tasks()
        with pytest.raises(SettingsError, match=r"web\.port"):
            await Exporter(settings_for(tmp_path, None, web=occupied)).__aenter__()
        with pytest.raises(ClusterError, match="redis_url"):
            await Exporter(settings_for(tmp_path, None, cluster=Cluster(redis_url="nonsense"))).__aenter__()
        assert asyncio.all_tasks() == before
    # The spool is free again.
    async with Exporter(settings_for(tmp_path, None)):
        pass


async def test_what_found_no_place_is_said() -> None:
    async def full() -> None:
        raise SpoolFullError("no room")

    with capture_logs() as logs:
        await module._flush(cast("Pipeline", SimpleNamespace(flush=full)))
    assert [(entry["log_level"], entry["reason"]) for entry in logs] == [("warning", "no room")]


@pytest.mark.parametrize(("is_empty", "warnings"), [(True, 0), (False, 1)])
async def test_what_the_store_has_not_taken_is_said(warnings: int, *, is_empty: bool) -> None:
    waits: list[float] = []

    async def drain(deadline_s: float) -> bool:
        waits.append(deadline_s)
        return is_empty

    sender: Any = SimpleNamespace(drain=drain, reason="nobody answers")
    with capture_logs() as logs:
        await module._drain(cast("Sender", sender))
    assert [entry["reason"] for entry in logs] == ["nobody answers"] * warnings
    # Within what a service manager waits before it kills: 10 s.
    assert waits == [module.DRAIN_S]
    assert module.DRAIN_S < 10


async def test_a_part_that_broke_is_stopped_without_a_fuss() -> None:
    async def broken() -> None:
        raise RuntimeError("told before")

    task = asyncio.create_task(broken())
    await asyncio.wait((task,))
    await module._stopped(task)
    assert isinstance(task.exception(), RuntimeError)
