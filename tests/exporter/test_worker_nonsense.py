"""Whatever a device tells does no harm."""

from typing import Any

import pytest

from shelly_exporter.devices.worker import MAX_COMPONENTS
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly, stage


@pytest.mark.parametrize(
    "told",
    [
        {"switch:0": {"aenergy": {}}},
        {"switch:0": {"aenergy": None, "ret_aenergy": None}},
        {"switch:0": {"aenergy": {"total": None}, "temperature": {}, "counts": {}}},
        {"switch:0": None},
        {"switch:0": 5},
        {"switch:0": {"aenergy": 5}},
        {"switch": {"temperature": 5, "aenergy": 5}},
        {"switch:0x": {"temperature": 5}},
        {"emdata": {"a_total_act_energy": "evil"}},
        {"em:٣": {"a_voltage": "1 1\nevil"}},
        {"sys:0": {"uptime": "1 1\nevil"}},
        {"script:1": {"running": True}},
        {"": {}},
    ],
)
@virtual_time
async def test_whatever_it_tells_does_no_harm(told: dict[str, Any]) -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        await world.connected(shelly)
        # A register that has a value already is another way through than one that has none.
        world.notify(shelly, {"switch:0": {"aenergy": {"total": 10.5}, "ret_aenergy": {"total": 0.5}}})
        world.pipeline.lines.clear()
        world.notify(shelly, told)
        assert world.points() == []
        assert len(world.rollups) == 1
        assert world.notify(shelly, {"switch:0": {"output": True}}) == "taken"
        assert [point.fields["output"] for point in world.points("switch")] == [True]


@virtual_time
async def test_components_are_bounded() -> None:
    shelly = Shelly(RELAYS)
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        met = len(worker._lines)
        world.notify(shelly, {f"switch:{number}": {"output": True} for number in range(1000, 1200)})
        channels = {point.tags["channel"] for point in world.points("switch")}
        assert len(channels - {"0", "1", "2"}) == MAX_COMPONENTS - met
        assert worker.invented == 200 - (MAX_COMPONENTS - met)
        # Those met before are served as ever.
        world.notify(shelly, {"switch:0": {"output": True, "source": "last"}})
        assert world.points("switch")[-1].fields["source"] == "last"


@virtual_time
async def test_scripts_and_sensors_take_no_place() -> None:
    shelly = Shelly(METER)
    shelly.status = {**{f"bthomesensor:{number}": {"value": 1} for number in range(200, 400)}, **shelly.status}
    async with stage(shelly) as world:
        worker = await world.connected(shelly)
        assert world.points("em_wide")
        assert worker.invented == 0
