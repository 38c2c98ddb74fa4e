"""The web server on a free port, and what it answers."""

from collections.abc import Callable
from typing import Any

import aiohttp

from shelly_exporter.settings import Web as Settings
from shelly_exporter.web import Web

LOOPBACK = Settings(host="127.0.0.1", port=0)
WELL: dict[str, Any] = {"status": "ok", "reason": None, "hops": []}


def web(
    settings: Settings = LOOPBACK,
    *,
    health: Callable[[], dict[str, Any]] = lambda: WELL,
    metrics: Callable[[], bytes] = lambda: b"up 1\n",
) -> Web:
    return Web(settings, health=health, metrics=metrics)


async def get(server: Web, path: str, *, method: str = "GET", host: str | None = None) -> tuple[int, str]:
    headers = {} if host is None else {"Host": host}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session,
        session.request(method, path, headers=headers) as response,
    ):
        return response.status, await response.text()
