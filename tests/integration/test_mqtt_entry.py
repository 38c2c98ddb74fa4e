"""Home Assistant's MQTT integration itself comes, goes and is reloaded, with all of it real but the socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import pytest
from homeassistant.components import mqtt
from homeassistant.components.mqtt import client as mqtt_client
from homeassistant.components.mqtt.models import DATA_MQTT
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_DISCOVERY, CONF_PROTOCOL, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockMqttReasonCode,
    async_fire_mqtt_message,
)
from pytest_homeassistant_custom_component.typing import MqttMockPahoClient

from custom_components.shelly_pro.const import DOMAIN
from custom_components.shelly_pro.mqtt_link import NOT_RUNNING
from custom_components.shelly_pro.shelly_core import Client, Health, Level, Transport
from tests.integration.conftest import PassTime
from tests.integration.entries import active_link, answered, set_up, state_of
from tests.integration.fixture_device import FixtureDevice

FREQUENCY = "sensor.switchboard_phase_a_frequency"


def mqtt_config_entry() -> MockConfigEntry:
    """MQTT's entry as its own config flow makes it."""
    return MockConfigEntry(
        domain=mqtt.DOMAIN,
        title="MQTT",
        data={mqtt.CONF_BROKER: "broker", CONF_PROTOCOL: "5"},
        options={mqtt.CONF_BIRTH_MESSAGE: {}, CONF_DISCOVERY: False},
        version=2,
        minor_version=1,
    )


