"""What is wired to the inputs: a switch, or a push-button; and the button on the device itself."""

from collections.abc import Iterable
from typing import Final, override

from homeassistant.components.event import EventEntity
from homeassistant.components.event.const import EventDeviceClass
from homeassistant.core import callback
from homeassistant.helpers.entity import Entity

from .coordinator import ShellyProCoordinator
from .entity import ShellyProEntity
from .flag import ShellyProFlag
from .shelly_core import Component, Event, InputStatus, SwitchStatus

PUSHES: Final = ["btn_down", "btn_up", "single_push", "double_push", "triple_push", "long_push"]
"""What happens at a push-button, as the device calls it."""
DEVICE_PUSHES: Final = ["sys_btn_down", "sys_btn_up", "sys_btn_push"]
BUTTON: Final = "button"


def is_button(coordinator: ShellyProCoordinator, key: str) -> bool:
    """Tell whether a push-button is wired to an input: it has no state, things happen at it."""
    return coordinator.settings.of(key).get("type") == BUTTON


def binary_sensors(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return the state of every input with a switch."""
    for key in coordinator.device.components(InputStatus):
        if not is_button(coordinator, key):
            yield ShellyProInput(coordinator, key)


def events(coordinator: ShellyProCoordinator) -> Iterable[Entity]:
    """Return the pushes at every input with a push-button, and at the button of the device."""
    for key in coordinator.device.components(InputStatus):
        if is_button(coordinator, key):
            yield ShellyProPushButton(coordinator, key)
    if coordinator.device.components(SwitchStatus):
        yield ShellyProDeviceButton(coordinator)


class ShellyProInputEntity(ShellyProEntity):
    """One input, called as on the device if a person gave it a name there."""

    def __init__(self, coordinator: ShellyProCoordinator, key: str) -> None:
        """Show the input of component `key`; one that is switched off on the device begins disabled here."""
        super().__init__(coordinator, key, field=None, phase=None, child=False)
        name = coordinator.device.name_of(key)
        if name is not None:
            self._attr_name = name
        self._attr_translation_key = "input"
        self._attr_translation_placeholders = {"number": str(int(key.partition(":")[2]) + 1)}
        self._attr_entity_registry_enabled_default = coordinator.settings.of(key).get("enable") is not False


class ShellyProInput(ShellyProInputEntity, ShellyProFlag):
    """Whether the switch at an input is closed."""

    @override
    def _tell(self, component: Component | None) -> bool | None:
        return component.state if isinstance(component, InputStatus) else None


class ShellyProPushButton(ShellyProInputEntity, EventEntity):
    """What happens at a push-button."""

    _attr_device_class = EventDeviceClass.BUTTON
    _attr_event_types = PUSHES

    @override
    async def async_added_to_hass(self) -> None:
        """Hear of pushes."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_watch_events(self._key, self._handle_event))

    @callback
    def _handle_event(self, event: Event) -> None:
        if event.event in self.event_types:
            self._trigger_event(event.event)
            self.async_write_ha_state()


class ShellyProDeviceButton(ShellyProEntity, EventEntity):
    """What happens at the button on the device."""

    _attr_device_class = EventDeviceClass.BUTTON
    _attr_entity_registry_enabled_default = False
    _attr_event_types = DEVICE_PUSHES
    _attr_translation_key = "device_button"

    def __init__(self, coordinator: ShellyProCoordinator) -> None:
        """Hear of the button of the device."""
        super().__init__(coordinator, "sys", field="button", phase=None, child=False)

    @override
    async def async_added_to_hass(self) -> None:
        """Hear of pushes."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_watch_events(self._key, self._handle_event))

    @callback
    def _handle_event(self, event: Event) -> None:
        if event.event in self.event_types:
            self._trigger_event(event.event)
            self.async_write_ha_state()
