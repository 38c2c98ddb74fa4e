"""A notification that comes far too late among others in time is held, with its message, until its time is known."""

import asyncio

import pytest

from shelly_exporter.devices.latecomers import PATIENCE_S
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, Shelly, Stage, stage

BEHIND_S = 7200.0


def reading(world: Stage, freq: float, ago_s: float = 0.0) -> float:
    """Let the meter tell a frequency, and return what it says is the time."""
    ts = round(world.wall() - ago_s, 2)
    world.notify(world.shellys[0], {"em:0": {"id": 0, "a_freq": freq}}, ts)
    return ts


def told(world: Stage, freq: float) -> list[float]:
    """Return the times of the points with that frequency."""
    return [point.ts / 1000 for point in world.points("em") if point.fields.get("freq") == freq]


@virtual_time
async def test_a_clock_that_was_put_back_is_known_with_the_next_status() -> None:
    async with stage(Shelly(METER)) as world:
        meter = world.shellys[0]
        await world.connected(meter)
        reading(world, 50.1)
        true = world.wall()
        meter.now = lambda: world.wall() - BEHIND_S
        meter.status["sys"]["unixtime"] = int(meter.now())
        reading(world, 50.2, BEHIND_S)
        assert told(world, 50.2) == []
        await asyncio.sleep(6)
        assert told(world, 50.2) == [pytest.approx(true, abs=1.1)]


@virtual_time
async def test_without_a_status_it_is_taken_as_it_is_and_only_then_acknowledged() -> None:
    async with stage(Shelly(METER)) as world:
        meter = world.shellys[0]
        await world.connected(meter)
        reading(world, 50.1)
        settled = len(world.settled)
        meter.silent = {"*"}
        ts = reading(world, 50.2, BEHIND_S)
        reading(world, 50.3)
        assert len(world.settled) == settled
        await asyncio.sleep(PATIENCE_S - 0.1)
        assert (told(world, 50.2), len(world.settled)) == ([], settled)
        assert len(told(world, 50.3)) == 1
        await asyncio.sleep(0.2)
        assert told(world, 50.2) == [ts]
        assert len(world.pipeline._pending.receipts) == 2
