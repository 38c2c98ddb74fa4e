"""The MQTT road to a device: frames over Home Assistant's own MQTT client.

The link outlives the broker and Home Assistant's MQTT entry: it listens while they are there and tells when they come
and go. When the MQTT entry is unloaded, Home Assistant keeps what is subscribed for its next client, out of reach of
whoever subscribed; so the link unsubscribes just before, and subscribes anew afterwards.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from homeassistant.components import mqtt
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from .shelly_core import LinkClosedError, Signal, Transport

QOS = 0
"""For both directions. With 1, a request made while the broker is away would be kept and sent when it returns: a relay
would switch minutes after the person was told that it did not.

Frames come in order over one TCP connection either way, and Home Assistant keeps no session that could repeat
them. Acknowledging each one made the next request wait 40 ms (Nagle's algorithm against delayed acknowledgement)."""

CONFIRM_S = 5.0
"""How long the broker may take to confirm a subscription: Home Assistant gathers them for up to a second."""

CONNECT_S = 1.0
"""How long Home Assistant may still take to reach the broker when it has just started."""

SPREAD_S = 0.25
"""The time over which the links of many devices tell that the broker is lost. Home Assistant tells all of them at once,
and would stand still while each device does what is to be done then."""

NOT_RUNNING = "MQTT is not running in Home Assistant"
BROKER_AWAY = "Home Assistant is not connected to the MQTT broker (see its MQTT integration)"
NOT_CONFIRMED = "the MQTT broker does not confirm the subscription"
DEVICE_LEFT = "the device has left the MQTT broker"


class MqttLink:
    """A link over the broker that Home Assistant's `mqtt` integration is connected to."""

    transport = Transport.MQTT
    timeout_s = 3.0
    """A device on the broker answers within a fraction of a second, or not at all."""

    def __init__(self, hass: HomeAssistant, *, topic_prefix: str, source: str) -> None:
        """Address the device by its topic prefix; `source` names the topic of its answers, `<source>/rpc`."""
        self._hass = hass
        self._topic_prefix = topic_prefix
        self._answers = f"{source}/rpc"
        self._unfollow: list[CALLBACK_TYPE] = []
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._confirmed = asyncio.Event()
        self._loss: asyncio.TimerHandle | None = None
        self._on_frame: Callable[[bytes], None] | None = None
        self._on_signal: Callable[[Signal, str], None] | None = None

    async def open(self, on_frame: Callable[[bytes], None], on_signal: Callable[[Signal, str], None]) -> None:
        """Subscribe to answers and notifications; returns when the broker has confirmed, or will not do so soon."""
        self._on_frame, self._on_signal = on_frame, on_signal
        self._unfollow = [
            async_dispatcher_connect(self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._follow_entry),
            mqtt.async_subscribe_connection_status(self._hass, self._follow_broker),
        ]
        if not self._hass.config_entries.async_loaded_entries(mqtt.DOMAIN):
            self._tell(Signal.DISCONNECTED, NOT_RUNNING)
            return
        await self._subscribe()
        if not self._unsubscribe:
            return
        connected = mqtt.is_connected(self._hass)
        try:
            async with asyncio.timeout(CONFIRM_S if connected else CONNECT_S):
                await self._confirmed.wait()
        except TimeoutError:
            self._tell(Signal.DISCONNECTED, NOT_CONFIRMED if mqtt.is_connected(self._hass) else BROKER_AWAY)

    async def send(self, frame: bytes) -> None:
        """Publish a request frame to the device, if the broker is there to take it."""
        if not (self._unsubscribe and mqtt.is_connected(self._hass)):
            raise LinkClosedError(BROKER_AWAY)
        try:
            await mqtt.async_publish(self._hass, f"{self._topic_prefix}/rpc", frame, qos=QOS)
        except HomeAssistantError as err:
            raise LinkClosedError(str(err)) from err

    async def close(self) -> None:
        """Stop listening. Safe to call twice."""
        self._on_frame = self._on_signal = None
        self._forget_loss()
        while self._unfollow:
            self._unfollow.pop()()
        self._leave()

    async def _subscribe(self) -> None:
        topics = {
            self._answers: self._receive,
            f"{self._topic_prefix}/events/rpc": self._receive,
            f"{self._topic_prefix}/online": self._receive_online,
        }
        self._confirmed.clear()
        try:
            for topic, receive in topics.items():
                self._unsubscribe.append(await mqtt.async_subscribe(self._hass, topic, receive, QOS, encoding=None))
            # Comes with each confirmation, so also after the broker was away.
            self._unsubscribe.append(mqtt.async_on_subscribe_done(self._hass, self._answers, QOS, self._confirm))
        except HomeAssistantError as err:
            self._leave()
            self._tell(Signal.DISCONNECTED, str(err))

    @callback
    def _leave(self) -> None:
        """Unsubscribe from whatever is subscribed to."""
        while self._unsubscribe:
            with suppress(HomeAssistantError):
                self._unsubscribe.pop()()

    @callback
    def _confirm(self) -> None:
        if self._unsubscribe:
            self._forget_loss()
            self._confirmed.set()
            self._tell(Signal.CONNECTED)

    @callback
    def _follow_broker(self, connected: bool) -> None:
        # Once we have left, the reason for that is the better one.
        if not connected and self._unsubscribe:
            self._confirmed.clear()
            self._forget_loss()
            wait_s = SPREAD_S * random.random()  # noqa: S311 - chance spreads devices, it keeps no secret
            self._loss = self._hass.loop.call_later(wait_s, self._tell, Signal.DISCONNECTED, BROKER_AWAY)

    @callback
    def _forget_loss(self) -> None:
        if self._loss is not None:
            self._loss.cancel()
            self._loss = None

    @callback
    def _follow_entry(self, change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Leave Home Assistant's MQTT client before it goes, and join the next one."""
        if entry.domain != mqtt.DOMAIN:
            return
        if change is ConfigEntryChange.REMOVED or entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS:
            if self._unsubscribe:
                self._forget_loss()
                self._leave()
                self._tell(Signal.DISCONNECTED, NOT_RUNNING)
        elif entry.state is ConfigEntryState.LOADED and not self._unsubscribe:
            self._hass.async_create_task(self._subscribe(), f"subscribe to {self._topic_prefix}")

    @callback
    def _tell(self, signal: Signal, reason: str = "") -> None:
        if self._on_signal is not None:
            self._on_signal(signal, reason)

    @callback
    def _receive_online(self, message: mqtt.ReceiveMessage) -> None:
        """Take the device's last will. A retained one tells of some time in the past."""
        if not message.retain and message.payload == b"false":
            self._tell(Signal.OFFLINE, DEVICE_LEFT)

    @callback
    def _receive(self, message: mqtt.ReceiveMessage) -> None:
        """Pass a frame on."""
        if message.retain:
            self._tell(Signal.RETAINED)
        elif self._on_frame is not None:
            payload = message.payload
            self._on_frame(payload.encode() if isinstance(payload, str) else bytes(payload))
