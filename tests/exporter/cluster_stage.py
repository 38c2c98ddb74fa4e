"""Several members and a real Redis. What is sampled, is sampled all the time: who holds what, against the leases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis

from shelly_exporter.cluster import Cluster
from shelly_exporter.cluster.rendezvous import owner
from shelly_exporter.settings import Cluster as ClusterSettings
from tests.exporter.cluster_member import FAST
from tests.stack.processes import wait_until
from tests.stack.redis_server import RedisServer

DEVICES = [f"shellypro3em-{number:012x}" for number in range(30)]
PREFIX = "{shelly-exporter:house}"
TAKEN_OVER_S = FAST.lease_s + 3 * FAST.renew_s + 1.0
"""The bound of the docstring, and a second for two busy cores."""


class Member:
    """A running instance, and what it was told of each device."""

    def __init__(self, url: str, name: str, **options: Any) -> None:
        self.changes: list[tuple[str, bool]] = []
        settings = ClusterSettings(group="house", redis_url=url)
        self.cluster = Cluster(
            settings, name, on_change=lambda *change: self.changes.append(change), timing=FAST, **options
        )
        self.task = asyncio.create_task(self.cluster.run())

    @property
    def holds(self) -> set[str]:
        return {device for device in DEVICES if self.cluster.holds(device)}

    @property
    def told(self) -> set[str]:
        """What it holds, by what `on_change` said."""
        return {device for device, held in dict(self.changes).items() if held}

    async def stop(self) -> None:
        """End orderly."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def crash(self) -> None:
        """End as a process does that is killed: nothing is said to Redis, and nobody asks it any more."""

        async def nothing(_store: object) -> None:
            return

        self.cluster._leave = nothing  # type: ignore[method-assign, assignment]
        await self.stop()
        assert self.cluster._store is not None
        await self.cluster._store.close()


@asynccontextmanager
async def group(url: str, *names: str, known: bool = True) -> AsyncIterator[list[Member]]:
    """Members that have shared the devices among them."""
    async with AsyncExitStack() as undo:
        members = [Member(url, name) for name in names]
        for member in members:
            undo.push_async_callback(member.stop)
        if known:
            for device in DEVICES:
                await members[0].cluster.remember(device, {"prefix": device})
            await shared(members)
        yield members


async def shared(members: list[Member], deadline_s: float = TAKEN_OVER_S) -> float:
    """Wait until each device has one holder, the member that it belongs to."""
    names = {member.cluster._name for member in members}

    def right() -> bool:
        return all(
            member.holds
            == member.told
            == {device for device in DEVICES if owner(device, names) == member.cluster._name}
            for member in members
        )

    return await wait_until(right, deadline_s, "each device has the holder it belongs to", interval_s=0.01)


@asynccontextmanager
async def watched(server: RedisServer, members: list[Member]) -> AsyncIterator[Counter[str]]:
    """Sample while the body runs: nobody may hold what another has the lease of, nor two the same."""
    seen: Counter[str] = Counter()
    faults: list[str] = []
    done = asyncio.Event()

    async def sample() -> None:
        async with Redis.from_url(server.url, decode_responses=True) as client:
            keys = [f"{PREFIX}:lease:{device}" for device in DEVICES]
            while not done.is_set():
                present = tuple(members)  # who comes or goes meanwhile is looked at the next time
                before = [member.holds for member in present]
                leases = await client.mget(keys)
                after = [member.holds for member in present]
                for device, token in zip(DEVICES, leases, strict=True):
                    # It held before and after, so it did while Redis was asked.
                    holders = [
                        member.cluster
                        for member, was, still in zip(present, before, after, strict=True)
                        if device in was & still
                    ]
                    seen["held" if holders else "not held"] += 1
                    if len(holders) > 1:
                        faults.append(f"{device}: {[cluster._name for cluster in holders]} hold it")
                    faults.extend(
                        f"{device}: {cluster._name} holds it, the lease says {token!r}"
                        for cluster in holders
                        if token != cluster._token
                    )
                await asyncio.sleep(0.003)

    task = asyncio.create_task(sample())
    try:
        yield seen
    finally:
        done.set()
        await task
    assert faults == []
    assert seen["held"] > 5 * len(DEVICES)
