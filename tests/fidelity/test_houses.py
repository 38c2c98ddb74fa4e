"""Who lives in one house, and how its meters are wired."""

from typing import Any

from tests.simulator.clock import ManualClock
from tests.simulator.fleet import Fleet
from tests.simulator.house import PHASES
from tests.simulator.options import from_mapping

RELAY_W = 1200.0


def fleet(*devices: dict[str, Any], seed: int = 1) -> Fleet:
    """A fleet in which no time passes: what differs was caused."""
    return Fleet(from_mapping({"devices": list(devices), "seed": seed}), ManualClock())


def measured(running: Fleet, model: str) -> dict[str, Any]:
    return running.unit(model).device.component_status("em:0")


def power_w(running: Fleet, model: str) -> dict[str, float]:
    return {phase: measured(running, model)[f"{phase}_act_power"] for phase in PHASES}


async def test_what_a_relay_switches_on_shows_on_the_meter_of_its_house_only() -> None:
    async with fleet(
        {"model": "pro3", "house": "barn"}, {"model": "pro3em", "house": "barn"}, {"model": "pro3em400"}
    ) as running:
        barn, elsewhere = power_w(running, "pro3em"), power_w(running, "pro3em400")
        running.unit("pro3").device.set_switch(0, True, "button")
        assert power_w(running, "pro3em") == barn | {"a": round(barn["a"] + RELAY_W, 1)}
        assert power_w(running, "pro3em400") == elsewhere
        running.unit("pro3").device.faults.inject("power_cut")
        assert power_w(running, "pro3em") == barn, "a relay without power lets go"


async def test_two_meters_in_one_house_measure_the_same_and_count_since_different_days() -> None:
    async with fleet({"model": "pro3em", "house": "barn", "count": 2}) as running:
        one, two = (unit.device for unit in running.units.values())
        assert one.component_status("em:0") == two.component_status("em:0")
        assert one.component_status("emdata:0") != two.component_status("emdata:0")


async def test_every_device_has_a_house_of_its_own_unless_told() -> None:
    async with fleet({"model": "pro3em", "count": 2}) as running:
        one, two = (unit.device for unit in running.units.values())
        assert one.component_status("em:0") != two.component_status("em:0")


async def test_furniture_of_a_house_depends_on_seed_and_name_alone() -> None:
    async with (
        fleet({"model": "pro3em", "house": "barn"}) as first,
        fleet({"model": "pro3"}, {"model": "pro3em", "house": "barn", "seed": 9}) as second,
        fleet({"model": "pro3em", "house": "barn"}, seed=2) as third,
        fleet({"model": "pro3em", "house": "mill"}) as fourth,
    ):
        powers = [power_w(running, "pro3em") for running in (first, second, third, fourth)]
    assert powers[0] == powers[1]
    assert powers[2] != powers[0] != powers[3]


async def test_a_device_on_a_cable_has_no_wifi() -> None:
    async with fleet({"model": "pro3", "firmware": "1.1.0", "network": "eth"}) as running:
        status = running.unit("pro3").device.status()
    assert status["eth"] == {"ip": "127.0.0.1"}
    assert status["wifi"] == {"sta_ip": None, "status": "disconnected", "ssid": None, "rssi": 0}


async def test_wiring_reaches_the_meter() -> None:
    async with fleet({"model": "pro3em", "unwired": "bc", "neutral_ct": True}, {"model": "pro3em400"}) as running:
        wired = measured(running, "pro3em")
        assert [wired[f"{phase}_voltage"] > 200 for phase in PHASES] == [True, False, False]
        assert wired["n_current"] == wired["a_current"] > 0, "what one phase draws comes back through the neutral"
        assert measured(running, "pro3em400")["n_current"] is None
