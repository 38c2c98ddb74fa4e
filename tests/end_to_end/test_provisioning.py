"""MQTT is set up on a real broker by the config flow, and everything is put back when the device does not arrive."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from tests.stack.fleet import DeviceSpec
from tests.stack.mosquitto import DEVICES
from tests.stack.processes import wait_until
from tests.stack.stage import enter_address, raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stack.fleet import SimulatedDevice
    from tests.stack.hass_client import FlowStep
    from tests.stack.stage import Stage

SPECS = (
    DeviceSpec(model="pro3", firmware="1.4.4", mqtt=False),
    DeviceSpec(model="pro3em", firmware="2.0.1", mqtt=False),
    DeviceSpec(model="pro3em", firmware="1.1.0", mqtt=False),
)
"""The third has been used with MQTT before: its old password is not to be had from it."""
PROVISIONED_S = 150.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def household(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Devices without MQTT, and a Home Assistant with a broker."""
    async with raise_stage(tmp_path_factory.mktemp("provisioning"), SPECS, options=("--mqtt-reconnect", "1")) as stage:
        for device in stage.fleet.devices[:2]:
            await ask(device, "Mqtt.SetConfig", config={"server": None, "user": None, "pass": None})
        yield stage


async def ask(device: SimulatedDevice, method: str, **params: Any) -> Any:
    """Ask a device over HTTP."""
    frame = {"id": 1, "method": method, "params": params}
    url = f"http://{device.host}:{device.http_port}/rpc"
    async with aiohttp.ClientSession() as session, session.post(url, json=frame) as response:
        return (await response.json())["result"]


async def settings(device: SimulatedDevice) -> dict[str, Any]:
    """Return what the device says of its MQTT."""
    told: dict[str, Any] = await ask(device, "Mqtt.GetConfig")
    return told


async def at_preview(stage: Stage, device: SimulatedDevice, *, preview: str = "mqtt_preview", **login: Any) -> FlowStep:
    """Go through the flow up to what will change."""
    step = await enter_address(stage.client, device.host, device.http_port)
    assert (step.kind, step.step) == ("menu", "offer")
    step = await stage.client.submit(step, {"next_step_id": "mqtt_broker"})
    assert step.step == "mqtt_broker"
    broker = {"host": stage.broker.host, "port": stage.broker.port, "tls": "none"}
    step = await stage.client.submit(step, broker | login)
    assert (step.step, step.errors) == (preview, {})
    return step


async def test_the_device_is_brought_to_the_broker(household: Stage) -> None:
    device, user = household.fleet.devices[0], DEVICES
    step = await at_preview(household, device, username=user, password=household.broker.password(user))
    server = f"{household.broker.host}:{household.broker.port}"
    assert f"| server | - | {server} |" in step.placeholders["changes"]
    assert "| enable | off | on |" in step.placeholders["changes"]
    assert household.broker.password(user) not in step.placeholders["changes"]
    step = await household.client.progressed(await household.client.submit(step, {}), PROVISIONED_S)
    assert step.entry is not None, step
    told = await settings(device)
    assert (told["enable"], told["server"], told["user"]) == (True, server, user)
    entities = {e["unique_id"].partition("-")[2]: e["entity_id"] for e in await household.client.entities("shelly_pro")}
    await household.client.wait_for_state(entities["health-active_link"], "mqtt", 30.0)


async def test_a_wrong_password_leaves_the_device_as_it_was(household: Stage) -> None:
    device, user = household.fleet.devices[1], DEVICES
    before = await settings(device)
    step = await at_preview(household, device, username=user, password="guess")
    step = await household.client.progressed(await household.client.submit(step, {}), PROVISIONED_S)
    assert (step.kind, step.step) == ("menu", "mqtt_failed"), step
    assert "Its settings are as before" in step.placeholders["error"]
    assert json.dumps(await settings(device)) == json.dumps(before), "byte for byte"
    step = await household.client.submit(step, {"next_step_id": "http_only"})
    assert step.entry is not None
    await household.client.remove_entry(step.entry["entry_id"])


@pytest.mark.parametrize("restarting", [False, True])
async def test_a_dialog_that_is_closed_leaves_the_device_as_it_was(household: Stage, restarting: bool) -> None:
    device, user = household.fleet.devices[1], DEVICES
    before = await settings(device)
    step = await household.client.submit(await at_preview(household, device, username=user, password="guess"), {})
    assert step.kind == "progress"

    async def changed() -> bool:
        with suppress(KeyError, aiohttp.ClientError):  # while it restarts
            return await settings(device) != before
        return False

    async def gone() -> bool:
        with suppress(KeyError):
            try:
                await settings(device)
            except aiohttp.ClientConnectionError:
                return True
        return False

    async def as_before() -> bool:
        with suppress(KeyError, aiohttp.ClientError):
            return await settings(device) == before
        return False

    await wait_until(gone if restarting else changed, 30, "The settings are changed")
    await household.client.rest("DELETE", f"/api/config/config_entries/flow/{step.flow_id}")
    await wait_until(as_before, 60, "The settings are put back")


async def test_a_password_that_would_be_lost_is_said_before(household: Stage) -> None:
    device = household.fleet.devices[2]
    step = await at_preview(household, device, preview="mqtt_preview_lost", username=DEVICES, password="guess")
    assert "| pass | •••••• | •••••• |" in step.placeholders["changes"]
    await household.client.rest("DELETE", f"/api/config/config_entries/flow/{step.flow_id}")