@pytest.fixture(autouse=True)
async def _socket(
    hass: HomeAssistant,
    mock_hass_config: None,
    mqtt_client_mock: MqttMockPahoClient,
    device: FixtureDevice,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[None]:
    """A socket with the device behind it: it answers what is published, and closes when it is told to."""
    device.enable_mqtt()
    hass.config_entries.async_update_entry(entry, data={**entry.data, "topic_prefix": device.topic_prefix})
    for cooldown in ("INITIAL_SUBSCRIBE_COOLDOWN", "SUBSCRIBE_COOLDOWN", "UNSUBSCRIBE_COOLDOWN"):
        monkeypatch.setattr(mqtt_client, cooldown, 0.0)
    publish = mqtt_client_mock.publish.side_effect

    def answer(topic: str, payload: bytes, *args: Any) -> Any:
        if topic == f"{device.topic_prefix}/rpc":
            request = json.loads(payload)
            hass.loop.call_soon(receive, hass, f"{request['src']}/rpc", json.dumps(device.answer(request)))
        return publish(topic, payload, *args)

    def disconnect() -> None:
        """The socket closes only when the loop gets to it."""
        hass.loop.call_soon(mqtt_client_mock.on_socket_close, mqtt_client_mock, None, Mock(fileno=lambda: -1))
        hass.loop.call_soon(mqtt_client_mock.on_disconnect, mqtt_client_mock, None, None, MockMqttReasonCode())

    mqtt_client_mock.publish.side_effect = answer
    mqtt_client_mock.disconnect.side_effect = disconnect
    yield
    for domain in (DOMAIN, mqtt.DOMAIN):
        for loaded in hass.config_entries.async_loaded_entries(domain):
            await hass.config_entries.async_unload(loaded.entry_id)
    await hass.async_block_till_done()


@pytest.fixture
async def mqtt_entry(hass: HomeAssistant) -> MockConfigEntry:
    """MQTT, set up in Home Assistant."""
    entry = mqtt_config_entry()
    await hass.config_entries.async_add(entry)
    await hass.async_block_till_done()
    return entry


def receive(hass: HomeAssistant, topic: str, payload: str) -> None:
    """Let the broker deliver a message, if Home Assistant still listens to it."""
    if hass.data[DATA_MQTT].client.connected:
        async_fire_mqtt_message(hass, topic, payload)


def subscribed(hass: HomeAssistant) -> list[str]:
    """The topics that Home Assistant's MQTT client feeds somebody from, or hands over to its next one."""
    data = hass.data[DATA_MQTT]
    return sorted(subscription.topic for subscription in (*data.client.subscriptions, *data.subscriptions_to_restore))


def topics_of(entry: MockConfigEntry, device: FixtureDevice) -> list[str]:
    prefix = device.topic_prefix
    return sorted([f"homeassistant-{entry.entry_id.lower()}/rpc", f"{prefix}/events/rpc", f"{prefix}/online"])


async def joined(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Wait until the broker has confirmed our subscriptions, and the device has answered what we ask then."""
    heard = asyncio.Event()
    stop = entry.runtime_data.client.watch(heard.set)
    async with asyncio.timeout(5):
        while not health_of(entry).broker:
            heard.clear()
            await heard.wait()
    stop()
    await answered(hass)


def health_of(entry: MockConfigEntry) -> Health:
    health: Health = entry.runtime_data.client.health()
    return health


async def assert_fed_once(hass: HomeAssistant, entry: MockConfigEntry, device: FixtureDevice, ts: float) -> None:
    """A message of the device reaches exactly one handler."""
    before = health_of(entry)
    receive(hass, f"{device.topic_prefix}/events/rpc", json.dumps(device.notification({"em:0": {"a_freq": 49.5}}, ts)))
    await hass.async_block_till_done()
    after = health_of(entry)
    assert (after.readings - before.readings, after.drops) == (1, before.drops)
    device.status["em:0"]["a_freq"] = 50.0
    receive(
        hass, f"{device.topic_prefix}/events/rpc", json.dumps(device.notification({"em:0": {"a_freq": 50.0}}, ts + 1))
    )


async def test_unloaded_mqtt_keeps_nothing_of_ours(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry, mqtt_entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert active_link(entry) is Transport.MQTT
    assert subscribed(hass) == topics_of(entry, device)

    assert await hass.config_entries.async_unload(mqtt_entry.entry_id)
    assert subscribed(hass) == []
    device.status["em:0"]["a_freq"] = 49.25
    await pass_time(1.5)
    assert active_link(entry) is Transport.HTTP
    assert state_of(hass, FREQUENCY) == "49.25"
    health = health_of(entry)
    assert (health.broker, health.links[Transport.MQTT].reason) == (False, NOT_RUNNING)


async def test_reloaded_mqtt_feeds_one_handler(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry, mqtt_entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    for number in range(1, 4):
        assert await hass.config_entries.async_reload(mqtt_entry.entry_id)
        await joined(hass, entry)
        assert subscribed(hass) == topics_of(entry, device)
        await pass_time(6)
        assert active_link(entry) is Transport.MQTT
        await assert_fed_once(hass, entry, device, 1764000000.0 + 10 * number)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await answered(hass)
    assert subscribed(hass) == topics_of(entry, device)
    await assert_fed_once(hass, entry, device, 1764000100.0)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert subscribed(hass) == []


async def test_mqtt_is_removed_and_added_anew(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry, mqtt_entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    await hass.config_entries.async_remove(mqtt_entry.entry_id)
    await pass_time(1.5)
    assert active_link(entry) is Transport.HTTP
    assert health_of(entry).links.keys() == {Transport.HTTP}
    assert subscribed(hass) == []

    await hass.config_entries.async_add(mqtt_config_entry())
    await joined(hass, entry)
    await pass_time(6)
    assert active_link(entry) is Transport.MQTT
    assert subscribed(hass) == topics_of(entry, device)
    await assert_fed_once(hass, entry, device, 1764000010.0)


async def test_mqtt_is_disabled_and_enabled(
    hass: HomeAssistant, pass_time: PassTime, entry: MockConfigEntry, mqtt_entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    await hass.config_entries.async_set_disabled_by(mqtt_entry.entry_id, ConfigEntryDisabler.USER)
    await pass_time(1.5)
    assert active_link(entry) is Transport.HTTP
    assert health_of(entry).links.keys() == {Transport.HTTP}

    await hass.config_entries.async_set_disabled_by(mqtt_entry.entry_id, None)
    await joined(hass, entry)
    await pass_time(6)
    assert active_link(entry) is Transport.MQTT


async def test_mqtt_is_added_after_us(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert active_link(entry) is Transport.HTTP
    assert health_of(entry).links.keys() == {Transport.HTTP}
    client = entry.runtime_data.client

    await hass.config_entries.async_add(mqtt_config_entry())
    await joined(hass, entry)
    await pass_time(6)
    assert active_link(entry) is Transport.MQTT
    assert entry.runtime_data.client is client
    assert subscribed(hass) == topics_of(entry, device)


async def test_mqtt_is_added_while_we_start(
    hass: HomeAssistant, pass_time: PassTime, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = Client.connect

    async def connect_slowly(self: Client, *args: Any) -> Any:
        found = await connect(self, *args)
        await hass.config_entries.async_add(mqtt_config_entry())
        return found

    monkeypatch.setattr(Client, "connect", connect_slowly)
    await set_up(hass, entry)
    await joined(hass, entry)
    await pass_time(6)
    assert active_link(entry) is Transport.MQTT


async def test_mqtt_is_added_and_removed_at_once(
    hass: HomeAssistant, pass_time: PassTime, entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    for _ in range(3):
        mqtt_entry = mqtt_config_entry()
        await hass.config_entries.async_add(mqtt_entry)
        await hass.config_entries.async_remove(mqtt_entry.entry_id)
    await answered(hass)
    await pass_time(6)
    assert health_of(entry).links.keys() == {Transport.HTTP}
    assert subscribed(hass) == []
    assert state_of(hass, FREQUENCY) != STATE_UNAVAILABLE


async def test_we_go_while_mqtt_is_reloaded(
    hass: HomeAssistant, entry: MockConfigEntry, mqtt_entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    await asyncio.gather(
        hass.config_entries.async_reload(mqtt_entry.entry_id), hass.config_entries.async_unload(entry.entry_id)
    )
    await hass.async_block_till_done()
    assert (mqtt_entry.state, entry.state) == (ConfigEntryState.LOADED, ConfigEntryState.NOT_LOADED)
    assert subscribed(hass) == []


async def test_we_are_reloaded_while_mqtt_is_not_there(
    hass: HomeAssistant, pass_time: PassTime, device: FixtureDevice, entry: MockConfigEntry, mqtt_entry: MockConfigEntry
) -> None:
    await set_up(hass, entry)
    assert await hass.config_entries.async_unload(mqtt_entry.entry_id)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert active_link(entry) is Transport.HTTP
    assert state_of(hass, FREQUENCY) == str(device.status["em:0"]["a_freq"])
    assert health_of(entry).level is Level.DEGRADED

    assert await hass.config_entries.async_setup(mqtt_entry.entry_id)
    await joined(hass, entry)
    await pass_time(6)
    assert active_link(entry) is Transport.MQTT
    assert subscribed(hass) == topics_of(entry, device)
