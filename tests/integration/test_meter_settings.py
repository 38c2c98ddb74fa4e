"""The settings of a meter, setting its counters back, and a profile that changes under our feet."""

from copy import deepcopy
from typing import Any

import pytest
from homeassistant.const import ATTR_ENTITY_ID, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro import async_remove_config_entry_device
from custom_components.shelly_pro.const import DOMAIN
from tests.integration.entries import answered, set_up, state_of
from tests.integration.fixture_device import FixtureDevice

PREFIX = "switchboard"


@pytest.fixture(autouse=True)
def _everything(all_enabled: None) -> None:
    pass


@pytest.mark.parametrize(
    ("entity_id", "action", "data", "config", "after"),
    [
        (f"select.{PREFIX}_clamp_type", "select_option", {"option": "400A"}, {"ct_type": "400A"}, "400A"),
        (
            *(f"select.{PREFIX}_light_blinks_for", "select_option", {"option": "apparent_energy"}),
            *({"blink_mode_selector": "apparent_energy"}, "apparent_energy"),
        ),
        (f"select.{PREFIX}_light_blinks_for_phase", "select_option", {"option": "b"}, {"phase_selector": "b"}, "b"),
        (f"switch.{PREFIX}_watch_phase_sequence", "turn_on", {}, {"monitor_phase_sequence": True}, "on"),
        (f"switch.{PREFIX}_phase_b_clamp_turned_round", "turn_on", {}, {"reverse": {"b": True}}, "on"),
    ],
)
async def test_change(
    hass: HomeAssistant,
    device: FixtureDevice,
    entry: MockConfigEntry,
    entity_id: str,
    action: str,
    data: dict[str, Any],
    config: dict[str, Any],
    after: str,
) -> None:
    await set_up(hass, entry)
    before = state_of(hass, entity_id)
    assert before != after
    domain = entity_id.partition(".")[0]
    await hass.services.async_call(domain, action, {ATTR_ENTITY_ID: entity_id, **data}, blocking=True)
    assert ("EM.SetConfig", {"id": 0, "config": config}) in device.calls
    assert state_of(hass, entity_id) == after
    if domain == "switch":
        await hass.services.async_call(domain, "turn_off", {ATTR_ENTITY_ID: entity_id}, blocking=True)
        assert state_of(hass, entity_id) == "off"


@pytest.mark.parametrize(("ct_type", "options"), [("120A", ["120A", "400A"]), ("3x63A", ["3x63A"]), (None, [])])
async def test_types_of_clamps(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, ct_type: str | None, options: list[str]
) -> None:
    device.config["em:0"]["ct_type"] = ct_type
    await set_up(hass, entry)
    state = hass.states.get(f"select.{PREFIX}_clamp_type")
    assert state is not None
    assert (state.state, state.attributes["options"]) == (ct_type or STATE_UNKNOWN, options)


@pytest.mark.parametrize("fixture_name", ["shellypro3em-mono-1.4.4"])
async def test_a_single_clamp_turned_round(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.config["em1:0"] |= {"name": None, "reverse": True}
    await set_up(hass, entry)
    entity_id = f"switch.{PREFIX}_meter_1_clamp_turned_round"
    assert state_of(hass, entity_id) == "on"
    await hass.services.async_call("switch", "turn_off", {ATTR_ENTITY_ID: entity_id}, blocking=True)
    assert ("Em1.SetConfig", {"id": 0, "config": {"reverse": False}}) in [
        (method.replace("EM1", "Em1"), params) for method, params in device.calls
    ]
    assert state_of(hass, entity_id) == "off"


async def test_counters_are_set_back_and_begin_anew(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.answers["EMData.ResetCounters"] = None
    await set_up(hass, entry)
    energy = f"sensor.{PREFIX}_total_energy"
    assert float(state_of(hass, energy)) > 100
    button = f"button.{PREFIX}_reset_energy_counters"
    await hass.services.async_call("button", "press", {ATTR_ENTITY_ID: button}, blocking=True)
    assert ("EMData.ResetCounters", {"id": 0}) in device.calls
    device.status["emdata:0"] |= {field: 0.0 for field in device.status["emdata:0"] if field != "id"}
    device.status["sys"]["unixtime"] += 60
    await entry.runtime_data.client.call("Shelly.GetStatus")
    await hass.async_block_till_done()
    assert float(state_of(hass, energy)) == 0, "it is believed at once"


@pytest.mark.parametrize("fixture_name", ["shellypro3em-1.7.5"])
async def test_another_profile_makes_another_device(
    hass: HomeAssistant,
    device: FixtureDevice,
    entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    device_registry: dr.DeviceRegistry,
) -> None:
    await set_up(hass, entry)
    assert entity_registry.async_get(f"sensor.{PREFIX}_phase_a_power") is not None
    other = FixtureDevice("shellypro3em-mono-1.4.4")
    for key in ("em:0", "emdata:0"):
        del device.status[key], device.config[key]
    for key in [key for key in other.status if key.startswith(("em1:", "em1data:"))]:
        device.status[key] = deepcopy(other.status[key])
        device.config[key] = {**other.config.get(key, {}), "name": None}
    device.info["profile"] = "monophase"
    device.status["sys"]["cfg_rev"] += 1
    await entry.runtime_data.client.call("Shelly.GetStatus")
    await entry.runtime_data.settings.async_read()
    await answered(hass)
    assert entity_registry.async_get(f"sensor.{PREFIX}_phase_a_power") is None
    assert state_of(hass, f"sensor.{PREFIX}_profile") == "monophase"
    assert float(state_of(hass, f"sensor.{PREFIX}_meter_1_power")) == other.status["em1:0"]["act_power"]
    names = {found.name for found in dr.async_child_entries_for_config_entry(device_registry, entry.entry_id)}
    assert names == {"Meter 1", "Meter 2", "Meter 3"}


async def test_only_what_is_gone_may_be_removed_by_hand(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    await set_up(hass, entry)
    box = device_registry.async_get_device_by_identifier((DOMAIN, device.mac), config_entry_id=entry.entry_id)
    assert box is not None
    parts: list[dr.AnyDeviceEntry] = [box]
    parts += dr.async_child_entries_for_config_entry(device_registry, entry.entry_id)
    for found in parts:
        assert not await async_remove_config_entry_device(hass, entry, found)
    gone = device_registry.async_get_or_create_child(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, f"{device.mac}-em1:0")},
        name="Meter 1",
        parent_device_id=box.id,
    )
    assert await async_remove_config_entry_device(hass, entry, gone)
