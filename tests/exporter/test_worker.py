"""One device: what it tells becomes lines, whatever it tells, whether it is asked from here or not."""

import asyncio
import json
from typing import Any

import pytest

from shelly_core import LinkClosedError
from shelly_exporter import worker as module
from shelly_exporter.points import milliseconds
from shelly_exporter.rollups import Series
from shelly_exporter.spool import Stream
from shelly_exporter.worker import MAX_COMPONENTS
from tests.core.memory_link import NOW
from tests.core.payloads import notification_frames
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, Stage, stage, until

RECORD = next(frame for frame in notification_frames(METER) if b'"data"' in frame)
QUESTIONS = ["Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"]


def counters(phase_a_wh: float) -> dict[str, Any]:
    return {"emdata:0": {"id": 0, "a_total_act_energy": phase_a_wh, "a_total_act_ret_energy": 0.0}}


def minute(ts: float, component: str = "emdata:0") -> dict[str, Any]:
    """The event with the record of a minute that began at `ts`."""
    event: dict[str, Any] = json.loads(RECORD)["params"]["events"][0]
    return {**event, "component": component, "ts": ts, "data": {**event["data"], "ts": ts}}


# What is told.


@virtual_time
async def test_what_is_told_before_it_is_connected_makes_lines() -> None:
    shelly = Shelly(METER)
    shelly.silent = {"*"}
    async with stage(shelly) as world:
        ts = world.wall() - 3.5
        assert world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 100.5}}, ts) == "taken"
        (power,) = world.points("em")
        assert (power.fields, power.ts) == ({"act_power": 100.5}, milliseconds(ts))
        assert not world.is_connected(shelly.id)
        # What cannot be is left out all the same.
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1e9, "a_voltage": 230.5}})
        assert world.points("em")[-1].fields == {"voltage": 230.5}
        with pytest.raises(LinkClosedError):
            _ = world.devices.workers[shelly.id].client.device


@virtual_time
async def test_a_device_introduces_itself() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        await until(lambda: "firmware" in {name for point in world.points("device") for name in point.fields})
        assert world.asked(shelly.prefix)[:3] == QUESTIONS
        facts = {name: value for point in world.points("device") for name, value in point.fields.items()}
        assert (facts["firmware"], facts["model"], facts["name"]) == ("1.7.5", "SPEM-003CEBEU", "House meter")
        assert (facts["eth_ip"], facts["rssi"], facts["cloud"]) == ("192.0.2.52", -58.0, False)
        assert worker.known.info.firmware == "1.7.5"
        # The answer to the question for its status made lines as well.
        assert {point.measurement for point in world.points()} == {
            "device", "em", "em_wide", "emdata", "emdata_wide", "temperature",
        }  # fmt: skip
        assert {point.fields["origin"] for point in world.points("em_wide")} == {"mqtt"}
        lines = sum(world.devices.points.values())
        assert lines == len(world.points()) - 1, "all but the line of what it is"
        assert world.devices.points["em"] == 4


@virtual_time
async def test_a_late_frame_keeps_its_own_time() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        world.pipeline.lines.clear()
        new, old = world.wall(), world.wall() - 42.0
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 200.5}}, new)
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 100.5}}, old)

        def told() -> list[tuple[float, int]]:
            frames = [point for point in world.points("em") if [*point.fields] == ["act_power"]]
            return [(point.fields["act_power"], point.ts) for point in frames]

        # It may have to wait until it is known that it is not the clock.
        await until(lambda: len(told()) == 2, within_s=10)
        assert told() == [(200.5, milliseconds(new)), (100.5, milliseconds(old))]
        assert worker.client.device.status["em:0"]["a_act_power"] != 100.5


@virtual_time
async def test_the_same_frame_makes_the_same_lines() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        world.pipeline.lines.clear()
        for _ in range(2):
            world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 200.5}}, NOW)
        assert len({line for _, line in world.pipeline.lines}) == 1


@virtual_time
async def test_what_a_device_does_not_date_is_of_now() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        frame = {"method": "NotifyStatus", "params": {"temperature:0": {"tC": 21.5}}}
        world.tell(f"{shelly.prefix}/events/rpc", {"src": shelly.id, **frame})
        assert world.points("temperature")[-1].ts == milliseconds(world.wall())


