"""Shelly Pro 3 relays and Shelly Pro 3EM meters, fed by their own MQTT or by HTTP."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .entity import async_register_device
from .health import HealthView
from .issues import async_watch_issues
from .metrics import MetricsView

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
]


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Open the pages that tell how all devices are."""
    hass.http.register_view(HealthView)
    hass.http.register_view(MetricsView)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: ShellyProConfigEntry) -> bool:
    """Connect to the device of a config entry and show what it has."""
    coordinator = ShellyProCoordinator(hass, entry)
    entry.async_on_unload(coordinator.async_disconnect)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    async_register_device(coordinator)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    async_watch_issues(hass, entry)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: ShellyProConfigEntry) -> bool:
    """Remove the entities of a config entry; the link to the device closes with it."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
