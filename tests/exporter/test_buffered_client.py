"""The packets of MQTT as bytes: read as paho reads them, only faster, and without paho's private parts, too."""

import contextlib
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion

from shelly_exporter.broker import buffered_client
from shelly_exporter.broker.buffered_client import BURST_MESSAGES, NEEDED, READ_BYTES, BufferedClient, Message, Receipt

V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
VERSIONS = pytest.mark.parametrize("protocol", [V5, V311])
MAX_PAYLOAD = 1000
MALFORMED = (AssertionError, IndexError, KeyError, ValueError, struct.error)


def number(value: int) -> bytes:
    """A number of variable length, as MQTT writes it."""
    low, rest = value & 0x7F, value >> 7
    return bytes((low | 0x80,)) + number(rest) if rest else bytes((low,))


def packet(message: Message, protocol: MQTTProtocolVersion, properties: bytes = b"") -> bytes:
    """The PUBLISH that a broker sends for a message."""
    topic = message.topic.encode()
    body = len(topic).to_bytes(2) + topic
    if message.receipt is not None:
        body += message.receipt.mid.to_bytes(2)
    if protocol is V5:
        body += number(len(properties)) + properties
    body += message.payload
    header = 0x30 | 8 * message.duplicate | 2 * (message.receipt is not None) | message.retain
    return bytes((header,)) + number(len(body)) + body


class Wire:
    """A client at the end of a socket pair, connected as far as paho can see."""

    def __init__(self, protocol: MQTTProtocolVersion, take: Callable[[Message], None] | None = None) -> None:
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.there.setblocking(False)
        self.messages: list[Message] = []
        self.counts: Counter[str] = Counter()
        self.writable_asked = 0
        self.client = BufferedClient(
            client_id="exporter",
            protocol=protocol,
            generation=7,
            on_arrival=self.messages.append if take is None else take,
            max_payload_bytes=MAX_PAYLOAD,
            counts=self.counts,
        )
        self.client.dialled = self.here
        self.client.on_socket_register_write = self._count
        if protocol is V5:
            self.client.connect("127.0.0.1", clean_start=False)
        else:
            self.client.connect("127.0.0.1")
        self.client.loop_write()
        self.client._state = type(self.client._state).MQTT_CS_CONNECTED
        self.there.recv(1000)

    def _count(self, *_: object) -> None:
        self.writable_asked += 1

    def read_all(self) -> None:
        """Read until nothing is left."""
        for _ in range(10_000):
            if not self.client.read():
                return
        pytest.fail("it never ends")

    def sent(self) -> bytes:
        """What the client has sent since the last call."""
        with contextlib.suppress(BlockingIOError):
            return self.there.recv(1_000_000)
        return b""

    def close(self) -> None:
        self.here.close()
        self.there.close()


@contextlib.contextmanager
def wire(protocol: MQTTProtocolVersion, take: Callable[[Message], None] | None = None) -> Iterator[Wire]:
    """As `Wire`, closed at the end."""
    made = Wire(protocol, take)
    try:
        yield made
    finally:
        made.close()


messages = st.builds(
    Message,
    topic=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200),
    payload=st.binary(max_size=300),
    retain=st.booleans(),
    duplicate=st.booleans(),
    receipt=st.none() | st.builds(Receipt, generation=st.just(7), mid=st.integers(1, 65535)),
)
user_properties = st.text("aé€", max_size=80).map(
    lambda value: b"\x26\x00\x01k" + len(value.encode()).to_bytes(2) + value.encode()
)


