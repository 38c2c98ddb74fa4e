"""The settings of relays and inputs: shown as the device has them, changed on the device."""

from typing import Any

import pytest
from homeassistant.const import ATTR_ENTITY_ID, STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

RELAY = "switchboard_relay_2"


@pytest.fixture
def fixture_name() -> str:
    return "shellypro3-2.0.1"


@pytest.fixture(autouse=True)
def _unnamed(device: FixtureDevice, all_enabled: None) -> None:
    device.config["switch:1"]["name"] = None


@pytest.mark.parametrize(
    ("entity_id", "action", "data", "key", "config", "before", "after"),
    [
        (f"switch.{RELAY}_switch_off_again_by_timer", "turn_on", {}, "switch:1", {"auto_off": True}, "off", "on"),
        (f"switch.{RELAY}_input_locked", "turn_on", {}, "switch:1", {"in_locked": True}, "off", "on"),
        (
            *(f"number.{RELAY}_off_again_after", "set_value", {"value": 90.5}),
            *("switch:1", {"auto_off_delay": 90.5}, "60.0", "90.5"),
        ),
        (
            *(f"select.{RELAY}_when_power_returns", "select_option", {"option": "on"}),
            *("switch:1", {"initial_state": "on"}, "off", "on"),
        ),
        ("switch.switchboard_input_1_inverted", "turn_on", {}, "input:0", {"invert": True}, "off", "on"),
        ("switch.switchboard_input_1_in_use", "turn_off", {}, "input:0", {"enable": False}, "on", "off"),
    ],
)
async def test_change(
    hass: HomeAssistant,
    device: FixtureDevice,
    entry: MockConfigEntry,
    entity_id: str,
    action: str,
    data: dict[str, Any],
    key: str,
    config: dict[str, Any],
    before: str,
    after: str,
) -> None:
    for field in config:
        device.config[key][field] = {"off": False, "on": True}.get(before, device.config[key][field])
    if "initial_state" in config:
        device.config[key]["initial_state"] = before
    await set_up(hass, entry)
    assert state_of(hass, entity_id) == before
    domain = entity_id.partition(".")[0]
    await hass.services.async_call(domain, action, {ATTR_ENTITY_ID: entity_id, **data}, blocking=True)
    kind, _, number = key.partition(":")
    assert (f"{kind.capitalize()}.SetConfig", {"id": int(number), "config": config}) in device.calls
    assert state_of(hass, entity_id) == after


async def test_refused(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    device.refused.add("Switch.SetConfig")
    entity_id = f"switch.{RELAY}_switch_off_again_by_timer"
    with pytest.raises(HomeAssistantError, match="Invalid argument"):
        await hass.services.async_call("switch", "turn_on", {ATTR_ENTITY_ID: entity_id}, blocking=True)
    assert state_of(hass, entity_id) == STATE_OFF


async def test_a_choice_that_we_do_not_know(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.config["switch:1"] |= {"in_mode": "new", "auto_off": None, "auto_off_delay": None}
    await set_up(hass, entry)
    assert state_of(hass, f"select.{RELAY}_what_the_input_does") == STATE_UNKNOWN
    assert state_of(hass, f"switch.{RELAY}_switch_off_again_by_timer") == STATE_UNKNOWN
    assert state_of(hass, f"number.{RELAY}_off_again_after") == STATE_UNKNOWN


async def test_what_is_changed_on_the_device_is_shown(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    device.set_config("switch:1", {"auto_on": True})
    await entry.runtime_data.settings.async_read()
    assert state_of(hass, f"switch.{RELAY}_switch_on_again_by_timer") == STATE_ON
