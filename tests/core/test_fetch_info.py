"""Asking an address who lives there, against a real web server."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shelly_core import FrameError, LinkError, LinkTimeoutError, ShellyError, UnsupportedDeviceError, fetch_info
from tests.core.shelly_server import INFO, ShellyServer, cut, redirect, status_503


async def test_who_lives_here(device: ShellyServer, server: TestServer, session: aiohttp.ClientSession) -> None:
    device.password = "secret"
    assert server.port is not None
    info = await fetch_info(session, "127.0.0.1", server.port)
    assert (info.id, info.mac, info.auth_enabled) == (INFO["id"], INFO["mac"], True)


async def first_generation(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"type": "SHEM-3", "mac": "E868E7A1C5F0", "auth": False})


async def something_else(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>")


async def never(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (first_generation, UnsupportedDeviceError),
        (something_else, FrameError),
        (status_503, LinkError),
        (redirect, LinkError),
        (cut, LinkError),
        (never, LinkTimeoutError),
    ],
)
async def test_who_does_not_live_here(
    device: ShellyServer,
    server: TestServer,
    session: aiohttp.ClientSession,
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    expected: type[ShellyError],
) -> None:
    device.answer = answer
    assert server.port is not None
    with pytest.raises(expected) as caught:
        await fetch_info(session, "127.0.0.1", server.port, timeout_s=0.2)
    assert type(caught.value) is expected
