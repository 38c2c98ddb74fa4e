"""Home Assistant's MQTT entry is reloaded, removed and added while our devices run on it."""

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.stack.fleet import DeviceSpec
from tests.stack.home_assistant import set_up_mqtt
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stack.stage import Stage

SWITCHED_S = 20.0
"""A hold-down of 5 s, the time Home Assistant takes to connect and subscribe, and a report of the meter."""
RELOADS = 3
POWER = "em:0-total_act_power"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def meter(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    specs = [DeviceSpec(model="pro3em", firmware="1.7.5", name="Meter", cadence_s=1.0)]
    async with raise_stage(tmp_path_factory.mktemp("mqtt-entry"), specs) as stage:
        await stage.add_device(stage.fleet.devices[0])
        yield stage


async def link_is(stage: Stage, link: str) -> None:
    entity = (await stage.entities(stage.fleet.devices[0]))["health-active_link"]
    await stage.client.wait_for_state(entity, link, SWITCHED_S)


async def health(stage: Stage) -> dict[str, Any]:
    told = await stage.client.diagnostics(stage.entries[stage.fleet.devices[0].id]["entry_id"])
    found: dict[str, Any] = told["data"]["health"]
    return found


async def changes(stage: Stage, times: int) -> None:
    """Wait until the power that is shown has changed some times."""
    entity = (await stage.entities(stage.fleet.devices[0]))[POWER]
    states = stage.client.states
    for _ in range(times):
        last = states[entity].state
        await stage.client.wait_for(lambda last=last: states[entity].state != last, 10, f"{entity} changes")  # type: ignore[misc]


async def check_that_each_frame_is_taken_once(stage: Stage) -> None:
    """With a second handler each frame would count as repeated; with none nothing would change."""
    repeated = (await health(stage))["drops"].get("repeated", 0)
    await changes(stage, 3)
    assert (await health(stage))["drops"].get("repeated", 0) == repeated


async def test_reloading_mqtt_leaves_one_handler_and_returns_to_mqtt(meter: Stage) -> None:
    (mqtt,) = await meter.client.entries("mqtt")
    for _ in range(RELOADS):
        await meter.client.reload_entry(mqtt["entry_id"])
        await link_is(meter, "mqtt")
        await check_that_each_frame_is_taken_once(meter)


async def test_our_entry_reloaded_after_mqtt_was(meter: Stage) -> None:
    (mqtt,) = await meter.client.entries("mqtt")
    await meter.client.reload_entry(mqtt["entry_id"])
    await meter.client.reload_entry(meter.entries[meter.fleet.devices[0].id]["entry_id"])
    await meter.await_values(meter.fleet.devices[0])
    await link_is(meter, "mqtt")
    await check_that_each_frame_is_taken_once(meter)


async def test_mqtt_removed_and_added_again(meter: Stage) -> None:
    device = meter.fleet.devices[0]
    power = (await meter.entities(device))[POWER]
    (mqtt,) = await meter.client.entries("mqtt")
    await meter.client.remove_entry(mqtt["entry_id"])
    await link_is(meter, "http")
    assert meter.client.states[power].state != "unavailable"
    await changes(meter, 1)
    told = await health(meter)
    assert (told["level"], told["links"].keys()) == ("ok", {"http"})

    await set_up_mqtt(meter.client, meter.broker)
    await link_is(meter, "mqtt")
    await check_that_each_frame_is_taken_once(meter)
    assert (await health(meter))["level"] == "ok"
    assert meter.home_assistant.complaints("shelly_pro") == []
