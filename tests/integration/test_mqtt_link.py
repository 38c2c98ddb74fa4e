"""The MQTT link on Home Assistant's client."""

from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message

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


async def test_request(hass: HomeAssistant, link: MqttLink, broker: None) -> None:
    published: list[Any] = []
    await mqtt.async_subscribe(
        hass,
        "cellar/meter/rpc",
        lambda message: published.append((message.topic, message.payload, message.qos)),
        1,
        None,
    )
    await link.open(ignore)
    await link.send(b'{"id":1}')
    await hass.async_block_till_done()
    assert published == [("cellar/meter/rpc", b'{"id":1}', 1)]
    await link.close()


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
