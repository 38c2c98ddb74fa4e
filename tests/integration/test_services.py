"""The actions: what they do, what they answer, and what they say when it cannot be done."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry
from voluptuous import Invalid

from custom_components.shelly_pro import services
from custom_components.shelly_pro.const import DOMAIN
from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

RELAY = "switch.switchboard_relay_2"


async def act(hass: HomeAssistant, action: str, **data: Any) -> Any:
    return await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)


@pytest.mark.parametrize("fixture_name", ["shellypro3-1.4.4"])
async def test_turn_on_for(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.status["switch:1"]["output"] = False
    await set_up(hass, entry)
    answer = await act(hass, "turn_on_for", entity_id=RELAY, duration={"minutes": 10})
    assert ("Switch.Set", {"id": 1, "on": True, "toggle_after": 600.0}) in device.calls
    assert state_of(hass, RELAY) == "on"
    back_at = dt_util.parse_datetime(answer[RELAY]["switches_back_at"])
    assert back_at is not None
    assert abs(back_at - dt_util.utcnow() - timedelta(minutes=10)) < timedelta(seconds=10)


@pytest.mark.parametrize("fixture_name", ["shellypro3-1.4.4"])
async def test_turn_on_for_needs_a_relay_and_a_time(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    setting = f"{RELAY}_switch_off_again_by_timer"
    with pytest.raises(ServiceValidationError) as error:
        await act(hass, "turn_on_for", entity_id=setting, duration={"minutes": 10})
    assert error.value.translation_key == "no_relay"
    for duration in ({"seconds": 0}, {"days": 30}):
        with pytest.raises(Invalid):
            await act(hass, "turn_on_for", entity_id=RELAY, duration=duration)


@pytest.mark.parametrize(
    ("fixture_name", "method", "keys"),
    [
        ("shellypro3em-1.7.5", "EMData.ResetCounters", ["emdata:0"]),
        ("shellypro3em-mono-1.4.4", "EM1Data.ResetCounters", ["em1data:0", "em1data:1", "em1data:2"]),
        ("shellypro3-2.0.1", "Switch.ResetCounters", ["switch:0", "switch:1", "switch:2"]),
    ],
)
async def test_reset_counters(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, method: str, keys: list[str]
) -> None:
    device.answers[method] = None
    await set_up(hass, entry)
    answer = await act(hass, "reset_counters", config_entry_id=entry.entry_id, confirm=True)
    assert [params["id"] for called, params in device.calls if called == method] == list(range(len(keys)))
    assert list(answer["before"]) == keys
    told = {field: value for field, value in device.status[keys[0]].items() if field != "id"}
    assert answer["before"][keys[0]] == told


@pytest.mark.parametrize("fixture_name", ["shellypro3-1.4.4"])
async def test_reset_counters_is_guarded(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    with pytest.raises(ServiceValidationError) as error:
        await act(hass, "reset_counters", config_entry_id=entry.entry_id, confirm=True)
    assert error.value.translation_key == "no_counters"
    with pytest.raises(Invalid):
        await act(hass, "reset_counters", config_entry_id=entry.entry_id, confirm=False)


async def test_get_health(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    for data in ({}, {"config_entry_id": entry.entry_id}):
        (device,) = (await act(hass, "get_health", **data))["devices"]
        assert (device["title"], device["active"], device["links"]["http"]["delivers"]) == ("Switchboard", "http", True)


async def test_which_device(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    for entry_id in ("nobody", other.entry_id):
        with pytest.raises(ServiceValidationError) as error:
            await act(hass, "get_health", config_entry_id=entry_id)
        assert error.value.translation_key == "no_entry"
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError) as error:
        await act(hass, "reset_counters", config_entry_id=entry.entry_id, confirm=True)
    assert error.value.translation_key == "not_loaded"


@pytest.fixture
def home_assistants_mqtt(hass: HomeAssistant) -> None:
    """MQTT that is set up in Home Assistant, with no connection."""
    MockConfigEntry(domain="mqtt", data={"broker": "192.0.2.10", "port": 1883}).add_to_hass(hass)


async def test_provision_mqtt_tells_what_would_change(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, home_assistants_mqtt: None
) -> None:
    await set_up(hass, entry)
    answer = await act(
        hass, "provision_mqtt", config_entry_id=entry.entry_id, username="meter", password="words", tls="verified"
    )
    assert (answer["changed"], answer["irrecoverable"]) == (False, False)
    assert answer["changes"]["server"] == {"before": "-", "after": "192.0.2.10:1883"}
    assert answer["changes"]["ssl_ca"] == {"before": "-", "after": "ca.pem"}
    assert "words" not in str(answer)
    assert "Mqtt.SetConfig" not in [method for method, _ in device.calls]


async def test_provision_mqtt_does_it(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, home_assistants_mqtt: None
) -> None:
    await set_up(hass, entry)
    with patch.object(services, "async_provision") as provision:
        answer = await act(hass, "provision_mqtt", config_entry_id=entry.entry_id, host="192.0.2.11", dry_run=False)
    assert answer["changed"] is True
    plan = provision.call_args.args[2]
    assert (plan.config["server"], "pass" in plan.config) == ("192.0.2.11:1883", False)


async def test_provision_mqtt_needs_mqtt(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await set_up(hass, entry)
    with pytest.raises(ServiceValidationError) as error:
        await act(hass, "provision_mqtt", config_entry_id=entry.entry_id)
    assert error.value.translation_key == "no_mqtt"
