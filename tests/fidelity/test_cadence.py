"""When a device speaks by itself."""

import asyncio
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from tests.fidelity.devices import Bench, bench
from tests.simulator.clock import Clock, ManualClock
from tests.simulator.device import VirtualDevice
from tests.simulator.house import House
from tests.simulator.models import MODELS, firmware


def stamps(found: Bench, method: str, key: str) -> list[float]:
    return [params["ts"] for name, params in found.told if name == method and (key in params or key == "data")]


def quiet(model: str = "pro3em", **options: Any) -> Bench:
    return bench(model, house=House(1, furnished=False), **options)


def test_steady_load_is_told_every_8_to_12_seconds() -> None:
    found = quiet()
    found.run(300)
    told = stamps(found, "NotifyStatus", "em:0")
    gaps = [later - earlier for earlier, later in pairwise(told)]
    assert min(gaps) >= 8
    assert max(gaps) <= 12


@pytest.mark.parametrize(("watts", "told"), [(9.0, False), (11.0, True)])
def test_a_step_beyond_the_threshold_is_told_within_a_second(watts: float, *, told: bool) -> None:
    found = quiet()
    found.device.set_load("a", power_w=150.0)
    found.run(20)
    found.told.clear()
    while not found.statuses("em:0"):
        found.run(0.5)
    found.run(2)
    assert len(found.statuses("em:0")) == 1
    found.device.set_load("a", power_w=150.0 + watts)
    found.run(1.1)
    assert len(found.statuses("em:0")) == 1 + told


def test_cloud_slows_a_changing_meter_down_since_1_3() -> None:
    counts = {}
    for release in ("1.1", "1.4"):
        found = bench("pro3em", release, house=House(1, furnished=False))
        found.device.cloud_connected = True
        for turn in range(60):
            found.device.set_load("a", power_w=500.0 + 300 * (turn % 2))
            found.run(1)
        counts[release] = len(stamps(found, "NotifyStatus", "em:0"))
    assert counts["1.1"] > 50
    assert counts["1.4"] <= 16


def test_a_fixed_cadence_is_kept_exactly() -> None:
    found = quiet(cadence_s=0.5)
    found.run(30)
    told = stamps(found, "NotifyStatus", "em:0")
    assert len(told) in {59, 60}
    gaps = {round(later - earlier, 1) for earlier, later in pairwise(told)}
    assert gaps == {0.5}
    found.device.cadence_s = 5.0
    found.told.clear()
    found.run(31)
    assert len(stamps(found, "NotifyStatus", "em:0")) in {6, 7}


def test_monophase_channels_are_told_each_for_itself() -> None:
    found = quiet("pro3em-mono")
    found.run(20)
    found.told.clear()
    found.device.set_load("b", power_w=500.0)
    found.run(1.1)
    assert len(found.statuses("em1:1")) == 1
    assert sum(len(found.statuses(f"em1:{n}")) for n in (0, 2)) <= 1


def test_counters_and_record_come_shortly_after_the_minute_with_one_stamp() -> None:
    found = quiet()
    found.run(305)
    counters, records = stamps(found, "NotifyStatus", "emdata:0"), stamps(found, "NotifyEvent", "data")
    assert counters == records
    assert len(counters) == 5
    assert all(0.2 <= ts % 60 <= 0.4 for ts in counters)
    assert [event["ts"] for event in found.events("data")] == [1_790_000_040 + 60 * n for n in range(5)]


def test_monophase_channels_follow_each_other_by_60_to_70_ms() -> None:
    found = quiet("pro3em-mono")
    found.run(61)
    told = [stamps(found, "NotifyStatus", f"em1data:{n}")[0] for n in range(3)]
    assert all(0.055 <= later - earlier <= 0.075 for earlier, later in pairwise(told))


def test_temperature_and_signal_are_told_now_and_then() -> None:
    found = quiet()
    found.run(1300)
    assert len(found.statuses("temperature:0")) in {4, 5}
    assert len(found.statuses("wifi")) in {2, 3}


def test_two_runs_with_one_seed_tell_the_same() -> None:
    one, same, other = bench(seed=9), bench(seed=9), bench(seed=10)
    for found in (one, same, other):
        found.run(200)
    assert one.told == same.told
    assert [method for method, _ in one.told] != [method for method, _ in other.told]


async def test_living_on_a_manual_clock() -> None:
    clock = ManualClock()
    device = VirtualDevice(MODELS["pro3em"], firmware("1.7"), clock=clock, cadence_s=1.0)
    told: list[str] = []
    device.listen(lambda method, _: told.append(method))
    life = asyncio.create_task(device.run())
    await clock.advance(59.5)
    assert told.count("NotifyStatus") in {59, 60}
    await clock.advance(1.0)
    assert told.count("NotifyEvent") == 1
    life.cancel()
    with suppress(asyncio.CancelledError):
        await life


async def test_living_sixty_times_as_fast() -> None:
    clock = Clock(speed=600.0, start=1_790_000_040.0)
    device = VirtualDevice(MODELS["pro3em"], firmware("1.7"), clock=clock)
    minute = asyncio.Event()
    device.listen(lambda method, _: minute.set() if method == "NotifyEvent" else None)
    life = asyncio.create_task(device.run())
    async with asyncio.timeout(5):
        await minute.wait()
    assert 60 <= clock.now() - 1_790_000_040 < 120
    life.cancel()
    with suppress(asyncio.CancelledError):
        await life


async def test_a_timer_set_while_the_device_sleeps_wakes_it() -> None:
    clock = ManualClock()
    device = VirtualDevice(MODELS["pro3"], firmware("1.7"), clock=clock)
    life = asyncio.create_task(device.run())
    await clock.advance(1.0)
    device.handle("Switch.Set", {"id": 0, "on": True, "toggle_after": 0.25}, source="MQTT")
    await clock.advance(0.3)
    assert device.component_status("switch:0")["output"] is False
    life.cancel()
    with suppress(asyncio.CancelledError):
        await life
