"""An HTTP link to the server of a test, with what came over it."""

import json
from collections.abc import Awaitable, Callable

import aiohttp

from shelly_core import HttpLink, Signal
from shelly_core.frame import encode_request


def no_signal(signal: Signal, reason: str) -> None:
    """There is no broker on this road."""
    raise AssertionError((signal, reason))


class Road:
    """A link to the server, opened, with what came over it."""

    def __init__(self, session: aiohttp.ClientSession, port: int, password: str | None, timeout_s: float = 5.0) -> None:
        self.link = HttpLink(session, "127.0.0.1", port=port, password=password, timeout_s=timeout_s)
        self.frames: list[bytes] = []
        self._ids = iter(range(1, 1000))

    async def open(self) -> Road:
        await self.link.open(self.frames.append, no_signal)
        return self

    async def ask(self) -> None:
        await self.link.send(encode_request(next(self._ids), "me", "Echo", {"x": 1}))

    @property
    def answered(self) -> list[int]:
        return [json.loads(frame)["id"] for frame in self.frames]


type OpenRoad = Callable[..., Awaitable[Road]]