@VERSIONS
@given(stream=st.lists(messages, max_size=12), properties=user_properties | st.just(b""), data=st.data())
def test_every_message_is_read_however_the_bytes_are_cut(
    protocol: MQTTProtocolVersion, stream: list[Message], properties: bytes, data: st.DataObject
) -> None:
    sent = b"".join(packet(message, protocol, properties) for message in stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    with wire(protocol) as ends:
        for start, end in zip((0, *cuts), (*cuts, len(sent)), strict=True):
            ends.there.send(sent[start:end])
            ends.read_all()
        assert ends.messages == stream


@VERSIONS
@given(stream=st.lists(messages, max_size=5), properties=user_properties | st.just(b""))
def test_it_reads_what_paho_reads(protocol: MQTTProtocolVersion, stream: list[Message], properties: bytes) -> None:
    sent = b"".join(packet(message, protocol, properties) for message in stream)
    with wire(protocol) as quick, wire(protocol) as slow:
        slow.client._buffers = False
        for ends in (quick, slow):
            ends.there.send(sent)
        quick.read_all()
        for _ in stream:
            slow.read_all()
        assert quick.messages == slow.messages == stream


@VERSIONS
def test_more_than_one_read_takes_is_read_at_once(protocol: MQTTProtocolVersion) -> None:
    stream = [
        Message("meter/events/rpc", bytes(mid * 37 % MAX_PAYLOAD), False, False, Receipt(7, mid))
        for mid in range(1, 400)
    ]
    sent = b"".join(packet(message, protocol) for message in stream)
    assert len(sent) > 2 * READ_BYTES
    with wire(protocol) as ends:
        rest = sent
        while rest:
            with contextlib.suppress(BlockingIOError):
                rest = rest[ends.there.send(rest) :]
            ends.read_all()
        assert ends.messages == stream


def test_it_lets_others_have_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message("t", b"", False, False, None)
    with wire(V311) as ends:
        ends.there.send(packet(message, V311) * (BURST_MESSAGES + 2))
        monkeypatch.setattr(buffered_client, "BURST_S", 60.0)
        assert ends.client.read()
        assert len(ends.messages) == BURST_MESSAGES
        monkeypatch.setattr(buffered_client, "BURST_S", -1.0)
        assert ends.client.read()
        assert len(ends.messages) == BURST_MESSAGES + 1
        assert not ends.client.read()
        assert len(ends.messages) == BURST_MESSAGES + 2


def test_nothing_to_read_is_no_trouble() -> None:
    with wire(V5) as ends:
        assert not ends.client.read()
        assert ends.client.trouble is None


@VERSIONS
def test_a_batch_is_acknowledged_with_one_write(protocol: MQTTProtocolVersion) -> None:
    with wire(protocol) as ends:
        before = ends.writable_asked
        ends.client.acknowledge([1, 258, 65535])
        assert ends.sent() == b"\x40\x02\x00\x01\x40\x02\x01\x02\x40\x02\xff\xff"
        assert ends.writable_asked == before + 1


def test_an_acknowledgement_that_does_not_fit_is_sent_later() -> None:
    with wire(V5) as ends:
        ends.here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        mids = [*range(1, 60_001)]
        ends.client.acknowledge(mids)
        assert ends.client.want_write()
        got = b""
        while more := ends.sent():
            got += more
            ends.client.loop_write()
        assert [mid for _, mid in struct.iter_unpack("!HH", got)] == mids


@VERSIONS
def test_what_is_too_large_is_acknowledged_and_counted(protocol: MQTTProtocolVersion) -> None:
    large = Message("t", b"x" * (MAX_PAYLOAD + 1), False, False, Receipt(7, 3))
    with wire(protocol) as ends:
        ends.there.send(packet(large, protocol) + packet(large._replace(receipt=None), protocol))
        ends.read_all()
        assert ends.messages == []
        assert ends.counts == {"oversized": 2}
        assert ends.sent() == b"\x40\x02\x00\x03"


def test_what_the_receiver_raises_is_not_raised_here() -> None:
    def take(_: Message) -> None:
        raise ZeroDivisionError

    with wire(V5, take) as ends:
        ends.there.send(packet(Message("t", b"", False, False, Receipt(7, 3)), V5) * 2)
        ends.read_all()
        assert ends.counts == {"failed": 2}
        assert ends.sent() == b"\x40\x02\x00\x03" * 2


@VERSIONS
@pytest.mark.parametrize("buffers", [True, False])
def test_a_topic_that_is_no_text_breaks_nothing(protocol: MQTTProtocolVersion, buffers: bool) -> None:
    sent = packet(Message("aaa", b"x", False, False, Receipt(7, 1)), protocol).replace(b"aaa", b"\xff\xff\xff")
    with wire(protocol) as ends:
        ends.client._buffers = buffers
        ends.there.send(sent)
        ends.read_all()
        assert [message.payload for message in ends.messages] == [b"x"]
        assert set(ends.messages[0].topic) == {"�"}


@VERSIONS
def test_quality_2_is_acknowledged_by_itself(protocol: MQTTProtocolVersion) -> None:
    properties = b"\x00" if protocol is V5 else b""
    publish = b"\x00\x01t\x00\x09" + properties + b"x"
    with wire(protocol) as ends:
        ends.there.send(b"\x34" + number(len(publish)) + publish)
        ends.read_all()
        ends.client.loop_write()
        assert ends.sent() == b"\x50\x02\x00\x09"
        ends.there.send(b"\x62\x02\x00\x09")
        ends.read_all()
        ends.client.loop_write()
        assert ends.messages == [Message("t", b"x", False, False, None)]
        assert ends.sent() == b"\x70\x02\x00\x09"


@VERSIONS
@given(junk=st.binary(max_size=80), tail=st.binary(max_size=20))
def test_bytes_that_are_no_mqtt_only_raise_what_is_expected(
    protocol: MQTTProtocolVersion, junk: bytes, tail: bytes
) -> None:
    with wire(protocol) as ends:
        ends.there.send(junk + tail)
        ends.there.shutdown(socket.SHUT_WR)
        with contextlib.suppress(*MALFORMED):
            for _ in range(200):
                ends.client.read()


def test_the_end_of_the_connection_is_told() -> None:
    ends = Wire(V5)
    told: list[object] = []
    ends.client.on_disconnect = lambda *arguments: told.append(arguments)
    ends.there.close()
    assert not ends.client.read()
    assert len(told) == 1
    assert ends.client.loop_read() is MQTTErrorCode.MQTT_ERR_NO_CONN
    ends.close()


def test_without_pahos_private_parts_it_works_unbuffered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffered_client, "NEEDED", (*NEEDED, "_gone_in_paho_3"))
    with wire(V5) as ends:
        assert not ends.client._buffers
        sent = [Message("t", b"%d" % mid, False, False, Receipt(7, mid)) for mid in (1, 2)]
        ends.there.send(b"".join(packet(message, V5) for message in sent))
        ends.client.read()
        assert ends.messages == sent[:1]
        ends.client.read()
        assert ends.messages == sent
        ends.client.acknowledge([1, 2])
        assert ends.sent() == b"\x40\x02\x00\x01\x40\x02\x00\x02"


