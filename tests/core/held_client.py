"""A client that holds a device in memory, and what a test looks at."""

import asyncio
from collections.abc import Callable
from typing import Any

from shelly_core import Client, SwitchStatus, Update
from tests.core.memory_link import MemoryLink

MAC = "E868E7A1B204"
READ_ALL = ["Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"]


class Clock:
    """A clock that stands until it is put forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def connected(link: MemoryLink, **kwargs: Any) -> Client:
    client = Client(link, source="me", **kwargs)
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
