"""A client that holds a device in memory, and what a test looks at."""

import asyncio
from collections.abc import Callable
from typing import Any

from shelly_core import Client, SwitchStatus, Transport, Update
from tests.core.memory_link import NOW, MemoryLink

MAC = "E868E7A1B204"
READ_ALL = ["Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"]


class Clock:
    """A clock that stands until it is put forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def client_of(*links: MemoryLink, **kwargs: Any) -> Client:
    """A client whose wall clock stands at `NOW`, as that of the device does."""
    roads: dict[str, Any] = {link.transport: link for link in links}
    return Client(source="me", **roads, **{"wall": lambda: NOW, **kwargs})


async def connected(*links: MemoryLink, **kwargs: Any) -> Client:
    client = client_of(*links, **kwargs)
    await client.connect(MAC)
    return client


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until something is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is nothing to wait for but the loop itself
            await asyncio.sleep(0)


def relay(client: Client, key: str = "switch:0") -> SwitchStatus:
    status = client.device.get(key)
    assert isinstance(status, SwitchStatus)
    return status


def collect(client: Client) -> list[Update]:
    updates: list[Update] = []
    client.subscribe(updates.append)
    return updates


def bare(updates: list[Update]) -> list[Update]:
    """Updates as `told` makes them, without what only the tests of the intake look at."""
    return [update._replace(told={}, asked=False, stamp=None) for update in updates]


def told(
    *changed: str, events: Any = (), transport: Transport = Transport.MQTT, full: bool = False, ts: float | None = NOW
) -> Update:
    """An update, as of `NOW` if nothing else is said."""
    return Update(frozenset(changed), events, transport, full, ts, {})
