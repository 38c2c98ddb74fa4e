"""Which link is in use and how well it works, in figures: one table, one entity class."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfTime
from homeassistant.helpers.typing import StateType

from .coordinator import ShellyProCoordinator
from .entity import ShellyProHealthEntity
from .shelly_core import Health, Transport

NO_LINK = "none"


@dataclass(frozen=True, kw_only=True)
class ShellyProHealthDescription(SensorEntityDescription):
    """One row of the table."""

    value_fn: Callable[[Health], StateType | datetime]


def round_trip_row(transport: Transport) -> ShellyProHealthDescription:
    """Describe how long the last answer on a link took."""

    def round_trip_s(health: Health) -> float | None:
        link = health.links.get(transport)
        return None if link is None else link.round_trip_s

    return ShellyProHealthDescription(
        key=f"{transport}_round_trip",
        translation_key=f"{transport}_round_trip",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value_fn=round_trip_s,
    )


def count_row(key: str, value_fn: Callable[[Health], int]) -> ShellyProHealthDescription:
    """Describe something that is counted since the device was set up."""
    return ShellyProHealthDescription(
        key=key,
        translation_key=key,
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value_fn=value_fn,
    )


def last_reading(health: Health) -> datetime | None:
    """Return the time of the newest reading."""
    ts = health.last_reading_ts
    return None if ts is None else datetime.fromtimestamp(ts, UTC)


HEALTH_SENSORS = (
    ShellyProHealthDescription(
        key="active_link",
        translation_key="active_link",
        device_class=SensorDeviceClass.ENUM,
        options=[*map(str, Transport), NO_LINK],
        value_fn=lambda health: NO_LINK if health.active is None else str(health.active),
    ),
    ShellyProHealthDescription(
        key="last_reading",
        translation_key="last_reading",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_registry_enabled_default=False,
        value_fn=last_reading,
    ),
    *map(round_trip_row, Transport),
    ShellyProHealthDescription(
        key="clock_offset",
        translation_key="clock_offset",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value_fn=lambda health: health.clock.offset_s,
    ),
    count_row("rejected_readings", lambda health: sum(health.rejects.values())),
    count_row("dropped_frames", lambda health: sum(health.drops.values())),
    count_row("link_changes", lambda health: health.switchovers),
)


class ShellyProHealthSensor(ShellyProHealthEntity, SensorEntity):
    """One figure about the way to the device."""

    entity_description: ShellyProHealthDescription

    def __init__(self, coordinator: ShellyProCoordinator, description: ShellyProHealthDescription) -> None:
        """Show the figure of the description."""
        super().__init__(coordinator, description.key)
        self.entity_description = description

    @override
    def _show(self, health: Health) -> None:
        self._attr_native_value = self.entity_description.value_fn(health)
