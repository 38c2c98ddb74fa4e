"""Every entity of every fixture, each in a line: ids, names, classes and what it shows stay as they are."""

from collections.abc import Iterator, Mapping

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.shelly_pro.const import CONF_RATED_POWER
from tests.integration.entries import set_up
from tests.integration.fixture_device import FIXTURES, FixtureDevice

DEVICES = sorted(folder.name for folder in FIXTURES.iterdir() if folder.is_dir())
VARYING = "varies"
"""Stands for what differs from run to run: times, and how long an answer took."""


@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize("fixture_name", DEVICES)
async def test_every_entity(
    hass: HomeAssistant, entry: MockConfigEntry, device: FixtureDevice, snapshot: SnapshotAssertion
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_RATED_POWER: {"switch:0": 2000.0}})
    await set_up(hass, entry)
    assert sorted(described(hass, entry, device)) == snapshot


@pytest.mark.parametrize("fixture_name", DEVICES)
async def test_what_is_enabled_by_default(
    hass: HomeAssistant, entry: MockConfigEntry, entity_registry: er.EntityRegistry, snapshot: SnapshotAssertion
) -> None:
    await set_up(hass, entry)
    entities = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    assert sorted(entity.entity_id for entity in entities if entity.disabled_by is None) == snapshot


@pytest.mark.parametrize("fixture_name", DEVICES)
async def test_ids_stay_across_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    await set_up(hass, entry)
    before = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert er.async_entries_for_config_entry(entity_registry, entry.entry_id) == before


def described(hass: HomeAssistant, entry: MockConfigEntry, device: FixtureDevice) -> Iterator[str]:
    """Describe each entity of an entry."""
    devices = dr.async_get(hass)
    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        state = hass.states.get(entity.entity_id)
        owner = entity.device_id and devices.async_get(entity.device_id)
        options: Mapping[str, object] = entity.options.get("sensor") or {}
        facts = {
            "id": entity.unique_id.removeprefix(device.mac),
            "on": owner and owner.name,
            "name": entity.original_name,
            "key": entity.translation_key,
            "class": entity.original_device_class,
            "category": entity.entity_category,
            "unit": entity.unit_of_measurement,
            "decimals": options.get("suggested_display_precision"),
            **(entity.capabilities or {}),
        }
        told = " ".join(f"{name}={value!s}" for name, value in facts.items() if value is not None)
        varies = "health-" in entity.unique_id or entity.original_device_class in {"timestamp", "uptime"}
        yield f"{entity.entity_id} = {VARYING if varies or state is None else state.state} | {told}"
