"""What is or is not of a component: the entity class of all binary sensors that show what the device reports."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.core import callback

from .entity import ShellyProEntity
from .shelly_core import Component


class ShellyProFlag(ShellyProEntity, BinarySensorEntity):
    """Shows one fact of a component; its state is written only when the fact differs."""

    @override
    async def async_added_to_hass(self) -> None:
        """Show what is known by now."""
        await super().async_added_to_hass()
        self._attr_is_on = self._tell(self.component)

    def _tell(self, component: Component | None) -> bool | None:
        """Return the fact; `None` while it is not known."""
        raise NotImplementedError

    @callback
    @override
    def _handle_component(self, component: Component | None) -> None:
        """Write the state, but only if it differs: a meter reports each second, and seldom a fault."""
        written, self._attr_is_on = self._attr_is_on, self._tell(component)
        if component is None or self._attr_is_on is not written:
            self.async_write_ha_state()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state when the device comes or goes, with what it said in between."""
        self._attr_is_on = self._tell(self.component)
        self.async_write_ha_state()
