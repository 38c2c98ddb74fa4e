"""All devices: who is met, who is not, and how little those cost that make a noise."""

import pytest

from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, SOURCE, Shelly, stage, until


@virtual_time
async def test_a_device_is_met_by_what_it_tells() -> None:
    shelly = Shelly(METER, "house/cellar/meter")
    async with stage(shelly) as world:
        assert world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}}) == "taken"
        # Also what it told first is kept.
        assert [point.fields for point in world.points("em")] == [{"act_power": 1.5}]
        await until(lambda: world.is_connected(shelly.id))
        assert {topic for topic, _ in world.published} == {"house/cellar/meter/rpc"}
        assert world.devices.known[shelly.id].prefix == "house/cellar/meter"
        assert world.devices.known[shelly.id].heard_ts == pytest.approx(world.wall(), abs=1)
        assert world.devices.counts == {"taken": 1 + len(world.published)}


@virtual_time
async def test_a_device_that_tells_little_is_met_by_being_there() -> None:
    shelly = Shelly(RELAYS, "house/relays")
    async with stage(shelly) as world:
        assert world.tell("house/relays/online", b"true", retain=True) == "taken"
        (asked,) = world.published
        assert asked == (
            "house/relays/rpc",
            {"id": "house/relays", "src": SOURCE, "method": "Shelly.GetDeviceInfo"},
        )
        await until(lambda: world.is_connected(shelly.id))
        assert {point.tags["channel"] for point in world.points("switch")} == {"0", "1", "2"}
        # Nobody has to be asked who is known, or was asked.
        world.published.clear()
        world.tell("house/relays/online", b"true")
        for _ in range(3):
            world.tell("house/other/online", b"true", retain=True)
        assert [topic for topic, _ in world.published] == ["house/other/rpc"]
        # Unless the broker was away: an answer may have been lost.
        world.lose_broker()
        world.find_broker()
        world.tell("house/other/online", b"true", retain=True)
        assert world.published[-1][0] == "house/other/rpc"
        assert len(world.asked("house/other")) == 2


@virtual_time
async def test_who_is_not_there_is_not_asked() -> None:
    async with stage() as world:
        for payload in (b"false", b"", b"TRUE", b'{"online":true}'):
            assert world.tell("house/relays/online", payload, retain=True) == "taken"
        assert world.published == []


@virtual_time
async def test_without_a_broker_nobody_is_asked() -> None:
    async with stage(broker=False) as world:
        assert world.tell("house/relays/online", b"true", retain=True) == "taken"
        assert world.published == []
