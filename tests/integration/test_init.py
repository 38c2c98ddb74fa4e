"""Which road an entry runs on, and what happens when there is none."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_PASSWORD, EVENT_STATE_CHANGED, EVENT_STATE_REPORTED, STATE_UNAVAILABLE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_mqtt_message,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.typing import MqttMockHAClient

from custom_components.shelly_pro.const import CONF_TOPIC_PREFIX, DOMAIN
from custom_components.shelly_pro.mqtt_link import MqttLink
from custom_components.shelly_pro.shelly_core import Transport
from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]

POWER = "sensor.switchboard_total_power"


def transport(entry: MockConfigEntry) -> Transport:
    found: Transport = entry.runtime_data.client.transport
    return found


async def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: float) -> None:
    freezer.tick(timedelta(seconds=seconds))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_without_mqtt_it_runs_on_http(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert transport(entry) is Transport.HTTP
    assert state_of(hass, POWER) == str(device.status["em:0"]["total_act_power"])

    device.status["em:0"]["total_act_power"] = 4321.125
    await pass_time(hass, freezer, 6)
    assert state_of(hass, POWER) == "4321.125"


async def test_with_mqtt_on_both_sides_it_runs_on_mqtt(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert transport(entry) is Transport.MQTT

    await notify({"em:0": {"total_act_power": 1234.5}})
    assert state_of(hass, POWER) == "1234.5"


async def test_mqtt_switched_on_later_is_noticed(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert transport(entry) is Transport.MQTT
    assert entry.data[CONF_TOPIC_PREFIX] == mqtt_device.topic_prefix


async def test_device_that_finds_the_broker_later_is_followed(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Notify,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mqtt_device.on_broker = False
    monkeypatch.setattr(MqttLink, "timeout_s", 0.05)
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    assert transport(entry) is Transport.HTTP

    mqtt_device.on_broker = True
    await notify({"em:0": {"total_act_power": 88.5}})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert transport(entry) is Transport.MQTT
    assert state_of(hass, POWER) == "88.5"
    await notify({"em:0": {"total_act_power": 99.5}})
    assert state_of(hass, POWER) == "99.5"


async def test_device_heard_on_the_broker_that_answers_there_no_questions_stays_on_http(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Notify,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mqtt_device.on_broker = False
    monkeypatch.setattr(MqttLink, "timeout_s", 0.0)
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await notify({"em:0": {"total_act_power": 88.5}})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert transport(entry) is Transport.HTTP

    mqtt_device.status["em:0"]["total_act_power"] = 66.5
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=7))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, POWER) == "66.5"


async def test_device_that_vanishes_while_it_moves_to_mqtt_is_set_up_again(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Notify,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mqtt_device.on_broker = False
    monkeypatch.setattr(MqttLink, "timeout_s", 0.05)
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    mqtt_device.online = False
    await notify({"em:0": {"total_act_power": 88.5}})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.SETUP_RETRY


@pytest.mark.usefixtures("broker")
async def test_mqtt_that_goes_elsewhere_leaves_http(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device uses MQTT, but another broker: nobody answers on ours."""
    device.enable_mqtt()
    monkeypatch.setattr(MqttLink, "timeout_s", 0.05)
    await set_up(hass, entry, topic_prefix=device.topic_prefix)
    assert transport(entry) is Transport.HTTP
    assert state_of(hass, POWER) == str(device.status["em:0"]["total_act_power"])


async def test_retained_frames_are_not_news(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    before = state_of(hass, POWER)
    frame = json.dumps(mqtt_device.notification({"em:0": {"total_act_power": 9.5}}))
    async_fire_mqtt_message(hass, f"{mqtt_device.topic_prefix}/events/rpc", frame, retain=True)
    await hass.async_block_till_done()
    assert state_of(hass, POWER) == before


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
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    device.protect("new password")
    await pass_time(hass, freezer, 6)
    assert state_of(hass, POWER) == STATE_UNAVAILABLE
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
    freezer: FrozenDateTimeFactory,
    device: FixtureDevice,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(hass, entry)
    device.online = False
    for _ in range(3):
        await pass_time(hass, freezer, 6)
    assert state_of(hass, POWER) == STATE_UNAVAILABLE
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert ["does not answer" in error.getMessage() for error in errors] == [True]

    device.online = True
    await pass_time(hass, freezer, 6)
    assert state_of(hass, POWER) == str(device.status["em:0"]["total_act_power"])
    assert caplog.text.count("Switchboard is back") == 1


async def test_silent_mqtt_device_is_asked_then_unavailable_then_back(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Notify,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    client = entry.runtime_data.client
    before = mqtt_device.status["em:0"]["total_act_power"]
    asked = len(mqtt_device.calls)

    async def be_silent() -> None:
        client.last_frame_at -= 60
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))
        await hass.async_block_till_done(wait_background_tasks=True)

    await be_silent()
    assert [method for method, _ in mqtt_device.calls[asked:]] == ["Shelly.GetStatus"]

    mqtt_device.online = False
    monkeypatch.setattr(MqttLink, "timeout_s", 0.05)
    await be_silent()
    assert state_of(hass, POWER) == STATE_UNAVAILABLE

    await notify({"em:0": {"total_act_power": 77.5}})
    assert state_of(hass, POWER) == "77.5"
    await notify({"em:0": {"total_act_power": before}})
    assert state_of(hass, POWER) == str(before)


async def test_broker_that_goes_is_noticed_at_once_and_what_was_missed_is_fetched(
    hass: HomeAssistant, mqtt_device: FixtureDevice, mqtt_mock: MqttMockHAClient, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    mqtt_mock.connected = False
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, False)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, POWER) == STATE_UNAVAILABLE

    mqtt_device.status["em:0"]["total_act_power"] = 55.5
    mqtt_mock.connected = True
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, POWER) == "55.5"


async def test_unload_lets_go(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    client = entry.runtime_data.client
    heard = client.last_frame_at
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED

    await notify({"em:0": {"total_act_power": 1.5}})
    assert client.last_frame_at == heard
    assert state_of(hass, POWER) == STATE_UNAVAILABLE


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
    await notify({"em:0": {**status, "total_act_power": status["total_act_power"] + 1}})
    assert written == [POWER]
