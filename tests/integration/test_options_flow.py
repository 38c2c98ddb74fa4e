"""The loads at the relays: what a person enters is estimated from, what is left empty is not."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro.config_flow import ShellyProConfigFlow
from custom_components.shelly_pro.const import CONF_RATED_POWER
from tests.integration.entries import set_up
from tests.integration.fixture_device import FixtureDevice


@pytest.mark.parametrize("fixture_name", ["shellypro3-1.4.4"])
async def test_loads(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.config["switch:1"]["name"] = None
    await set_up(hass, entry)
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    assert flow["description_placeholders"] == {"relays": "1 Circulation pump, 2, 3"}
    done = await hass.config_entries.options.async_configure(flow["flow_id"], {"rated_power_1": 60, "rated_power_2": 0})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {CONF_RATED_POWER: {"switch:0": 60.0}}
    await hass.async_block_till_done()
    assert hass.states.get("sensor.switchboard_circulation_pump_estimated_power") is not None
    assert hass.states.get("sensor.switchboard_relay_2_estimated_power") is None

    flow = await hass.config_entries.options.async_init(entry.entry_id)
    assert flow["data_schema"] is not None
    suggested = {f"{field}": field.description for field in flow["data_schema"].schema}
    assert suggested["rated_power_1"] == {"suggested_value": 60.0}
    await hass.config_entries.options.async_configure(flow["flow_id"], {})
    await hass.async_block_till_done()
    assert entry.options == {CONF_RATED_POWER: {}}


@pytest.mark.parametrize(("fixture_name", "offered"), [("shellypro3-1.4.4", True), ("shellypro3em-1.7.5", False)])
async def test_only_where_there_is_something_to_choose(
    hass: HomeAssistant, entry: MockConfigEntry, offered: bool
) -> None:
    assert not ShellyProConfigFlow.async_supports_options_flow(entry), "not set up yet"
    await set_up(hass, entry)
    assert ShellyProConfigFlow.async_supports_options_flow(entry) is offered
