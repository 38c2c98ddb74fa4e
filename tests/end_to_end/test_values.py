"""Home Assistant shows what the devices measure: every entity, in the right unit, against the simulator's ledger."""

from typing import TYPE_CHECKING

from tests.stack.comparison import compare_values, fields_without_entity

if TYPE_CHECKING:
    from tests.stack.stage import Stage

# Two meters with 3 x 6 measured values and 3 x 2 counters each, 5 totals, 3 temperatures, 3 relays.
ENTITIES_AT_LEAST = 2 * (18 + 6) + 5 + 3 + 3
# We ask for no pip; cameras and speech would like programs that nothing here needs.
EXPECTED_COMPLAINTS = ("Skipping pip installation", "[haffmpeg.", "libturbojpeg")


async def test_every_entity_shows_what_its_device_reported(stage: Stage) -> None:
    compared = await compare_values(stage)
    assert [comparison for comparison in compared if not comparison.agrees] == []
    assert len(compared) >= ENTITIES_AT_LEAST
    assert {comparison.device for comparison in compared} == set(stage.entries)


async def test_everything_a_device_measures_has_an_entity(stage: Stage) -> None:
    assert await fields_without_entity(stage) == []


async def test_a_load_is_seen_at_its_phase(stage: Stage) -> None:
    meter = next(device for device in stage.fleet.devices if device.model == "pro3em")
    entities = await stage.entities(meter)
    power = entities["em:0-b_act_power"]
    before = float(stage.client.states[power].state)
    await stage.fleet.set_load(meter, "b", 5000.0)
    try:
        await stage.client.wait_for(
            lambda: float(stage.client.states[power].state) > before + 4000, 10, "5 kW more show at phase B"
        )
        others = [float(stage.client.states[entities[f"em:0-{phase}_act_power"]].state) for phase in "ac"]
        assert max(others) < before + 4000
    finally:
        await stage.fleet.set_load(meter, "b", 0.0)


async def test_phases_and_relays_are_parts_of_their_device(stage: Stage) -> None:
    devices = {device["id"]: device for device in await stage.client.devices()}
    names = {
        (devices[device["parent_device_id"]]["name"], device["name"])
        for device in devices.values()
        if device.get("parent_device_id")
    }
    assert {("House meter", f"Phase {phase}") for phase in "ABC"} <= names
    assert {("Heating relays", f"Relay {number}") for number in (1, 2, 3)} <= names


async def test_the_log_has_no_complaint_about_us_nor_about_anything_unexpected(stage: Stage) -> None:
    assert stage.home_assistant.complaints("shelly_pro") == []
    assert [c for c in stage.home_assistant.complaints() if not any(about in c for about in EXPECTED_COMPLAINTS)] == []
