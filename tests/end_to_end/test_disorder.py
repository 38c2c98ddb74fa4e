"""Frames that come twice, late, damaged or swollen, counters that dip or begin anew, clocks that jump.

Whatever a device does to its readings, Home Assistant's statistics must say what has truly flowed.
"""

import asyncio
import math
import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.stack.fleet import DeviceSpec
from tests.stack.processes import wait_until
from tests.stack.recorder import Term, recorded_states, recorded_statistics
from tests.stack.stage import raise_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stack.fleet import SimulatedDevice
    from tests.stack.stage import Stage

SPEED = 20.0
"""A minute of the device lasts 3 s: counters are told every 3 s."""
PERIOD_S = 300.0
"""Home Assistant makes statistics every five minutes."""
COMPILED_S = 40.0
FAULTS_S = 75.0
"""How long the faults act. A counter that begins anew is believed after 30 s."""
QUIET_S = 20.0
"""The faults must be over, and a good counter told, this long before the statistics are made."""
ENERGY = "emdata:0-total_act"
RETURNED = "emdata:0-total_act_ret"
RESET = "Counter reset"

FAULTS: dict[str, list[dict[str, Any]]] = {
    "Twice and late": [{"kind": "duplicate"}, {"kind": "reorder", "hold_s": 10.0}],
    "Damaged": [{"kind": "malformed", "every": 3}],
    "Swollen": [{"kind": "oversized", "every": 2}],
    "Counter dip": [{"kind": "counter_dip", "wh": 200.0}],
    RESET: [{"kind": "counter_reset"}],
    "Clock ahead": [{"kind": "clock", "skew_s": 7200.0}],
    "Clock behind": [{"kind": "clock", "skew_s": -7200.0}],
    "Clock a little behind": [{"kind": "clock", "skew_s": -10.0}],
    "Power cut": [{"kind": "power_cut", "unsynced_s": 300.0}],
}
SHORT = {"Power cut": 10.0}
"""Faults that do not last; real seconds."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def disorder(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A meter for each kind of fault, all at once, and the statistics of the time in which they acted."""
    specs = [DeviceSpec(model="pro3em", firmware="1.7.5", name=name, house=name) for name in FAULTS]
    options = ("--speed", str(SPEED), "--mqtt-reconnect", "5")
    async with raise_stage(tmp_path_factory.mktemp("disorder"), specs, options=options) as stage:
        for device in stage.fleet.devices:
            await stage.add_device(device)
        await let_faults_act(stage)
        yield stage


async def let_faults_act(stage: Stage) -> None:
    """Inject all faults, take them back, and wait until the statistics of that time are made."""
    left = PERIOD_S - time.time() % PERIOD_S
    if left < FAULTS_S + QUIET_S:
        # They belong into one period, or the statistics would be made in their midst.
        await asyncio.sleep(left)
    end = math.floor(time.time() / PERIOD_S) * PERIOD_S + PERIOD_S
    await asyncio.gather(*(act(stage, device) for device in stage.fleet.devices))
    entities = [(await stage.entities(device))[ENERGY] for device in stage.fleet.devices]
    database = stage.home_assistant.database

    def compiled() -> bool:
        return all(recorded_statistics(database, entity, Term.SHORT, end - PERIOD_S) for entity in entities)

    await wait_until(compiled, end - time.time() + COMPILED_S, "The statistics are made", interval_s=1.0)


async def act(stage: Stage, device: SimulatedDevice) -> None:
    """Let the faults of one device act for their time."""
    name = name_of(stage, device)
    for fault in FAULTS[name]:
        await stage.fleet.set_fault(device, **fault)
    await asyncio.sleep(SHORT.get(name, FAULTS_S))
    await stage.fleet.clear_faults(device)


def name_of(stage: Stage, device: SimulatedDevice) -> str:
    return next(spec.name or "" for spec, d in zip(stage.fleet.specs, stage.fleet.devices, strict=True) if d is device)


def device_called(stage: Stage, name: str) -> SimulatedDevice:
    return next(device for device in stage.fleet.devices if name_of(stage, device) == name)


