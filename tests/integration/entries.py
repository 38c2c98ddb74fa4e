"""Setting entries up, and reading what they show."""

from typing import Any

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry


async def set_up(hass: HomeAssistant, entry: MockConfigEntry, **data: Any) -> None:
    """Set the entry up, with changes to its data."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, **data})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def state_of(hass: HomeAssistant, entity_id: str) -> str:
    """The state of an entity, which must exist."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.state
