"""What System information shows of this integration."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .health import async_device_health, broker_of, integration_version
from .shelly_core import Transport


@callback
def async_register(_hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register what is shown."""
    register.async_register_info(async_info)


async def async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return what is shown; a device that is not set up counts as unavailable."""
    devices = async_device_health(hass)
    known = [device.health for device in devices if device.health is not None]
    links = Counter(health.active for health in known)
    info: dict[str, Any] = {
        "version": integration_version(hass),
        "devices": len(devices),
        "over_mqtt": links[Transport.MQTT],
        "over_http": links[Transport.HTTP],
        "unavailable": len(devices) - links[Transport.MQTT] - links[Transport.HTTP],
    }
    if (broker := broker_of(devices)) is not None:
        info["broker_connected"] = broker
    if readings := [health.last_reading_ts for health in known if health.last_reading_ts is not None]:
        info["oldest_reading"] = datetime.fromtimestamp(min(readings), UTC)
    return info