async def shown_values(stage: Stage, device: SimulatedDevice, field: str) -> list[float]:
    """Return in Wh what Home Assistant showed of a counter since it was set up."""
    entity = (await stage.entities(device))[field]
    states = recorded_states(stage.home_assistant.database, entity)
    return [float(state.value) * 1000 for state in states if state.value not in {None, "unknown", "unavailable"}]


@pytest.mark.parametrize("field", [ENERGY, RETURNED])
@pytest.mark.parametrize("name", FAULTS)
async def test_statistics_say_what_has_flowed(disorder: Stage, name: str, field: str) -> None:
    """What a device counts anew after a reset is counted from there; all else is the difference of the counter."""
    stage, device = disorder, device_called(disorder, name)
    entity = (await stage.entities(device))[field]
    row = recorded_statistics(stage.home_assistant.database, entity, Term.SHORT)[-1]
    states = recorded_states(stage.home_assistant.database, entity)
    end = row.start + PERIOD_S
    values = [
        float(state.value) * 1000
        for state in states
        if state.updated < end and state.value not in {None, "unknown", "unavailable"}
    ]
    told = await told_until(stage, device, field, values[-1])
    assert told, "the last value shown is one that the device told"
    falls = [(before, after) for before, after in pairwise(values) if after < before]
    if name != RESET:
        assert falls == []
        flowed = values[-1] - values[0]
    else:
        ((before, after),) = falls
        assert after < before / 10
        flowed = before - values[0] + values[-1]
    assert row.sum is not None
    assert row.state is not None
    assert row.state * 1000 == pytest.approx(values[-1], abs=0.01)
    assert row.sum * 1000 == pytest.approx(flowed, abs=0.02)


async def told_until(stage: Stage, device: SimulatedDevice, field: str, value: float) -> bool:
    """Tell whether the counter has passed `value` by no more than what has flowed since: it was a true one."""
    truth = await stage.fleet.truth(device)
    counter = float(truth.true["emdata:0"][field.partition("-")[2]])
    return value <= counter + 0.01


@pytest.mark.parametrize("name", FAULTS)
async def test_afterwards_everything_agrees(disorder: Stage, name: str) -> None:
    stage, device = disorder, device_called(disorder, name)
    for field in (ENERGY, RETURNED):
        entity = (await stage.entities(device))[field]

        async def agrees(entity: str = entity, field: str = field) -> bool:
            told = (await stage.fleet.truth(device)).reported["emdata:0"][field.partition("-")[2]]
            return bool(math.isclose(float(stage.client.states[entity].state) * 1000, told, abs_tol=0.01))

        await wait_until(agrees, 30, f"{entity} shows what {name} told last")


async def test_every_fault_was_noticed(disorder: Stage) -> None:
    """A fault that nobody noticed did not act, and the tests above would show nothing."""
    stage = disorder
    noticed = {name: await counts(stage, device_called(stage, name)) for name in FAULTS}
    assert noticed["Twice and late"]["drops"]["repeated"] > 3
    assert noticed["Twice and late"]["drops"]["overtaken"] > 3
    assert sum(noticed["Damaged"]["rejects"].values()) > 3
    assert noticed["Swollen"]["rejects"]["too long"] > 3
    assert noticed["Counter dip"]["rejects"]["counter dip"] > 3
    assert noticed[RESET]["rejects"]["counter reset, not confirmed"] > 3
    for name in ("Clock ahead", "Clock behind", "Power cut"):
        assert noticed[name]["clock"]["steps"] >= 2, name


async def counts(stage: Stage, device: SimulatedDevice) -> dict[str, Any]:
    """Return what the integration counted of a device."""
    diagnostics = await stage.client.diagnostics(stage.entries[device.id]["entry_id"])
    health: dict[str, Any] = diagnostics["data"]["health"]
    return health


async def test_readings_are_stamped_with_a_corrected_time(disorder: Stage) -> None:
    """The simulated clock runs fast, so every device's clock is wrong here; stamps must be true all the same."""
    for device in disorder.fleet.devices:
        entity = (await disorder.entities(device, enabled=False))["health-clock"]
        assert disorder.client.states[entity].state == "on"
        health = await counts(disorder, device)
        assert abs(health["last_reading_ts"] - datetime.now(UTC).timestamp()) < PERIOD_S
