"""Updates of the firmware."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import firmware
from .coordinator import ShellyProConfigEntry

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _hass: HomeAssistant, entry: ShellyProConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add what the device has of it."""
    async_add_entities(firmware.updates(entry.runtime_data))
