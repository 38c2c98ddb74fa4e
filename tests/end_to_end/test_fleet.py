"""Fifty devices lose the broker, then everything, and all come back without rushing and without a relay that moves."""

import asyncio
import time
from bisect import bisect_right
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.stack.fleet import DeviceSpec
from tests.stack.processes import wait_until
from tests.stack.recorder import recorded_states
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.stack.fleet import SimulatedDevice
    from tests.stack.stage import Stage

EACH = 25
METERS = [DeviceSpec(model="pro3em", firmware="1.7.5", name=f"Meter {n:02}", cadence_s=1.0) for n in range(EACH)]
RELAYS = [DeviceSpec(model="pro3", firmware="1.7.5", name=f"Relays {n:02}") for n in range(EACH)]
SPECS = (*METERS, *RELAYS)
AT_ONCE = 8
"""How many config flows run at a time."""
SETTLED_S = 30.0
NOTICED_S = 5.0
POLL_S = 10.0
CUT_S = 40.0
"""A poll's pause, three failures with their pauses, and patience with a busy machine."""
LONGEST_PAUSE_S = 60.0
"""The breaker's; what does not answer is asked again after it at the latest."""
RETURN_S = 60.0
"""Home Assistant tries to reach the broker every 10 s, the devices here every 5 s; then comes the hold-down."""
NARROW_S = 0.2
LEAST_SPREAD_S = 0.5
MOST_TOGETHER = EACH
"""Of `2 * EACH` devices, within `NARROW_S`. Evenly by chance over a second, a third is exceeded in every third run, the
half in one of 20,000."""
EVENLY_S = 0.1


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage with fifty devices, all added and on MQTT."""
    async with raise_stage(tmp_path, SPECS, options=("--mqtt-reconnect", "5")) as stage:
        turns = asyncio.Semaphore(AT_ONCE)

        async def add(device: SimulatedDevice) -> None:
            async with turns:
                await stage.add_device(device)

        await asyncio.gather(*map(add, stage.fleet.devices))
        yield stage


async def named(stage: Stage, name: str) -> list[str]:
    """Return each device's entity of that name, such as `health-active_link`; those that have none are left out."""
    entities = [await stage.entities(device) for device in stage.fleet.devices]
    return [found[name] for found in entities if name in found]


async def values_of(stage: Stage) -> list[str]:
    """Return one entity of each device that becomes unavailable with it."""
    return [*await named(stage, "em:0-total_act_power"), *await named(stage, "switch:0")]


async def all_show(stage: Stage, entities: Sequence[str], state: str, deadline_s: float) -> float:
    """Return the seconds until every one of the entities shows `state`."""
    states = stage.client.states
    what = f"{len(entities)} entities such as {entities[0]} are {state}"
    return await stage.client.wait_for(lambda: all(states[e].state == state for e in entities), deadline_s, what)


async def all_available(stage: Stage, deadline_s: float) -> float:
    """Return the seconds until every device's value is there."""
    states, entities = stage.client.states, await values_of(stage)
    return await stage.client.wait_for(
        lambda: all(states[e].known for e in entities), deadline_s, f"{len(entities)} entities are available"
    )


async def first_polls(stage: Stage, since: float) -> list[float]:
    """Return when each device answered its first question for the status over HTTP after `since`, in order."""
    first: dict[str, float] = {}

    async def complete() -> bool:
        for device in stage.fleet.devices:
            if device.id not in first:
                frames = (await stage.fleet.ledger(device, since))["frames"]
                polls = [f["ts"] for f in frames if (f["road"], f["kind"]) == ("http", "Shelly.GetStatus")]
                first.update(dict.fromkeys([device.id] if polls else [], min(polls, default=0.0)))
        return len(first) == len(stage.fleet.devices)

    await wait_until(complete, 2 * POLL_S, "Every device is asked over HTTP", interval_s=0.5)
    return sorted(first.values())


def most_within(times: Sequence[float], seconds: float) -> int:
    """Return how many of the sorted times lie within a span of that length at most."""
    return max(bisect_right(times, begin + seconds) - index for index, begin in enumerate(times))


def check_spread(times: Sequence[float]) -> None:
    """Nobody rushes: the first questions come over some time, and not most of them together."""
    assert times[-1] - times[0] >= LEAST_SPREAD_S, times
    assert most_within(times, NARROW_S) <= MOST_TOGETHER, times


async def recorded(stage: Stage, span: tuple[float, float]) -> set[str | None]:
    """Return all that the recorder has of every device's value between two times, once it has caught up."""
    begin, end = span
    database, entities = stage.home_assistant.database, await values_of(stage)
    # States are committed in order: with one that came after the end, all before it are there.
    await wait_until(
        lambda: any(recorded_states(database, e, end) for e in entities), 2 * POLL_S, "The recorder has caught up"
    )
    states = [state for e in entities for state in recorded_states(database, e, begin)]
    return {state.value for state in states if state.updated <= end}


async def lose_the_broker(stage: Stage) -> None:
    """HTTP takes over for everybody within seconds; nobody is unavailable, and the devices are not asked all at once."""
    links = await named(stage, "health-active_link")
    begin = time.time()
    await stage.broker.kill()
    await all_show(stage, links, "http", NOTICED_S)
    check_spread(await first_polls(stage, begin))
    assert "unavailable" not in await recorded(stage, (begin, time.time()))


async def lose_http_too(stage: Stage) -> None:
    """Without any road every device is unavailable, and each one's reason is in the log once."""
    await stage.fleet.set_fault_everywhere("http_cut")
    await all_show(stage, await values_of(stage), "unavailable", CUT_S)
    await all_show(stage, await named(stage, "health-active_link"), "none", NOTICED_S)
    said = stage.home_assistant.complaints("is unavailable")
    assert len(said) == len(SPECS)
    for spec in SPECS:
        (text,) = [text for text in said if f"{spec.name} is unavailable" in text]
        assert "MQTT: Home Assistant is not connected to the MQTT broker" in text
        assert "HTTP: no connection" in text


async def find_http_again(stage: Stage) -> None:
    """Everybody comes back over HTTP by himself, and again not all at once."""
    begin = time.time()
    await stage.fleet.clear_faults_everywhere()
    await all_available(stage, LONGEST_PAUSE_S)
    await all_show(stage, await named(stage, "health-active_link"), "http", NOTICED_S)
    check_spread(await first_polls(stage, begin))


async def test_fifty_devices_lose_everything_and_come_back(crowd: Stage) -> None:
    stage, begun = crowd, time.time()
    links = await named(stage, "health-active_link")
    assert len(links) == len(SPECS)
    await all_show(stage, links, "mqtt", SETTLED_S)

    await lose_the_broker(stage)
    await lose_http_too(stage)
    await find_http_again(stage)
    began_return = time.time()
    await stage.broker.start()
    await all_show(stage, links, "mqtt", RETURN_S)

    assert "unavailable" not in await recorded(stage, (began_return, time.time()))
    for device in stage.fleet.devices:
        assert [edge for edge in await stage.fleet.edges(device, begun) if edge["kind"] == "switch"] == []
        assert await stage.fleet.http_in_flight_max(device) == 1
