"""What the meters measure, and how warm the device is: one table, one entity class."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    UnitOfTemperature,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import device_sensors, meter_sensors, relay_sensors
from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .entity import ShellyProEntity
from .health_sensors import HEALTH_SENSORS, ShellyProHealthSensor
from .shelly_core import (
    Component,
    Em1DataStatus,
    Em1Status,
    EmDataStatus,
    EmStatus,
    Phase,
    PhaseEnergy,
    PhaseReading,
    SwitchStatus,
    TemperatureStatus,
)

PARALLEL_UPDATES = 0

DIP_RATIO = 0.9
"""Home Assistant takes a counter that falls below this part of itself for one that begins anew."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """How a physical quantity is shown: class, unit and the decimals that the device measures."""

    device_class: SensorDeviceClass
    unit: str | None
    precision: int
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT
    suggested_unit: str | None = None


POWER = Quantity(device_class=SensorDeviceClass.POWER, unit=UnitOfPower.WATT, precision=1)
APPARENT_POWER = Quantity(
    device_class=SensorDeviceClass.APPARENT_POWER, unit=UnitOfApparentPower.VOLT_AMPERE, precision=1
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
    value_fn: Callable[[Any], float | None]
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
    value_fn: Callable[[ComponentT], float | None],
    *,
    name: str | None = None,
    phase: Phase | None = None,
    on_child: bool = False,
    first_only: bool = False,
    optional: bool = False,
    category: EntityCategory | None = None,
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
        device_class=quantity.device_class,
        native_unit_of_measurement=quantity.unit,
        suggested_unit_of_measurement=quantity.suggested_unit,
        suggested_display_precision=quantity.precision,
        state_class=quantity.state_class,
    )


def phase_row(
    phase: Phase, field: str, quantity: Quantity, value_fn: Callable[[PhaseReading], float | None]
) -> ShellyProSensorDescription:
    """Describe what a three-phase meter measures of one phase."""
    return row(
        EmStatus, f"{phase}_{field}", quantity, lambda em: value_fn(em.phases[phase]), phase=phase, on_child=True
    )


def phase_energy_row(
    phase: Phase, field: str, value_fn: Callable[[PhaseEnergy], float | None], *, name: str | None = None
) -> ShellyProSensorDescription:
    """Describe a counter of one phase of a three-phase meter."""
    return row(
        EmDataStatus,
        f"{phase}_{field}",
        ENERGY,
        lambda emdata: value_fn(emdata.phases[phase]),
        name=name,
        phase=phase,
        on_child=True,
    )


PHASE_SENSORS = tuple(
    description
    for phase in Phase
    for description in (
        phase_row(phase, "act_power", POWER, lambda reading: reading.act_power_w),
        phase_row(phase, "aprt_power", APPARENT_POWER, lambda reading: reading.aprt_power_va),
        phase_row(phase, "current", CURRENT, lambda reading: reading.current_a),
        phase_row(phase, "voltage", VOLTAGE, lambda reading: reading.voltage_v),
        phase_row(phase, "pf", POWER_FACTOR, lambda reading: reading.pf),
        phase_row(phase, "freq", FREQUENCY, lambda reading: reading.freq_hz),
    )
)
PHASE_ENERGY_SENSORS = tuple(
    description
    for phase in Phase
    for description in (
        phase_energy_row(phase, "total_act_energy", lambda energy: energy.act_energy_wh),
        phase_energy_row(
            phase, "total_act_ret_energy", lambda energy: energy.act_ret_energy_wh, name="energy_returned"
        ),
    )
)
EM_SENSORS = (
    row(EmStatus, "total_act_power", POWER, lambda em: em.total_act_power_w, name="total_power"),
    row(EmStatus, "total_aprt_power", APPARENT_POWER, lambda em: em.total_aprt_power_va, name="total_apparent_power"),
    row(EmStatus, "total_current", CURRENT, lambda em: em.total_current_a, name="total_current"),
    row(EmStatus, "n_current", CURRENT, lambda em: em.n_current_a, name="neutral_current", optional=True),
)
EMDATA_SENSORS = (
    row(EmDataStatus, "total_act", ENERGY, lambda emdata: emdata.total_act_energy_wh, name="total_energy"),
    row(
        EmDataStatus,
        "total_act_ret",
        ENERGY,
        lambda emdata: emdata.total_act_ret_energy_wh,
        name="total_energy_returned",
    ),
)
EM1_SENSORS = (
    row(Em1Status, "act_power", POWER, lambda em1: em1.act_power_w, on_child=True),
    row(Em1Status, "aprt_power", APPARENT_POWER, lambda em1: em1.aprt_power_va, on_child=True),
    row(Em1Status, "current", CURRENT, lambda em1: em1.current_a, on_child=True),
    row(Em1Status, "voltage", VOLTAGE, lambda em1: em1.voltage_v, on_child=True),
    row(Em1Status, "pf", POWER_FACTOR, lambda em1: em1.pf, on_child=True),
    row(Em1Status, "freq", FREQUENCY, lambda em1: em1.freq_hz, on_child=True),
)
EM1DATA_SENSORS = (
    row(Em1DataStatus, "total_act_energy", ENERGY, lambda em1data: em1data.act_energy_wh, on_child=True),
    row(
        Em1DataStatus,
        "total_act_ret_energy",
        ENERGY,
        lambda em1data: em1data.act_ret_energy_wh,
        name="energy_returned",
        on_child=True,
    ),
)
TEMPERATURE_SENSORS = (
    row(
        TemperatureStatus,
        "temperature",
        TEMPERATURE,
        lambda temperature: temperature.temperature_c,
        category=EntityCategory.DIAGNOSTIC,
    ),
)
SWITCH_SENSORS = (
    row(
        SwitchStatus,
        "temperature",
        TEMPERATURE,
        lambda switch: switch.temperature_c,
        category=EntityCategory.DIAGNOSTIC,
        first_only=True,
        optional=True,
    ),
)


SENSORS = (
    *(PHASE_SENSORS + PHASE_ENERGY_SENSORS),
    *(EM_SENSORS + EMDATA_SENSORS),
    *(EM1_SENSORS + EM1DATA_SENSORS),
    *(TEMPERATURE_SENSORS + SWITCH_SENSORS),
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: ShellyProConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add a sensor for every row that the device has a component for."""
    coordinator = entry.runtime_data
    async_add_entities(sensor for description in SENSORS for sensor in _sensors(coordinator, description))
    async_add_entities(ShellyProHealthSensor(coordinator, description) for description in HEALTH_SENSORS)
    for subject in (device_sensors, meter_sensors, relay_sensors):
        async_add_entities(subject.sensors(coordinator))


def _sensors(coordinator: ShellyProCoordinator, description: ShellyProSensorDescription) -> Iterator[ShellyProSensor]:
    for key, component in coordinator.device.components(description.kind).items():
        if not description.optional or description.value_fn(component) is not None:
            counter = description.state_class is SensorStateClass.TOTAL_INCREASING
            yield (ShellyProCounter if counter else ShellyProSensor)(coordinator, key, description)
        if description.first_only:
            return


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
