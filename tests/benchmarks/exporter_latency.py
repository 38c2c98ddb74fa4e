"""How long a reading takes: from its arrival at the exporter to the disk, and to where queries find it.

A proxy between broker and exporter sees both: the message go in, and the acknowledgement come out, which the exporter
sends when the reading is on disk.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from statistics import quantiles

from tests.benchmarks.exporter_stage import DEADLINE_S, Stage
from tests.benchmarks.exporter_wire import PUBACK, PUBLISH, packet_at
from tests.stack.processes import StackError, wait_until

READ_BYTES = 64 * 1024
LOOK_S = 0.01
"""How often the store is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds, one of each reading."""

    durable: list[float]
    queryable: list[float]


@dataclass(slots=True)
class Proxy:
    """Passes MQTT on, and notes when messages of QoS 1 go in and acknowledgements come out."""

    broker_port: int
    arrived: list[float] = field(default_factory=list)
    durable: list[float] = field(default_factory=list)
    """How long each acknowledgement took."""
    port: int = 0
    _open: dict[int, float] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take connections on `port`."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()

    def forget(self) -> None:
        """Begin anew."""
        self.arrived.clear()
        self.durable.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.broker_port)
        ways = (self._pass(reader, back, PUBACK), self._pass(there, writer, PUBLISH | 2))
        self._tasks |= {asyncio.create_task(way) for way in ways}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: int) -> None:
        """Pass on in one direction, and look at the packets of a kind."""
        rest = b""
        loop = asyncio.get_running_loop()
        while data := await reader.read(READ_BYTES):
            now = loop.time()
            writer.write(data)
            rest += data
            offset = 0
            while (packet := packet_at(rest, offset)) is not None:
                start, end = packet
                if rest[offset] == kind:
                    self._note(kind, rest[start:end], now)
                offset = end
            rest = rest[offset:]
        writer.close()

    def _note(self, kind: int, body: bytes, now: float) -> None:
        if kind == PUBACK:
            mid = struct.unpack_from("!H", body)[0]
            if (arrived := self._open.pop(mid, None)) is not None:
                self.durable.append(now - arrived)
            return
        length = struct.unpack_from("!H", body)[0]
        topic, mid = body[2 : 2 + length], struct.unpack_from("!H", body, 2 + length)[0]
        if topic.endswith(b"/events/rpc"):
            self._open[mid] = now
            self.arrived.append(now)


async def measure(stage: Stage, seconds: float) -> Latency:
    """Let each device tell a reading a second to an exporter with its usual settings."""
    proxy = Proxy(stage.broker.port)
    async with proxy.listening(), stage.exporter("exporter", {"mqtt": {"port": proxy.port}}) as exporter:
        await stage.introduce([exporter])
        await stage.all_stored()
        proxy.forget()
        before, count = stage.told, round(len(stage.meters) * seconds)
        telling = asyncio.create_task(stage.tell(seconds, counters=False))
        queryable = await _watch(stage, proxy, before, count, seconds + DEADLINE_S)
        await telling
        await wait_until(lambda: len(proxy.durable) == len(proxy.arrived), 5.0, "All is acknowledged")
    if len(proxy.durable) != count:
        raise StackError(f"{len(proxy.durable)} of {count} readings came by the proxy: look for why")
    return Latency(durable=proxy.durable, queryable=queryable)


async def _watch(stage: Stage, proxy: Proxy, before: int, count: int, deadline_s: float) -> list[float]:
    """Return how long each reading took until a query found it; they become visible in the order they came."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    found: list[float] = []
    while len(found) < count:
        if loop.time() - begun > deadline_s:
            raise StackError(f"Only {len(found)} of {count} readings are in the store: look for why")
        stored = await stage.stored()
        now = loop.time()
        found += [now - arrived for arrived in proxy.arrived[len(found) : stored - before]]
        await asyncio.sleep(LOOK_S)
    return found


def percentile(values: list[float], percent: int) -> float:
    """Return the value that `percent` of all values are below."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]
