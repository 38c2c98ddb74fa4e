"""Who lies, who makes a noise, and topics that change hands: what that costs, and that nothing is lost by it."""

import pytest

from shelly_exporter import devices as module
from shelly_exporter.devices import MAX_PREFIX, MAX_PROBES
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, event_of, stage

MANY = 10_000


@virtual_time
async def test_ten_thousand_topics_of_no_device_cost_nothing() -> None:
    async with stage() as world:
        for number in range(MANY):
            world.tell(f"noise/{number}/events/rpc", {"src": f"thing-{number}", "params": {}})
        assert world.devices.counts == {"foreign": MANY}
        assert (world.devices.workers, world.devices._by_topic, world.devices._probed) == ({}, {}, set())
        assert (world.pipeline.lines, len(world.settled)) == ([], MANY)


@virtual_time
async def test_ten_thousand_that_say_they_are_there_are_not_all_asked() -> None:
    async with stage() as world:
        for number in range(MANY):
            world.tell(f"noise/{number}/online", b"true", retain=True)
        assert len(world.devices._probed) == len(world.published) == MAX_PROBES
        world.tell(f"{'x' * (MAX_PREFIX + 1)}/online", b"true", retain=True)
        assert len(world.published) == MAX_PROBES
        # The broker is back: again so many, not more.
        world.find_broker()
        world.tell(f"{'x' * (MAX_PREFIX + 1)}/online", b"true", retain=True)
        assert len(world.published) == MAX_PROBES


@virtual_time
async def test_invented_devices_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DEVICES", 20)
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        for number in range(MANY):
            world.tell(f"noise/{number}/events/rpc", event_of(f"shellypro3-{number:012x}"))
        assert len(world.devices.workers) == 20
        assert len(world.devices._by_topic) == 20
        assert world.devices.not_met == MANY - 19
        # The real one is served as ever.
        world.pipeline.lines.clear()
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}})
        assert [point.fields for point in world.points()] == [{"act_power": 1.5}]


@virtual_time
async def test_one_device_on_ten_thousand_topics() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        for number in range(MANY):
            world.tell(f"noise/{number}/events/rpc", event_of(shelly.id))
        assert world.devices.workers == {shelly.id: worker}
        assert len(world.devices._by_topic) == 1
        # It is asked where it spoke last, also after the liar is gone.
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}})
        assert worker.mqtt.prefix == shelly.prefix


@virtual_time
async def test_topics_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOPICS", 1)
    first, second = Shelly(METER), Shelly(RELAYS, "house/relays")
    async with stage(first, second) as world:
        await world.connected(first)
        await world.connected(second)
        second.prefix = "house/others"
        # It costs more, but what it tells is taken all the same.
        assert world.notify(second, {"switch:0": {"output": True, "source": "SHC"}}) == "taken"
        assert world.points("switch")[-1].fields["source"] == "SHC"
        assert len(world.devices._by_topic) == 1
