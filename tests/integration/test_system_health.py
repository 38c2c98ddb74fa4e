"""What System information shows."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

from custom_components.shelly_pro.const import DOMAIN
from custom_components.shelly_pro.shelly_core import Transport
from tests.integration.entries import set_up
from tests.integration.pretence import WORKS, pretend

INTEGRATION = Path(__file__).resolve().parents[2] / "custom_components" / "shelly_pro"
TEXTS = json.loads((INTEGRATION / "translations" / "en.json").read_text())["system_health"]["info"]
VERSION = json.loads((INTEGRATION / "manifest.json").read_text())["version"]
BOTH = {Transport.MQTT: WORKS, Transport.HTTP: WORKS}


async def test_devices_on_each_road(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    others = [
        MockConfigEntry(domain=DOMAIN, title=title, unique_id=entry.unique_id, data=entry.data)
        for title in ("Boiler", "Workshop")
    ]
    for other in others:
        other.add_to_hass(hass)
    MockConfigEntry(domain=DOMAIN, unique_id="00005e005302", data={**entry.data, "port": 1}).add_to_hass(hass)
    await set_up(hass, entry)
    assert await async_setup_component(hass, "system_health", {})
    pretend(entry, monkeypatch, broker=True, active=Transport.MQTT, links=BOTH, last_reading_ts=1764000100.0)
    pretend(others[0], monkeypatch, last_reading_ts=1764000000.0)
    pretend(others[1], monkeypatch, active=None, last_reading_ts=None)

    info = await get_system_health_info(hass, DOMAIN)
    assert info == {
        "version": VERSION,
        "devices": 4,
        "over_mqtt": 1,
        "over_http": 1,
        "unavailable": 2,
        "broker_connected": True,
        "oldest_reading": datetime.fromtimestamp(1764000000.0, UTC),
    }
    assert set(info) == set(TEXTS)


async def test_what_is_not_known_is_not_shown(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert await async_setup_component(hass, "system_health", {})
    pretend(entry, monkeypatch, last_reading_ts=None)
    info = await get_system_health_info(hass, DOMAIN)
    assert info == {"version": VERSION, "devices": 1, "over_mqtt": 0, "over_http": 1, "unavailable": 0}
