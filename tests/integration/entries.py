"""Setting entries up, and reading what they show."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro.const import DOMAIN
from custom_components.shelly_pro.shelly_core import Transport


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


def active_link(entry: MockConfigEntry) -> Transport | None:
    """The link that the device of a loaded entry is on."""
    found: Transport | None = entry.runtime_data.client.active
    return found


async def answered(hass: HomeAssistant) -> None:
    """Wait until every question to a device is answered, or was given up."""
    await hass.async_block_till_done(wait_background_tasks=True)
    async with asyncio.timeout(10):
        while tasks := [
            question.task
            for entry in hass.config_entries.async_loaded_entries(DOMAIN)
            for question in entry.runtime_data.client._questions._under_way.values()
        ]:
            await asyncio.wait(tasks)
            await hass.async_block_till_done(wait_background_tasks=True)
