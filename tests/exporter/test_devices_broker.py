"""The broker comes and goes, devices leave it, leases come and go, and it drops messages."""

import asyncio

from structlog.testing import capture_logs

from shelly_core import Transport
from shelly_exporter.devices import DROPPED, Dropped
from shelly_exporter.settings import Devices as DeviceSettings
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, stage, until


@virtual_time
async def test_the_broker_comes_and_goes_for_all() -> None:
    shelly, late = Shelly(METER), Shelly(RELAYS)
    shelly.hosts = {"192.0.2.52"}
    async with stage(shelly, late, settings=DeviceSettings()) as world:
        worker = await world.connected(shelly)
        assert worker.client.active is Transport.MQTT
        world.lose_broker()
        await until(lambda: worker.client.active is Transport.HTTP, within_s=5)
        assert worker.client.health().broker is False
        # Who is met meanwhile knows it, too.
        world.devices.remember([late.remembered()])
        await asyncio.sleep(0.1)
        assert world.devices.workers[late.id].client.health().broker is False
        world.find_broker()
        for _ in range(10):
            world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}})
            await asyncio.sleep(1)
        assert worker.client.active is Transport.MQTT
        await until(lambda: world.is_connected(late.id))


@virtual_time
async def test_a_device_that_leaves_the_broker() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        shelly.silent = {"*"}
        # What is retained is of some time in the past, and the flag is known to stick.
        world.tell(f"{shelly.prefix}/online", b"false", retain=True)
        world.tell(f"{shelly.prefix}/online", b"true")
        await asyncio.sleep(15)
        assert worker.client.available
        world.tell(f"{shelly.prefix}/online", b"false")
        await until(lambda: not worker.client.available, within_s=15)


@virtual_time
async def test_a_lease_that_comes_and_goes() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        world.devices.holds = lambda device_id: device_id != shelly.id
        world.notify(shelly, {})
        worker = world.devices.workers[shelly.id]
        assert not worker.held
        world.devices.follow_lease(shelly.id, held=True)
        world.devices.follow_lease("shellypro3-000000000000", held=True)
        await until(lambda: world.is_connected(shelly.id))
        world.devices.follow_lease(shelly.id, held=False)
        assert not worker.held
        await asyncio.sleep(1)
        assert not world.is_connected(shelly.id)


@virtual_time
async def test_messages_that_the_broker_dropped() -> None:
    async with stage() as world:
        dropped = world.devices.dropped
        assert (dropped.total, dropped.at) == (None, -float("inf"))
        with capture_logs() as logs:
            for payload in (b"5", b"5", b"12", b"0", b"1", b"x", b"", b"-3", b"1.5", b"9" * 40, "٣".encode()):
                assert world.tell(DROPPED, payload, retain=True) == "taken"
        # What it had dropped before says nothing, and it may have started anew.
        assert [entry["messages"] for entry in logs] == [7, 1]
        assert (dropped.total, dropped.at) == (1, world.wall())


def test_the_moment_of_dropping_is_kept() -> None:
    dropped = Dropped()
    for total, now in ((3, 10.0), (4, 20.0), (4, 30.0)):
        dropped.take(b"%d" % total, now)
    assert (dropped.total, dropped.at) == (4, 20.0)
