"""The MQTT road of one device, from boot until it goes down.

https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt
"""

import asyncio
import contextlib
import logging
import random
import re
from collections.abc import Callable
from typing import Any

import aiomqtt

from tests.simulator import frames
from tests.simulator.device import VirtualDevice
from tests.simulator.mqtt_client import DeviceClient, Settings
from tests.simulator.mqtt_commands import BROADCAST, SOURCE, obey
from tests.simulator.shaping import Payload, Shaper

QOS = 1
FIRST_PAUSE_S = 1.0
# "Connecting after 57980 ms" in a debug log of a device whose broker was gone (ioBroker.shelly#1026).
LONGEST_PAUSE_S = 60.0
JITTER = 0.05
BACKLOG = 1000
# No wildcard, nothing that MQTT's UTF-8 forbids, and with `/rpc` behind it within 65,535 bytes.
_TOPIC = re.compile("[^+#\\0\ud800-\udfff]{1,16000}")

type Publish = tuple[str, Payload, bool]
_LOGGER = logging.getLogger(__name__)


def pause_s(failures: int, chance: float, cap_s: float | None) -> float:
    """Return the wait before the next attempt after `failures` in a row; `chance` in 0…1 is the jitter."""
    pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures, 10)) * (1 - JITTER * chance)
    return pause if cap_s is None else min(pause, cap_s)


