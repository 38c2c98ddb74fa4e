"""An independent client, aioshelly, takes every simulated device for a real one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aioshelly.common import ConnectionOptions, get_info
from aioshelly.exceptions import InvalidAuthError
from aioshelly.rpc_device import RpcDevice, RpcUpdateType, WsServer

from tests.fidelity.conftest import RunFleet
from tests.simulator.auth import NONCE_LIFETIME_S
from tests.simulator.clock import ManualClock
from tests.simulator.fleet import Fleet
from tests.simulator.options import from_mapping
from tests.simulator.unit import Unit
from tests.stack.processes import wait_until

PASSWORD = "correct horse"
METERS = {
    "pro3em": ("em:0", "total_act_power"),
    "pro3em400": ("em:0", "total_act_power"),
    "pro3em-mono": ("em1:0", "act_power"),
}


@asynccontextmanager
async def client(unit: Unit, password: str | None) -> AsyncIterator[RpcDevice]:
    user = None if password is None else "admin"
    options = ConnectionOptions("127.0.0.1", user, password, port=unit.http.port, device_mac=unit.device.mac)
    async with aiohttp.ClientSession() as session:
        info = await get_info(session, "127.0.0.1", unit.device.mac, unit.http.port)
        assert info["auth_en"] is (unit.device.auth_ha1 is not None)
        device = await RpcDevice.create(session, WsServer(), options)
        try:
            yield device
        finally:
            await device.shutdown()


async def next_status(device: RpcDevice, cause: Any) -> None:
    """Run `cause` and return when the device has told something after it."""
    told = asyncio.Event()

    def listen(_: RpcDevice, kind: RpcUpdateType) -> None:
        if kind is RpcUpdateType.STATUS:
            told.set()

    device.subscribe_updates(listen)
    await cause()
    async with asyncio.timeout(10):
        await told.wait()


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["open", "password"])
@pytest.mark.parametrize("firmware", ["1.1.0", "1.4.4", "1.7.5", "2.0.1"])
async def test_relays(run_fleet: RunFleet, firmware: str, password: str | None) -> None:
    line = {"model": "pro3", "firmware": firmware} | ({} if password is None else {"password": password})
    unit = (await run_fleet(line)).unit("pro3")
    async with client(unit, password) as device:
        await device.initialize()
        assert device.firmware_supported
        assert device.version == firmware
        for number in range(3):
            for on in (True, False):
                await next_status(device, lambda number=number, on=on: device.switch_set(number, on))
                assert device.status[f"switch:{number}"]["output"] is on
                assert unit.device.switchboard.relays[number].output is on


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["open", "password"])
@pytest.mark.parametrize("firmware", ["1.1.0", "1.4.4", "1.7.5", "2.0.1"])
@pytest.mark.parametrize("model", list(METERS))
async def test_meters(run_fleet: RunFleet, model: str, firmware: str, password: str | None) -> None:
    line = {"model": model, "firmware": firmware} | ({} if password is None else {"password": password})
    unit = (await run_fleet(line, cadence=0.2)).unit(model)
    key, field = METERS[model]
    async with client(unit, password) as device:
        await device.initialize()
        assert device.firmware_supported
        before = device.status[key][field]

        async def add_load() -> None:
            unit.device.set_load("a", power_w=2000.0)

        await next_status(device, add_load)
        await wait_until(lambda: device.status[key][field] > before + 1000, 10, "the load shows")
        await device.poll()


@pytest.mark.parametrize("firmware", ["1.7.5", "2.0.1"])
async def test_wrong_password_is_noticed(run_fleet: RunFleet, firmware: str) -> None:
    unit = (await run_fleet({"model": "pro3", "firmware": firmware, "password": PASSWORD})).unit("pro3")
    async with client(unit, "wrong") as device:
        with pytest.raises(InvalidAuthError):
            await device.initialize()


async def test_an_expired_nonce_costs_one_retry() -> None:
    clock = ManualClock()
    fleet = Fleet(from_mapping({"devices": [{"model": "pro3", "firmware": "2.0.1", "password": PASSWORD}]}), clock)
    async with fleet:
        unit = fleet.unit("pro3")
        async with client(unit, PASSWORD) as device:
            await device.initialize()
            clock.move(NONCE_LIFETIME_S)
            await device.switch_set(0, value=True)
            assert unit.device.switchboard.relays[0].output


async def test_reboot_and_update_as_asked_by_a_client(run_fleet: RunFleet) -> None:
    unit = (await run_fleet({"model": "pro3em", "firmware": "1.4.4"}, speed=60.0)).unit("pro3em")
    events: list[str] = []
    async with client(unit, None) as device:
        await device.initialize()

        def listen(changed: RpcDevice, kind: RpcUpdateType) -> None:
            if kind is RpcUpdateType.EVENT and changed.event is not None:
                events.extend(event["event"] for event in changed.event["events"])

        device.subscribe_updates(listen)
        await device.trigger_ota_update()
        await wait_until(lambda: not device.connected, 20, "the device restarts")
        assert events[0] == "ota_begin"
        assert "ota_progress" in events
        assert "ota_success" in events
    await wait_until(lambda: unit.http.is_open, 10, "the device is back")
    async with client(unit, None) as device:
        await device.initialize()
        assert device.version == "2.0.1"
