"""All devices of an exporter in virtual time, with fixtures as devices behind a broker that is only a function."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, cast, override
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from shelly_core import Client, DeviceInfo, Json, LinkClosedError, LinkError, Signal, Transport
from shelly_exporter.broker import Message, Receipt
from shelly_exporter.devices import Devices, roads, worker
from shelly_exporter.devices.registry import Known
from shelly_exporter.devices.worker import Surroundings, Worker
from shelly_exporter.pipeline import Pipeline
from shelly_exporter.rollups import Rollups
from shelly_exporter.settings import Devices as Settings
from shelly_exporter.spool import Stream
from tests.core.memory_link import NOW, MemoryLink
from tests.exporter.held_spool import HeldSpool
from tests.exporter.stored_points import Point, points_of

SOURCE = "exporter"
METER = "shellypro3em-1.7.5"
RELAYS = "shellypro3-1.4.4"


class KeptLines(Pipeline):
    """Keeps lines in memory, each with its stream."""

    def __init__(self) -> None:
        super().__init__(HeldSpool(), commit_s=0.01, acknowledge=lambda _receipts: None)
        self.lines: list[tuple[Stream, bytes]] = []

    @override
    def put(self, stream: Stream, lines: bytes) -> None:
        self.lines += [(stream, line) for line in lines.split(b"\n")]


class Shelly(MemoryLink):
    """A device that may be reached over the broker, and over HTTP at any of its `hosts`."""

    def __init__(self, name: str, prefix: str | None = None, number: int | None = None) -> None:
        super().__init__(name)
        if number is not None:
            mac = f"{number:012X}"
            self.info |= {"mac": mac, "id": f"{self.info['id'].partition('-')[0]}-{mac.lower()}"}
            self.status["sys"]["mac"] = mac
        self.id: str = self.info["id"]
        self.prefix = self.id if prefix is None else prefix
        self.hosts: set[str] = set()

    def remembered(self, host: str | None = None) -> Known:
        """What an exporter that met it before knows."""
        address = None if host is None else (host, 80)
        return Known(info=DeviceInfo.parse(self.info), prefix=self.prefix, address=address, heard_ts=NOW)


class NoRoad(MemoryLink):
    """Nobody lives there."""

    def __init__(self) -> None:
        super().__init__(transport=Transport.HTTP)
        self.send_error = LinkError("HTTP: no connection")


class Stage:
    """Devices, what they made of messages, and what was published."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings, known: dict[str, Known]) -> None:
        self.begun = asyncio.get_running_loop().time()
        self.pipeline = KeptLines()
        self.rollups = Rollups(ZoneInfo("Europe/Berlin"), wall=self.wall)
        self.records: list[tuple[str, str, int]] = []
        self.around = Surroundings(
            pipeline=self.pipeline,
            rollups=self.rollups,
            source=SOURCE,
            on_record=lambda *record: self.records.append(record),
            wall=self.wall,
        )
        self.settled: list[Receipt | None] = []
        self.devices = Devices(
            settings, known, self.around, session=session, publish=self._publish, settle=self.settled.append
        )
        self.away = True
        """Whether the broker is away."""
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.shellys: list[Shelly] = []
        self.dialled: list[tuple[str, int, str | None]] = []
        """Host, port and password of each link over HTTP."""
        self._mids = iter(range(1, 1_000_000))

    def wall(self) -> float:
        """Unix time."""
        return NOW + asyncio.get_running_loop().time() - self.begun

    def place(self, *shellys: Shelly) -> None:
        """Let devices be there."""
        for shelly in shellys:
            shelly.now = self.wall
            self.shellys.append(shelly)

    def find_broker(self) -> None:
        self.away = False
        self.devices.follow_broker(True, "connected")

    def lose_broker(self) -> None:
        self.away = True
        self.devices.follow_broker(False, "the broker is gone")

    def tell(self, topic: str, payload: bytes | Json, *, retain: bool = False) -> str:
        """Let a message arrive; returns what became of it."""
        before = self.devices.counts.copy()
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.devices.take(Message(topic, data, retain, False, Receipt(1, next(self._mids))))
        (result,) = self.devices.counts - before
        return result

    def notify(self, shelly: Shelly, changes: dict[str, Any], ts: float | None = None) -> str:
        """Let a device tell what changed."""
        params = {"ts": self.wall() if ts is None else ts, **changes}
        return self.tell(f"{shelly.prefix}/events/rpc", {"src": shelly.id, "method": "NotifyStatus", "params": params})

    def happen(self, shelly: Shelly, *events: dict[str, Any], ts: float | None = None) -> str:
        """Let a device tell what happened."""
        params = {"ts": self.wall() if ts is None else ts, "events": [*events]}
        return self.tell(f"{shelly.prefix}/events/rpc", {"src": shelly.id, "method": "NotifyEvent", "params": params})

    async def connected(self, shelly: Shelly) -> Worker:
        """Let a device be met and wait until it is known."""
        self.notify(shelly, {})
        await until(lambda: self.is_connected(shelly.id))
        return self.devices.workers[shelly.id]

    def is_connected(self, device_id: str) -> bool:
        """Tell whether a device has answered all questions since it was connected last."""
        known = self.devices.workers.get(device_id)
        return known is not None and known.client._running

    def asked(self, prefix: str) -> list[str]:
        """The methods asked at a topic prefix."""
        return [frame["method"] for topic, frame in self.published if topic == f"{prefix}/rpc"]

    def points(self, measurement: str | None = None) -> list[Point]:
        """What was made, of one measurement or of all."""
        found = points_of(line for _, line in self.pipeline.lines)
        return [point for point in found if measurement in {None, point.measurement}]

    def _publish(self, topic: str, payload: bytes) -> None:
        if self.away:
            raise LinkClosedError("no broker")
        request = json.loads(payload)
        self.published.append((topic, request))
        for shelly in self.shellys:
            if topic == f"{shelly.prefix}/rpc" and not shelly.silent & {"*", request["method"]}:
                answer = shelly.answer(request)
                asyncio.get_running_loop().call_soon(self.tell, f"{request['src']}/rpc", answer)

    def dial(self, _session: object, host: str, *, port: int, password: str | None, timeout_s: float) -> MemoryLink:
        """Stand in for `HttpLink`."""
        assert timeout_s == 10
        self.dialled.append((host, port, password))
        return next((shelly.other_road() for shelly in self.shellys if host in shelly.hosts), NoRoad())


def event_of(device_id: str) -> Json:
    """What a device of that name might tell."""
    return {"src": device_id, "method": "NotifyStatus", "params": {"ts": NOW, "switch:0": {"output": True}}}


async def until(condition: Callable[[], bool], within_s: float = 120.0) -> None:
    """Wait in virtual time."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - time is what it waits for
            await asyncio.sleep(0.01)


def _time() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def stage(
    *shellys: Shelly,
    settings: Settings | None = None,
    known: Iterable[Known] = (),
    broker: bool = True,
) -> AsyncIterator[Stage]:
    """Devices that run, with the broker there if nothing else is said. Without settings none is asked over HTTP."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "Client", partial(Client, clock=_time, chance=lambda: 0.5))
        async with aiohttp.ClientSession() as session:
            world = Stage(session, settings or Settings(http=False), {device.info.id: device for device in known})
            patch.setattr(roads, "HttpLink", cast("Any", world.dial))
            world.place(*shellys)
            task = asyncio.create_task(world.devices.run())
            await asyncio.sleep(0)
            if broker:
                world.find_broker()
            try:
                yield world
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def no_signal(signal: Signal, reason: str) -> None:
    """There is no broker on this road."""
    raise AssertionError((signal, reason))
