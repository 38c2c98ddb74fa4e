"""Shelly Pro 3 relays and Shelly Pro 3EM meters, fed by their own MQTT or by HTTP."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.typing import ConfigType

from .const import CONF_PROTECTED, DOMAIN, LOGGER
from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .entity import async_register_device
from .flow_device import async_unprotect
from .health import HealthView
from .issues import async_watch_issues
from .metrics import MetricsView
from .services import async_register_actions
from .shelly_core import ShellyError
from .stale import async_remove_stale, is_stale

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
    """Open the pages that tell how all devices are, and offer the actions."""
    hass.http.register_view(HealthView)
    hass.http.register_view(MetricsView)
    async_register_actions(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: ShellyProConfigEntry) -> bool:
    """Connect to the device of a config entry and show what it has."""
    coordinator = ShellyProCoordinator(hass, entry)
    entry.async_on_unload(coordinator.async_disconnect)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    async_register_device(coordinator)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    async_remove_stale(hass, entry)
    async_watch_issues(hass, entry)
    return True


async def async_remove_config_entry_device(
    _hass: HomeAssistant, entry: ShellyProConfigEntry, device: dr.AnyDeviceEntry
) -> bool:
    """Let a person remove a part that the device no longer has; what it has would only come back."""
    return is_stale(entry, device)


async def async_unload_entry(hass: HomeAssistant, entry: ShellyProConfigEntry) -> bool:
    """Remove the entities of a config entry; the link to the device closes with it."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: ShellyProConfigEntry) -> None:
    """Take away the password that we gave the device: nobody would know it any more."""
    if entry.data.get(CONF_PROTECTED):
        try:
            await async_unprotect(hass, entry.data, entry.entry_id, entry.unique_id)
        except ShellyError as err:
            LOGGER.warning(
                "%s keeps the password that was made for it, since it cannot be reached: %s. "
                "To use it again without, reset it with its button",
                *(entry.title, err),
            )
