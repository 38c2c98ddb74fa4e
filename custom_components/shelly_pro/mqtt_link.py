"""The MQTT road to a device: frames over Home Assistant's own MQTT client."""

import asyncio
from collections.abc import Callable

from homeassistant.components import mqtt
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from .shelly_core import LinkClosedError, LinkTimeoutError, Transport

QOS = 0
"""For both directions. With 1, a request made while the broker is away would be kept and sent when it returns: a relay
would switch minutes after the person was told that it did not.

Frames come in order over one TCP connection either way, and Home Assistant keeps no session that could repeat
them. Acknowledging each one made the next request wait 40 ms (Nagle's algorithm against delayed acknowledgement)."""

SUBSCRIBE_TIMEOUT_S = 5.0
"""How long the broker may take to confirm a subscription: Home Assistant gathers them for up to a second."""


class MqttLink:
    """A link over the broker that Home Assistant's `mqtt` integration is connected to."""

    transport = Transport.MQTT
    timeout_s = 3.0
    """A device on the broker answers within a fraction of a second, or not at all."""

    def __init__(self, hass: HomeAssistant, *, topic_prefix: str, source: str) -> None:
        """Address the device by its topic prefix; `source` names the topic of its answers, `<source>/rpc`."""
        self._hass = hass
        self._topic_prefix = topic_prefix
        self._topics = (f"{source}/rpc", f"{topic_prefix}/events/rpc")
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._on_frame: Callable[[bytes], None] | None = None

    async def open(self, on_frame: Callable[[bytes], None]) -> None:
        """Subscribe to answers and notifications; returns once the broker has confirmed both."""
        if not await mqtt.async_wait_for_mqtt_client(self._hass):
            raise LinkClosedError("MQTT is not set up in Home Assistant")
        self._on_frame = on_frame
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                confirmations = [await self._subscribe(topic) for topic in self._topics]
                for confirmed in confirmations:
                    await confirmed.wait()
        except TimeoutError as err:
            await self.close()
            raise LinkTimeoutError("the MQTT broker did not confirm the subscription") from err
        except HomeAssistantError as err:
            await self.close()
            raise LinkClosedError(str(err)) from err

    async def send(self, frame: bytes) -> None:
        """Publish a request frame to the device, if the broker is there to take it."""
        if not (mqtt.mqtt_config_entry_enabled(self._hass) and mqtt.is_connected(self._hass)):
            raise LinkClosedError("Home Assistant is not connected to the MQTT broker (see its MQTT integration)")
        try:
            await mqtt.async_publish(self._hass, f"{self._topic_prefix}/rpc", frame, qos=QOS)
        except HomeAssistantError as err:
            raise LinkClosedError(str(err)) from err

    async def close(self) -> None:
        """Stop listening. Safe to call twice."""
        self._on_frame = None
        while self._unsubscribe:
            self._unsubscribe.pop()()

    async def _subscribe(self, topic: str) -> asyncio.Event:
        """Subscribe to a topic; the event is set once the broker has confirmed it."""
        confirmed = asyncio.Event()
        self._unsubscribe.append(await mqtt.async_subscribe(self._hass, topic, self._receive, QOS, encoding=None))
        self._unsubscribe.append(mqtt.async_on_subscribe_done(self._hass, topic, QOS, confirmed.set))
        return confirmed

    @callback
    def _receive(self, message: mqtt.ReceiveMessage) -> None:
        """Pass a frame on. Home Assistant may still feed a closed link after its MQTT entry was reloaded."""
        if self._on_frame is None or message.retain:
            return
        payload = message.payload
        self._on_frame(payload.encode() if isinstance(payload, str) else bytes(payload))
