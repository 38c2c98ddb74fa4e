"""What is said of devices that others ask, or that nothing reaches, and of the group."""

from pathlib import Path

from shelly_core import Level
from tests.core.virtual_time import virtual_time
from tests.exporter.device_stage import METER, RELAYS, Shelly
from tests.exporter.whole_vitals import whole


@virtual_time
async def test_devices_of_another_exporter_are_its_own_affair(tmp_path: Path) -> None:
    meter, relays = Shelly(METER), Shelly(RELAYS)
    async with whole(tmp_path, meter, relays) as parts:
        parts.world.notify(meter, {"em:0": {"id": 0, "a_voltage": 1e9}})
        parts.world.notify(meter, {"em:0": {"id": 0, "a_voltage": 231.5}}, parts.world.wall() - 60)
        assert parts.points()["attic"].fields["rejects"] == 1
        before = parts.metrics()
        assert before["rejects_total", "out of range"] == 1
        parts.world.devices.follow_lease(meter.id, held=False)
        assert parts.vitals.healths().keys() == {relays.id}
        points = parts.points()
        assert points.keys() == {relays.id, "attic"}
        # The device is gone, but a count never falls, nor is one below zero.
        assert points["attic"].fields["rejects"] == 0
        assert parts.metrics()["rejects_total", "out of range"] == 1
        assert {key: value for key, value in parts.metrics().items() if key[0] == "drops_total"} == {
            key: value for key, value in before.items() if key[0] == "drops_total"
        }
        assert ("device_up", meter.id) not in parts.metrics()


@virtual_time
async def test_a_device_that_nothing_reaches(tmp_path: Path) -> None:
    meter = Shelly(METER)
    async with whole(tmp_path, meter) as parts:
        parts.world.lose_broker()
        assert parts.points()["attic"].fields["devices_down"] == 1
        assert parts.hop(f"device:{meter.id}")["level"] == Level.DOWN
        assert parts.metrics()["device_up", meter.id] == 0


@virtual_time
async def test_the_group(tmp_path: Path) -> None:
    async with whole(tmp_path) as parts:
        assert "redis" not in [hop["name"] for hop in parts.vitals.report()["hops"]]
        parts.cluster.alone = False
        assert (parts.hop("redis")["level"], parts.hop("redis")["reason"]) == (Level.DEGRADED, "not asked yet")
        parts.cluster.reason = "Redis does not answer"
        assert parts.hop("redis")["reason"] == "Redis does not answer"
        parts.cluster.connected, parts.cluster.members, parts.cluster.held = True, {"b", "a"}, {"x"}
        assert parts.hop("redis") == {
            "name": "redis",
            "level": Level.OK,
            "reason": None,
            "details": {"members": ["a", "b"], "held": 1},
        }
