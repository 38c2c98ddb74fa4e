"""A meter's records of minutes, and the energy of the hour."""

import asyncio
import json
from typing import Any

import pytest

from shelly_exporter.devices import worker as module
from shelly_exporter.points import milliseconds
from shelly_exporter.rollups import Series
from shelly_exporter.spool import Stream
from tests.core.memory_link import NOW
from tests.core.payloads import notification_frames
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, Stage, stage

RECORD = next(frame for frame in notification_frames(METER) if b'"data"' in frame)


def counters(phase_a_wh: float) -> dict[str, Any]:
    return {"emdata:0": {"id": 0, "a_total_act_energy": phase_a_wh, "a_total_act_ret_energy": 0.0}}


def minute(ts: float, component: str = "emdata:0") -> dict[str, Any]:
    """The event with the record of a minute that began at `ts`."""
    event: dict[str, Any] = json.loads(RECORD)["params"]["events"][0]
    return {**event, "component": component, "ts": ts, "data": {**event["data"], "ts": ts}}


@virtual_time
async def test_the_record_of_a_minute_is_of_that_minute() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        begun = NOW // 60 * 60 - 7200
        # It comes late and twice after an outage, and the later minute first.
        for ts in (begun + 60, begun, begun):
            assert world.happen(shelly, minute(ts)) == "taken"
        wide = world.points("emdata_1m_wide")
        assert [point.ts for point in wide] == [milliseconds(ts) for ts in (begun + 60, begun, begun)]
        assert {point.fields["origin"] for point in wide} == {"mqtt"}
        assert {point.tags["phase"] for point in world.points("emdata_1m")} == {"a", "b", "c"}
        assert world.records == [(shelly.id, "emdata:0", ts) for ts in (begun + 60, begun, begun)]
        assert world.points("event") == []
        assert {stream for stream, line in world.pipeline.lines if line.startswith(b"emdata_1m")} == {Stream.COUNTERS}


@virtual_time
async def test_the_record_of_a_wrong_clock_is_of_no_minute() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        shelly.now = lambda: world.wall() + 7200.0
        await world.connected(shelly)
        world.happen(shelly, minute(shelly.now() // 60 * 60 - 60), ts=shelly.now())
        assert (world.points("emdata_1m"), world.points("event"), world.records) == ([], [], [])


@pytest.mark.parametrize(
    "broken",
    [
        {"data": None},
        {"data": {"ts": NOW // 60 * 60, "period": 60, "values": [[1.0]]}},
        {"data": {"ts": NOW // 60 * 60, "period": 0, "values": []}},
        {"component": "switch:0"},
        {"component": "emdata"},
        {"component": "emdata:x"},
    ],
)
@virtual_time
async def test_a_broken_record_is_left_out(broken: dict[str, Any]) -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        world.happen(shelly, {**minute(NOW // 60 * 60), **broken})
        assert (world.points("emdata_1m"), world.points("event"), world.records) == ([], [], [])
        world.happen(shelly, minute(NOW // 60 * 60))
        assert len(world.records) == 1


def series_of(world: Stage) -> set[tuple[int, str]]:
    return {(channel, phase) for _, channel, phase, _ in world.rollups.state()["series"]}


@virtual_time
async def test_counters_of_all_kinds_count_for_the_hour() -> None:
    meter, relays, single = Shelly(METER), Shelly(RELAYS), Shelly("shellypro3em-mono-1.4.4")
    async with stage(meter, relays, single) as world:
        for shelly in (meter, relays, single):
            await world.connected(shelly)
        begun = 1284410.52
        for wh in (begun + 1000, begun + 2500):
            await asyncio.sleep(60)
            world.notify(meter, counters(wh))
        world.notify(relays, {"switch:1": {"aenergy": {"total": 17.5}}})
        world.notify(relays, {"switch:2": {"ret_aenergy": {"total": 17.5}}})
        devices = {device for device, *_ in world.rollups.state()["series"]}
        assert devices == {meter.id, relays.id, single.id}
        assert series_of(world) >= {(0, phase) for phase in ("a", "b", "c", "total")} | {(1, "total"), (2, "total")}
        lines = [line.decode() for line in world.rollups.lines() if line.startswith(b"energy_1h")]
        (of_a,) = [line for line in lines if meter.id in line and "phase=a" in line]
        assert "import_kwh=2.5," in of_a


@virtual_time
async def test_what_another_exporter_asks_counts_there() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        world.devices.holds = lambda _device_id: False
        world.notify(shelly, counters(1000.5))
        assert len(world.rollups) == 0
        assert [point.fields["total_act_energy"] for point in world.points("emdata")] == [1000.5]
        world.devices.follow_lease(shelly.id, held=True)
        world.notify(shelly, counters(2000.5))
        assert Series(shelly.id, 0, "a") in world.rollups._tracks


def test_counters_of_a_kind() -> None:
    told = {"a_total_act_energy": 1.5, "b_total_act_ret_energy": 2.5, "total_act": 3.5}
    assert module._counters("emdata", told) == [
        ("a", 1.5, None),
        ("b", None, 2.5),
        ("c", None, None),
        ("total", 3.5, None),
    ]
    assert module._counters("em1data", {"total_act_energy": 0.0}) == [("total", 0.0, None)]
    assert module._counters("switch", {"aenergy": {"total": 0.0}, "ret_aenergy": {}}) == [("total", 0.0, None)]
