"""The promise: whatever fails on the way, readings keep coming, once and in order, and relays stay switchable."""

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson
import pytest_asyncio

from tests.stack.comparison import compare_values
from tests.stack.fleet import DeviceSpec
from tests.stack.processes import wait_until
from tests.stack.recorder import recorded_states
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest

    from tests.stack.fleet import SimulatedDevice
    from tests.stack.stage import Stage

FIRST_READING_S = 2.0
POLL_S = 5.0
PROBE_S = 3.0
SUSPECT_S = 20.0
HOLD_DOWN_S = 5.0
RECONNECT_S = 70.0
"""A device whose broker is gone tries again after a minute at the latest."""
SLACK_S = 3.0
COMMANDS = 20
POWER, ENERGY = "em:0-total_act_power", "emdata:0-total_act"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def board(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A stage of its own: the others would note the outages in their logs."""
    specs = [
        DeviceSpec(model="pro3em", firmware="1.7.5", name="Meter", cadence_s=1.0, house="house"),
        DeviceSpec(model="pro3", firmware="1.7.5", name="Relays", house="house"),
    ]
    async with raise_stage(tmp_path_factory.mktemp("failover"), specs) as stage:
        for device in stage.fleet.devices:
            await stage.add_device(device)
        yield stage


def meter_of(stage: Stage) -> SimulatedDevice:
    return next(device for device in stage.fleet.devices if device.model == "pro3em")


def relays_of(stage: Stage) -> SimulatedDevice:
    return next(device for device in stage.fleet.devices if device.model == "pro3")


async def link_is(stage: Stage, device: SimulatedDevice, link: str, deadline_s: float) -> float:
    """Return the seconds until the device's active link is `link`."""
    entity = (await stage.entities(device))["health-active_link"]
    return await stage.client.wait_for_state(entity, link, deadline_s)


async def all_on_mqtt(stage: Stage) -> None:
    for device in stage.fleet.devices:
        await link_is(stage, device, "mqtt", RECONNECT_S + HOLD_DOWN_S + SLACK_S)


async def next_reading(stage: Stage, device: SimulatedDevice, deadline_s: float) -> float:
    """Return the seconds until the power that Home Assistant shows changes."""
    entity = (await stage.entities(device))[POWER]
    states = stage.client.states
    last = states[entity].state
    return await stage.client.wait_for(lambda: states[entity].state not in {last, "unavailable"}, deadline_s, POWER)


async def first_poll(stage: Stage, device: SimulatedDevice, since: float, deadline_s: float) -> float:
    """Return the seconds from `since` until the device first answered over HTTP with its whole status.

    The simulator wrote it down: what is shown need not change, since a meter that measures once a second may have told
    the same over MQTT. On MQTT nobody asks for the whole status over HTTP.
    """
    polls: list[float] = []

    async def answered() -> bool:
        frames = (await stage.fleet.ledger(device, since))["frames"]
        polls[:] = [frame["ts"] for frame in frames if (frame["road"], frame["kind"]) == ("http", "Shelly.GetStatus")]
        return bool(polls)

    await wait_until(answered, deadline_s, f"{device.id} has answered over HTTP")
    return polls[0] - since


async def shown_since(stage: Stage, device: SimulatedDevice, since: float) -> dict[str, list[str | None]]:
    """Return every state that the recorder has of each of the device's values, once it has caught up."""
    entities = {name: entity for name, entity in (await stage.entities(device)).items() if "health-" not in name}
    database = stage.home_assistant.database
    await asyncio.sleep(0)

    def read() -> dict[str, list[str | None]]:
        return {name: [state.value for state in recorded_states(database, e, since)] for name, e in entities.items()}

    shown = read()

    def complete() -> bool:
        nonlocal shown
        shown = read()
        states = stage.client.states
        return all(not values or values[-1] == states[entities[name]].state for name, values in shown.items())

    await wait_until(complete, 10, "The recorder has written everything")
    return shown


class Switching:
    """Switches a relay on and off through Home Assistant, over and over, and counts."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.device = stage, relays_of(stage)
        self.entity = ""
        self.ordered: list[bool] = []
        self.since = 0.0

    async def prepare(self) -> None:
        self.entity = (await self.stage.entities(self.device))["switch:0"]
        await self.stage.client.call_service("switch.turn_off", self.entity)
        await self.stage.client.wait_for_state(self.entity, "off")
        self.since = (await self.stage.fleet.truth(self.device)).ts

    async def order(self, times: int, pause_s: float) -> None:
        """Order `times` switchings; each has to be confirmed by the device when the service returns."""
        for _ in range(times):
            on = len(self.ordered) % 2 == 0
            await self.stage.client.call_service(f"switch.turn_{'on' if on else 'off'}", self.entity)
            self.ordered.append(on)
            assert (await self.stage.fleet.truth(self.device)).true["switch:0"]["output"] is on
            await asyncio.sleep(pause_s)

    async def check(self) -> None:
        """Every order was carried out exactly once, in order."""
        edges = await self.stage.fleet.edges(self.device, self.since)
        assert [edge["on"] for edge in edges if edge["kind"] == "switch" and edge["id"] == 0] == self.ordered


async def check_counter(stage: Stage, device: SimulatedDevice, values: list[str | None]) -> None:
    """Nothing was lost or counted twice: the counter never steps back and ends where the device's own stands."""
    numbers = [float(value) for value in values if value is not None]
    assert all(before < after for before, after in pairwise(numbers)), numbers
    reported = (await stage.fleet.truth(device)).reported["emdata:0"]["total_act"]
    entity = (await stage.entities(device))[ENERGY]
    assert round(float(stage.client.states[entity].state) * 1000, 2) == reported


async def test_the_broker_is_killed_under_load_and_comes_back(board: Stage) -> None:
    stage, meter = board, meter_of(board)
    await all_on_mqtt(stage)
    switching = Switching(stage)
    await switching.prepare()
    since = time.time()
    await switching.order(4, pause_s=0.05)

    killed_at = time.time()
    await stage.broker.kill()
    for device in stage.fleet.devices:
        await link_is(stage, device, "http", FIRST_READING_S)
        assert await first_poll(stage, device, killed_at, FIRST_READING_S) <= FIRST_READING_S
    # The next poll comes in another second, in which the meter has measured anew.
    await next_reading(stage, meter, POLL_S + 1)
    await switching.order(8, pause_s=1.0)

    await stage.broker.start()
    returned = asyncio.create_task(all_on_mqtt(stage))
    await switching.order(4, pause_s=1.0)
    await returned
    await switching.order(4, pause_s=0.05)
    assert len(switching.ordered) == COMMANDS
    await switching.check()

    await next_reading(stage, meter, 15)
    assert [comparison for comparison in await compare_values(stage) if not comparison.agrees] == []
    shown = await shown_since(stage, meter, since)
    assert not [name for name, values in shown.items() if "unavailable" in values]
    await check_counter(stage, meter, shown[ENERGY])


async def test_a_stuck_online_flag_changes_nothing(board: Stage) -> None:
    stage, meter = board, meter_of(board)
    await all_on_mqtt(stage)
    since = (await stage.fleet.truth(meter)).ts
    began = time.time()
    await stage.fleet.set_fault(meter, "online_stuck")
    for _ in range(3):
        await next_reading(stage, meter, 15)
    await stage.fleet.clear_faults(meter)
    assert await recorded_links(stage, meter, began) <= {"mqtt"}
    frames = (await stage.fleet.ledger(meter, since))["frames"]
    assert not [frame for frame in frames if (frame["road"], frame["kind"]) == ("http", "Shelly.GetStatus")]


async def test_a_hung_mqtt_connection_is_found_out(board: Stage) -> None:
    stage, meter = board, meter_of(board)
    await all_on_mqtt(stage)
    since = time.time()
    await stage.fleet.set_fault(meter, "mqtt_silent")
    seconds = await link_is(stage, meter, "http", SUSPECT_S + PROBE_S + SLACK_S)
    assert seconds <= SUSPECT_S + PROBE_S + 1
    await next_reading(stage, meter, 10)

    relays = relays_of(stage)
    await stage.fleet.set_fault(relays, "mqtt_silent")
    switching = Switching(stage)
    await switching.prepare()
    await switching.order(2, pause_s=0.0)
    await switching.check()

    for device in stage.fleet.devices:
        await stage.fleet.clear_faults(device)
    await all_on_mqtt(stage)
    shown = await shown_since(stage, meter, since)
    assert not [name for name, values in shown.items() if "unavailable" in values]


async def test_http_that_fails_while_mqtt_delivers_shows_in_the_health_only(board: Stage) -> None:
    stage, meter = board, meter_of(board)
    await all_on_mqtt(stage)
    entities = await stage.entities(meter)
    await stage.client.wait_for_state(entities["health-http"], "on", 70)
    since = time.time()
    await stage.fleet.set_fault(meter, "http_cut")
    await stage.client.wait_for_state(entities["health-http"], "off", 80)
    status, told = await health_of(stage, meter)
    assert (status, told["status"], told["active"]) == (200, "degraded", "mqtt")
    assert "HTTP" in told["reason"]
    await stage.fleet.clear_faults(meter)
    await stage.client.wait_for_state(entities["health-http"], "on", 70)
    shown = await shown_since(stage, meter, since)
    assert not [name for name, values in shown.items() if "unavailable" in values]


async def test_both_roads_cut_is_said_with_the_reason_and_ends_by_itself(board: Stage) -> None:
    stage, meter = board, meter_of(board)
    await all_on_mqtt(stage)
    entities = await stage.entities(meter)
    await stage.fleet.set_fault(meter, "link_cut")
    await stage.client.wait_for_state(entities[POWER], "unavailable", 30)
    status, told = await health_of(stage, meter)
    assert (status, told["status"], told["active"]) == (503, "down", None)
    assert "MQTT: " in told["reason"]
    assert "HTTP: no connection" in told["reason"]
    said = [text for text in stage.home_assistant.complaints("Meter is unavailable") if "HTTP: no connection" in text]
    assert len(said) == 1
    assert stage.client.states[(await stage.entities(relays_of(stage)))["switch:0"]].state != "unavailable"

    await stage.fleet.clear_faults(meter)
    await stage.client.wait_for(available(stage, entities[POWER]), RECONNECT_S, "The meter is back")
    await all_on_mqtt(stage)
    assert [comparison for comparison in await compare_values(stage) if not comparison.agrees] == []


def available(stage: Stage, entity: str) -> Callable[[], bool]:
    return lambda: stage.client.states[entity].state != "unavailable"


async def recorded_links(stage: Stage, device: SimulatedDevice, since: float) -> set[str | None]:
    entity = (await stage.entities(device))["health-active_link"]
    return {state.value for state in recorded_states(stage.home_assistant.database, entity, since)}


async def health_of(stage: Stage, device: SimulatedDevice) -> tuple[int, dict[str, Any]]:
    """Return the status code of the health page, and what it says of the device."""
    status, text, _ = await stage.client.get("/api/shelly_pro/health")
    entry_id = stage.entries[device.id]["entry_id"]
    told: dict[str, Any] = next(told for told in orjson.loads(text)["devices"] if told["entry_id"] == entry_id)
    return status, told
