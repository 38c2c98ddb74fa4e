"""The MQTT link on Home Assistant's client."""

from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message
from pytest_homeassistant_custom_component.typing import MqttMockHAClient

from custom_components.shelly_pro.mqtt_link import MqttLink
from custom_components.shelly_pro.shelly_core import LinkClosedError, LinkTimeoutError

EVENTS = "cellar/meter/events/rpc"


def ignore(_frame: bytes) -> None:
    """Take a frame of no interest."""


@pytest.fixture
def link(hass: HomeAssistant) -> MqttLink:
    return MqttLink(hass, topic_prefix="cellar/meter", source="us")


async def test_without_mqtt_in_home_assistant(link: MqttLink) -> None:
    with pytest.raises(LinkClosedError, match="not set up"):
        await link.open(ignore)
    with pytest.raises(LinkClosedError):
        await link.send(b"{}")


async def test_frames_of_the_device_and_answers_to_us(hass: HomeAssistant, link: MqttLink, broker: None) -> None:
    frames: list[bytes] = []
    await link.open(frames.append)
    async_fire_mqtt_message(hass, EVENTS, b"notification")
    async_fire_mqtt_message(hass, "us/rpc", "answer")
    async_fire_mqtt_message(hass, "others/rpc", "answer to somebody else")
    await hass.async_block_till_done()
    assert frames == [b"notification", b"answer"]
    await link.close()


async def test_request(link: MqttLink, mqtt_mock: MqttMockHAClient, broker: None) -> None:
    """Published with QoS 0: with 1, the client would keep a request while the broker is away, and send it later."""
    await link.open(ignore)
    mqtt_mock.async_publish.reset_mock()
    await link.send(b'{"id":1}')
    (published,) = mqtt_mock.async_publish.call_args_list
    assert published.args == ("cellar/meter/rpc", b'{"id":1}', 0, False)
    await link.close()


async def test_no_request_while_the_broker_is_away(link: MqttLink, mqtt_mock: MqttMockHAClient, broker: None) -> None:
    await link.open(ignore)
    mqtt_mock.async_publish.reset_mock()
    mqtt_mock.connected = False
    with pytest.raises(LinkClosedError, match="not connected"):
        await link.send(b'{"id":1}')
    mqtt_mock.async_publish.assert_not_called()
    await link.close()


async def test_refused_publication(link: MqttLink, broker: None) -> None:
    await link.open(ignore)
    with (
        patch.object(mqtt, "async_publish", side_effect=HomeAssistantError("too long")),
        pytest.raises(LinkClosedError, match="too long"),
    ):
        await link.send(b"{}")
    await link.close()


async def test_close_ends_both_subscriptions(link: MqttLink, mqtt_mock: MqttMockHAClient, broker: None) -> None:
    await link.open(ignore)
    assert mqtt_mock.is_active_subscription(EVENTS)
    assert mqtt_mock.is_active_subscription("us/rpc")
    await link.close()
    assert not mqtt_mock.is_active_subscription(EVENTS)
    assert not mqtt_mock.is_active_subscription("us/rpc")


async def test_closed_link_hears_nothing_even_if_it_is_still_fed(
    hass: HomeAssistant, link: MqttLink, broker: None
) -> None:
    """After its MQTT entry was reloaded, Home Assistant feeds callbacks that were unsubscribed before."""
    fed: list[Any] = []
    subscribe = mqtt.async_subscribe

    async def keep(hass: HomeAssistant, topic: str, callback: Any, *args: Any, **kwargs: Any) -> Any:
        fed.append(callback)
        return await subscribe(hass, topic, callback, *args, **kwargs)

    frames: list[bytes] = []
    with patch.object(mqtt, "async_subscribe", keep):
        await link.open(frames.append)
    await link.close()
    await link.close()
    message = mqtt.ReceiveMessage(EVENTS, b"zombie", 1, retain=False, subscribed_topic=EVENTS, timestamp=0.0)
    for callback in fed:
        callback(message)
    assert len(fed) == 2
    assert frames == []


async def test_broker_that_does_not_confirm(
    hass: HomeAssistant, link: MqttLink, broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.shelly_pro.mqtt_link.SUBSCRIBE_TIMEOUT_S", 0.05)
    frames: list[bytes] = []
    with patch.object(mqtt, "async_on_subscribe_done", return_value=lambda: None), pytest.raises(LinkTimeoutError):
        await link.open(frames.append)
    async_fire_mqtt_message(hass, EVENTS, b"late")
    await hass.async_block_till_done()
    assert frames == []


async def test_refused_subscription(link: MqttLink, broker: None) -> None:
    with (
        patch.object(mqtt, "async_subscribe", side_effect=HomeAssistantError("no more topics")),
        pytest.raises(LinkClosedError, match="no more topics"),
    ):
        await link.open(ignore)
