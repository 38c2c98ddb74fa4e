"""A relay is switched from both sides, and both sides agree."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.stack.comparison import LOCAL_SWITCH_S, switch_at_device, switch_in_home_assistant

if TYPE_CHECKING:
    from tests.stack.fleet import SimulatedDevice
    from tests.stack.stage import Stage


def relays(stage: Stage) -> SimulatedDevice:
    return next(device for device in stage.fleet.devices if device.model == "pro3")


@pytest.mark.parametrize("number", range(3))
async def test_home_assistant_switches_the_device(stage: Stage, number: int) -> None:
    device = relays(stage)
    entity = (await stage.entities(device))[f"switch:{number}"]
    wanted = stage.client.states[entity].state == "off"
    for on in (wanted, not wanted):
        switching = await switch_in_home_assistant(stage, device, number, entity, on=on)
        assert switching.agrees, switching.problem


@pytest.mark.parametrize("number", range(3))
async def test_a_change_at_the_device_shows_within_a_second(stage: Stage, number: int) -> None:
    device = relays(stage)
    entity = (await stage.entities(device))[f"switch:{number}"]
    wanted = stage.client.states[entity].state == "off"
    for on in (wanted, not wanted):
        switching = await switch_at_device(stage, device, number, entity, on=on)
        assert switching.agrees, switching.problem
        assert switching.seconds is not None
        assert switching.seconds <= LOCAL_SWITCH_S


async def test_one_relay_does_not_move_the_others(stage: Stage) -> None:
    device = relays(stage)
    entities = await stage.entities(device)
    ids = [entities[f"switch:{number}"] for number in range(3)]
    before = [stage.client.states[entity].state for entity in ids]
    await switch_in_home_assistant(stage, device, 1, ids[1], on=before[1] == "off")
    after = [stage.client.states[entity].state for entity in ids]
    assert [was != now for was, now in zip(before, after, strict=True)] == [False, True, False]
    await switch_in_home_assistant(stage, device, 1, ids[1], on=before[1] == "on")


async def test_all_relays_at_once(stage: Stage) -> None:
    device = relays(stage)
    entities = await stage.entities(device)
    ids = [entities[f"switch:{number}"] for number in range(3)]
    for word in ("on", "off"):
        await stage.client.call_service(f"switch.turn_{word}", ids)
        await asyncio.gather(*(stage.client.wait_for_state(entity, word) for entity in ids))
        true = (await stage.fleet.truth(device)).true
        assert [true[f"switch:{number}"]["output"] for number in range(3)] == [word == "on"] * 3