def test_paho_connects_itself_where_nothing_was_dialled() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, wire(V5) as ends:
        ends.client.connect("127.0.0.1", server.getsockname()[1], clean_start=False)
        ends.client.loop_write()
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(5)
            assert accepted.recv(1000)[:1] == b"\x10"
        mine = ends.client.socket()
        assert isinstance(mine, socket.socket)
        mine.close()


def test_the_installed_paho_has_all_that_is_needed() -> None:
    with wire(V5) as ends:
        assert ends.client._buffers
        assert isinstance(ends.client, Client)


@VERSIONS
def test_it_costs_less_than_half_of_what_paho_costs_alone(protocol: MQTTProtocolVersion) -> None:
    """Measured: 0.08 of it with MQTT 5, 0.15 with 3.1.1."""
    sent = packet(Message("meter/events/rpc", b"x" * 581, False, False, Receipt(7, 1)), protocol) * 100

    def cost_s(*, buffers: bool) -> float:
        with wire(protocol) as ends:
            ends.client._buffers = buffers
            begun = time.process_time()
            for _ in range(20):
                ends.there.send(sent)
                for _ in range(100 if not buffers else 3):
                    ends.client.read()
            assert len(ends.messages) == 2000
            return time.process_time() - begun

    assert min(cost_s(buffers=True) for _ in range(3)) < 0.5 * min(cost_s(buffers=False) for _ in range(3))
