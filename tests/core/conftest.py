"""A Shelly's web server on the loopback interface."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

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
