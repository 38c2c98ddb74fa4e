"""Events of a device, each told once and with its true time."""

import pytest

from shelly_exporter.devices.worker import MAX_COMPONENTS
from shelly_exporter.points import milliseconds
from shelly_exporter.spool import Stream
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import RELAYS, Shelly, stage


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
