"""A client with two roads to one device, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shelly_core import Client, Transport, Update
from tests.core.held_client import collect
from tests.core.memory_link import NOW, MemoryLink

METER = "shellypro3em-1.7.5"


class TwoRoads:
    """The device, the client, and what the client told."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        loop = asyncio.get_running_loop()
        self.begun = loop.time()
        self.mqtt = MemoryLink(name)
        self.mqtt.now = self.wall
        self.http = self.mqtt.other_road()
        kwargs.setdefault("mqtt", self.mqtt)
        kwargs.setdefault("http", self.http)
        self.client = Client(source="me", clock=loop.time, wall=self.wall, chance=lambda: 0.5, **kwargs)
        self.updates: list[Update] = collect(self.client)
        self.changes: list[tuple[float, Transport | None]] = []
        """When a watcher was called, and which link was active then."""
        self.client.watch(lambda: self.changes.append((self.now, self.client.active)))
        self._reports = 0

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return asyncio.get_running_loop().time() - self.begun

    def wall(self) -> float:
        return NOW + self.now

    async def report(self, seconds: int, *, lost: bool = False) -> None:
        """Let a meter report once a second; the reports may be lost."""
        for _ in range(seconds):
            self._reports += 1
            self.mqtt.status["em:0"]["a_freq"] = 50.0 + self._reports / 1000
            if not lost:
                self.mqtt.notify({"em:0": {"id": 0, "a_freq": self.mqtt.status["em:0"]["a_freq"]}})
            await asyncio.sleep(1)

    async def switched_to(self, transport: Transport | None, within_s: float) -> float:
        """Wait until a link becomes active and return how long that took."""
        since = self.now
        async with asyncio.timeout(within_s):
            while self.client.active is not transport:  # noqa: ASYNC110 - time is what it waits for
                await asyncio.sleep(0.01)
        return self.now - since

    def asked(self, link: MemoryLink, since: int) -> list[str]:
        """Return the methods that were asked since the first so many."""
        return link.methods[since:]


@asynccontextmanager
async def two_roads(name: str = METER, *, connect: bool = True, **kwargs: Any) -> AsyncIterator[TwoRoads]:
    """A client with two roads, connected if nothing else is said, and closed at the end."""
    roads = TwoRoads(name, **kwargs)
    if connect:
        await roads.client.connect(roads.mqtt.info["mac"])
        roads.changes.clear()
    try:
        yield roads
    finally:
        await roads.client.close()
