"""One connection to the broker on the event loop, from its opening to its end."""

import asyncio
import math
import ssl
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import MQTTException, Properties
from paho.mqtt.reasoncodes import ReasonCode

from shelly_core import LinkClosedError
from shelly_exporter.settings import Mqtt

from .buffered_client import BufferedClient
from .options import (
    UNSUPPORTED_VERSION,
    connect_properties,
    no_connection,
    no_greeting,
    no_subscription,
    parting,
    refusal,
    tls_context,
)
from .sockets import connected_socket

DIAL_S = 10.0
ANSWER_S = 10.0
"""How long the broker may take to answer; a busy one first sends what has waited for us."""

GATHER_S = 0.01
"""What comes within this time is read together: one by one, a thousand messages a second cost twice as much."""

_MALFORMED = (AssertionError, IndexError, KeyError, MQTTException, ValueError, struct.error)
"""What paho raises for bytes that are no MQTT."""

NO_MQTT = "what listens there does not speak MQTT: correct mqtt.host and mqtt.port"

type Version = Literal["5", "3.1.1"]


class BrokerError(Exception):
    """There is no connection; the text says why and what to do."""


class VersionError(BrokerError):
    """The broker does not speak this version of MQTT."""


class Connection:
    """A connection that is opened once; what ends it is kept as a sentence."""

    def __init__(self, client: BufferedClient, settings: Mqtt) -> None:
        self._client = client
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._greeting: asyncio.Future[int] = self._loop.create_future()
        self._answers: dict[int, asyncio.Future[Sequence[ReasonCode]]] = {}
        self._end: asyncio.Future[str] = self._loop.create_future()
        self._watched: int | None = None
        self._again: asyncio.Handle | None = None
        self._read_at = -math.inf
        self._gathers = False
        """Whether messages follow so closely on each other that it pays to let a few come."""
        self.version: Version = "5" if client.protocol is MQTTProtocolVersion.MQTTv5 else "3.1.1"
        self.session_present = False
        """Whether the broker kept the session."""
        client.on_connect = self._take_greeting
        client.on_disconnect = self._take_end
        client.on_subscribe = client.on_unsubscribe = self._take_answer
        client.on_socket_open = self._watch
        client.on_socket_close = self._unwatch
        client.on_socket_register_write = self._watch_write
        client.on_socket_unregister_write = self._unwatch_write

    @property
    def alive(self) -> bool:
        """Whether the connection has not ended."""
        return not self._end.done()

    @property
    def greeted(self) -> bool:
        """Whether the broker has answered that it takes the connection, or does not."""
        return self._greeting.done()

    async def open(self) -> None:
        """Connect and be greeted. Raises `BrokerError`; `close` is needed then, too."""
        settings = self._settings
        try:
            context = None if settings.tls is None else tls_context(settings.tls)
            async with asyncio.timeout(DIAL_S):
                self._client.dialled = await connected_socket(settings.host, settings.port, context)
            if context is not None:
                self._client.tls_set_context(context)
            self._greet()
        except OSError as err:
            raise BrokerError(no_connection(err, settings)) from err
        except ValueError as err:
            raise BrokerError(str(err)) from err
        code = await self._wait_for(self._greeting)
        if code == UNSUPPORTED_VERSION:
            raise VersionError(refusal(code, settings))
        if code != 0:
            raise BrokerError(refusal(code, settings))

    def _greet(self) -> None:
        settings = self._settings
        # paho gives up two of these after the last sign of life: in time for one and a half of what was asked for.
        keepalive_s = max(1, settings.keepalive_s * 2 // 3)
        if settings.username is not None:
            self._client.username_pw_set(settings.username, settings.password)
        if self.version == "5":
            properties = connect_properties(settings)
            self._client.connect(settings.host, settings.port, keepalive_s, clean_start=False, properties=properties)
        else:
            self._client.connect(settings.host, settings.port, keepalive_s)

    async def subscribe(self, filters: Mapping[str, int]) -> dict[str, str]:
        """Subscribe to filters with their QoS; returns what was refused, with the reason. Raises `BrokerError`."""
        if not filters:
            return {}
        codes = await self._answer(*self._client.subscribe([(topic, min(qos, 1)) for topic, qos in filters.items()]))
        refused = zip(filters, codes, strict=False)
        return {topic: no_subscription(code.value, topic, self._settings) for topic, code in refused if code.is_failure}

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe. Raises `BrokerError`."""
        if filters:
            await self._answer(*self._client.unsubscribe([*filters]))

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Let the broker forget messages."""
        self._client.acknowledge(mids)

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        """Send a message. Raises `LinkClosedError`."""
        if self._client.publish(topic, payload, qos).rc is MQTTErrorCode.MQTT_ERR_NO_CONN:
            raise LinkClosedError("the connection to the broker has ended")

    async def ended(self) -> str:
        """Keep the connection alive; returns once it has ended, with the reason."""
        interval_s = min(1.0, self._client.keepalive / 10)
        while self.alive:
            await asyncio.wait((self._end,), timeout=interval_s)
            if self.alive:
                # First what has come meanwhile, which may be the sign of life.
                self._read()
                self._client.loop_misc()
        return self._end.result()

    def close(self) -> None:
        """Send what is waiting and take leave; the broker keeps the session. Safe to call twice."""
        self._client.disconnect()
        self._client.loop_write()
        self._unwatch()
        for sock in (self._client.socket(), self._client.dialled):
            if sock is not None:
                sock.close()
        self._client.dialled = None
        self._finish("the connection was closed")

    async def _answer(self, rc: MQTTErrorCode, mid: int | None) -> Sequence[ReasonCode]:
        if mid is None or rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerError("the connection to the broker has ended")
        answer = self._answers[mid] = self._loop.create_future()
        try:
            return await self._wait_for(answer)
        finally:
            del self._answers[mid]

    async def _wait_for[T](self, answer: asyncio.Future[T]) -> T:
        await asyncio.wait((answer, self._end), timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        if self._end.done():
            raise BrokerError(self._end.result())
        raise BrokerError(f"{self._settings.host}:{self._settings.port} accepts connections, but does not answer")

    def _finish(self, reason: str) -> None:
        if self.alive:
            self._end.set_result(reason)

    def _take_greeting(
        self, _client: Client, _userdata: Any, flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self.session_present = flags.session_present
        if not self.greeted:
            self._greeting.set_result(code.value)

    def _take_answer(
        self, _client: Client, _userdata: Any, mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        answer = self._answers.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(codes)

    def _take_end(
        self, _client: Client, _userdata: Any, flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._finish(self._why(flags, code))

    def _why(self, flags: DisconnectFlags, code: ReasonCode) -> str:
        client, settings = self._client, self._settings
        if flags.is_disconnect_packet_from_server:
            return parting(client.parting or code.value, settings)
        if str(code) == "Keep alive timeout":
            return f"the broker has been silent for {settings.keepalive_s} s; it hangs, or the network is broken"
        if str(code) == "Protocol error":  # from paho 2.2 on
            return NO_MQTT
        if not self.greeted and not isinstance(client.trouble, ssl.SSLError):
            return no_greeting(settings)
        return parting(None, settings) if client.trouble is None else no_connection(client.trouble, settings)

    def _watch(self, _client: Client, _userdata: Any, sock: Any) -> None:
        self._watched = sock.fileno()
        self._loop.add_reader(sock.fileno(), self._readable)

    def _unwatch(self, *_: object) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None

    def _watch_write(self, *_: object) -> None:
        if self._watched is not None:
            self._loop.add_writer(self._watched, self._client.loop_write)

    def _unwatch_write(self, *_: object) -> None:
        if self._watched is not None:
            self._loop.remove_writer(self._watched)

    def _readable(self) -> None:
        if self._again is None:
            now = self._loop.time()
            self._gathers = now - self._read_at < GATHER_S
            self._read_at = now
            self._read()

    def _read_on(self) -> None:
        self._again = None
        self._read()

    def _read(self) -> None:
        try:
            more = self._client.read()
        except _MALFORMED:
            self._finish(NO_MQTT)
            self._unwatch()
            return
        if self._again is not None or self._watched is None:
            return
        if more:
            self._again = self._loop.call_soon(self._read_on)
        elif self._gathers:
            self._gather(self._watched)

    def _gather(self, watched: int) -> None:
        """Look again in a moment; when nothing has come, or very much, wait for the next message as usual."""
        if self._client.trickles:
            self._loop.remove_reader(watched)
            self._again = self._loop.call_later(GATHER_S, self._read_on)
        else:
            self._gathers = False
            self._loop.add_reader(watched, self._readable)
