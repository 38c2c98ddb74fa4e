"""The relays."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import ShellyProConfigEntry, ShellyProCoordinator
from .entity import ShellyProEntity
from .shelly_core import AuthError, RpcError, ShellyError, SwitchStatus

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _hass: HomeAssistant, entry: ShellyProConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add a switch for every relay of the device."""
    coordinator = entry.runtime_data
    async_add_entities(ShellyProSwitch(coordinator, key) for key in coordinator.device.components(SwitchStatus))


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

    async def _switch(self, *, on: bool) -> None:
        try:
            await self.coordinator.client.set_switch(self._switch_id, on)
        except AuthError as err:
            self.coordinator.config_entry.async_start_reauth(self.hass)
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="invalid_auth") from err
        except RpcError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="refused",
                translation_placeholders={"error": err.message},
            ) from err
        except ShellyError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="not_switched",
                translation_placeholders={"error": str(err)},
            ) from err
