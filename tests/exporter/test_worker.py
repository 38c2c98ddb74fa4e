"""One device: what it tells becomes lines, whatever it tells, whether it is asked from here or not."""

import pytest

from shelly_core import LinkClosedError
from shelly_exporter.points import milliseconds
from tests.core.memory_link import NOW
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, Shelly, stage, until

QUESTIONS = ["Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"]


@virtual_time
async def test_what_is_told_before_it_is_connected_makes_lines() -> None:
    shelly = Shelly(METER)
    shelly.silent = {"*"}
    async with stage(shelly) as world:
        ts = world.wall() - 3.5
        assert world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 100.5}}, ts) == "taken"
        (power,) = world.points("em")
        assert (power.fields, power.ts) == ({"act_power": 100.5}, milliseconds(ts))
        assert not world.is_connected(shelly.id)
        # What cannot be is left out all the same.
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 1e9, "a_voltage": 230.5}})
        assert world.points("em")[-1].fields == {"voltage": 230.5}
        with pytest.raises(LinkClosedError):
            _ = world.devices.workers[shelly.id].client.device


@virtual_time
async def test_a_device_introduces_itself() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        await until(lambda: "firmware" in {name for point in world.points("device") for name in point.fields})
        assert world.asked(shelly.prefix)[:3] == QUESTIONS
        facts = {name: value for point in world.points("device") for name, value in point.fields.items()}
        assert (facts["firmware"], facts["model"], facts["name"]) == ("1.7.5", "SPEM-003CEBEU", "House meter")
        assert (facts["eth_ip"], facts["rssi"], facts["cloud"]) == ("192.0.2.52", -58.0, False)
        assert worker.known.info.firmware == "1.7.5"
        # The answer to the question for its status made lines as well.
        assert {point.measurement for point in world.points()} == {
            "device", "em", "em_wide", "emdata", "emdata_wide", "temperature",
        }  # fmt: skip
        assert {point.fields["origin"] for point in world.points("em_wide")} == {"mqtt"}
        lines = sum(world.devices.points.values())
        assert lines == len(world.points()) - 1, "all but the line of what it is"
        assert world.devices.points["em"] == 4


@virtual_time
async def test_a_late_frame_keeps_its_own_time() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        world.pipeline.lines.clear()
        new, old = world.wall(), world.wall() - 42.0
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 200.5}}, new)
        world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 100.5}}, old)

        def told() -> list[tuple[float, int]]:
            frames = [point for point in world.points("em") if [*point.fields] == ["act_power"]]
            return [(point.fields["act_power"], point.ts) for point in frames]

        # It may have to wait until it is known that it is not the clock.
        await until(lambda: len(told()) == 2, within_s=10)
        assert told() == [(200.5, milliseconds(new)), (100.5, milliseconds(old))]
        assert worker.client.device.status["em:0"]["a_act_power"] != 100.5


@virtual_time
async def test_the_same_frame_makes_the_same_lines() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        world.pipeline.lines.clear()
        for _ in range(2):
            world.notify(shelly, {"em:0": {"id": 0, "a_act_power": 200.5}}, NOW)
        assert len({line for _, line in world.pipeline.lines}) == 1


@virtual_time
async def test_what_a_device_does_not_date_is_of_now() -> None:
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        frame = {"method": "NotifyStatus", "params": {"temperature:0": {"tC": 21.5}}}
        world.tell(f"{shelly.prefix}/events/rpc", {"src": shelly.id, **frame})
        assert world.points("temperature")[-1].ts == milliseconds(world.wall())


@virtual_time
async def test_an_answer_never_takes_the_place_of_a_notification() -> None:
    """Both may be of the same moment; what is told without being asked is told in hundredths of a second."""
    async with stage(Shelly(METER)) as world:
        await world.connected(world.shellys[0])
        answered = {point.ts for point in world.points("em")}
        assert answered
        assert {ts % 10 for ts in answered} == {5}
        world.notify(world.shellys[0], {"em:0": {"id": 0, "a_freq": 49.5}}, ts := round(world.wall(), 2))
        assert [point.ts for point in world.points("em") if point.fields["freq"] == 49.5] == [round(ts * 1000)]


@virtual_time
async def test_no_reading_takes_the_place_of_another_when_the_clock_is_corrected() -> None:
    """What is known of the clock's error may grow by just what lies between two readings."""
    shelly = Shelly(METER)
    async with stage(shelly) as world:
        await world.connected(shelly)
        ahead = world.wall() + 3600.0
        for power_w, ts in ((100.5, ahead), (200.5, ahead + 0.25)):
            world.notify(shelly, {"em:0": {"id": 0, "a_act_power": power_w}}, ts)
        told = [point for point in world.points("em") if [*point.fields] == ["act_power"]]
        now = milliseconds(world.wall())
        assert [(point.fields["act_power"], point.ts) for point in told] == [(100.5, now), (200.5, now + 1)]
