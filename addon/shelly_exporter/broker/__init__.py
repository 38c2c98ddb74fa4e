"""The broker as the exporter needs it: always coming back, telling what it delivers and forgetting only on request."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from paho.mqtt.enums import MQTTProtocolVersion

from shelly_core import LinkClosedError
from shelly_core.backoff import Backoff
from shelly_exporter.settings import Mqtt

from .buffered_client import BufferedClient, Message, Receipt
from .connection import BrokerError, Connection, Version, VersionError
from .options import VERSIONS

__all__ = ["MAX_PAYLOAD_BYTES", "Broker", "Message", "Receipt"]

_LOGGER = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 256 * 1024
"""A larger payload comes from no Shelly."""

LONGEST_PAUSE_S = 5.0
"""What the devices tell a broker that came back without the session is lost until it is there again."""
STABLE_S = 10.0
"""A connection that lasts shorter is no success: who connects and is thrown out again waits longer each time."""

SHORT_RUN = 3
"""So many of those in a row look like two programs that take the session from each other."""


class Broker:
    """The connection to the broker, made anew whenever it is lost; on the broker one session outlives them all."""

    def __init__(
        self,
        settings: Mqtt,
        *,
        subscriptions: Mapping[str, int],
        on_message: Callable[[Message], None],
        on_state: Callable[[bool, str], None],
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Subscribe to `subscriptions`, filters with their QoS (at most 1), on every connection.

        `on_message` is called in the event loop with what arrives; what it raises is logged and the message dropped.
        `on_state` is called when the connection is there or lost, with a sentence about it.
        """
        self._settings = settings
        self._filters = dict(subscriptions)
        self._on_message = on_message
        self._on_state = on_state
        self._max_payload_bytes = max_payload_bytes
        self._clock = clock
        self._backoff = Backoff(chance, cap_s=LONGEST_PAUSE_S)
        self._generation = 0
        self._connection: Connection | None = None
        self._reason: str | None = None
        self._since: float | None = None
        """When the present connection was there."""
        self._short = 0
        """How many connections in a row did not last."""
        self._refused: dict[str, str] = {}
        """Subscriptions that the broker does not allow, with the reason."""
        self._told: bool | None = None
        self._dropped: Counter[str] = Counter()
        self.session_present = False
        """Whether the broker remembered the session at the last connection; else it kept no messages for us."""
        self.version: Version | None = None
        """The version of MQTT in use, None while not connected."""
        self.stale_receipts = 0
        """Receipts that came after their connection was lost; the broker delivers those messages again."""

    @property
    def connected(self) -> bool:
        """Whether the connection is there and its subscriptions are in place."""
        return self.version is not None

    @property
    def reason(self) -> str | None:
        """Why there is no connection, or what of it does not work; None if all is well."""
        return "; ".join(self._refused.values()) or None if self.connected else self._reason

    @property
    def oversized(self) -> int:
        """How many messages were dropped because they are too large."""
        return self._dropped["oversized"]

    @property
    def failed(self) -> int:
        """How many messages were dropped because `on_message` raised."""
        return self._dropped["failed"]

    async def run(self) -> None:
        """Connect and stay connected, until cancelled; the session stays on the broker."""
        try:
            while True:
                self._lost(await self._attend())
                await asyncio.sleep(self._backoff.next_s())
        finally:
            self._tell(None, "the exporter is stopping")

    async def subscribe(self, filters: Mapping[str, int]) -> None:
        """Subscribe to more; returns when the broker has answered, at once while it is away."""
        self._filters |= filters
        if self._connection is not None and self._connection.greeted:
            with suppress(BrokerError):  # the next connection has them
                self._note_refused(filters, await self._connection.subscribe(filters))

    async def unsubscribe(self, filters: Iterable[str]) -> None:
        """Unsubscribe from filters; as `subscribe`."""
        gone = [topic for topic in filters if self._filters.pop(topic, None) is not None]
        self._note_refused(gone, {})
        if self._connection is not None and self._connection.greeted:
            with suppress(BrokerError):
                await self._connection.unsubscribe(gone)

    def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Let the broker forget messages. What belongs to an older connection is dropped: its number means another."""
        batch = [*receipts]
        connection = self._connection
        if connection is None or not connection.alive:
            self.stale_receipts += len(batch)
            return
        current = self._generation
        mids = [mid for generation, mid in batch if generation == current]
        self.stale_receipts += len(batch) - len(mids)
        if mids:
            connection.acknowledge(mids)

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Send a message; it is not kept for a later connection. Raises `LinkClosedError` while not connected."""
        if self._connection is None or not self.connected:
            raise LinkClosedError(self._reason or "not connected to the broker yet")
        self._connection.publish(topic, payload, qos)

    async def _attend(self) -> str:
        """Connect and stay connected; returns why that ended."""
        reason = ""
        for protocol in VERSIONS[self._settings.protocol]:
            # Known before it is open: what the session has kept arrives, and may be acknowledged, with the greeting.
            connection = self._connection = self._new_connection(protocol)
            try:
                await connection.open()
                self._refused = await connection.subscribe(self._filters)
                self._found(connection)
                return await connection.ended()
            except VersionError as err:
                reason = str(err)
            except BrokerError as err:
                return str(err)
            finally:
                self._connection = None
                connection.close()
        return reason

    def _new_connection(self, protocol: MQTTProtocolVersion) -> Connection:
        self._generation += 1
        client = BufferedClient(
            client_id=self._settings.client_id,
            protocol=protocol,
            generation=self._generation,
            on_arrival=self._on_message,
            max_payload_bytes=self._max_payload_bytes,
            counts=self._dropped,
        )
        return Connection(client, self._settings)

    def _note_refused(self, filters: Iterable[str], refused: Mapping[str, str]) -> None:
        """Remember what is refused of `filters`."""
        for topic in filters:
            self._refused.pop(topic, None)
        self._refused |= refused
        for reason in refused.values():
            _LOGGER.warning("MQTT: %s", reason)

    def _found(self, connection: Connection) -> None:
        self._since = self._clock()
        self.session_present = connection.session_present
        self._note_refused((), self._refused)
        session = "its session goes on" if self.session_present else "its session is new"
        settings = self._settings
        text = f"connected to {settings.host}:{settings.port} with MQTT {connection.version}, {session}"
        _LOGGER.info("MQTT: %s", text)
        self._tell(connection.version, text)

    def _lost(self, reason: str) -> None:
        if self._since is not None:
            reason += self._hint(self._clock() - self._since)
            self._since = None
        if reason != self._reason or self.connected:
            _LOGGER.warning("MQTT: %s", reason)
        self._tell(None, reason)

    def _hint(self, lasted_s: float) -> str:
        """Count how often connections did not last, and return what may be the cause."""
        if lasted_s > STABLE_S:
            self._short = 0
            self._backoff.reset()
            return ""
        self._short += 1
        if self._short < SHORT_RUN:
            return ""
        return f"; if another program uses the client id {self._settings.client_id!r}, change mqtt.client_id"

    def _tell(self, version: Version | None, reason: str) -> None:
        self.version, self._reason = version, reason
        if self._told is not self.connected:
            self._told = self.connected
            self._on_state(self.connected, reason)
