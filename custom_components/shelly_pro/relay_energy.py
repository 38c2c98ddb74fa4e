"""Power and energy of each relay: measured where the device can, else estimated from the load that a person entered."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, override

from homeassistant.core import callback
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .const import CONF_RATED_POWER
from .coordinator import ShellyProCoordinator
from .measurement import (
    CURRENT,
    ENERGY,
    FREQUENCY,
    POWER,
    POWER_FACTOR,
    VOLTAGE,
    ShellyProCounter,
    ShellyProSensor,
    row,
    sensors_of,
)
from .relay_sensors import MINUTE
from .shelly_core import Component, SwitchStatus

SECONDS_PER_HOUR: Final = 3600.0

MEASURED: Final = (
    row(SwitchStatus, "act_power", POWER, lambda switch: switch.act_power_w, on_child=True, optional=True),
    row(SwitchStatus, "voltage", VOLTAGE, lambda switch: switch.voltage_v, on_child=True, optional=True),
    row(SwitchStatus, "current", CURRENT, lambda switch: switch.current_a, on_child=True, optional=True),
    row(SwitchStatus, "pf", POWER_FACTOR, lambda switch: switch.pf, on_child=True, optional=True),
    row(SwitchStatus, "freq", FREQUENCY, lambda switch: switch.freq_hz, on_child=True, optional=True),
    row(SwitchStatus, "act_energy", ENERGY, lambda switch: switch.act_energy_wh, on_child=True, optional=True),
    row(
        SwitchStatus,
        "act_ret_energy",
        ENERGY,
        lambda switch: switch.act_ret_energy_wh,
        name="energy_returned",
        on_child=True,
        optional=True,
    ),
)
ESTIMATED_POWER: Final = row(
    SwitchStatus, "estimated_power", POWER, lambda _switch: None, name="estimated_power", on_child=True
)
ESTIMATED_ENERGY: Final = row(
    SwitchStatus, "estimated_energy", ENERGY, lambda _switch: None, name="estimated_energy", on_child=True
)


def sensors(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return what each relay measures; an estimate where it measures nothing and its load is known."""
    for description in MEASURED:
        yield from sensors_of(coordinator, description)
    rated_power_w = coordinator.config_entry.options.get(CONF_RATED_POWER, {})
    for key, switch in coordinator.device.components(SwitchStatus).items():
        if switch.act_power_w is None and key in rated_power_w:
            yield ShellyProEstimatedPower(coordinator, key, rated_power_w[key])
            yield ShellyProEstimatedEnergy(coordinator, key, rated_power_w[key])


def drawn_w(component: Component | None, rated_power_w: float) -> float | None:
    """Return what the load of a relay draws if it is as rated: all while it is on, nothing while it is off."""
    if not isinstance(component, SwitchStatus) or component.output is None:
        return None
    return rated_power_w if component.output else 0.0


class ShellyProEstimatedPower(ShellyProSensor):
    """What the load of a relay is said to draw, while the relay is on."""

    def __init__(self, coordinator: ShellyProCoordinator, key: str, rated_power_w: float) -> None:
        """Estimate for the relay of component `key`."""
        super().__init__(coordinator, key, ESTIMATED_POWER)
        self._rated_power_w = rated_power_w

    @override
    def _show(self, component: Component | None) -> None:
        self._attr_native_value = drawn_w(component, self._rated_power_w)


class ShellyProEstimatedEnergy(ShellyProCounter):
    """What the load of a relay has drawn if it is as rated, in Wh. Time while the device is away is left out."""

    def __init__(self, coordinator: ShellyProCoordinator, key: str, rated_power_w: float) -> None:
        """Estimate for the relay of component `key`."""
        super().__init__(coordinator, key, ESTIMATED_ENERGY)
        self._rated_power_w = rated_power_w
        self._energy_wh = 0.0
        self._power_w: float | None = None
        """Since `_looked_at`; `None` while it is not known."""
        self._looked_at = 0.0

    @override
    async def async_added_to_hass(self) -> None:
        """Go on from the energy before the restart, and look each minute."""
        restored = await self.async_get_last_sensor_data()
        if restored is not None and isinstance(restored.native_value, int | float):
            self._energy_wh = restored.native_value
        await super().async_added_to_hass()
        self.async_on_remove(async_track_time_interval(self.hass, self._handle_time, MINUTE))

    @callback
    def _handle_time(self, _now: datetime) -> None:
        self._handle_component(self.component)

    @override
    def _show(self, component: Component | None) -> None:
        at = dt_util.utcnow().timestamp()
        if self._power_w is not None:
            self._energy_wh += self._power_w * max(0.0, at - self._looked_at) / SECONDS_PER_HOUR
        self._power_w = drawn_w(component, self._rated_power_w) if self.coordinator.client.available else None
        self._looked_at = at
        self._attr_native_value = self._energy_wh
