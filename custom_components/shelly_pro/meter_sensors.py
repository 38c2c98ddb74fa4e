"""What follows from what a meter measures: reactive power, neutral current, imbalance; and how it is wired up."""

import cmath
from collections.abc import Callable, Iterable
from math import acos, pi, sqrt
from typing import Final, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.const import PERCENTAGE, EntityCategory
from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator
from .entity import ShellyProEntity
from .measurement import CURRENT, REACTIVE_POWER, Quantity, ShellyProSensorDescription, row, sensors_of
from .shelly_core import Em1Status, EmStatus, Phase, PhaseReading

LIVE_V: Final = 50.0
"""A phase with less is not wired: what its clamp tells is noise."""
LEAST_A: Final = 0.5
"""With a lower mean current, an imbalance says nothing."""
PROFILES: Final = ["monophase", "triphase"]
IMBALANCE: Final = Quantity(device_class=None, unit=PERCENTAGE, precision=1)
TURNS: Final = {Phase.A: 0.0, Phase.B: -2 * pi / 3, Phase.C: 2 * pi / 3}


def reactive_power_var(act_power_w: float | None, aprt_power_va: float | None) -> float | None:
    """Return the amount of reactive power; the meter does not tell whether it is inductive or capacitive."""
    if act_power_w is None or aprt_power_va is None:
        return None
    return sqrt(max(0.0, aprt_power_va**2 - act_power_w**2))


def total_reactive_power_var(em: EmStatus) -> float | None:
    """Return the sum over the phases; the totals of a meter are sums, too, so they have no common power factor."""
    phases = [reactive_power_var(reading.act_power_w, reading.aprt_power_va) for reading in em.phases.values()]
    known = [phase for phase in phases if phase is not None]
    return sum(known) if len(known) == len(phases) else None


def computed_neutral_current_a(em: EmStatus) -> float | None:
    """Return the sum of the currents as phasors, of voltages a third of a turn apart and currents without harmonics.

    Loads are taken for inductive; fed-in power turns its current round. `None` unless all phases are live.
    """
    total = 0j
    for phase, reading in em.phases.items():
        if not _is_live(reading) or reading.current_a is None or reading.pf is None or reading.act_power_w is None:
            return None
        lag = acos(min(1.0, abs(reading.pf)))
        turned = 0.0 if reading.act_power_w >= 0 else pi
        total += cmath.rect(reading.current_a, TURNS[phase] - lag + turned)
    return abs(total)


def imbalance_percent(em: EmStatus, quantity: Callable[[PhaseReading], float | None], least: float) -> float | None:
    """Return the largest distance to the mean, in percent of it (as NEMA MG 1 has it); of live phases, two at least."""
    told = [quantity(reading) for reading in em.phases.values() if _is_live(reading)]
    values = [value for value in told if value is not None]
    mean = sum(values) / len(values) if values else 0.0
    if len(values) < 2 or len(values) < len(told) or mean < least:  # noqa: PLR2004 - there is no imbalance of one
        return None
    return 100.0 * max(abs(value - mean) for value in values) / mean


def _is_live(reading: PhaseReading) -> bool:
    return reading.voltage_v is not None and reading.voltage_v >= LIVE_V


def _reactive_row(phase: Phase) -> ShellyProSensorDescription:
    return row(
        EmStatus,
        f"{phase}_react_power",
        REACTIVE_POWER,
        lambda em: reactive_power_var(em.phases[phase].act_power_w, em.phases[phase].aprt_power_va),
        phase=phase,
        on_child=True,
        enabled=False,
    )


SENSORS: Final = (
    *map(_reactive_row, Phase),
    row(EmStatus, "total_react_power", REACTIVE_POWER, total_reactive_power_var, name="total_reactive_power"),
    row(
        EmStatus,
        "voltage_imbalance",
        IMBALANCE,
        lambda em: imbalance_percent(em, lambda reading: reading.voltage_v, LIVE_V),
        name="voltage_imbalance",
        enabled=False,
    ),
    row(
        EmStatus,
        "current_imbalance",
        IMBALANCE,
        lambda em: imbalance_percent(em, lambda reading: reading.current_a, LEAST_A),
        name="current_imbalance",
        enabled=False,
    ),
    row(
        Em1Status,
        "react_power",
        REACTIVE_POWER,
        lambda em1: reactive_power_var(em1.act_power_w, em1.aprt_power_va),
        on_child=True,
        enabled=False,
    ),
)
COMPUTED_NEUTRAL: Final = row(
    EmStatus, "n_current_computed", CURRENT, computed_neutral_current_a, name="neutral_current_computed", enabled=False
)


def sensors(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return what can be computed; the neutral current only where no fourth clamp measures it."""
    for description in SENSORS:
        yield from sensors_of(coordinator, description)
    if all(em.n_current_a is None for em in coordinator.device.components(EmStatus).values()):
        yield from sensors_of(coordinator, COMPUTED_NEUTRAL)
    if coordinator.device.info.profile is not None:
        yield ShellyProProfile(coordinator)


class ShellyProProfile(ShellyProEntity, SensorEntity):
    """Whether the meter takes its clamps for the phases of one supply, or for three circuits."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_options = PROFILES
    _attr_translation_key = "profile"

    def __init__(self, coordinator: ShellyProCoordinator) -> None:
        """Show the profile of the device."""
        super().__init__(coordinator, "sys", field="profile", phase=None, child=False)

    @property
    @override
    def native_value(self) -> str | None:
        """The profile; `None` for one that we do not know."""
        profile = self.coordinator.device.info.profile
        return profile if profile in PROFILES else None
