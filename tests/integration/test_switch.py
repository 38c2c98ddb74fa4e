"""The relays: what the device confirms is what is shown."""

from collections.abc import Awaitable, Callable

import pytest
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import ATTR_ENTITY_ID, SERVICE_TURN_OFF, SERVICE_TURN_ON, STATE_OFF, STATE_ON, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]

RELAY = "switch.switchboard_relay_1"


@pytest.fixture
def fixture_name() -> str:
    return "shellypro3-1.4.4"


@pytest.fixture(autouse=True)
def _relay_is_open(device: FixtureDevice) -> None:
    device.status["switch:0"]["output"] = False
    for number in range(3):
        device.config[f"switch:{number}"]["name"] = None


async def switch(hass: HomeAssistant, service: str) -> None:
    await hass.services.async_call(Platform.SWITCH, service, {ATTR_ENTITY_ID: RELAY}, blocking=True)


async def test_name_given_on_the_device(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.config["switch:0"]["name"] = "Boiler"
    await set_up(hass, entry)
    assert state_of(hass, "switch.switchboard_boiler") == STATE_OFF


async def test_over_http(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    await switch(hass, SERVICE_TURN_ON)
    assert ("Switch.Set", {"id": 0, "on": True}) in device.calls
    assert state_of(hass, RELAY) == STATE_ON

    await switch(hass, SERVICE_TURN_OFF)
    assert state_of(hass, RELAY) == STATE_OFF


async def test_over_mqtt_the_notification_confirms(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    mqtt_device.asked.clear()
    switching = hass.async_create_task(switch(hass, SERVICE_TURN_ON))
    await mqtt_device.asked.wait()
    assert mqtt_device.calls[-1] == ("Switch.Set", {"id": 0, "on": True})
    await notify({"switch:0": {"output": True, "source": "MQTT"}})
    await switching
    assert state_of(hass, RELAY) == STATE_ON
    assert "Switch.GetStatus" not in [method for method, _ in mqtt_device.calls]


async def test_switched_at_the_device(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await notify({"switch:0": {"id": 0, "output": True, "source": "button"}})
    assert state_of(hass, RELAY) == STATE_ON


async def test_refused(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    device.error = {"code": -109, "message": "shutting down in 952 ms"}
    with pytest.raises(HomeAssistantError, match="shutting down in 952 ms"):
        await switch(hass, SERVICE_TURN_ON)
    assert state_of(hass, RELAY) == STATE_OFF


async def test_no_answer(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    device.online = False
    with pytest.raises(HomeAssistantError, match="did not confirm"):
        await switch(hass, SERVICE_TURN_ON)
    assert state_of(hass, RELAY) == STATE_OFF


async def test_wrong_password_asks_for_the_new_one(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    device.protect("new password")
    with pytest.raises(HomeAssistantError, match="password"):
        await switch(hass, SERVICE_TURN_ON)
    await hass.async_block_till_done()
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == [SOURCE_REAUTH]