@pytest.mark.parametrize(
    "told",
    [
        {"switch:0": {"aenergy": {}}},
        {"switch:0": {"aenergy": None, "ret_aenergy": None}},
        {"switch:0": {"aenergy": {"total": None}, "temperature": {}, "counts": {}}},
        {"switch:0": None},
        {"switch:0": 5},
        {"switch:0": {"aenergy": 5}},
        {"switch": {"temperature": 5, "aenergy": 5}},
        {"switch:0x": {"temperature": 5}},
        {"emdata": {"a_total_act_energy": "evil"}},
        {"em:٣": {"a_voltage": "1 1\nevil"}},
        {"sys:0": {"uptime": "1 1\nevil"}},
        {"script:1": {"running": True}},
        {"": {}},
    ],
)
@virtual_time
async def test_whatever_it_tells_does_no_harm(told: dict[str, Any]) -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        await world.connected(shelly)
        # A register that has a value already is another way through than one that has none.
        world.notify(shelly, {"switch:0": {"aenergy": {"total": 10.5}, "ret_aenergy": {"total": 0.5}}})
        world.pipeline.lines.clear()
        world.notify(shelly, told)
        assert world.points() == []
        assert len(world.rollups) == 1
        assert world.notify(shelly, {"switch:0": {"output": True}}) == "taken"
        assert [point.fields["output"] for point in world.points("switch")] == [True]


@virtual_time
async def test_components_are_bounded() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        met = len(worker._lines)
        world.notify(shelly, {f"switch:{number}": {"output": True} for number in range(1000, 1200)})
        channels = {point.tags["channel"] for point in world.points("switch")}
        assert len(channels - {"0", "1", "2"}) == MAX_COMPONENTS - met
        assert worker.invented == 200 - (MAX_COMPONENTS - met)
        # Those met before are served as ever.
        world.notify(shelly, {"switch:0": {"output": True, "source": "last"}})
        assert world.points("switch")[-1].fields["source"] == "last"


@virtual_time
async def test_scripts_and_sensors_take_no_place() -> None:
    shelly = Shelly(METER)
    shelly.status = {**{f"bthomesensor:{number}": {"value": 1} for number in range(200, 400)}, **shelly.status}
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        assert world.points("em_wide")
        assert worker.invented == 0


# Events and records.


@virtual_time
async def test_presses_are_events_and_each_is_told_once() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        await world.connected(shelly)
        ts = world.wall()
        first = {"component": "input:2", "id": 2, "event": "single_push", "ts": ts - 0.25}
        second = {**first, "ts": ts}
        for _ in range(2):
            world.happen(shelly, first, second, ts=ts)
        world.happen(shelly, {"component": "sys", "event": "sys_btn_push"}, ts=ts)
        assert [(point.tags["component"], point.fields["event"], point.ts) for point in world.points("event")] == [
            ("input", "single_push", milliseconds(ts - 0.25)),
            ("input", "single_push", milliseconds(ts)),
            ("sys", "sys_btn_push", milliseconds(ts)),
        ]
        assert {stream for stream, line in world.pipeline.lines if line.startswith(b"event")} == {Stream.COUNTERS}


@virtual_time
async def test_an_event_of_a_wrong_clock_has_the_true_time() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        shelly.now = lambda: world.wall() + 7200.0
        worker = await world.connected(shelly)
        clock = worker.client.health().clock
        assert clock.wrong
        world.happen(shelly, {"component": "input:2", "event": "single_push", "ts": shelly.now()}, ts=shelly.now())
        world.notify(shelly, {"switch:0": {"output": True}}, shelly.now())
        # As exactly as the offset is known, which is to the second.
        expected = pytest.approx(world.wall() * 1000, abs=1001)
        assert [point.ts for point in world.points("event")] == [expected]
        assert world.points("switch")[-1].ts == expected


@pytest.mark.parametrize("component", ["", "a b", "Input:0", "input:٣", "x" * 17, 'evil,x="1'])
@virtual_time
async def test_an_event_of_no_component_is_left_out(component: str) -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        world.happen(shelly, {"component": component, "event": "single_push", "ts": world.wall()})
        assert world.points("event") == []
        assert worker.invented == 1


@virtual_time
async def test_components_of_events_are_bounded() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        ts = world.wall()
        names = [f"script:{number}" for number in range(MAX_COMPONENTS + 100)]
        world.happen(shelly, *({"component": name, "event": "done", "ts": ts} for name in names))
        assert len({tuple(point.tags.items()) for point in world.points("event")}) == MAX_COMPONENTS
        assert worker.invented == 100


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


# Rollups.


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
