"""A Shelly's web server on the loopback interface."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from tests.core.http_road import OpenRoad, Road
from tests.core.shelly_server import ShellyServer


@pytest.fixture
def device() -> ShellyServer:
    return ShellyServer()


@pytest.fixture
async def server(device: ShellyServer) -> AsyncIterator[TestServer]:
    server = TestServer(device.application(), host="127.0.0.1")
    async with server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def road(session: aiohttp.ClientSession, server: TestServer) -> OpenRoad:
    async def open_road(password: str | None = None, timeout_s: float = 5.0) -> Road:
        assert server.port is not None
        return await Road(session, server.port, password, timeout_s).open()

    return open_road
