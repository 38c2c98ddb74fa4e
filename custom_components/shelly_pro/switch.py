"""The relays."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import meter_settings, relay_settings
from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .entity import ShellyProEntity
from .shelly_core import SwitchStatus

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _hass: HomeAssistant, entry: ShellyProConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add a switch for every relay of the device."""
    coordinator = entry.runtime_data
    async_add_entities(ShellyProSwitch(coordinator, key) for key in coordinator.device.components(SwitchStatus))
    for subject in (meter_settings, relay_settings):
        async_add_entities(subject.switches(coordinator))


class ShellyProSwitch(ShellyProEntity, SwitchEntity):
    """One relay. Its state is what the device confirms, never what was asked of it."""

    _attr_name = None

    def __init__(self, coordinator: ShellyProCoordinator, key: str) -> None:
        """Show and switch the relay of component `key`."""
        super().__init__(coordinator, key, field=None, phase=None, child=True)
        self._switch_id = int(key.partition(":")[2])

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether the contact is closed."""
        component = self.component
        return component.output if isinstance(component, SwitchStatus) else None

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Close the contact."""
        await self._switch(on=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Open the contact."""
        await self._switch(on=False)

    async def async_turn_on_for(self, seconds: float) -> None:
        """Close the contact, and have the device open it again by itself. Raises `HomeAssistantError`."""
        params = {"id": self._switch_id, "on": True, "toggle_after": seconds}
        await self.coordinator.async_call("Switch.Set", params)
        await self.coordinator.async_call("Switch.GetStatus", {"id": self._switch_id})

    async def _switch(self, *, on: bool) -> None:
        with self.coordinator.command_errors():
            await self.coordinator.client.set_switch(self._switch_id, on)
