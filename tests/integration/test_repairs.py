"""A device that does not get to the broker is brought there from the repairs, or the reason is said."""

from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro import repairs
from custom_components.shelly_pro.broker import Broker, Tls
from custom_components.shelly_pro.const import DOMAIN
from custom_components.shelly_pro.provisioning import ProvisioningError
from tests.integration.entries import set_up
from tests.integration.fixture_device import FixtureDevice

SUGGESTED = Broker(host="192.0.2.10", port=8883, username="ha", password=None, tls=Tls.VERIFIED, ca="a certificate")
LOGIN = {"host": "192.0.2.11", "port": 8883, "username": "meter", "password": "words", "tls": "verified"}


async def open_fix(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """The flow that the repairs open for a person, at its first form."""
    data: dict[str, Any] = {"entry_id": entry.entry_id, "server": "-", "topic_prefix": "meter"}
    flow = await repairs.async_create_fix_flow(hass, "mqtt_refused", data)
    flow.hass, flow.data, flow.flow_id, flow.handler, flow.context = hass, data, "flow", DOMAIN, {}
    return flow


@pytest.mark.parametrize("suggested", [SUGGESTED, None])
async def test_it_is_mended(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, suggested: Broker | None
) -> None:
    await set_up(hass, entry)
    with patch.object(repairs, "async_suggest_broker", return_value=suggested):
        flow = await open_fix(hass, entry)
        result = await flow.async_step_init()
    assert (result["step_id"], result["errors"]) == ("broker", {})
    assert result["description_placeholders"]["device"] == "Switchboard"
    assert result["description_placeholders"]["topic_prefix"] == "meter"
    result = await flow.async_step_broker(LOGIN)
    assert result["step_id"] == "preview"
    assert "| server | - | 192.0.2.11:8883 |" in result["description_placeholders"]["changes"]

    with patch.object(repairs, "async_provision", side_effect=ProvisioningError("provisioning_gone")):
        result = await flow.async_step_preview({})
    assert (result["step_id"], result["errors"]) == ("broker", {"base": "failed"})
    assert result["description_placeholders"]["error"]

    await flow.async_step_broker(LOGIN)
    with patch.object(repairs, "async_provision") as provision:
        result = await flow.async_step_preview({})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    plan = provision.call_args.args[2]
    assert plan.ca == (None if suggested is None else "a certificate")


async def test_a_device_that_is_not_set_up_cannot_be_mended(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    with pytest.raises(ServiceValidationError):
        await open_fix(hass, entry)
    with pytest.raises(ServiceValidationError):
        await repairs.async_create_fix_flow(hass, "mqtt_refused", None)
    assert ir.async_get(hass).issues == {}
