"""Whether each hop to a device works: one table, one entity class."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import device_sensors, inputs, meter_problems, relay_sensors
from .const import CONF_TOPIC_PREFIX
from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .entity import ShellyProHealthEntity
from .shelly_core import Health, Transport

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ShellyProHopDescription(BinarySensorEntityDescription):
    """One row of the table: `is_on_fn` is `None` while nothing is known."""

    is_on_fn: Callable[[Health], bool | None]
    needs_mqtt: bool = False


def link_row(transport: Transport) -> ShellyProHopDescription:
    """Describe whether a link would carry the device now."""

    def delivers(health: Health) -> bool | None:
        link = health.links.get(transport)
        return None if link is None else link.delivers

    return ShellyProHopDescription(
        key=transport,
        translation_key=transport,
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        is_on_fn=delivers,
        needs_mqtt=transport is Transport.MQTT,
    )


HOPS = (
    *map(link_row, Transport),
    ShellyProHopDescription(
        key="broker",
        translation_key="broker",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_registry_enabled_default=False,
        is_on_fn=lambda health: health.broker,
        needs_mqtt=True,
    ),
    ShellyProHopDescription(
        key="clock",
        translation_key="clock",
        device_class=BinarySensorDeviceClass.PROBLEM,
        is_on_fn=lambda health: None if health.clock.offset_s is None else health.clock.wrong,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: ShellyProConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add a binary sensor for every hop that the device has."""
    mqtt = entry.data.get(CONF_TOPIC_PREFIX) is not None
    hops = (description for description in HOPS if mqtt or not description.needs_mqtt)
    async_add_entities(ShellyProHop(entry.runtime_data, description) for description in hops)
    for subject in (device_sensors, inputs, meter_problems, relay_sensors):
        async_add_entities(subject.binary_sensors(entry.runtime_data))


class ShellyProHop(ShellyProHealthEntity, BinarySensorEntity):
    """Whether one hop works."""

    entity_description: ShellyProHopDescription

    def __init__(self, coordinator: ShellyProCoordinator, description: ShellyProHopDescription) -> None:
        """Show the hop of the description."""
        super().__init__(coordinator, description.key)
        self.entity_description = description

    @override
    def _show(self, health: Health) -> None:
        self._attr_is_on = self.entity_description.is_on_fn(health)
