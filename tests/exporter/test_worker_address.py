"""Where a device lives, as it tells by itself."""

import asyncio

import pytest

from shelly_core import Transport
from shelly_exporter.settings import Devices as Settings
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, Shelly, stage, until


def told_at(shelly: Shelly, *, wired: str | None, wireless: str | None) -> None:
    shelly.status["eth"]["ip"] = wired
    shelly.status["wifi"]["sta_ip"] = wireless
    shelly.hosts = {host for host in (wired, wireless) if host is not None}


@pytest.mark.parametrize(
    ("wired", "wireless", "host"),
    [
        ("192.0.2.1", "192.0.2.2", "192.0.2.1"),
        (None, "192.0.2.2", "192.0.2.2"),
        ("::", "192.0.2.2", "192.0.2.2"),
        ("", "fe80::1", "fe80::1"),
        ("not an address/", None, None),
        (None, None, None),
    ],
)
@virtual_time
async def test_a_device_tells_where_it_lives(wired: str | None, wireless: str | None, host: str | None) -> None:
    shelly = Shelly(METER)
    told_at(shelly, wired=wired, wireless=wireless)
    async with stage(shelly, settings=Settings(password="secret")) as world:
        await world.connected(shelly)
        await asyncio.sleep(1)
        assert {dialled[:2] for dialled in world.dialled} == ({(host, 80)} if host else set())
        assert {password for *_, password in world.dialled} <= {"secret"}
        assert world.devices.known[shelly.id].address == (None if host is None else (host, 80))


@virtual_time
async def test_a_device_that_moves_is_followed() -> None:
    shelly = Shelly(METER)
    told_at(shelly, wired=None, wireless="192.0.2.2")
    async with stage(shelly, settings=Settings()) as world:
        worker = await world.connected(shelly)
        told_at(shelly, wired=None, wireless="192.0.2.9")
        world.notify(shelly, {"wifi": {"sta_ip": "192.0.2.9", "status": "got ip"}})
        await until(lambda: worker.known.address == ("192.0.2.9", 80), within_s=10)
        # Nothing more happens when it says so again, as it does in each status.
        asked = world.asked(shelly.prefix).count("Shelly.GetConfig")
        for _ in range(10):
            world.notify(shelly, {"wifi": {"sta_ip": "192.0.2.9", "status": "got ip"}})
            await asyncio.sleep(1)
        assert world.asked(shelly.prefix).count("Shelly.GetConfig") == asked
        # And it is reached there when MQTT is gone.
        world.pipeline.lines.clear()
        world.lose_broker()
        await until(lambda: worker.client.active is Transport.HTTP)
        await until(lambda: bool(world.points("em_wide")))
        assert {point.fields["origin"] for point in world.points("em_wide")} == {"http"}


@virtual_time
async def test_a_remembered_address_is_not_for_ever() -> None:
    shelly = Shelly(METER)
    told_at(shelly, wired="192.0.2.9", wireless=None)
    known = shelly.remembered("192.0.2.1")
    async with stage(shelly, settings=Settings(), known=[known]) as world:
        await until(lambda: world.is_connected(shelly.id))
        await asyncio.sleep(1)
        assert world.dialled == [("192.0.2.1", 80, None), ("192.0.2.9", 80, None)]
        assert world.devices.known[shelly.id].address == ("192.0.2.9", 80)


@virtual_time
async def test_an_address_that_is_set_stays() -> None:
    shelly = Shelly(METER)
    told_at(shelly, wired="192.0.2.9", wireless=None)
    settings = Settings(addresses={shelly.id: "meter.example:8080"})
    async with stage(shelly, settings=settings) as world:
        await world.connected(shelly)
        world.notify(shelly, {"eth": {"ip": "192.0.2.10"}})
        await asyncio.sleep(10)
        assert world.dialled == [("meter.example", 8080, None)]
        assert world.devices.known[shelly.id].address == ("meter.example", 8080)


@virtual_time
async def test_without_http_no_address_matters() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        world.notify(shelly, {"eth": {"ip": "192.0.2.10"}})
        await asyncio.sleep(10)
        assert world.dialled == []
        assert world.asked(shelly.prefix).count("Shelly.GetConfig") == 1


@virtual_time
async def test_where_it_lives_is_taken_from_no_stranger() -> None:
    """Before it has answered, nobody knows what it may have told before."""
    shelly = Shelly(METER)
    shelly.silent = {"*"}
    async with stage(shelly, settings=Settings()) as world:
        world.notify(shelly, {"eth": {"ip": "192.0.2.10"}})
        await asyncio.sleep(10)
        assert world.dialled == []
