"""How all devices are, as JSON for an uptime monitor: `/api/shelly_pro/health`.

The page wants a long-lived access token, in the header `Authorization: Bearer …`. Its status code is 503 if a device is
down, for whatever reason, and else 200: a device that has lost one of its two roads still tells all it should, so it is
`degraded` in the body and no reason to wake anybody.
"""

from collections.abc import Iterable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from aiohttp import web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView
from homeassistant.loader import async_get_loaded_integration

from .const import DOMAIN
from .coordinator import ShellyProConfigEntry
from .shelly_core import Health, Level

SEVERITY: Final = (Level.OK, Level.DEGRADED, Level.DOWN)


class DeviceHealth(NamedTuple):
    """One config entry; `health` is `None` while it is not set up, and then `reason` is what Home Assistant gives."""

    entry: ShellyProConfigEntry
    level: Level
    reason: str | None
    health: Health | None


@callback
def async_device_health(hass: HomeAssistant) -> list[DeviceHealth]:
    """Return how each device is that is not disabled; one that is not set up is down."""
    return [_assess(entry) for entry in hass.config_entries.async_entries(DOMAIN, False, False)]


def _assess(entry: ShellyProConfigEntry) -> DeviceHealth:
    if entry.state is not ConfigEntryState.LOADED:
        return DeviceHealth(entry, Level.DOWN, entry.reason or entry.state.value.replace("_", " "), None)
    health = entry.runtime_data.client.health()
    return DeviceHealth(entry, health.level, health.reason, health)


def broker_of(devices: Iterable[DeviceHealth]) -> bool | None:
    """Return whether Home Assistant is connected to its MQTT broker; `None` if no device can tell."""
    told = [device.health.broker for device in devices if device.health and device.health.broker is not None]
    return all(told) if told else None


def integration_version(hass: HomeAssistant) -> str:
    """Return the version of this integration."""
    return str(async_get_loaded_integration(hass, DOMAIN).version)


class HealthView(HomeAssistantView):
    """How all devices are, as JSON."""

    url = "/api/shelly_pro/health"
    name = "api:shelly_pro:health"

    @callback
    def get(self, request: web.Request) -> web.Response:
        """Answer 503 if a device is down, else 200."""
        hass = request.app[KEY_HASS]
        devices = async_device_health(hass)
        level = max((device.level for device in devices), key=SEVERITY.index, default=Level.OK)
        body = {
            "status": level,
            "version": integration_version(hass),
            "hops": {"broker": broker_of(devices)},
            "devices": [described(device) for device in devices],
        }
        return self.json(body, HTTPStatus.SERVICE_UNAVAILABLE if level is Level.DOWN else HTTPStatus.OK)


def described(device: DeviceHealth) -> dict[str, Any]:
    """Return a device as the page and the action `get_health` tell of it."""
    entry, level, reason, health = device
    about = {"entry_id": entry.entry_id, "title": entry.title, "mac": entry.unique_id, "status": level}
    details = {} if health is None else asdict(health)
    details.pop("level", None)
    return {**about, **details, "reason": reason}
