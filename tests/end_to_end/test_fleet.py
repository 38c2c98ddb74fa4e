"""Fifty devices lose the broker, then everything, and all come back without rushing and without a relay that moves."""

import asyncio
import time
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.stack.fleet import DeviceSpec
from tests.stack.processes import StackError, wait_until
from tests.stack.recorder import recorded_states
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A stage with fifty devices, and what each of them has: entity ids by name."""

    stage: Stage
    entities: Sequence[dict[str, str]]

    @property
    def links(self) -> list[str]:
        """The entity of each device that tells its active link."""
        return [entities["health-active_link"] for entities in self.entities]

    @property
    def values(self) -> list[str]:
        """Every entity that becomes unavailable with its device."""
        return [e for entities in self.entities for name, e in entities.items() if not name.startswith("health-")]

    async def wait(self, entities: Sequence[str], holds: Callable[[str], bool], deadline_s: float) -> float:
        """Return the seconds until `holds` for the state of every one of the entities; the error names the others."""
        states = self.stage.client.states
        try:
            return await self.stage.client.wait_for(
                lambda: all(holds(states[e].state) for e in entities), deadline_s, f"{len(entities)} states"
            )
        except StackError as error:
            others = {e: states[e].state for e in entities if not holds(states[e].state)}
            raise StackError(f"{error}, but these are otherwise: {others}") from error

    async def links_are(self, link: str, deadline_s: float) -> float:
        """Return the seconds until every device's active link is `link`."""
        return await self.wait(self.links, lambda state: state == link, deadline_s)

    async def values_are(self, *, available: bool, deadline_s: float) -> float:
        """Return the seconds until every value is there, or none."""
        return await self.wait(self.values, lambda state: (state != "unavailable") is available, deadline_s)

    async def first_polls(self, since: float) -> list[float]:
        """Return when each device answered its first question for the status over HTTP after `since`, in order."""
        fleet = self.stage.fleet
        first: dict[str, float] = {}

        async def complete() -> bool:
            for device in [device for device in fleet.devices if device.id not in first]:
                frames = (await fleet.ledger(device, since))["frames"]
                polls = [f["ts"] for f in frames if (f["road"], f["kind"]) == ("http", "Shelly.GetStatus")]
                if polls:
                    first[device.id] = min(polls)
            return len(first) == len(fleet.devices)

        await wait_until(complete, 2 * POLL_S, "Every device is asked over HTTP", interval_s=0.5)
        return sorted(first.values())

    async def unavailable(self, span: tuple[float, float]) -> list[str]:
        """Return the entities that the recorder has as unavailable at some time between two."""
        begin, end = span
        database, values = self.stage.home_assistant.database, self.values

        # States are committed in order: with one that came after the end, all before it are there.
        def complete() -> bool:
            return any(recorded_states(database, entity, end) for entity in values[:50])

        await wait_until(complete, 2 * POLL_S, "The recorder has caught up")
        return [
            entity
            for entity in values
            if any(s.value == "unavailable" and s.updated <= end for s in recorded_states(database, entity, begin))
        ]


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    """A crowd whose devices are all added."""
    async with raise_stage(tmp_path, SPECS, options=("--mqtt-reconnect", "5")) as stage:
        turns = asyncio.Semaphore(AT_ONCE)

        async def add(device: SimulatedDevice) -> None:
            async with turns:
                await stage.add_device(device)

        await asyncio.gather(*map(add, stage.fleet.devices))
        yield Crowd(stage=stage, entities=[await stage.entities(device) for device in stage.fleet.devices])


def most_within(times: Sequence[float], seconds: float) -> int:
    """Return how many of the sorted times lie within a span of that length at most."""
    return max(bisect_right(times, begin + seconds) - index for index, begin in enumerate(times))


def check_spread(times: Sequence[float]) -> None:
    """Nobody rushes: the first questions come over some time, and not most of them together."""
    assert times[-1] - times[0] >= LEAST_SPREAD_S, times
    assert most_within(times, NARROW_S) <= MOST_TOGETHER, times


async def lose_the_broker(crowd: Crowd) -> None:
    """HTTP takes over for everybody within seconds; nothing is unavailable, and not all are asked at once."""
    begin = time.time()
    await crowd.stage.broker.kill()
    await crowd.links_are("http", NOTICED_S)
    check_spread(await crowd.first_polls(begin))
    assert await crowd.unavailable((begin, time.time())) == []


async def lose_http_too(crowd: Crowd) -> None:
    """Without any road every device is unavailable, and each one's reason is in the log once."""
    await crowd.stage.fleet.set_fault_everywhere("http_cut")
    await crowd.values_are(available=False, deadline_s=CUT_S)
    await crowd.links_are("none", NOTICED_S)
    said = crowd.stage.home_assistant.complaints("is unavailable")
    assert len(said) == len(SPECS)
    for spec in SPECS:
        (text,) = [text for text in said if f"{spec.name} is unavailable" in text]
        assert "MQTT: Home Assistant is not connected to the MQTT broker" in text
        assert "HTTP: no connection" in text


async def find_http_again(crowd: Crowd) -> None:
    """Everybody comes back over HTTP by himself, and again not all at once."""
    begin = time.time()
    await crowd.stage.fleet.clear_faults_everywhere()
    await crowd.values_are(available=True, deadline_s=LONGEST_PAUSE_S)
    await crowd.links_are("http", NOTICED_S)
    check_spread(await crowd.first_polls(begin))


async def find_the_broker_again(crowd: Crowd) -> None:
    """Everybody returns to MQTT, and nothing is unavailable meanwhile."""
    begin = time.time()
    await crowd.stage.broker.start()
    await crowd.links_are("mqtt", RETURN_S)
    assert await crowd.unavailable((begin, time.time())) == []


async def test_fifty_devices_lose_everything_and_come_back(crowd: Crowd) -> None:
    begun, fleet = time.time(), crowd.stage.fleet
    await crowd.links_are("mqtt", SETTLED_S)

    await lose_the_broker(crowd)
    await lose_http_too(crowd)
    await find_http_again(crowd)
    await find_the_broker_again(crowd)

    for device in fleet.devices:
        assert [edge for edge in await fleet.edges(device, begun) if edge["kind"] == "switch"] == []
        assert await fleet.http_in_flight_max(device) == 1
