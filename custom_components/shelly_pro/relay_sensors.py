"""What a relay tells besides its state: who switched it last, for how long it was on, how often; and its faults."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, override

from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import callback
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .coordinator import ShellyProCoordinator
from .flag import ShellyProFlag
from .measurement import Quantity, ShellyProCounter, ShellyProSensorDescription, row, sensors_of
from .shelly_core import Component, SwitchStatus

SOURCES: Final = {
    "init": "power_on",
    "button": "button",
    "switch": "input",
    "input": "input",
    "timer": "timer",
    "loopback": "script",
    "schedule": "schedule",
    "mqtt": "mqtt",
    "http": "http",
    "http_in": "http",
    "ws_in": "websocket",
    "ws_out": "websocket",
    "wsocket": "websocket",
    "shc": "cloud",
    "cloud": "cloud",
    "ble": "bluetooth",
    "sys_button": "device_button",
    "limit_error": "protection",
    "overpower_error": "protection",
}
"""What switched a relay, as we call it, by the word of the firmware, of which there is no complete list."""
OTHER: Final = "other"
MINUTE: Final = timedelta(minutes=1)
OVERTEMPERATURE: Final = "overtemp"
METERED_FAULTS: Final = ("overpower", "overvoltage", "undervoltage", "overcurrent")
"""What only a relay that measures can notice."""

SOURCE: Final = Quantity(device_class=SensorDeviceClass.ENUM, unit=None, state_class=None)
MOMENT: Final = Quantity(device_class=SensorDeviceClass.TIMESTAMP, unit=None, state_class=None)
DURATION: Final = Quantity(
    device_class=SensorDeviceClass.DURATION,
    unit=UnitOfTime.SECONDS,
    precision=2,
    state_class=SensorStateClass.TOTAL_INCREASING,
    suggested_unit=UnitOfTime.HOURS,
)
COUNT: Final = Quantity(device_class=None, unit=None, precision=0, state_class=SensorStateClass.TOTAL_INCREASING)


def source(switch: SwitchStatus) -> str | None:
    """Return what switched the relay last."""
    return None if switch.source is None else SOURCES.get(switch.source.lower(), OTHER)


def switches_back_at(switch: SwitchStatus) -> datetime | None:
    """Return when the running timer of a relay ends; `None` without one."""
    if switch.timer_started_at is None or switch.timer_duration_s is None:
        return None
    return datetime.fromtimestamp(switch.timer_started_at + switch.timer_duration_s, UTC)


SENSORS: Final = (
    row(
        SwitchStatus,
        "source",
        SOURCE,
        source,
        name="last_source",
        on_child=True,
        category=EntityCategory.DIAGNOSTIC,
        options=[*dict.fromkeys((*SOURCES.values(), OTHER))],
    ),
    row(
        SwitchStatus,
        "timer_ends",
        MOMENT,
        switches_back_at,
        name="timer_ends",
        on_child=True,
        enabled=False,
        category=EntityCategory.DIAGNOSTIC,
    ),
)
ON_TIME: Final = row(
    SwitchStatus,
    "on_time",
    DURATION,
    lambda switch: None if switch.counts is None else switch.counts.on_time_s,
    name="on_time",
    on_child=True,
    category=EntityCategory.DIAGNOSTIC,
)
SWITCHED_ON: Final = row(
    SwitchStatus,
    "switched_on",
    COUNT,
    lambda switch: None if switch.counts is None else switch.counts.switched_on,
    name="switched_on",
    on_child=True,
    category=EntityCategory.DIAGNOSTIC,
)


def sensors(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return the sensors of every relay; what the firmware does not count yet is counted here."""
    for description in SENSORS:
        yield from sensors_of(coordinator, description)
    for key, switch in coordinator.device.components(SwitchStatus).items():
        if switch.counts is not None:
            yield ShellyProCounter(coordinator, key, ON_TIME)
            yield ShellyProCounter(coordinator, key, SWITCHED_ON)
        else:
            yield ShellyProObservedOnTime(coordinator, key, ON_TIME)
            yield ShellyProObservedSwitchings(coordinator, key, SWITCHED_ON)


def binary_sensors(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return the faults that each relay can notice."""
    for key, switch in coordinator.device.components(SwitchStatus).items():
        for fault in (OVERTEMPERATURE, *(METERED_FAULTS if switch.act_power_w is not None else ())):
            yield ShellyProFault(coordinator, key, fault)


class ShellyProObserved(ShellyProCounter):
    """Counted from what is seen of a relay. What happens while nobody looks is not counted."""

    def __init__(self, coordinator: ShellyProCoordinator, key: str, description: ShellyProSensorDescription) -> None:
        """Count for the relay of component `key`."""
        super().__init__(coordinator, key, description)
        self._counted = 0.0
        self._seen: bool | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Go on from what was counted before the restart."""
        restored = await self.async_get_last_sensor_data()
        if restored is not None and isinstance(restored.native_value, int | float):
            self._counted = restored.native_value
        await super().async_added_to_hass()

    @override
    def _show(self, component: Component | None) -> None:
        """Count what happened since the last look."""
        known = isinstance(component, SwitchStatus) and self.coordinator.client.available
        output = component.output if known and isinstance(component, SwitchStatus) else None
        self._count(self._seen, output)
        self._seen = output
        self._attr_native_value = self._counted

    def _count(self, before: bool | None, now: bool | None) -> None:
        """Take that the relay was in one state and is in another; `None` is not known."""
        raise NotImplementedError


class ShellyProObservedSwitchings(ShellyProObserved):
    """How often a relay was switched on."""

    @override
    def _count(self, before: bool | None, now: bool | None) -> None:
        if before is False and now is True:
            self._counted += 1


class ShellyProObservedOnTime(ShellyProObserved):
    """For how long a relay was on, in seconds; written each minute, and when it is switched."""

    _looked_at: float | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Look each minute."""
        await super().async_added_to_hass()
        self.async_on_remove(async_track_time_interval(self.hass, self._handle_time, MINUTE))

    @callback
    def _handle_time(self, _now: datetime) -> None:
        self._handle_component(self.component)

    @override
    def _count(self, before: bool | None, now: bool | None) -> None:
        at = dt_util.utcnow().timestamp()
        if before and self._looked_at is not None:
            self._counted += max(0.0, at - self._looked_at)
        self._looked_at = at


class ShellyProFault(ShellyProFlag):
    """A fault that the device notices at a relay."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: ShellyProCoordinator, key: str, fault: str) -> None:
        """Watch for an error of component `key`, called as the device calls it."""
        super().__init__(coordinator, key, field=fault, phase=None, child=True)
        self._fault = fault
        self._attr_translation_key = fault

    @override
    def _tell(self, component: Component | None) -> bool | None:
        return self._fault in component.errors if isinstance(component, SwitchStatus) else None
