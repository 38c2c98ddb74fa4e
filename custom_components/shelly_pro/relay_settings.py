"""How a relay behaves by itself: its timers, what it does when power returns, what its input does."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.number import NumberEntity
from homeassistant.components.number.const import NumberDeviceClass, NumberMode
from homeassistant.components.select import SelectEntity
from homeassistant.components.switch import SwitchEntity
from homeassistant.const import UnitOfTime
from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator
from .entity import ShellyProSettingEntity
from .shelly_core import InputStatus, SwitchStatus

SHORTEST_S: Final = 0.1
LONGEST_S: Final = 86_400.0 * 7

DELAYS: Final = ("auto_on_delay", "auto_off_delay")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One row of the table of settings with a choice; `field` is the device's name of it."""

    field: str
    options: tuple[str, ...]
    enabled: bool = False


@dataclass(frozen=True, kw_only=True)
class OnOff:
    """One row of the table of settings that are on or off."""

    field: str
    enabled: bool = False


RELAY_CHOICES: Final = (
    Choice(field="initial_state", options=("off", "on", "restore_last", "match_input"), enabled=True),
    Choice(field="in_mode", options=("momentary", "follow", "flip", "detached", "activate", "cycle")),
)
INPUT_CHOICES: Final = (Choice(field="type", options=("switch", "button")),)
RELAY_SWITCHES: Final = (
    OnOff(field="auto_on", enabled=True),
    OnOff(field="auto_off", enabled=True),
    OnOff(field="in_locked"),
)
INPUT_SWITCHES: Final = (OnOff(field="enable"), OnOff(field="invert"))


def numbers(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return the delays of the timers of every relay."""
    for key in coordinator.device.components(SwitchStatus):
        for field in DELAYS:
            if field in coordinator.settings.of(key):
                yield ShellyProDelay(coordinator, key, field)


def selects(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return the choices of every relay and every input."""
    device = coordinator.device
    for kind, choices in ((SwitchStatus, RELAY_CHOICES), (InputStatus, INPUT_CHOICES)):
        for key in device.components(kind):
            for choice in choices:
                if choice.field in coordinator.settings.of(key):
                    yield ShellyProChoice(coordinator, key, choice)


def switches(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return what is on or off in the settings of every relay and every input."""
    device = coordinator.device
    for kind, rows in ((SwitchStatus, RELAY_SWITCHES), (InputStatus, INPUT_SWITCHES)):
        for key in device.components(kind):
            for each in rows:
                if each.field in coordinator.settings.of(key):
                    yield ShellyProOnOff(coordinator, key, each)


class ShellyProRelaySetting(ShellyProSettingEntity):
    """A setting of a relay, on the relay; or of an input, on the device."""

    def __init__(self, coordinator: ShellyProCoordinator, key: str, field: str, *, enabled: bool) -> None:
        """Show the setting `field` of component `key`."""
        kind, _, number = key.partition(":")
        super().__init__(coordinator, key, field=field, phase=None, child=kind == "switch")
        self._field = field
        self._attr_entity_registry_enabled_default = enabled
        self._attr_translation_key = field if kind == "switch" else f"input_{field}"
        if kind != "switch":
            self._attr_translation_placeholders = {"number": str(int(number) + 1)}


class ShellyProDelay(ShellyProRelaySetting, NumberEntity):
    """After how many seconds a relay switches by itself, if its timer is on."""

    _attr_device_class = NumberDeviceClass.DURATION
    _attr_mode = NumberMode.BOX
    _attr_native_max_value = LONGEST_S
    _attr_native_min_value = SHORTEST_S
    _attr_native_step = 0.1
    _attr_native_unit_of_measurement = UnitOfTime.SECONDS

    def __init__(self, coordinator: ShellyProCoordinator, key: str, field: str) -> None:
        """Show the delay `field` of the relay of component `key`."""
        super().__init__(coordinator, key, field, enabled=True)

    @property
    @override
    def native_value(self) -> float | None:
        """The delay in seconds."""
        value = self.setting.get(self._field)
        return float(value) if isinstance(value, int | float) else None

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Set the delay in seconds. Raises `HomeAssistantError`."""
        await self.async_set(**{self._field: value})


class ShellyProChoice(ShellyProRelaySetting, SelectEntity):
    """A setting with a choice; one that we do not know is shown as unknown."""

    def __init__(self, coordinator: ShellyProCoordinator, key: str, choice: Choice) -> None:
        """Show the setting that the row describes."""
        super().__init__(coordinator, key, choice.field, enabled=choice.enabled)
        self._attr_options = [*choice.options]

    @property
    @override
    def current_option(self) -> str | None:
        """What the device is set to."""
        value = self.setting.get(self._field)
        return value if isinstance(value, str) and value in self.options else None

    @override
    async def async_select_option(self, option: str) -> None:
        """Set the device. Raises `HomeAssistantError`."""
        await self.async_set(**{self._field: option})


class ShellyProOnOff(ShellyProRelaySetting, SwitchEntity):
    """A setting that is on or off."""

    def __init__(self, coordinator: ShellyProCoordinator, key: str, row: OnOff) -> None:
        """Show the setting that the row describes."""
        super().__init__(coordinator, key, row.field, enabled=row.enabled)

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether it is on."""
        value = self.setting.get(self._field)
        return value if isinstance(value, bool) else None

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Switch it on. Raises `HomeAssistantError`."""
        await self.async_set(**{self._field: True})

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Switch it off. Raises `HomeAssistantError`."""
        await self.async_set(**{self._field: False})
