"""The WebSocket road: who hears notifications, and the password inside frames."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.fidelity.conftest import RunFleet
from tests.simulator.unit import Unit
from tests.stack.processes import wait_until

PASSWORD = "correct horse"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@asynccontextmanager
async def connection(unit: Unit) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{unit.http.port}/rpc") as socket,
    ):
        yield socket


async def receive(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    frame: dict[str, Any] = await socket.receive_json(timeout=5)
    return frame


def auth(unit: Unit, nonce: Any, nc: int, password: str = PASSWORD) -> dict[str, Any]:
    secret = sha(f"admin:{unit.device.id}:{password}")
    response = sha(f"{secret}:{nonce}:{nc}:abc:auth:{sha('dummy_method:dummy_uri')}")
    fields = {"realm": unit.device.id, "username": "admin", "nonce": nonce, "nc": nc, "cnonce": "abc"}
    return fields | {"response": response, "algorithm": "SHA-256"}


async def test_nothing_is_told_before_a_client_has_a_name(run_fleet: RunFleet) -> None:
    unit = (await run_fleet({"model": "pro3", "firmware": "1.4.4"})).unit("pro3")
    async with connection(unit) as socket:
        await socket.send_json({"id": 1, "method": "Sys.GetStatus"})
        assert "dst" not in await receive(socket)
        unit.device.set_switch(0, True, "button")
        await socket.send_json({"id": 2, "src": "me", "method": "Sys.GetStatus"})
        assert (await receive(socket))["id"] == 2
        unit.device.set_switch(1, True, "button")
        frame = await receive(socket)
        assert list(frame) == ["src", "dst", "method", "params"]
        assert (frame["src"], frame["dst"], frame["method"]) == (unit.device.id, "me", "NotifyStatus")
        assert frame["params"]["switch:1"] == {"id": 1, "output": True, "source": "button"}


async def test_commands_carry_their_source(run_fleet: RunFleet) -> None:
    unit = (await run_fleet({"model": "pro3", "firmware": "1.7.5"})).unit("pro3")
    async with connection(unit) as socket:
        await socket.send_json({"id": 1, "src": "me", "method": "Switch.Set", "params": {"id": 0, "on": True}})
        told = await receive(socket)
        assert told["params"]["switch:0"] == {"output": True, "source": "WS_in"}, "a delta of 1.7 has no id"
        assert (await receive(socket))["result"] == {"was_on": False}, "what a command causes is told before its answer"


@pytest.mark.parametrize("firmware", ["1.1.0", "1.4.4", "1.7.5", "2.0.1"])
async def test_password_in_the_frame(run_fleet: RunFleet, firmware: str) -> None:
    unit = (await run_fleet({"model": "pro3", "firmware": firmware, "password": PASSWORD})).unit("pro3")
    request = {"id": 5, "src": "me", "method": "Sys.GetStatus"}
    async with connection(unit) as socket:
        await socket.send_json(request | {"method": "Shelly.GetDeviceInfo"})
        assert (await receive(socket))["result"]["auth_en"] is True
        await socket.send_json(request)
        refused = await receive(socket)
        assert list(refused) == ["id", "src", "dst", "error"]
        assert refused["error"]["code"] == 401
        challenge = json.loads(refused["error"]["message"])
        assert list(challenge) == ["auth_type", "nonce", "nc", "realm", "algorithm"]
        assert isinstance(challenge["nonce"], str if firmware.startswith("2") else int)
        unit.device.set_switch(0, True, "button")  # not for the ears of a stranger
        await socket.send_json(request | {"auth": auth(unit, challenge["nonce"], 1, "wrong")})
        again = await receive(socket)
        assert again["error"]["code"] == 401
        nonce = json.loads(again["error"]["message"])["nonce"]
        for nc in (1, 2, 3):
            await socket.send_json(request | {"auth": auth(unit, nonce, nc)})
            assert (await receive(socket))["result"]["mac"] == unit.device.mac
        unit.device.set_switch(0, False, "button")
        assert (await receive(socket))["method"] == "NotifyStatus"


@pytest.mark.parametrize("garbage", ["", "{", "[]", "null", '{"id":1}', '{"id":1,"method":"x","params":[]}'])
async def test_garbage_is_survived(run_fleet: RunFleet, garbage: str) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    async with connection(unit) as socket:
        await socket.send_str(garbage)
        await socket.send_bytes(b"\xff\xfe")
        await socket.send_json({"id": 9, "src": "me", "method": "Sys.GetStatus"})
        assert (await receive(socket))["id"] == 9


async def test_clients_are_told_apart_and_leave_no_channel_behind(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    for turn in range(10):
        async with connection(unit) as one, connection(unit) as two:
            for name, socket in (("one", one), ("two", two)):
                await socket.send_json({"id": 1, "src": name, "method": "Sys.GetStatus"})
                await receive(socket)
            unit.device.set_switch(0, turn % 2 == 0, "button")
            assert [(await receive(socket))["dst"] for socket in (one, two)] == ["one", "two"]
    async with connection(unit) as socket:
        await socket.send_json({"id": 1, "src": "me", "method": "Sys.GetStatus"})
        assert (await receive(socket))["id"] == 1


async def test_reboot_refuses_then_closes_then_serves_again(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3", speed=10.0)).unit("pro3")
    request = {"id": 1, "src": "me", "method": "Sys.GetStatus"}
    async with connection(unit) as socket:
        await socket.send_json(request | {"method": "Shelly.Reboot", "params": {"delay_ms": 3000}})
        assert (await receive(socket))["result"] is None
        await socket.send_json(request)
        error = (await receive(socket))["error"]
        assert error["code"] == -109
        assert error["message"].startswith("shutting down in ")
        assert (await socket.receive(timeout=5)).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        with pytest.raises(aiohttp.ClientConnectorError):
            async with connection(unit):
                pass
    await wait_until(lambda: unit.http.is_open, 5, "the device is back")
    async with connection(unit) as socket:
        await socket.send_json(request)
        assert (await receive(socket))["result"]["uptime"] < 60
