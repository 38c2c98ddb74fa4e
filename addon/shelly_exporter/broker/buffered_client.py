"""paho's MQTT client with the costs per message taken out: few reads, no object per message, one write per batch.

What is used of paho here is private in 2.1 and 2.2. Where a version has it no more, paho's own way works, slower.
"""

import logging
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, override

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTProtocolVersion

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

_LOGGER = logging.getLogger(__name__)

NEEDED = ("_create_socket", "_in_packet", "_packet_queue", "_sock_recv")
READ_BYTES = 64 * 1024
TRICKLE_BYTES = 16 * 1024
"""A read that brings less has left nothing."""
BURST_MESSAGES = 500
BURST_S = 0.005
"""How long messages are handled without a look at anything else."""

_PUBLISH = MessageType.PUBLISH.value
_PUBACK = 0x4002_0000
"""A PUBACK for message 0: the packet's type and length, then the message's number."""


class Receipt(NamedTuple):
    """What acknowledges a message: the number the broker gave it, good for the connection `generation` only."""

    generation: int
    mid: int


class Message(NamedTuple):
    """A message as the broker delivered it; `receipt` is None at QoS 0, which is not acknowledged."""

    topic: str
    payload: bytes
    retain: bool
    duplicate: bool
    receipt: Receipt | None


class BufferedClient(Client):
    """One connection; hands on messages, and leaves it to `acknowledge` when the broker may forget them."""

    def __init__(
        self,
        *,
        client_id: str,
        protocol: MQTTProtocolVersion,
        generation: int,
        on_arrival: Callable[[Message], None],
        max_payload_bytes: int,
        counts: Counter[str],
    ) -> None:
        """Call `on_arrival` with each message; `counts` gets what was dropped, under `oversized` and `failed`."""
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=protocol,
            clean_session=None if protocol is MQTTProtocolVersion.MQTTv5 else False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self.dialled: SocketLike | None = None
        """A socket that is connected to the broker already."""
        self.trouble: OSError | None = None
        """What went wrong with the socket; paho only logs it."""
        self.parting: int | None = None
        """The reason code with which the broker ended the connection."""
        self._generation = generation
        self._on_arrival = on_arrival
        self._max_payload_bytes = max_payload_bytes
        self._counts = counts
        self._has_properties = protocol is MQTTProtocolVersion.MQTTv5
        self._buffers = {*NEEDED} <= {*dir(Client), *vars(self)}
        self._chunk = b""
        """What was read at once; all before `_taken` is handled."""
        self._taken = 0
        self.on_message = self._take_message

    def read(self) -> bool:
        """Handle what the broker has sent, for a limited time; returns whether there is more at hand.

        May raise what `loop_read` raises for bytes that are no MQTT.
        """
        if not self._buffers:
            self.loop_read()
            return self._at_hand()
        if self._taken == len(self._chunk):
            with suppress(OSError):  # paho meets it again
                self._fill()
        until = time.monotonic() + BURST_S
        for _ in range(BURST_MESSAGES):
            # A packet that is not there completely is paho's, and so is all that is no message.
            if self._in_packet["command"] or not self._take_publish():
                self.loop_read()
            if self._taken == len(self._chunk):
                return self._at_hand()
            if time.monotonic() > until:
                break
        return True

    @property
    def trickles(self) -> bool:
        """Whether the last read brought little, and all there was; with TLS each message is a read, so it never is."""
        return self._buffers and 0 < len(self._chunk) < TRICKLE_BYTES and not hasattr(self.socket(), "pending")

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Let the broker forget these messages, all with one write."""
        if self._buffers:
            packet = struct.pack(f"!{len(mids)}I", *[_PUBACK | mid for mid in mids])
            self._packet_queue(MessageType.PUBACK, packet, 0, 1)
        else:
            for mid in mids:
                self.ack(mid, 1)
        self.loop_write()

    def _at_hand(self) -> bool:
        """Tell whether TLS has decrypted more than was asked for: the socket would not say so."""
        pending = getattr(self.socket(), "pending", None)
        return pending is not None and pending() > 0

    @override
    def _create_socket(self) -> SocketLike:
        sock, self.dialled = self.dialled, None
        return super()._create_socket() if sock is None else sock

    @override
    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._buffers:
            return super()._sock_recv(bufsize)
        if self._taken == len(self._chunk):
            self._fill()
        piece = self._chunk[self._taken : self._taken + bufsize]
        self._taken += len(piece)
        return piece

    def _fill(self) -> None:
        self._chunk, self._taken = b"", 0
        try:
            self._chunk = super()._sock_recv(READ_BYTES)
        except BlockingIOError:
            raise
        except OSError as err:
            self.trouble = err
            raise

    @override
    def _handle_disconnect(self) -> None:
        # paho 2.1 overlooks a reason that comes without properties.
        packet = self._in_packet["packet"]
        self.parting = packet[0] if packet else None
        super()._handle_disconnect()

    def _take_publish(self) -> bool:
        """Hand on the message of QoS 0 or 1 that is next; False where bytes are missing, or it is something else."""
        chunk = self._chunk
        try:
            header = chunk[self._taken]
            if header & 0xF4 != _PUBLISH:
                return False
            length, start = _number(chunk, self._taken + 1)
            end = start + length
            topic_end = after = start + 2 + (chunk[start] << 8 | chunk[start + 1])
            receipt = None
            if header & 2:
                receipt = Receipt(self._generation, chunk[after] << 8 | chunk[after + 1])
                after += 2
            if self._has_properties:  # none of them matters here
                length, after = _number(chunk, after)
                after += length
        except IndexError:
            return False
        if not after <= end <= len(chunk):
            return False
        self._taken = end
        topic = chunk[start + 2 : topic_end].decode(errors="replace")
        self._hand_on(Message(topic, chunk[after:end], header & 1 != 0, header & 8 != 0, receipt))
        return True

    def _take_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        """Take a message that paho has decoded."""
        if message.qos > 1:  # from a subscription that another program has left in this session
            self.ack(message.mid, message.qos)
        receipt = Receipt(self._generation, message.mid) if message.qos == 1 else None
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "�"
        self._hand_on(Message(topic, bytes(message.payload), message.retain, message.dup, receipt))

    def _hand_on(self, message: Message) -> None:
        if len(message.payload) > self._max_payload_bytes:
            self._drop(message, "oversized")
            return
        try:
            self._on_arrival(message)
        except Exception:
            # Not acknowledged it would come back for ever, and such messages would fill the broker's window.
            if not self._counts["failed"]:
                _LOGGER.exception("Handling a message on %s failed; it is dropped", message.topic)
            self._drop(message, "failed")

    def _drop(self, message: Message, why: str) -> None:
        self._counts[why] += 1
        if message.receipt is not None:
            self.acknowledge((message.receipt.mid,))


def _number(data: bytes, start: int) -> tuple[int, int]:
    """Read a number of variable length; return it and where it ends. Raises `IndexError` where bytes are missing."""
    value = 0
    for shift in (0, 7, 14, 21):
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return value, start
