"""What is known of a device is changed: its password when it refuses ours, its address when a person says so."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.integration.fixture_device import FixtureDevice

PASSWORD = "correct horse"


async def submit(hass: HomeAssistant, flow: ConfigFlowResult, **data: Any) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_configure(flow["flow_id"], data)


async def test_new_password(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.protect(PASSWORD)
    flow = await entry.start_reauth_flow(hass)
    assert flow["step_id"] == "reauth_confirm"

    flow = await submit(hass, flow, password="wrong")
    assert flow["errors"] == {"base": "invalid_auth"}

    flow = await submit(hass, flow, password=PASSWORD)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done()
    assert entry.data[CONF_PASSWORD] == PASSWORD


async def test_new_password_for_another_device(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.protect(PASSWORD)
    mac, device.info["mac"] = device.info["mac"], "00005E005301"
    flow = await submit(hass, await entry.start_reauth_flow(hass), password=PASSWORD)
    assert flow["errors"] == {"base": "wrong_device"}

    device.info["mac"] = mac
    flow = await submit(hass, flow, password=PASSWORD)
    assert flow["reason"] == "reauth_successful"
    await hass.async_block_till_done()


async def test_reconfigured(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    port = entry.data[CONF_PORT]
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_HOST: "192.0.2.7", CONF_PORT: 80})
    device.protect(PASSWORD)
    flow = await entry.start_reconfigure_flow(hass)
    assert flow["step_id"] == "reconfigure"
    flow = await submit(hass, flow, host="127.0.0.1", port=port, password="wrong")
    assert flow["errors"] == {"base": "invalid_auth"}
    mac, device.info["mac"] = device.info["mac"], "00005E005301"
    flow = await submit(hass, flow, host="127.0.0.1", port=port, password=PASSWORD)
    assert flow["errors"] == {"base": "wrong_device"}
    device.info["mac"] = mac
    flow = await submit(hass, flow, host=f"http://127.0.0.1:{port}/", port=80, password=PASSWORD)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert (entry.data[CONF_HOST], entry.data[CONF_PORT], entry.data[CONF_PASSWORD]) == ("127.0.0.1", port, PASSWORD)
    await hass.async_block_till_done()


async def test_a_password_that_is_not_needed_any_more_is_forgotten(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_PASSWORD: PASSWORD})
    flow = await entry.start_reconfigure_flow(hass)
    flow = await submit(hass, flow, host="127.0.0.1", port=entry.data[CONF_PORT])
    assert flow["reason"] == "reconfigure_successful"
    assert CONF_PASSWORD not in entry.data
    await hass.async_block_till_done()
