"""The MQTT link on Home Assistant's client."""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components import mqtt
from homeassistant.components.mqtt.const import MQTT_PROCESSED_SUBSCRIPTIONS
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntryChange, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_send
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_mqtt_message
from pytest_homeassistant_custom_component.typing import MqttMockHAClient

from custom_components.shelly_pro.mqtt_link import (
    BROKER_AWAY,
    DEVICE_LEFT,
    NOT_CONFIRMED,
    NOT_RUNNING,
    MqttLink,
)
from custom_components.shelly_pro.shelly_core import LinkClosedError, Signal

PREFIX = "cellar/meter"
EVENTS = f"{PREFIX}/events/rpc"
ONLINE = f"{PREFIX}/online"
TOPICS = {"us/rpc", EVENTS, ONLINE}


class Listener:
    """What a link told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.signals: list[tuple[Signal, str]] = []
        self.connected, self.disconnected = asyncio.Event(), asyncio.Event()

    def frame(self, frame: bytes) -> None:
        self.frames.append(frame)

    def signal(self, signal: Signal, reason: str) -> None:
        self.signals.append((signal, reason))
        if signal is Signal.CONNECTED:
            self.connected.set()
        elif signal is Signal.DISCONNECTED:
            self.connected.clear()
            self.disconnected.set()


@pytest.fixture
def told() -> Listener:
    return Listener()


@pytest.fixture
def link(hass: HomeAssistant) -> MqttLink:
    return MqttLink(hass, topic_prefix=PREFIX, source="us")


async def test_without_mqtt_in_home_assistant(link: MqttLink, told: Listener) -> None:
    await link.open(told.frame, told.signal)
    assert told.signals == [(Signal.DISCONNECTED, NOT_RUNNING)]
    with pytest.raises(LinkClosedError):
        await link.send(b"{}")
    await link.close()


async def test_frames_of_the_device_and_answers_to_us(
    hass: HomeAssistant, link: MqttLink, told: Listener, broker: None
) -> None:
    await link.open(told.frame, told.signal)
    assert told.signals == [(Signal.CONNECTED, "")]
    async_fire_mqtt_message(hass, EVENTS, b"notification")
    async_fire_mqtt_message(hass, "us/rpc", "answer")
    async_fire_mqtt_message(hass, "others/rpc", "answer to somebody else")
    await hass.async_block_till_done()
    assert told.frames == [b"notification", b"answer"]
    await link.close()


async def test_retained_frames_are_told_but_not_passed_on(
    hass: HomeAssistant, link: MqttLink, told: Listener, broker: None
) -> None:
    await link.open(told.frame, told.signal)
    async_fire_mqtt_message(hass, EVENTS, b"old", retain=True)
    await hass.async_block_till_done()
    assert told.frames == []
    assert told.signals[1:] == [(Signal.RETAINED, "")]
    await link.close()


async def test_last_will(hass: HomeAssistant, link: MqttLink, told: Listener, broker: None) -> None:
    """A retained one is of some time in the past; the one that comes while we listen is news."""
    await link.open(told.frame, told.signal)
    async_fire_mqtt_message(hass, ONLINE, b"false", retain=True)
    async_fire_mqtt_message(hass, ONLINE, b"true")
    await hass.async_block_till_done()
    assert told.signals == [(Signal.CONNECTED, "")]
    async_fire_mqtt_message(hass, ONLINE, b"false")
    await hass.async_block_till_done()
    assert told.signals[1:] == [(Signal.OFFLINE, DEVICE_LEFT)]
    assert told.frames == []
    await link.close()


async def test_request(link: MqttLink, told: Listener, mqtt_mock: MqttMockHAClient, broker: None) -> None:
    """Published with QoS 0: with 1, the client would keep a request while the broker is away, and send it later."""
    await link.open(told.frame, told.signal)
    mqtt_mock.async_publish.reset_mock()
    await link.send(b'{"id":1}')
    (published,) = mqtt_mock.async_publish.call_args_list
    assert published.args == ("cellar/meter/rpc", b'{"id":1}', 0, False)
    await link.close()


async def test_no_request_while_the_broker_is_away(
    link: MqttLink, told: Listener, mqtt_mock: MqttMockHAClient, broker: None
) -> None:
    await link.open(told.frame, told.signal)
    mqtt_mock.async_publish.reset_mock()
    mqtt_mock.connected = False
    with pytest.raises(LinkClosedError, match="not connected"):
        await link.send(b'{"id":1}')
    mqtt_mock.async_publish.assert_not_called()
    await link.close()


async def test_refused_publication(link: MqttLink, told: Listener, broker: None) -> None:
    await link.open(told.frame, told.signal)
    with (
        patch.object(mqtt, "async_publish", side_effect=HomeAssistantError("too long")),
        pytest.raises(LinkClosedError, match="too long"),
    ):
        await link.send(b"{}")
    await link.close()


async def test_broker_that_goes_and_comes_back(
    hass: HomeAssistant, link: MqttLink, told: Listener, mqtt_mock: MqttMockHAClient, broker: None
) -> None:
    await link.open(told.frame, told.signal)
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, False)
    assert len(told.signals) == 1  # each link at its own time
    async with asyncio.timeout(5):
        await told.disconnected.wait()
    assert told.signals[1:] == [(Signal.DISCONNECTED, BROKER_AWAY)]
    # Home Assistant is connected again, but only when it has subscribed will anything arrive.
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, True)
    await hass.async_block_till_done()
    assert len(told.signals) == 2
    async_dispatcher_send(hass, MQTT_PROCESSED_SUBSCRIPTIONS, [("us/rpc", 0)])
    await hass.async_block_till_done()
    assert told.signals[2:] == [(Signal.CONNECTED, "")]
    await link.close()


async def test_broker_that_is_back_before_its_loss_was_told(
    hass: HomeAssistant, link: MqttLink, told: Listener, broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.shelly_pro.mqtt_link.random.random", lambda: 1000.0)
    await link.open(told.frame, told.signal)
    for _ in range(2):
        async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, False)
    async_dispatcher_send(hass, MQTT_PROCESSED_SUBSCRIPTIONS, [("us/rpc", 0)])
    await hass.async_block_till_done()
    assert told.signals == [(Signal.CONNECTED, "")] * 2
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, False)
    await link.close()  # the test harness fails if a timer is left


async def test_close_ends_all_subscriptions(
    hass: HomeAssistant, link: MqttLink, told: Listener, mqtt_mock: MqttMockHAClient, broker: None
) -> None:
    await link.open(told.frame, told.signal)
    assert all(mqtt_mock.is_active_subscription(topic) for topic in TOPICS)
    await link.close()
    await link.close()
    assert not any(mqtt_mock.is_active_subscription(topic) for topic in TOPICS)
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, False)
    await hass.async_block_till_done()
    assert told.signals == [(Signal.CONNECTED, "")]


async def test_closed_link_tells_nothing_even_if_it_is_still_fed(
    hass: HomeAssistant, link: MqttLink, told: Listener, broker: None
) -> None:
    """Home Assistant may have taken a message or a confirmation for us just before we left."""
    fed: list[Any] = []
    subscribe = mqtt.async_subscribe

    async def keep(hass: HomeAssistant, topic: str, callback: Any, *args: Any, **kwargs: Any) -> Any:
        fed.append(callback)
        return await subscribe(hass, topic, callback, *args, **kwargs)

    with patch.object(mqtt, "async_subscribe", keep):
        await link.open(told.frame, told.signal)
    confirmations = [(topic, 0) for topic in TOPICS]
    async_dispatcher_send(hass, MQTT_PROCESSED_SUBSCRIPTIONS, confirmations)
    await link.close()
    await hass.async_block_till_done()
    for callback in fed:
        for payload in (b"false", "as text"):
            callback(mqtt.ReceiveMessage(EVENTS, payload, 1, retain=False, subscribed_topic=EVENTS, timestamp=0.0))
    assert len(fed) == len(TOPICS)
    assert told.frames == []
    assert told.signals == [(Signal.CONNECTED, "")]


async def test_broker_that_does_not_confirm(
    hass: HomeAssistant, link: MqttLink, told: Listener, broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.shelly_pro.mqtt_link.CONFIRM_S", 0.05)
    with patch.object(mqtt, "async_on_subscribe_done", return_value=lambda: None):
        await link.open(told.frame, told.signal)
    assert told.signals == [(Signal.DISCONNECTED, NOT_CONFIRMED)]
    await link.close()


async def test_broker_that_is_away_from_the_start(
    link: MqttLink, told: Listener, mqtt_mock: MqttMockHAClient, broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.shelly_pro.mqtt_link.CONNECT_S", 0.05)
    mqtt_mock.connected = False
    await link.open(told.frame, told.signal)
    assert told.signals == [(Signal.DISCONNECTED, BROKER_AWAY)]
    mqtt_mock.connected = True
    await link.close()


async def test_refused_subscription(link: MqttLink, told: Listener, broker: None) -> None:
    with patch.object(mqtt, "async_subscribe", side_effect=HomeAssistantError("no more topics")):
        await link.open(told.frame, told.signal)
    assert told.signals == [(Signal.DISCONNECTED, "no more topics")]
    await link.close()


def change(hass: HomeAssistant, domain: str, state: ConfigEntryState) -> None:
    """Let a config entry of a domain be in a state, as Home Assistant tells it."""
    entry = MockConfigEntry(domain=domain, state=state)
    async_dispatcher_send(hass, SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntryChange.UPDATED, entry)


async def test_reload_of_mqtt_leaves_one_handler(
    hass: HomeAssistant, link: MqttLink, told: Listener, mqtt_mock: MqttMockHAClient, broker: None
) -> None:
    """Home Assistant hands what is subscribed over to its next client, out of our reach: it must find nothing."""
    await link.open(told.frame, told.signal)
    for number in range(1, 4):
        change(hass, mqtt.DOMAIN, ConfigEntryState.UNLOAD_IN_PROGRESS)
        assert not any(mqtt_mock.is_active_subscription(topic) for topic in TOPICS)
        assert told.signals[-1] == (Signal.DISCONNECTED, NOT_RUNNING)
        with pytest.raises(LinkClosedError):
            await link.send(b"{}")
        change(hass, mqtt.DOMAIN, ConfigEntryState.NOT_LOADED)
        change(hass, mqtt.DOMAIN, ConfigEntryState.LOADED)
        # Home Assistant gathers subscriptions for a moment.
        async with asyncio.timeout(5):
            await told.connected.wait()
        async_fire_mqtt_message(hass, EVENTS, f"{number}".encode())
        await hass.async_block_till_done()
        assert told.frames == [f"{n}".encode() for n in range(1, number + 1)]
    await link.close()
    assert not any(mqtt_mock.is_active_subscription(topic) for topic in TOPICS)


async def test_mqtt_that_starts_after_us(hass: HomeAssistant, link: MqttLink, told: Listener, broker: None) -> None:
    with patch.object(hass.config_entries, "async_loaded_entries", return_value=[]):
        await link.open(told.frame, told.signal)
    assert told.signals == [(Signal.DISCONNECTED, NOT_RUNNING)]
    change(hass, mqtt.DOMAIN, ConfigEntryState.LOADED)
    change(hass, mqtt.DOMAIN, ConfigEntryState.LOADED)
    await hass.async_block_till_done(wait_background_tasks=True)
    async_fire_mqtt_message(hass, EVENTS, b"once")
    await hass.async_block_till_done()
    assert told.frames == [b"once"]
    await link.close()


async def test_other_entries_do_not_matter(hass: HomeAssistant, link: MqttLink, told: Listener, broker: None) -> None:
    await link.open(told.frame, told.signal)
    change(hass, "other", ConfigEntryState.UNLOAD_IN_PROGRESS)
    async_fire_mqtt_message(hass, EVENTS, b"still")
    await hass.async_block_till_done()
    assert told.frames == [b"still"]
    assert told.signals == [(Signal.CONNECTED, "")]
    await link.close()
