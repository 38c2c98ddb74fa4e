"""As little MQTT 3.1.1 as a publisher needs, so that it costs next to nothing beside what is measured."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Self, override

from tests.stack.processes import StackError

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90
REFUSED = 128
"""Codes of a SUBACK from here on."""
WINDOW = 4_000
"""Messages that the broker has not acknowledged yet: it takes what it gets, but its buffers are not for ever."""
CHUNK = 50
"""Messages in one write."""
MIDS = 65_535


def publish_packet(topic: str, payload: bytes, mid: int | None) -> bytes:
    """Return a PUBLISH: of QoS 1 with a number for the acknowledgement, else of QoS 0."""
    name = topic.encode()
    number = b"" if mid is None else struct.pack("!H", mid)
    body = b"".join((struct.pack("!H", len(name)), name, number, payload))
    return b"".join((bytes((PUBLISH if mid is None else PUBLISH | 2,)), _length(len(body)), body))


class Wire(asyncio.Protocol):
    """One connection. `acknowledged` counts what the broker has taken."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.published = 0
        self.on_publish: Callable[[str, bytes], None] = lambda _topic, _payload: None
        self._buffer = b""
        self._progress = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = False
        self._greeted = False
        self._subscribed = False

    @classmethod
    async def connect(cls, port: int, client_id: str, user: str, password: str) -> Self:
        """Connect; StackError if the broker does not want us."""
        _, wire = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        strings = b"".join(struct.pack("!H", len(text)) + text for text in map(str.encode, (client_id, user, password)))
        body = b"\x00\x04MQTT\x04\xc2\x00\x00" + strings
        wire.write(bytes((CONNECT,)) + _length(len(body)) + body)
        await wire._until(lambda: wire._greeted)
        return wire

    async def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 0."""
        name = topic.encode()
        body = struct.pack("!HH", 1, len(name)) + name + b"\x00"
        self.write(bytes((SUBSCRIBE,)) + _length(len(body)) + body)
        await self._until(lambda: self._subscribed)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._transport is None or self._lost:
            raise StackError("The benchmark's connection to the broker is lost: look at the broker's log")
        self._transport.write(data)

    async def blast(self, packets: Sequence[bytes]) -> None:
        """Publish all as fast as the broker takes them; returns when it has taken the last one."""
        for begin in range(0, len(packets), CHUNK):
            chunk = packets[begin : begin + CHUNK]
            await self._until(lambda: self.published - self.acknowledged <= WINDOW)
            await self._writable.wait()
            self.publish(chunk)
            await asyncio.sleep(0)
        await self.settled()

    def publish(self, packets: Sequence[bytes]) -> None:
        """Publish packets of QoS 1."""
        self.write(b"".join(packets))
        self.published += len(packets)

    async def settled(self) -> None:
        """Wait until the broker has taken all."""
        await self._until(lambda: self.acknowledged == self.published)

    def close(self) -> None:
        """Go away without a word."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=256 * 1024)
        self._transport = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._progress.set()
        self._writable.set()

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        offset = 0
        while (packet := packet_at(self._buffer, offset)) is not None:
            start, end = packet
            self._take(self._buffer[offset], self._buffer[start:end])
            offset = end
        self._buffer = self._buffer[offset:]
        self._progress.set()

    def _take(self, header: int, body: bytes) -> None:
        if header == PUBACK:
            self.acknowledged += 1
        elif header & 0xF0 == PUBLISH:
            length = struct.unpack_from("!H", body)[0]
            self.on_publish(body[2 : 2 + length].decode(), body[2 + length :])
        elif header == CONNACK:
            self._greeted = body[1] == 0
        elif header == SUBACK:
            self._subscribed = body[2] < REFUSED

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            if self._lost:
                raise StackError("The broker closed the benchmark's connection: look at its log")
            self._progress.clear()
            await self._progress.wait()


def _length(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)


def packet_at(data: bytes, offset: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `offset` begins and ends; `None` while it is not there completely."""
    length = shift = 0
    for position in range(offset + 1, len(data)):
        length |= (data[position] & 0x7F) << shift
        shift += 7
        if data[position] < 0x80:
            end = position + 1 + length
            return (position + 1, end) if end <= len(data) else None
    return None