class MqttRoad:
    """Connects, answers and notifies as `settings` say; `run` until cancelled, then `drop` or `abandon`."""

    def __init__(
        self,
        device: VirtualDevice,
        settings: Settings,
        *,
        reconnect_cap_s: float | None = None,
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        self._device = device
        self._on_connected = on_connected
        self._settings = settings
        self._cap_s = reconnect_cap_s
        self._random = random.Random(f"{device.id} mqtt")  # noqa: S311 - repeatable, not secret
        self._client: DeviceClient | None = None
        self._abandoned = asyncio.Event()
        self._waiting: asyncio.Queue[Publish] = asyncio.Queue(BACKLOG)

    async def run(self) -> None:
        """Hold a connection, with the real device's pauses between attempts."""
        failures = 0
        while True:
            try:
                if not self._device.faults.mqtt_is_cut:
                    await self._session()
            except (aiomqtt.MqttError, OSError, ValueError, OverflowError) as error:  # the last for port 65536
                _LOGGER.info("%s: MQTT: %s", self._device.id, error)
            failures = 0 if self._client is not None else failures + 1
            await self._lose()
            await self._device.clock.sleep(pause_s(failures, self._random.random(), self._cap_s))

    async def drop(self) -> None:
        """Break the connection off; `run` goes on and tries again."""
        if self._client is not None:
            await self._client.drop()

    def abandon(self) -> DeviceClient | None:
        """Leave the connection open and dead; returns what must be buried one day. `run` goes on and tries again."""
        client, self._client = self._client, None
        if client is not None:
            client.abandon()
        self._abandoned.set()
        return client

    def publish_online(self, *, online: bool) -> None:
        """Publish the retained flag."""
        self._enqueue(f"{self._settings.prefix}/online", "true" if online else "false", retain=True)

    async def _lose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.drop()
        self._device.mqtt_connected = False

    async def _session(self) -> None:
        client = DeviceClient(self._settings, self._device.user_ca)
        await _connect(client)
        self._client = client
        self._abandoned.clear()
        self._on_connected()
        self._waiting = asyncio.Queue(BACKLOG)
        for topic in self._subscriptions():
            await client.subscribe(topic, qos=QOS)
        shaper = Shaper(self._device.faults, self._device.clock, f"{self._device.id} events", self._enqueue_event)
        self._device.mqtt_connected = True
        self.publish_online(online="online_stuck" not in self._device.faults)
        self._greet(shaper)
        unsubscribe = self._device.listen(lambda method, params: self._notify(shaper, method, params))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(client))
                tasks.create_task(self._read(client))
                tasks.create_task(self._watch())
        except* aiomqtt.MqttError as group:
            raise aiomqtt.MqttError(str(group.exceptions[0])) from None
        finally:
            unsubscribe()
            shaper.close()

    def _subscriptions(self) -> list[str]:
        prefix = self._settings.prefix
        topics = [f"{prefix}/rpc"] if self._settings.enable_rpc else []
        commands = [f"{prefix}/command", f"{prefix}/command/+", BROADCAST]
        return topics + (commands if self._settings.enable_control else [])

    def _greet(self, shaper: Shaper) -> None:
        if self._is_mute():
            return
        if self._settings.rpc_ntf:
            self._event(shaper, "NotifyFullStatus", self._device.full_status_params())
        if self._settings.status_ntf:
            for key in self._device.status():
                self._status(key)

    def _notify(self, shaper: Shaper, method: str, params: dict[str, Any]) -> None:
        if self._is_mute():
            return
        if self._settings.rpc_ntf:
            self._event(shaper, method, params)
        if self._settings.status_ntf and method == "NotifyStatus":
            for key in params:
                if key != "ts":
                    self._status(key)

    def _is_mute(self) -> bool:
        """Whether the device tells nothing by itself; with the quirk `mute` it still answers."""
        faults = self._device.faults
        return "mqtt_silent" in faults or "mute" in faults.quirks

    def _event(self, shaper: Shaper, method: str, params: dict[str, Any]) -> None:
        frame = frames.notification(self._device, f"{self._settings.prefix}/events", method, params)
        ledger = self._device.ledger
        intact = shaper.send(ledger.telling(frames.text(frame), "mqtt", method, params["ts"], params))
        ledger.frame_sent("mqtt", method if intact else "damaged", frame)

    def _status(self, key: str) -> None:
        status = self._device.component_status(key)
        self._enqueue(f"{self._settings.prefix}/status/{key}", frames.text(status))
        self._device.ledger.frame_sent("mqtt", "status", {key: status})

    async def _watch(self) -> None:
        await self._abandoned.wait()
        raise aiomqtt.MqttError("abandoned")

    async def _read(self, client: DeviceClient) -> None:
        async for message in client.messages:
            topic = message.topic.value
            payload = bytes(message.payload)
            if slow := self._device.faults.get("slow"):
                await self._device.clock.sleep(slow.parameters["delay_s"])
            if "mqtt_silent" in self._device.faults:
                continue
            if topic == f"{self._settings.prefix}/rpc":
                self._answer(payload)
            else:
                text = payload.decode(errors="replace")
                for reply_topic, reply in obey(self._device, self._settings.prefix, topic, text):
                    self._enqueue(reply_topic, reply)

    def _answer(self, payload: bytes) -> None:
        with contextlib.suppress(frames.BadFrameError):
            request = frames.read_request(payload)
            reply = frames.answer(self._device, request, source=SOURCE)
            src = request.get("src")
            # The reply's topic is made of `src`: without one, or with one that is no topic, there is nowhere to answer.
            if isinstance(src, str) and _TOPIC.fullmatch(src):
                ledger = self._device.ledger
                self._enqueue(f"{src}/rpc", ledger.answering(frames.text(reply), "mqtt", request["method"], reply))
                ledger.frame_sent("mqtt", request["method"], reply)

    def _enqueue_event(self, payload: Payload) -> None:
        self._enqueue(f"{self._settings.prefix}/events/rpc", payload)

    def _enqueue(self, topic: str, payload: Payload, *, retain: bool = False) -> None:
        # A full queue loses messages on the device, too.
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait((topic, payload, retain))

    async def _write(self, client: DeviceClient) -> None:
        while True:
            topic, payload, retain = await self._waiting.get()
            if "mqtt_silent" not in self._device.faults:
                # Returns when the broker has acknowledged.
                await client.publish(topic, payload, qos=QOS, retain=retain)
                self._device.ledger.arrived(payload)


async def _connect(client: DeviceClient) -> None:
    """Enter without a counterpart: leaving would say DISCONNECT, which no broken link does."""
    connecting = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(connecting)
    except asyncio.CancelledError:
        # The thread that connects cannot be stopped; what it opens must not stay.
        connecting.add_done_callback(lambda done: None if done.exception() else client.abort())
        raise
