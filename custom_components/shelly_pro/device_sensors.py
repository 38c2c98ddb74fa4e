"""How the device itself is: its network, its memory, and since when it runs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import SIGNAL_STRENGTH_DECIBELS_MILLIWATT, EntityCategory, UnitOfInformation
from homeassistant.helpers.entity import Entity
from homeassistant.util import dt as dt_util

from .coordinator import ShellyProCoordinator
from .flag import ShellyProFlag
from .measurement import Quantity, row, sensors_of
from .shelly_core import CloudStatus, Component, EthStatus, SysStatus, WifiStatus

DIAGNOSTIC: Final = EntityCategory.DIAGNOSTIC
TEXT: Final = Quantity(device_class=None, unit=None, state_class=None)
UPTIME: Final = Quantity(device_class=SensorDeviceClass.UPTIME, unit=None, state_class=None)
SIGNAL: Final = Quantity(
    device_class=SensorDeviceClass.SIGNAL_STRENGTH, unit=SIGNAL_STRENGTH_DECIBELS_MILLIWATT, precision=0
)
SIZE: Final = Quantity(
    device_class=SensorDeviceClass.DATA_SIZE,
    unit=UnitOfInformation.BYTES,
    precision=0,
    suggested_unit=UnitOfInformation.KILOBYTES,
)


def running_since(system: SysStatus) -> datetime | None:
    """Return when the device started; its word for it is how long ago that was."""
    return None if system.uptime_s is None else dt_util.utcnow() - timedelta(seconds=system.uptime_s)


def signal_dbm(wifi: WifiStatus) -> float | None:
    """Return how well the device hears its network; it says 0 while it is in none."""
    return wifi.rssi_dbm if wifi.ip is not None and wifi.rssi_dbm else None


RSSI: Final = row(WifiStatus, "rssi", SIGNAL, signal_dbm, category=DIAGNOSTIC)
SENSORS: Final = (
    row(WifiStatus, "ip", TEXT, lambda wifi: wifi.ip, name="wifi_ip", category=DIAGNOSTIC, enabled=False),
    row(WifiStatus, "ssid", TEXT, lambda wifi: wifi.ssid, name="ssid", category=DIAGNOSTIC, enabled=False),
    row(EthStatus, "ip", TEXT, lambda eth: eth.ip, name="eth_ip", category=DIAGNOSTIC, enabled=False),
    row(SysStatus, "uptime", UPTIME, running_since, name="running_since", category=DIAGNOSTIC, enabled=False),
    row(
        SysStatus, "ram_free", SIZE, lambda system: system.ram_free, name="ram_free", category=DIAGNOSTIC, enabled=False
    ),
    row(SysStatus, "fs_free", SIZE, lambda system: system.fs_free, name="fs_free", category=DIAGNOSTIC, enabled=False),
)


@dataclass(frozen=True, kw_only=True)
class ShellyProDeviceDescription(BinarySensorEntityDescription):
    """One row of the table of what is or is not."""

    kind: type[Component]
    is_on_fn: Callable[[Any], bool | None]
    """Takes a component of `kind`."""


BINARY_SENSORS: Final = (
    ShellyProDeviceDescription(
        key="restart_required",
        translation_key="restart_required",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=DIAGNOSTIC,
        kind=SysStatus,
        is_on_fn=lambda system: system.restart_required,
    ),
    ShellyProDeviceDescription(
        key="connected",
        translation_key="cloud",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=DIAGNOSTIC,
        entity_registry_enabled_default=False,
        kind=CloudStatus,
        is_on_fn=lambda cloud: cloud.connected,
    ),
)


def sensors(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return what the device tells of itself; the signal is of interest only where it is used."""
    for description in SENSORS:
        yield from sensors_of(coordinator, description)
    wireless = any(wifi.ip is not None for wifi in coordinator.device.components(WifiStatus).values())
    yield from sensors_of(coordinator, replace(RSSI, entity_registry_enabled_default=wireless))


def binary_sensors(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return what the device says is or is not."""
    for description in BINARY_SENSORS:
        for key in coordinator.device.components(description.kind):
            yield ShellyProDeviceState(coordinator, key, description)


class ShellyProDeviceState(ShellyProFlag):
    """One thing that is or is not."""

    entity_description: ShellyProDeviceDescription

    def __init__(self, coordinator: ShellyProCoordinator, key: str, description: ShellyProDeviceDescription) -> None:
        """Show what the description names of component `key`."""
        super().__init__(coordinator, key, field=description.key, phase=None, child=False)
        self.entity_description = description

    @override
    def _tell(self, component: Component | None) -> bool | None:
        return None if component is None else self.entity_description.is_on_fn(component)
