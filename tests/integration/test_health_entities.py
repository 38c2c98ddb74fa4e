"""The entities that tell how a device is reached: what they show, which are enabled, and that they never go away."""

from dataclasses import replace

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN, EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro.shelly_core import Transport
from tests.integration.conftest import PassTime
from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice
from tests.integration.pretence import GONE, RIGHT, WORKS, pretend

LINK = "sensor.switchboard_active_link"
MQTT, HTTP = "binary_sensor.switchboard_mqtt", "binary_sensor.switchboard_http"
BROKER, CLOCK = "binary_sensor.switchboard_mqtt_broker", "binary_sensor.switchboard_clock"
ENABLED = {LINK, MQTT, HTTP, CLOCK}
DISABLED = {
    BROKER,
    *(
        f"sensor.switchboard_{name}"
        for name in (
            "last_reading",
            "mqtt_round_trip",
            "http_round_trip",
            "clock_offset",
            "rejected_readings",
            "dropped_messages",
            "link_changes",
        )
    ),
}


def health_entities(registry: er.EntityRegistry, entry: MockConfigEntry) -> list[er.RegistryEntry]:
    entries = er.async_entries_for_config_entry(registry, entry.entry_id)
    return [entity for entity in entries if "-health-" in entity.unique_id]


async def test_which_there_are(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    entities = health_entities(entity_registry, entry)
    assert {entity.entity_id for entity in entities if entity.disabled_by is None} == ENABLED
    assert {entity.entity_id for entity in entities if entity.disabled_by is not None} == DISABLED
    assert {entity.entity_category for entity in entities} == {EntityCategory.DIAGNOSTIC}
    assert {entity.unique_id for entity in entities} >= {
        f"{mqtt_device.mac}-health-{name}" for name in ("active_link", "mqtt", "http", "broker", "clock")
    }


async def test_a_device_without_mqtt_has_none_about_it(
    hass: HomeAssistant, entry: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    await set_up(hass, entry)
    there = {entity.entity_id for entity in health_entities(entity_registry, entry)}
    assert {LINK, HTTP, CLOCK} <= there
    assert not {MQTT, BROKER} & there


@pytest.mark.usefixtures("all_enabled")
async def test_what_they_show(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    pretend(
        entry,
        monkeypatch,
        active=Transport.MQTT,
        broker=True,
        links={Transport.MQTT: WORKS, Transport.HTTP: GONE},
        clock=replace(RIGHT, wrong=True, offset_s=-7200.5),
        last_reading_ts=1764000000.0,
        rejects={"wrong type": 2, "counter dip": 3},
        drops={"overtaken": 4},
        switchovers=6,
    )
    await hass.async_block_till_done()
    shown = {entity: state_of(hass, entity) for entity in ENABLED | DISABLED}
    assert shown == {
        LINK: "mqtt",
        MQTT: STATE_ON,
        HTTP: STATE_OFF,
        BROKER: STATE_ON,
        CLOCK: STATE_ON,
        "sensor.switchboard_last_reading": "2025-11-24T16:00:00+00:00",
        "sensor.switchboard_mqtt_round_trip": "25.0",
        "sensor.switchboard_http_round_trip": "25.0",
        "sensor.switchboard_clock_offset": "-7200.5",
        "sensor.switchboard_rejected_readings": "5",
        "sensor.switchboard_dropped_messages": "4",
        "sensor.switchboard_link_changes": "6",
    }

    pretend(
        entry,
        monkeypatch,
        active=None,
        links={Transport.HTTP: replace(WORKS, delivers=None)},
        clock=replace(RIGHT, offset_s=None),
        last_reading_ts=None,
    )
    await hass.async_block_till_done()
    assert {entity: state_of(hass, entity) for entity in (LINK, MQTT, HTTP, BROKER, CLOCK)} == {
        LINK: "none",
        MQTT: STATE_UNKNOWN,
        HTTP: STATE_UNKNOWN,
        BROKER: STATE_UNKNOWN,
        CLOCK: STATE_UNKNOWN,
    }
    assert state_of(hass, "sensor.switchboard_last_reading") == STATE_UNKNOWN
    assert state_of(hass, "sensor.switchboard_mqtt_round_trip") == STATE_UNKNOWN


async def test_they_stay_when_the_device_is_gone(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    device.online = False
    for _ in range(5):
        await pass_time(6)
    assert state_of(hass, "sensor.switchboard_total_power") == STATE_UNAVAILABLE
    assert (state_of(hass, LINK), state_of(hass, HTTP)) == ("none", STATE_OFF)


@pytest.mark.usefixtures("all_enabled")
async def test_what_changes_without_an_event_is_looked_at_each_minute(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    device.status["em:0"]["a_current"] = -1.0
    before = state_of(hass, "sensor.switchboard_rejected_readings")
    await pass_time(6)
    assert state_of(hass, "sensor.switchboard_rejected_readings") == before
    await pass_time(61)
    assert int(state_of(hass, "sensor.switchboard_rejected_readings")) > int(before)
