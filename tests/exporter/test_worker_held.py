"""One device: when it is asked, and where it lives."""

import asyncio

import pytest

from shelly_core import RpcError, Transport
from shelly_exporter.settings import Devices as Settings
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, stage, until

QUESTIONS = ["Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"]


# Held, and connected.


@virtual_time
async def test_a_device_is_asked_only_while_it_is_held() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        world.devices.holds = lambda _device_id: False
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}})
        worker = world.devices.workers[shelly.id]
        await asyncio.sleep(600)
        assert (worker.held, world.published) == (False, [])
        worker.hold(held=True)
        await until(lambda: world.is_connected(shelly.id))
        assert world.asked(shelly.prefix)[:3] == QUESTIONS
        # Released: it is not asked, but what it tells is kept.
        worker.hold(held=False)
        await asyncio.sleep(1)
        asked = len(world.published)
        await asyncio.sleep(600)
        assert len(world.published) == asked
        world.pipeline.lines.clear()
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 2.5}})
        assert world.points("em")[0].fields == {"act_power": 2.5}
        worker.hold(held=True)
        await until(lambda: world.is_connected(shelly.id))
        assert len(world.published) > asked


@virtual_time
async def test_a_device_that_goes_while_it_is_being_connected() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        world.notify(shelly, {})
        worker = world.devices.workers[shelly.id]
        await until(lambda: bool(world.published))
        worker.hold(held=False)
        await asyncio.sleep(600)
        assert not world.is_connected(shelly.id)
        assert len(world.published) <= 4


@virtual_time
async def test_a_silent_device_is_tried_again_when_it_is_heard() -> None:
    shelly = Shelly(METER)
    shelly.silent = {"*"}
    async with stage(shelly) as world:
        world.notify(shelly, {})
        await asyncio.sleep(300)
        tried = len(world.published)
        assert 3 < tried < 15, "it is tried again by itself, but less and less often"
        await until(lambda: len(world.published) > tried)
        await asyncio.sleep(4)  # so that the attempt is over, and the next one nearly a minute away
        shelly.silent = set()
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}})
        await until(lambda: world.is_connected(shelly.id), within_s=3)


@virtual_time
async def test_a_silent_device_is_found_without_being_heard() -> None:
    shelly = Shelly(METER)
    shelly.silent = {"*"}
    async with stage(shelly) as world:
        world.notify(shelly, {})
        await asyncio.sleep(60)
        shelly.silent = set()
        await until(lambda: world.is_connected(shelly.id), within_s=65)


@virtual_time
async def test_a_device_is_not_asked_before_it_is_known_if_there_is_a_broker() -> None:
    shelly = Shelly(METER)
    shelly.hosts = {"192.0.2.52"}
    known = shelly.remembered("192.0.2.52")
    async with stage(shelly, settings=Settings(), known=[known], broker=False) as world:
        await asyncio.sleep(1)
        assert world.dialled == []
        await until(lambda: world.is_connected(shelly.id))
        assert {point.fields["origin"] for point in world.points("em_wide")} == {"http"}


@virtual_time
async def test_other_settings_on_the_device_are_read_again() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        shelly.info["name"] = "Garage"
        world.happen(shelly, {"component": "sys", "event": "config_changed", "ts": world.wall(), "cfg_rev": 33})
        await until(lambda: world.asked(shelly.prefix).count("Shelly.GetConfig") == 2)
        await until(lambda: world.points("device")[-1].fields.get("name") == "Garage")
        assert world.devices.known[shelly.id].info.name == "Garage"


@virtual_time
async def test_a_question_to_the_device() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        assert await worker.call("Switch.GetStatus", {"id": 1}) == shelly.status["switch:1"]
        shelly.errors["EMData.GetRecords"] = {"code": 404, "message": "No handler"}
        with pytest.raises(RpcError):
            await worker.call("EMData.GetRecords", {"id": 0})


@virtual_time
async def test_the_last_will_is_taken() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        shelly.silent = {"*"}
        assert worker.client.available
        worker.leave()
        await until(lambda: not worker.client.available, within_s=20)


# Where it lives.


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
