"""The ledger counts what the web server answered and how many requests it served at the same time."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest

from tests.fidelity.conftest import RunFleet
from tests.fidelity.raw_http import get, post, request_bytes
from tests.simulator.unit import Unit
from tests.stack.processes import wait_until


async def ledger(unit: Unit, url: str, since: float = 0.0) -> dict[str, Any]:
    """Return the ledger as the control API shows it."""
    path = f"{url}/devices/{unit.device.id}/ledger"
    async with aiohttp.ClientSession() as session, session.get(path, params={"since": str(since)}) as response:
        read: dict[str, Any] = await response.json()
    return read


def counts(unit: Unit) -> dict[str, int]:
    found: dict[str, int] = unit.device.ledger.read()["http"]
    return found


def in_flight_max(unit: Unit) -> int:
    return int(unit.device.ledger.read()["http_in_flight_max"])


async def test_every_answer_is_counted_by_its_code(run_fleet: RunFleet) -> None:
    fleet = await run_fleet({"model": "pro3", "firmware": "2.0.1", "password": "secret"})
    unit = fleet.unit("pro3")
    port = unit.http.port
    assert (await ledger(unit, fleet.control_url))["http"] == {}
    assert (await get(port, "/shelly")).code == 200
    assert (await get(port, "/rpc/Sys.GetStatus")).code == 401
    assert (await post(port, "/rpc", {"id": 1, "method": "Sys.GetStatus"})).code == 401
    assert (await post(port, "/rpc", b"no frame")).code == 401
    unit.device.auth_ha1 = None
    assert (await post(port, "/rpc", b"no frame")).code == 400
    assert (await post(port, "/rpc", {"id": 1, "method": "Sys.GetStatus"})).code == 200
    assert (await get(port, "/rpc/Nothing.There")).code == 404
    assert (await get(port, "/rpc", Upgrade="websocket")).code == 400
    for status in (503, 429):
        unit.device.faults.inject("http_refusing", status=status)
        assert (await get(port, "/shelly")).code == status
    later = await ledger(unit, fleet.control_url, since=unit.device.clock.now() + 1)
    assert later["http"] == {"200": 2, "400": 2, "401": 3, "404": 1, "429": 1, "503": 1}
    assert later["frames"] == []
    assert later["http_in_flight_max"] == 1, "one after the other"


async def test_a_nonce_too_many_is_counted(run_fleet: RunFleet) -> None:
    unit = (await run_fleet({"model": "pro3", "firmware": "2.0.1", "password": "secret"})).unit("pro3")
    for _ in range(33):
        await get(unit.http.port, "/rpc/Sys.GetStatus")
    assert counts(unit) == {"401": 32, "429": 1}


async def test_a_websocket_counts_once_and_is_not_in_flight(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://127.0.0.1:{unit.http.port}/rpc") as socket:
            await socket.send_json({"id": 1, "src": "me", "method": "Sys.GetStatus"})
            await socket.receive_json(timeout=5)
            assert counts(unit) == {"101": 1}
            assert in_flight_max(unit) == 0
            assert (await get(unit.http.port, "/shelly")).code == 200
            assert in_flight_max(unit) == 1
        await wait_until(lambda: unit.http._sockets.count == 0, 5, "it is gone")
    assert counts(unit) == {"101": 1, "200": 1}


async def test_requests_at_the_same_time_are_seen(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    unit.device.faults.inject("slow", delay_s=0.3)
    await asyncio.gather(*(get(unit.http.port, "/shelly") for _ in range(3)))
    assert in_flight_max(unit) == 3
    unit.device.faults.clear()
    await get(unit.http.port, "/shelly")
    assert in_flight_max(unit) == 3, "the most there ever was"
    assert counts(unit) == {"200": 4}


async def test_a_seventh_connection_is_in_flight_and_counted_as_refused(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    unit.device.faults.inject("slow", delay_s=0.5)
    six = [asyncio.create_task(get(unit.http.port, "/shelly")) for _ in range(6)]
    await wait_until(lambda: in_flight_max(unit) == 6, 5, "all channels are taken")
    assert (await get(unit.http.port, "/shelly")).code == 503
    await asyncio.gather(*six)
    assert in_flight_max(unit) == 7
    assert counts(unit) == {"200": 6, "503": 1}


async def test_a_client_that_gives_up_is_no_longer_in_flight_and_got_no_answer(run_fleet: RunFleet) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    unit.device.faults.inject("slow", delay_s=0.5)
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", unit.http.port)
        writer.write(request_bytes("GET", "/shelly", b""))
        await asyncio.sleep(0.1)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await asyncio.sleep(0.05)
    assert in_flight_max(unit) == 1
    await asyncio.sleep(0.6)
    assert counts(unit) == {}


@pytest.mark.parametrize("mode", ["reset", "silent"])
async def test_what_breaks_off_is_no_answer(run_fleet: RunFleet, mode: str) -> None:
    unit = (await run_fleet("pro3")).unit("pro3")
    unit.device.faults.inject("http_cut", mode=mode)
    asking = asyncio.create_task(get(unit.http.port, "/shelly"))
    await asyncio.wait([asking], timeout=0.2)
    assert in_flight_max(unit) == 1
    unit.device.faults.clear()
    with pytest.raises(ConnectionResetError):
        await asking
    assert counts(unit) == {}
    assert (await get(unit.http.port, "/shelly")).code == 200
    assert in_flight_max(unit) == 1
