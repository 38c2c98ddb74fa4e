"""How a measured value of a component is described and shown: quantities, rows of tables, and the entity classes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    EntityCategory,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfReactivePower,
    UnitOfTemperature,
)
from homeassistant.core import callback
from homeassistant.helpers.typing import StateType

from .coordinator import ShellyProCoordinator
from .entity import ShellyProEntity
from .shelly_core import Component, Phase

DIP_RATIO = 0.9
"""Home Assistant takes a counter that falls below this part of itself for one that begins anew."""


type Value = StateType | datetime


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """How a physical quantity is shown: class, unit and the decimals that the device measures."""

    device_class: SensorDeviceClass | None
    unit: str | None
    precision: int | None = None
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    suggested_unit: str | None = None


POWER = Quantity(device_class=SensorDeviceClass.POWER, unit=UnitOfPower.WATT, precision=1)
APPARENT_POWER = Quantity(
    device_class=SensorDeviceClass.APPARENT_POWER, unit=UnitOfApparentPower.VOLT_AMPERE, precision=1
)
REACTIVE_POWER = Quantity(
    device_class=SensorDeviceClass.REACTIVE_POWER, unit=UnitOfReactivePower.VOLT_AMPERE_REACTIVE, precision=1
)
CURRENT = Quantity(device_class=SensorDeviceClass.CURRENT, unit=UnitOfElectricCurrent.AMPERE, precision=2)
VOLTAGE = Quantity(device_class=SensorDeviceClass.VOLTAGE, unit=UnitOfElectricPotential.VOLT, precision=1)
FREQUENCY = Quantity(device_class=SensorDeviceClass.FREQUENCY, unit=UnitOfFrequency.HERTZ, precision=1)
POWER_FACTOR = Quantity(device_class=SensorDeviceClass.POWER_FACTOR, unit=None, precision=2)
TEMPERATURE = Quantity(device_class=SensorDeviceClass.TEMPERATURE, unit=UnitOfTemperature.CELSIUS, precision=1)
ENERGY = Quantity(
    device_class=SensorDeviceClass.ENERGY,
    unit=UnitOfEnergy.WATT_HOUR,
    precision=2,
    state_class=SensorStateClass.TOTAL_INCREASING,
    suggested_unit=UnitOfEnergy.KILO_WATT_HOUR,
)


@dataclass(frozen=True, kw_only=True)
class ShellyProSensorDescription(SensorEntityDescription):
    """One row of the table: a value of every component of one type; `key` is the device's name of the field."""

    kind: type[Component]
    value_fn: Callable[[Any], Value]
    """Takes a component of `kind`; `row` checks that the two agree."""
    phase: Phase | None
    on_child: bool
    """Belongs to a phase or single-phase meter, not to the device as a whole."""
    first_only: bool
    """Several components tell the same value (the relays of a Pro 3 share one temperature sensor)."""
    optional: bool
    """Left out while the device does not report it, as the neutral current without a fourth clamp."""


def row[ComponentT: Component](
    kind: type[ComponentT],
    key: str,
    quantity: Quantity,
    value_fn: Callable[[ComponentT], Value],
    *,
    name: str | None = None,
    phase: Phase | None = None,
    on_child: bool = False,
    first_only: bool = False,
    optional: bool = False,
    enabled: bool = True,
    category: EntityCategory | None = None,
    options: list[str] | None = None,
) -> ShellyProSensorDescription:
    """Describe one sensor; without a name it is called by its device class."""
    return ShellyProSensorDescription(
        key=key,
        translation_key=name,
        kind=kind,
        value_fn=value_fn,
        phase=phase,
        on_child=on_child,
        first_only=first_only,
        optional=optional,
        entity_category=category,
        entity_registry_enabled_default=enabled,
        options=options,
        device_class=quantity.device_class,
        native_unit_of_measurement=quantity.unit,
        suggested_unit_of_measurement=quantity.suggested_unit,
        suggested_display_precision=quantity.precision,
        state_class=quantity.state_class,
    )


class ShellyProSensor(ShellyProEntity, SensorEntity):
    """A measured value."""

    entity_description: ShellyProSensorDescription

    def __init__(self, coordinator: ShellyProCoordinator, key: str, description: ShellyProSensorDescription) -> None:
        """Show the value that the description names of component `key`."""
        super().__init__(coordinator, key, field=description.key, phase=description.phase, child=description.on_child)
        self.entity_description = description

    @override
    async def async_added_to_hass(self) -> None:
        """Show what is known by now."""
        await super().async_added_to_hass()
        self._show(self.component)

    def _show(self, component: Component | None) -> None:
        self._attr_native_value = None if component is None else self.entity_description.value_fn(component)

    @callback
    @override
    def _handle_component(self, component: Component | None) -> None:
        """Write the state, but only if the value differs: most quantities stay as they were."""
        written = self._attr_native_value
        self._show(component)
        # A missing value may mean unknown or, without a component, unavailable.
        if self._attr_native_value is None or self._attr_native_value != written:
            self.async_write_ha_state()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state when the device comes or goes, with what it said in between."""
        self._show(self.component)
        self.async_write_ha_state()


class ShellyProCounter(ShellyProSensor, RestoreSensor):
    """A counter. The core watches that it does not step back while we run; here, nor does it across a restart."""

    _shown_before: float | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Remember what was shown before the restart."""
        restored = await self.async_get_last_sensor_data()
        same_unit = restored is not None and restored.native_unit_of_measurement == self.native_unit_of_measurement
        if restored is not None and same_unit and isinstance(restored.native_value, int | float):
            self._shown_before = restored.native_value
        await super().async_added_to_hass()

    @override
    def _show(self, component: Component | None) -> None:
        """Wait for the counter to get back to what was shown; one that fell farther has begun anew."""
        super()._show(component)
        value, before = self._attr_native_value, self._shown_before
        if before is None or not isinstance(value, int | float):
            return
        if before * DIP_RATIO <= value < before:
            self._attr_native_value = before
        else:
            self._shown_before = None


def sensors_of(coordinator: ShellyProCoordinator, description: ShellyProSensorDescription) -> Iterator[ShellyProSensor]:
    """Return a sensor for every component of the described kind."""
    for key, component in coordinator.device.components(description.kind).items():
        if not description.optional or description.value_fn(component) is not None:
            counter = description.state_class is SensorStateClass.TOTAL_INCREASING
            yield (ShellyProCounter if counter else ShellyProSensor)(coordinator, key, description)
        if description.first_only:
            return
