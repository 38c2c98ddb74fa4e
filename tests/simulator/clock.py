"""Time of the simulation, and what a device believes it is."""

import asyncio
import heapq
import time
from contextlib import suppress
from typing import override


class Clock:
    """True time of one simulation, `speed` times as fast as wall time."""

    def __init__(self, *, speed: float = 1.0, start: float | None = None) -> None:
        self.speed = speed
        self._started = time.monotonic()
        self._start = time.time() if start is None else start

    def now(self) -> float:
        """Unix seconds of the true time; never steps back."""
        return self._start + (time.monotonic() - self._started) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Sleep simulated seconds."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    async def wait(self, woken: asyncio.Event, seconds: float) -> None:
        """Sleep simulated seconds, or until the event is set."""
        with suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), max(0.0, seconds) / self.speed)


class ManualClock(Clock):
    """A clock that moves only when a test says so."""

    def __init__(self, start: float = 1_790_000_040.0) -> None:
        super().__init__(start=start)
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._order = 0

    @override
    def now(self) -> float:
        return self._now

    @override
    async def sleep(self, seconds: float) -> None:
        await self.wait(asyncio.Event(), seconds)

    @override
    async def wait(self, woken: asyncio.Event, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._order += 1
        entry = (self._now + seconds, self._order, woken)
        heapq.heappush(self._sleepers, entry)
        await woken.wait()
        if entry in self._sleepers:
            self._sleepers.remove(entry)
            heapq.heapify(self._sleepers)

    def move(self, seconds: float) -> None:
        """Move time for code that never sleeps."""
        self._now += seconds

    async def advance(self, seconds: float) -> None:
        """Move time step by step, letting every sleeper run at its own moment."""
        until = self._now + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self._now, _, woken = heapq.heappop(self._sleepers)
            woken.set()
            await _settle()
        self._now = until


async def _settle() -> None:
    """Let tasks that are ready run until they sleep again."""
    for _ in range(5):
        await asyncio.sleep(0)


class DeviceClock:
    """What a device believes the time is: true time plus skew, or seconds since boot while it never synchronised."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.skew_s = 0.0
        self.synced = True
        self.booted = clock.now()

    def now(self) -> float:
        """Unix seconds as the device believes."""
        return self.at(self._clock.now())

    def at(self, true_ts: float) -> float:
        """The device's time at a true time."""
        return true_ts + self.offset

    @property
    def offset(self) -> float:
        """The device's time minus true time."""
        return self.skew_s if self.synced else -self.booted
