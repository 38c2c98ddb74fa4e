"""What the meters measure, and how warm the device is: one table."""

from collections.abc import Callable

from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import device_sensors, meter_sensors, relay_energy, relay_sensors
from .coordinator import ShellyProConfigEntry
from .health_sensors import HEALTH_SENSORS, ShellyProHealthSensor
from .measurement import (
    APPARENT_POWER,
    CURRENT,
    ENERGY,
    FREQUENCY,
    POWER,
    POWER_FACTOR,
    TEMPERATURE,
    VOLTAGE,
    Quantity,
    ShellyProSensorDescription,
    row,
    sensors_of,
)
from .shelly_core import (
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
    async_add_entities(sensor for description in SENSORS for sensor in sensors_of(coordinator, description))
    async_add_entities(ShellyProHealthSensor(coordinator, description) for description in HEALTH_SENSORS)
    for subject in (device_sensors, meter_sensors, relay_energy, relay_sensors):
        async_add_entities(subject.sensors(coordinator))
