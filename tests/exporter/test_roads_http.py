"""The road over HTTP, to an address that is told late and may change."""

import asyncio

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from shelly_core import AuthError, LinkClosedError, LinkError, Transport
from shelly_core.frame import encode_request
from shelly_exporter.devices.roads import HttpRoad
from tests.core.conftest import device, server, session
from tests.core.shelly_server import ShellyServer
from tests.exporter.device_stage import no_signal

__all__ = ["device", "server", "session"]

REQUEST = encode_request(1, "me", "Echo", None)


def no_frame(_frame: bytes) -> None:
    raise AssertionError


async def test_an_address_is_needed(session: aiohttp.ClientSession) -> None:
    road = HttpRoad(session, None)
    assert road.transport is Transport.HTTP
    assert road.address is None
    await road.open(no_frame, no_signal)
    with pytest.raises(LinkClosedError, match="address is not known"):
        await road.send(REQUEST)
    await road.close()


@pytest.mark.parametrize("moved_first", [True, False])
async def test_a_request_over_http(session: aiohttp.ClientSession, server: TestServer, *, moved_first: bool) -> None:
    road, frames = HttpRoad(session, None), list[bytes]()
    steps = [road.move("127.0.0.1", server.port or 0), road.open(frames.append, no_signal)]
    for step in steps if moved_first else reversed(steps):
        await step
    await road.send(REQUEST)
    assert len(frames) == 1
    assert b'"id": 1' in frames[0]
    assert road.address == ("127.0.0.1", server.port)


async def test_a_closed_road_passes_nothing_on(session: aiohttp.ClientSession, server: TestServer) -> None:
    road = HttpRoad(session, None)
    await road.move("127.0.0.1", server.port or 0)
    await road.open(no_frame, no_signal)
    await road.close()
    with pytest.raises(LinkClosedError):
        await road.send(REQUEST)
    # Nor does it after a move.
    await road.move("localhost", server.port or 0)
    with pytest.raises(LinkClosedError):
        await road.send(REQUEST)


async def test_a_device_that_moves_is_found_again(
    session: aiohttp.ClientSession, server: TestServer, device: ShellyServer
) -> None:
    road, frames = HttpRoad(session, None), list[bytes]()
    await road.move("127.0.0.1", 1)
    await road.open(frames.append, no_signal)
    with pytest.raises(LinkError):
        await road.send(REQUEST)
    await road.move("127.0.0.1", server.port or 0)
    await road.send(REQUEST)
    assert (len(frames), len(device.record)) == (1, 1)


async def test_who_waits_at_the_old_address_gets_no_late_answer(
    session: aiohttp.ClientSession, server: TestServer, device: ShellyServer
) -> None:
    road, frames = HttpRoad(session, None), list[bytes]()
    await road.move("127.0.0.1", server.port or 0)
    await road.open(frames.append, no_signal)
    asking = asyncio.create_task(road.send(REQUEST))
    await device.asked.wait()
    await road.move("127.0.0.2", 1)
    with pytest.raises(LinkClosedError):
        await asking
    assert frames == []


async def test_a_move_to_the_same_address_keeps_the_credentials(
    session: aiohttp.ClientSession, server: TestServer, device: ShellyServer
) -> None:
    device.password = "secret"
    road, frames = HttpRoad(session, "secret"), list[bytes]()
    await road.open(frames.append, no_signal)
    for _ in range(3):
        await road.move("127.0.0.1", server.port or 0)
        await road.send(REQUEST)
    assert len(frames) == 3
    # One challenge for all: a second one would be a new link that knows no nonce.
    assert device.statuses == [401, 200, 200, 200]


async def test_a_wrong_password_is_said(
    session: aiohttp.ClientSession, server: TestServer, device: ShellyServer
) -> None:
    device.password = "secret"
    road = HttpRoad(session, None)
    await road.move("127.0.0.1", server.port or 0)
    await road.open(no_frame, no_signal)
    with pytest.raises(AuthError):
        await road.send(REQUEST)


async def test_what_is_no_address_changes_nothing(session: aiohttp.ClientSession, server: TestServer) -> None:
    road, frames = HttpRoad(session, None), list[bytes]()
    await road.move("127.0.0.1", server.port or 0)
    await road.open(frames.append, no_signal)
    with pytest.raises(LinkError, match="no address"):
        await road.move("not an address/")
    await road.send(REQUEST)
    assert len(frames) == 1
