"""One device: when it is asked, and where it lives."""

import asyncio

import pytest

from shelly_core import RpcError
from shelly_exporter.settings import Devices as Settings
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, stage, until

QUESTIONS = ["Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"]


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
