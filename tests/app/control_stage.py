"""What the tests of the control daemon share: its settings, and a port that somebody listens on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from shelly_app.control.settings import Settings
from tests.stack.processes import free_port

OFFER = {"host": "a0d7b954-shelly-pro", "broker": True}


def control_settings(folder: Path, **others: Any) -> Settings:
    """Return settings with a broker of ours, as at a first start."""
    settings = Settings(
        port=free_port(),
        socket=folder / "logins.sock",
        memory=folder,
        log_level="info",
        role="Viewer",
        alert_token="token of the alerts",
        broker=True,
        hostname="a0d7b954-shelly-pro",
        mqtt_port=free_port(),
        homeassistant_password="password of Home Assistant",
        apps_password="password of apps",
        logins=(),
        services={},
        offer=OFFER,
    )
    return replace(settings, **others)


@contextlib.asynccontextmanager
async def listener(port: int) -> AsyncIterator[None]:
    """Listen on `port`, as a service does."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
    async with server:
        yield
