"""The HTTP link against a real web server on the loopback interface."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shelly_core import (
    AuthError,
    Client,
    FrameError,
    HttpLink,
    LinkClosedError,
    LinkError,
    LinkTimeoutError,
    Transport,
    fetch_info,
)
from shelly_core.auth import THROTTLE_S
from shelly_core.frame import MAX_FRAME_BYTES, encode_request
from tests.core.http_road import OpenRoad, Road, no_signal
from tests.core.shelly_server import INFO, ShellyServer, cut, half, redirect

PASSWORD = "correct horse"


async def test_a_frame_is_posted_and_its_reply_passed_on(device: ShellyServer, road: OpenRoad) -> None:
    way = await road()
    assert way.link.transport is Transport.HTTP
    await way.ask()
    assert json.loads(way.frames[0])["result"] == {"echo": {"x": 1}}
    assert device.record == [(200, None, None)]


async def test_one_request_at_a_time(device: ShellyServer, road: OpenRoad) -> None:
    way = await road()
    await asyncio.gather(*(way.ask() for _ in range(5)))
    assert way.answered == [1, 2, 3, 4, 5]
    assert device.most_in_flight == 1


async def test_one_nonce_and_a_count_from_one(device: ShellyServer, road: OpenRoad) -> None:
    device.password = PASSWORD
    way = await road(PASSWORD)
    await asyncio.gather(*(way.ask() for _ in range(3)))
    assert device.record == [
        (401, None, None),
        (200, "n1", "00000001"),
        (200, "n1", "00000002"),
        (200, "n1", "00000003"),
    ]
    assert way.answered == [1, 2, 3]


async def test_a_stale_nonce_is_replaced_once_and_counted_from_one_again(device: ShellyServer, road: OpenRoad) -> None:
    device.password = PASSWORD
    way = await road(PASSWORD)
    await way.ask()
    await way.ask()
    device.forget_nonces()
    await way.ask()
    await way.ask()
    assert device.record[2:] == [
        (200, "n1", "00000002"),
        (401, "n1", "00000003"),
        (200, "n2", "00000001"),
        (200, "n2", "00000002"),
    ]
    assert way.answered == [1, 2, 3, 4]


async def test_a_device_that_takes_no_nonce_is_left_alone(device: ShellyServer, road: OpenRoad) -> None:
    device.password = PASSWORD
    device.always_stale = True
    way = await road(PASSWORD)
    with pytest.raises(LinkError) as caught:
        await way.ask()
    assert not isinstance(caught.value, AuthError)
    assert caught.value.retry_after_s == THROTTLE_S
    assert device.statuses == [401, 401]


async def test_a_wrong_password_is_tried_once(device: ShellyServer, road: OpenRoad) -> None:
    device.password = PASSWORD
    way = await road("wrong")
    with pytest.raises(AuthError, match="refused the password"):
        await way.ask()
    assert device.record == [(401, None, None), (401, "n1", "00000001")]
    # The next try starts afresh and does not replay a dead nonce, which would feed the throttle.
    with pytest.raises(AuthError):
        await way.ask()
    assert device.record[2:] == [(401, None, None), (401, "n3", "00000001")]
    assert way.frames == []


async def test_no_password_where_one_is_wanted(device: ShellyServer, road: OpenRoad) -> None:
    device.password = PASSWORD
    way = await road()
    with pytest.raises(AuthError, match="wants a password"):
        await way.ask()
    assert device.statuses == [401]


async def test_a_password_where_none_is_wanted(device: ShellyServer, road: OpenRoad) -> None:
    way = await road(PASSWORD)
    await way.ask()
    assert device.record == [(200, None, None)]


async def strange_challenge(_request: web.Request) -> web.StreamResponse:
    challenge = 'Digest qop="auth", realm="r", nonce="1", algorithm=SHA-256, domain="http://[/"'
    return web.Response(status=401, headers={"WWW-Authenticate": challenge})


async def unknown_algorithm(_request: web.Request) -> web.StreamResponse:
    challenge = 'Digest qop="auth", realm="r", nonce="1", algorithm=ROT-13'
    return web.Response(status=401, headers={"WWW-Authenticate": challenge})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (redirect, "302"),
        (cut, "the device closed the connection"),
        (half, "HTTP"),
        (strange_challenge, "HTTP"),
        (unknown_algorithm, "ROT-13"),
    ],
)
async def test_what_is_no_answer_is_a_link_error(
    device: ShellyServer,
    road: OpenRoad,
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    message: str,
) -> None:
    device.answer = answer
    way = await road(PASSWORD)
    with pytest.raises(LinkError, match=message) as caught:
        await way.ask()
    assert not isinstance(caught.value, LinkTimeoutError)
    assert caught.value.retry_after_s is None
    assert way.frames == []
    device.answer = None
    await way.ask()
    assert len(way.frames) == 1


async def test_an_answer_longer_than_a_frame(device: ShellyServer, road: OpenRoad) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" " * 65_536)
        raise AssertionError("all of it was read")

    device.answer = endless
    way = await road()
    with pytest.raises(FrameError, match="too long"):
        await way.ask()

    async def longest(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b" " * MAX_FRAME_BYTES)

    device.answer = longest
    await way.ask()
    assert len(way.frames[0]) == MAX_FRAME_BYTES


async def test_no_answer_in_time(device: ShellyServer, road: OpenRoad) -> None:
    gone = asyncio.Event()

    async def slow(_request: web.Request) -> web.StreamResponse:
        await gone.wait()
        return web.Response()

    device.answer = slow
    way = await road(timeout_s=0.1)
    started = time.monotonic()
    with pytest.raises(LinkTimeoutError):
        await way.ask()
    assert time.monotonic() - started < 2
    gone.set()
    device.answer = None
    await way.ask()
    assert way.answered == [2]


async def test_nobody_listens(session: aiohttp.ClientSession) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, but not listening: connections are refused
        port = reserved.getsockname()[1]
        way = await Road(session, port, None).open()
        with pytest.raises(LinkError, match="no connection") as caught:
            await way.ask()
        assert not isinstance(caught.value, LinkTimeoutError)
        with pytest.raises(LinkError):
            await fetch_info(session, "127.0.0.1", port)


async def test_a_link_that_is_not_open(device: ShellyServer, road: OpenRoad) -> None:
    way = await road()
    await way.link.close()
    await way.link.close()
    with pytest.raises(LinkClosedError):
        await way.ask()
    assert device.record == []
    await way.open()
    await way.ask()
    assert way.answered == [2]


async def test_closed_while_an_answer_is_under_way(device: ShellyServer, road: OpenRoad) -> None:
    way = await road()
    asking = asyncio.create_task(way.ask())
    await device.asked.wait()
    await way.link.close()
    with pytest.raises(LinkClosedError):
        await asking
    assert way.frames == []


async def test_ipv6(device: ShellyServer, session: aiohttp.ClientSession) -> None:
    try:
        server = TestServer(device.application(), host="::1")
        await server.start_server()
    except OSError:
        pytest.skip("no IPv6 here")
    try:
        assert server.port is not None
        for host in ("::1", "[::1]"):
            link = HttpLink(session, host, port=server.port)
            frames: list[bytes] = []
            await link.open(frames.append, no_signal)
            await link.send(encode_request(1, "me", "Echo", None))
            assert len(frames) == 1
            assert (await fetch_info(session, host, server.port)).mac == INFO["mac"]
    finally:
        await server.close()


@pytest.mark.parametrize("host", ["", "a b", "host/path", "user@host"])
async def test_hosts_that_are_none(session: aiohttp.ClientSession, host: str) -> None:
    with pytest.raises(LinkError, match="no address"):
        HttpLink(session, host)
    with pytest.raises(LinkError, match="no address"):
        await fetch_info(session, host)


async def test_a_client_over_http(device: ShellyServer, server: TestServer, session: aiohttp.ClientSession) -> None:
    results = {"Shelly.GetDeviceInfo": INFO, "Shelly.GetConfig": {}, "Shelly.GetStatus": {"switch:0": {"output": True}}}

    async def answer(request: web.Request) -> web.StreamResponse:
        frame = await request.json()
        return web.json_response({"id": frame["id"], "src": INFO["id"], "result": results[frame["method"]]})

    device.password = PASSWORD
    device.answer = answer
    assert server.port is not None
    http = HttpLink(session, "127.0.0.1", port=server.port, password=PASSWORD)
    client = Client(source="me", http=http)
    found = await client.connect(str(INFO["mac"]))
    assert found.keys("switch") == ("switch:0",)
    assert device.statuses == [401, 200, 200, 200]
    await client.close()
