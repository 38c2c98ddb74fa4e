"""Topics that change hands: what a device tells is its own wherever it says it."""

from structlog.testing import capture_logs

from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, stage, until


@virtual_time
async def test_a_device_with_a_new_prefix_is_asked_there() -> None:
    shelly = Shelly(METER, "house/meter")
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        shelly.prefix = "cellar/meter"
        world.published.clear()
        with capture_logs() as logs:
            assert world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1.5}}) == "taken"
        assert [entry["prefix"] for entry in logs] == ["cellar/meter"]
        assert world.devices.known[shelly.id].prefix == "cellar/meter"
        assert world.devices.workers == {shelly.id: worker}
        await worker.call("Sys.GetStatus", {})
        assert {topic for topic, _ in world.published} == {"cellar/meter/rpc"}
        assert [*world.devices._by_topic] == ["cellar/meter/events/rpc"]


@virtual_time
async def test_a_replaced_device_takes_over_the_topic() -> None:
    """A meter that broke is replaced by another one, which is given the same topic prefix."""
    old, new = Shelly(METER, "house/meter"), Shelly(METER, "house/meter", number=7)
    async with stage(old) as world:
        await world.connected(old)
        world.shellys.clear()
        world.place(new)
        assert world.notify(new, {"em:0": {"id": 0, "a_act_power": 1.5}}) == "taken"
        assert world.points("em")[-1].tags["device"] == new.id
        await until(lambda: world.is_connected(new.id))
        # From now on nothing has to be looked up.
        rejects = world.devices.workers[old.id].client.health().rejects
        assert (world.notify(new, {}), rejects) == ("taken", {})
        assert world.devices._by_topic["house/meter/events/rpc"].id == new.id


@virtual_time
async def test_two_devices_with_one_prefix_are_told_apart() -> None:
    first, second = Shelly(METER, "house/meter"), Shelly(RELAYS, "house/meter")
    async with stage(first) as world:
        await world.connected(first)
        for _ in range(3):
            world.notify(first, {"em:0": {"id": 0, "a_act_power": 1.5}})
            world.notify(second, {"switch:0": {"output": True}})
        assert {point.tags["device"] for point in world.points("em")} == {first.id}
        assert {point.tags["device"] for point in world.points("switch")} == {second.id}
        assert len(world.points("switch")) == 3
