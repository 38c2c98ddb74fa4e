"""Which road an entry takes to its device, as the device's own ledger has it."""

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.end_to_end.conftest import WITH_PASSWORD, WITHOUT_MQTT
from tests.stack.comparison import compare_values, switch_in_home_assistant
from tests.stack.stage import enter_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stack.fleet import SimulatedDevice
    from tests.stack.hass_client import HassClient
    from tests.stack.stage import Stage

UPDATES = 3
CHECK = "Sys.GetStatus"
"""What is asked over HTTP from time to time while MQTT delivers: could it take over? It brings no readings."""


@pytest_asyncio.fixture(loop_scope="session")
async def meter_without_mqtt(stage: Stage) -> AsyncIterator[SimulatedDevice]:
    device = stage.fleet.devices[stage.fleet.specs.index(WITHOUT_MQTT)]
    await stage.add_device(device)
    yield device
    await stage.remove_device(device)


@pytest_asyncio.fixture(loop_scope="session")
async def locked_relays(stage: Stage) -> AsyncIterator[SimulatedDevice]:
    device = stage.fleet.devices[stage.fleet.specs.index(WITH_PASSWORD)]
    await stage.add_device(device, password=WITH_PASSWORD.password)
    yield device
    await stage.remove_device(device)


async def answers_while_values_change(stage: Stage, device: SimulatedDevice, entity_id: str) -> set[str]:
    """Return the roads on which the device answered questions for readings during `UPDATES` changes of a value."""
    since = (await stage.fleet.truth(device)).ts
    states = stage.client.states
    for _ in range(UPDATES):
        last = states[entity_id].state
        await stage.client.wait_for(lambda last=last: states[entity_id].state != last, 30, f"{entity_id} changes")  # type: ignore[misc]
    frames = (await stage.fleet.ledger(device, since))["frames"]
    assert frames
    return {frame["road"] for frame in frames if not frame["kind"].startswith("Notify") and frame["kind"] != CHECK}


async def last_source(stage: Stage, device: SimulatedDevice) -> str:
    edges = await stage.fleet.edges(device, 0.0)
    return str([edge for edge in edges if edge["kind"] == "switch"][-1]["source"])


async def test_with_mqtt_nobody_asks_for_readings(stage: Stage) -> None:
    meter = next(device for device in stage.fleet.devices if device.model == "pro3em")
    power = (await stage.entities(meter))["em:0-total_act_power"]
    assert await answers_while_values_change(stage, meter, power) == set()


async def test_with_mqtt_orders_go_over_mqtt(stage: Stage) -> None:
    relays = next(device for device in stage.fleet.devices if device.model == "pro3")
    entity = (await stage.entities(relays))["switch:0"]
    on = stage.client.states[entity].state == "off"
    assert (await switch_in_home_assistant(stage, relays, 0, entity, on=on)).agrees
    assert await last_source(stage, relays) == "MQTT"


async def test_without_mqtt_values_come_over_http(stage: Stage, meter_without_mqtt: SimulatedDevice) -> None:
    power = (await stage.entities(meter_without_mqtt))["em:0-total_act_power"]
    assert await answers_while_values_change(stage, meter_without_mqtt, power) == {"http"}
    compared = [c for c in await compare_values(stage) if c.device == meter_without_mqtt.id]
    assert compared
    assert [comparison for comparison in compared if not comparison.agrees] == []


async def test_a_device_with_a_password_is_switched_over_http(stage: Stage, locked_relays: SimulatedDevice) -> None:
    for name, entity in (await stage.entities(locked_relays)).items():
        if name.startswith("switch:") and "-" not in name:
            number = int(name.removeprefix("switch:"))
            on = stage.client.states[entity].state == "off"
            switching = await switch_in_home_assistant(stage, locked_relays, number, entity, on=on)
            assert switching.agrees, switching.problem
    assert await last_source(stage, locked_relays) == "HTTP_in"


async def test_a_wrong_password_is_said_and_can_be_corrected(stage: Stage) -> None:
    device = stage.fleet.devices[stage.fleet.specs.index(WITH_PASSWORD)]
    client = stage.client
    step = await enter_address(client, device.host, device.http_port)
    assert (step.kind, step.step, step.fields) == ("form", "credentials", ("password",))
    step = await client.submit(step, {"password": "guess"})
    assert (step.kind, step.errors) == ("form", {"base": "invalid_auth"})
    step = await client.submit(step, {"password": WITH_PASSWORD.password})
    assert (step.kind, step.step) == ("menu", "offer")
    step = await client.submit(step, {"next_step_id": "http_only"})
    assert step.kind == "create_entry"
    assert step.entry is not None
    await client.remove_entry(step.entry["entry_id"])


async def test_nothing_at_the_address_is_said(stage: Stage, unused_tcp_port: int) -> None:
    assert await refusal(stage.client, unused_tcp_port) == {"base": "cannot_connect"}


async def test_something_else_at_the_address_is_said(stage: Stage) -> None:
    assert (await refusal(stage.client, stage.home_assistant.port)).keys() == {"base"}


async def test_a_device_is_added_once(stage: Stage) -> None:
    device = stage.fleet.devices[0]
    step = await enter_address(stage.client, device.host, device.http_port)
    assert (step.kind, step.reason) == ("abort", "already_configured")


async def refusal(client: HassClient, port: int) -> dict[str, str]:
    return (await enter_address(client, "127.0.0.1", port)).errors
