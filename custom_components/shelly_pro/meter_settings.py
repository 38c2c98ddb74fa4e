"""How a meter is set up: its clamps, whether it watches the order of phases, its light; and its counters."""

from collections.abc import Iterable
from typing import Any, Final, override

from homeassistant.components.button import ButtonEntity
from homeassistant.components.select import SelectEntity
from homeassistant.components.switch import SwitchEntity
from homeassistant.const import EntityCategory
from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator
from .entity import ShellyProEntity, ShellyProSettingEntity
from .shelly_core import Em1DataStatus, Em1Status, EmDataStatus, EmStatus, Phase

BLINK_MODES: Final = ["active_energy", "apparent_energy"]
BLINK_PHASES: Final = ["a", "b", "c", "all"]
CLAMPS: Final = ["120A", "400A"]
"""Types of clamps that take the place of each other; those of other meters are fixed."""
COUNTERS: Final = {"emdata": "EMData", "em1data": "EM1Data", "switch": "Switch"}
"""The part before the dot of the method that sets counters back, by kind of component."""


def buttons(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return what sets the counters of each meter back."""
    device = coordinator.device
    for key in (*device.components(EmDataStatus), *device.components(Em1DataStatus)):
        yield ShellyProResetCounters(coordinator, key)


def selects(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return the type of clamps of each meter, and what its light blinks for."""
    for key in _meters(coordinator):
        setting = coordinator.settings.of(key)
        if "ct_type" in setting:
            yield ShellyProClampType(coordinator, key)
        if "blink_mode_selector" in setting:
            yield ShellyProMeterSelect(coordinator, key, "blink_mode_selector", "blink_mode", BLINK_MODES)
        if "phase_selector" in setting:
            yield ShellyProMeterSelect(coordinator, key, "phase_selector", "blink_phase", BLINK_PHASES)


def switches(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return whether each meter watches the order of phases, and which clamps are turned round."""
    for key in _meters(coordinator):
        setting = coordinator.settings.of(key)
        if "monitor_phase_sequence" in setting:
            yield ShellyProPhaseSequence(coordinator, key)
        if isinstance(setting.get("reverse"), dict):
            for phase in Phase:
                yield ShellyProClampTurned(coordinator, key, phase)
        elif isinstance(setting.get("reverse"), bool):
            yield ShellyProClampTurned(coordinator, key, None)


def _meters(coordinator: ShellyProCoordinator) -> tuple[str, ...]:
    device = coordinator.device
    return (*device.components(EmStatus), *device.components(Em1Status))


class ShellyProResetCounters(ShellyProEntity, ButtonEntity):
    """Sets the energy counters of a meter to zero. It has to be enabled first, so that nobody does it by mistake."""

    _attr_entity_category = EntityCategory.CONFIG
    _attr_entity_registry_enabled_default = False
    _attr_translation_key = "reset_counters"

    def __init__(self, coordinator: ShellyProCoordinator, key: str) -> None:
        """Set the counters of component `key` back."""
        super().__init__(coordinator, key, field="reset_counters", phase=None, child=key.startswith("em1data"))

    @override
    async def async_press(self) -> None:
        """Set the counters back. Raises `HomeAssistantError`."""
        await async_reset_counters(self.coordinator, self._key)


async def async_reset_counters(coordinator: ShellyProCoordinator, key: str) -> None:
    """Set the counters of component `key` to zero; twice does no harm. Raises `HomeAssistantError`."""
    kind, _, number = key.partition(":")
    await coordinator.async_call(f"{COUNTERS[kind]}.ResetCounters", {"id": int(number)})
    # Else the fall of the counters would be taken for a fault, until they have been low for a while.
    coordinator.device.counters.forget(key)


class ShellyProMeterSelect(ShellyProSettingEntity, SelectEntity):
    """A setting with a choice; a choice that we do not know is shown as unknown."""

    _attr_entity_registry_enabled_default = False

    def __init__(
        self, coordinator: ShellyProCoordinator, key: str, field: str, translation_key: str, options: list[str]
    ) -> None:
        """Show the setting `field` of component `key`."""
        super().__init__(coordinator, key, field=field, phase=None, child=key.startswith("em1:"))
        self._field = field
        self._attr_translation_key = translation_key
        self._attr_options = options

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


class ShellyProClampType(ShellyProMeterSelect):
    """The type of the clamps. A wrong one makes all readings wrong; the device takes a new one after a restart."""

    _attr_entity_registry_enabled_default = True

    def __init__(self, coordinator: ShellyProCoordinator, key: str) -> None:
        """Show the type that is set, and those that can take its place; the device refuses what it cannot use."""
        known = coordinator.settings.of(key)["ct_type"]
        options = CLAMPS if known in CLAMPS else [known] if isinstance(known, str) else []
        super().__init__(coordinator, key, "ct_type", "ct_type", options)


class ShellyProPhaseSequence(ShellyProSettingEntity, SwitchEntity):
    """Whether the meter tells that the phases are connected in the wrong order."""

    _attr_translation_key = "monitor_phase_sequence"

    def __init__(self, coordinator: ShellyProCoordinator, key: str) -> None:
        """Show the setting of component `key`."""
        super().__init__(coordinator, key, field="monitor_phase_sequence", phase=None, child=False)

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether the order is watched."""
        return self.setting.get("monitor_phase_sequence")

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Watch the order."""
        await self.async_set(monitor_phase_sequence=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Do not watch the order."""
        await self.async_set(monitor_phase_sequence=False)


class ShellyProClampTurned(ShellyProSettingEntity, SwitchEntity):
    """Whether a clamp sits the wrong way round, so that the meter takes drawing for feeding in."""

    _attr_entity_registry_enabled_default = False
    _attr_translation_key = "reverse"

    def __init__(self, coordinator: ShellyProCoordinator, key: str, phase: Phase | None) -> None:
        """Show the setting of component `key`, of one phase if the component has several."""
        field = "reverse" if phase is None else f"{phase}_reverse"
        super().__init__(coordinator, key, field=field, phase=phase, child=True)
        self._phase = phase

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether the clamp is taken for turned round; a three-phase meter names only those that are."""
        told = self.setting.get("reverse")
        return told is True if self._phase is None else isinstance(told, dict) and told.get(self._phase) is True

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Turn the readings of this clamp round."""
        await self._turn(turned=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Take the readings of this clamp as they are."""
        await self._turn(turned=False)

    async def _turn(self, *, turned: bool) -> None:
        await self.async_set(reverse=turned if self._phase is None else {str(self._phase): turned})
