"""Which road an entry runs on, and what happens when there is none."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_PASSWORD, EVENT_STATE_CHANGED, EVENT_STATE_REPORTED, STATE_UNAVAILABLE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_mqtt_message,
)

from custom_components.shelly_pro.const import CONF_TOPIC_PREFIX, DOMAIN
from custom_components.shelly_pro.shelly_core import Transport
from tests.integration.conftest import PassTime
from tests.integration.entries import active_link, answered, set_up, state_of
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]

FREQUENCY = "sensor.switchboard_phase_a_frequency"
LATER = 1764000005.5
"""A time of the device after that of its first notification."""


async def test_without_mqtt_it_runs_on_http(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert active_link(entry) is Transport.HTTP
    assert state_of(hass, FREQUENCY) == str(device.status["em:0"]["a_freq"])

    device.status["em:0"]["a_freq"] = 41.125
    await pass_time(6)
    assert state_of(hass, FREQUENCY) == "41.125"


async def test_with_mqtt_on_both_sides_it_runs_on_mqtt(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert active_link(entry) is Transport.MQTT

    await notify({"em:0": {"a_freq": 12.5}})
    assert state_of(hass, FREQUENCY) == "12.5"


async def test_mqtt_switched_on_later_is_noticed(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert active_link(entry) is Transport.MQTT
    assert entry.data[CONF_TOPIC_PREFIX] == mqtt_device.topic_prefix


@pytest.mark.usefixtures("hasty")
async def test_device_that_finds_the_broker_later_is_followed(
    hass: HomeAssistant, pass_time: PassTime, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    mqtt_device.on_broker = False
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert active_link(entry) is Transport.HTTP

    mqtt_device.on_broker = True
    await notify({"em:0": {"a_freq": 88.5}})
    assert state_of(hass, FREQUENCY) == "88.5"
    await answered(hass)
    assert active_link(entry) is Transport.HTTP
    await pass_time(6)
    assert active_link(entry) is Transport.MQTT
    await notify({"em:0": {"a_freq": 99.5}}, ts=LATER)
    assert state_of(hass, FREQUENCY) == "99.5"


@pytest.mark.usefixtures("hasty")
async def test_device_heard_on_the_broker_that_answers_there_no_questions_stays_on_http(
    hass: HomeAssistant, pass_time: PassTime, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    mqtt_device.on_broker = False
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await notify({"em:0": {"a_freq": 88.5}})
    await answered(hass)
    await pass_time(6)
    assert active_link(entry) is Transport.HTTP

    mqtt_device.status["em:0"]["a_freq"] = 66.5
    await pass_time(6)
    assert state_of(hass, FREQUENCY) == "66.5"


@pytest.mark.usefixtures("broker", "hasty")
async def test_mqtt_that_goes_elsewhere_leaves_http(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    """The device uses MQTT, but another broker: nobody answers on ours."""
    device.enable_mqtt()
    await set_up(hass, entry, topic_prefix=device.topic_prefix)
    assert active_link(entry) is Transport.HTTP
    assert state_of(hass, FREQUENCY) == str(device.status["em:0"]["a_freq"])


async def test_retained_frames_are_not_news(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    before = state_of(hass, FREQUENCY)
    frame = json.dumps(mqtt_device.notification({"em:0": {"a_freq": 9.5}}))
    async_fire_mqtt_message(hass, f"{mqtt_device.topic_prefix}/events/rpc", frame, retain=True)
    await hass.async_block_till_done()
    assert state_of(hass, FREQUENCY) == before


async def test_late_frame_is_not_news(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await notify({"em:0": {"a_freq": 12.5}}, ts=LATER)
    await notify({"em:0": {"a_freq": 9.5}}, ts=LATER - 1)
    await notify({"em:0": {"a_freq": 12.5}}, ts=LATER)
    assert state_of(hass, FREQUENCY) == "12.5"
    assert entry.runtime_data.client.health().drops == {"overtaken": 1, "repeated": 1}


async def test_device_that_does_not_answer_is_tried_again(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.online = False
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert "does not answer" in entry.reason

    device.online = True
    assert await hass.config_entries.async_reload(entry.entry_id)


async def test_wrong_password_asks_for_the_new_one(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.protect("new password")
    await set_up(hass, entry, **{CONF_PASSWORD: "old password"})
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == [SOURCE_REAUTH]


async def test_password_changed_while_running(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    device.protect("new password")
    await pass_time(6)
    assert state_of(hass, FREQUENCY) == STATE_UNAVAILABLE
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == [SOURCE_REAUTH]


async def test_another_device_at_the_address(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.info["mac"] = "00005E005301"
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason is not None
    assert "00005E005301" in entry.reason.upper()


async def test_unavailable_and_back_over_http(
    hass: HomeAssistant,
    pass_time: PassTime,
    device: FixtureDevice,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(hass, entry)
    device.online = False
    for _ in range(5):
        await pass_time(6)
    assert state_of(hass, FREQUENCY) == STATE_UNAVAILABLE
    ours = [record for record in caplog.records if record.name == "custom_components.shelly_pro"]
    said = [record.getMessage() for record in ours if record.levelname in {"WARNING", "ERROR"}]
    assert [text for text in said if "Switchboard" in text] == ["Switchboard is unavailable: HTTP: HTTP status 503"]

    device.online = True
    await pass_time(60)
    assert state_of(hass, FREQUENCY) == str(device.status["em:0"]["a_freq"])
    assert caplog.text.count("Switchboard is back over HTTP") == 1


async def test_unload_lets_go(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    client = entry.runtime_data.client
    readings = client.health().readings
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED

    await notify({"em:0": {"a_freq": 1.5}})
    assert client.health().readings == readings
    assert state_of(hass, FREQUENCY) == STATE_UNAVAILABLE


async def test_device_and_its_parts(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    await set_up(hass, entry)
    parent = device_registry.async_get_device_by_identifier((DOMAIN, device.mac), entry.entry_id)
    assert parent is not None
    assert parent.name == "Switchboard"
    assert (parent.manufacturer, parent.model) == ("Shelly", "Shelly Pro 3EM")
    assert parent.sw_version == device.info["ver"]
    assert parent.configuration_url == f"http://127.0.0.1:{entry.data['port']}"
    children = dr.async_child_entries_for_config_entry(device_registry, entry.entry_id)
    assert {child.name for child in children} == {"Phase A", "Phase B", "Phase C"}
    assert {child.parent_device_id for child in children} == {parent.id}


async def test_states_of_one_component_do_not_disturb_another(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    written: list[str] = []

    @callback
    def note(event: Event[Any]) -> None:
        written.append(event.data["entity_id"])

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    hass.bus.async_listen(EVENT_STATE_REPORTED, note, callback(lambda _: True))
    status = mqtt_device.status["em:0"]
    await notify({"em:0": {**status, "a_freq": status["a_freq"] + 1}})
    assert written == [FREQUENCY]
