"""Shelly Pro 3 relays and Shelly Pro 3EM meters, fed by their own MQTT or by HTTP."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant

from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .entity import async_register_device

PLATFORMS = [Platform.SENSOR, Platform.SWITCH]


async def async_setup_entry(hass: HomeAssistant, entry: ShellyProConfigEntry) -> bool:
    """Connect to the device of a config entry and show what it has."""
    coordinator = ShellyProCoordinator(hass, entry)
    entry.async_on_unload(coordinator.async_disconnect)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    async_register_device(coordinator)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: ShellyProConfigEntry) -> bool:
    """Remove the entities of a config entry; the link to the device closes with it."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
