"""Three hours of the strictest digest rules there are, firmware 2.0's, as a device without MQTT is polled."""

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.stack.fleet import DeviceSpec
from tests.stack.processes import wait_until
from tests.stack.recorder import recorded_states
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stack.stage import Stage

METER = DeviceSpec(model="pro3em", firmware="2.0.1", name="Locked meter", password="open sesame", mqtt=False)
SPEED = 144.0
"""Three hours in 75 s: a nonce lives 25 s, which is about five polls."""
NONCE_LIFETIME_S = 3600.0
HOURS_S = 3 * NONCE_LIFETIME_S
PATIENCE_S = 150.0
POLL_S = 5.0
LATE_S = 2 * POLL_S
"""How much later than by its polls a value may change: one poll may find the same value."""
POWER = "em:0-total_act_power"
JUMP = "counter jump"
"""Counters are as fast as the clock: in hours of much power they grow faster than a meter can count."""


@pytest_asyncio.fixture(loop_scope="session")
async def locked(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage whose only device is the locked meter, added and with all its values."""
    async with raise_stage(tmp_path, [METER], options=("--speed", str(SPEED))) as stage:
        await stage.add_device(stage.fleet.devices[0], password=METER.password)
        yield stage


async def live_through_three_hours(stage: Stage) -> float:
    """Return how long it was by the device's own clock; all the time nobody may be asked for the password."""
    device = stage.fleet.devices[0]
    begun = (await stage.fleet.truth(device)).ts
    seconds = 0.0

    async def over() -> bool:
        nonlocal seconds
        seconds = (await stage.fleet.truth(device)).ts - begun
        assert await stage.client.flows_in_progress() == []
        return seconds >= HOURS_S

    await wait_until(over, PATIENCE_S, "Three hours of the device", interval_s=0.5)
    return seconds


async def shown(stage: Stage, span: tuple[float, float]) -> dict[str, list[tuple[float, str | None]]]:
    """Return the time and value of every recorded state of each of the meter's entities, by name."""
    entities = await stage.entities(stage.fleet.devices[0])
    begin, end = span
    database = stage.home_assistant.database
    # States are committed in order: with one that came after the end, all before it are there.
    later = entities[POWER]
    await wait_until(lambda: bool(recorded_states(database, later, end)), 6 * POLL_S, "The recorder has caught up")
    states = {name: recorded_states(database, entity, begin) for name, entity in entities.items()}
    return {name: [(s.updated, s.value) for s in told if s.updated <= end] for name, told in states.items()}


async def test_three_hours_with_nonces_of_an_hour(locked: Stage) -> None:
    stage, device = locked, locked.fleet.devices[0]
    before = await stage.fleet.http_counts(device)
    begin = time.time()
    seconds = await live_through_three_hours(stage)
    span = (begin, time.time())
    after = await stage.fleet.http_counts(device)

    assert after.keys() <= {200, 401}, "429: too many nonces were asked for"
    renewed = after[401] - before[401]
    assert 2 <= renewed <= seconds // NONCE_LIFETIME_S + 1
    # With each refusal one request is repeated; nothing else was asked than a status every 5 s.
    assert after[200] - before[200] <= (span[1] - begin) / (0.9 * POLL_S) + 1
    assert await stage.fleet.http_in_flight_max(device) == 1

    states = await shown(stage, span)
    assert {name for name, told in states.items() if any(value == "unavailable" for _, value in told)} == set()
    times = [begin, *(updated for updated, _ in states[POWER]), span[1]]
    assert max(later - earlier for earlier, later in pairwise(times)) <= POLL_S + LATE_S
    values = [value for _, value in states[POWER]]
    assert all(earlier != later for earlier, later in pairwise(values)), values
    complaints = stage.home_assistant.complaints("shelly_pro")
    assert [complaint for complaint in complaints if JUMP not in complaint] == []
