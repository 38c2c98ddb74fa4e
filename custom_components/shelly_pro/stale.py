"""Entities and devices of what a device no longer has, as after a change of its profile or of the type of an input."""

from collections.abc import Collection

from homeassistant.components.binary_sensor.const import DOMAIN as BINARY_SENSOR
from homeassistant.components.event.const import DOMAIN as EVENT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN
from .coordinator import ShellyProConfigEntry
from .inputs import is_button
from .settings import SHOWN


@callback
def async_remove_stale(hass: HomeAssistant, entry: ShellyProConfigEntry) -> None:
    """Remove what belongs to a component that is gone. To be called when the device has just told all that it has."""
    coordinator = entry.runtime_data
    present = coordinator.device.status.keys()
    entities = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(entities, entry.entry_id):
        key = _component_of(entity.unique_id)
        # Only one of both stands for an input: its state, or what happens at it.
        other = BINARY_SENSOR if is_button(coordinator, key) else EVENT
        if _is_gone(key, present) or (key.startswith("input:") and entity.domain == other):
            entities.async_remove(entity.entity_id)
    devices = dr.async_get(hass)
    for device in dr.async_child_entries_for_config_entry(devices, entry.entry_id):
        if is_stale(entry, device):
            devices.async_remove_device(device.id)


def is_stale(entry: ShellyProConfigEntry, device: dr.AnyDeviceEntry) -> bool:
    """Tell whether a relay, phase or meter is one that the device no longer has."""
    present = entry.runtime_data.device.status.keys()
    names = [name for domain, name in device.identifiers if domain == DOMAIN]
    return bool(names) and all(_is_gone(_component_of(name), present) for name in names)


def _component_of(unique_id: str) -> str:
    """Return the component key in `<MAC>-<key>[-<field>]`; the device itself has none."""
    return unique_id.partition("-")[2].partition("-")[0]


def _is_gone(key: str, present: Collection[str]) -> bool:
    return key.partition(":")[0] in SHOWN and ":" in key and key not in present
