"""The comparison behind `scripts/demo --check` notices what is wrong."""

from typing import TYPE_CHECKING, Any

import pytest

from tests.stack.comparison import NEVER, compare_values, is_reading, measured, reported_value, shows
from tests.stack.fleet import Truth
from tests.stack.hass_client import State

if TYPE_CHECKING:
    from tests.stack.stage import Stage


def state(shown: str, unit: str | None) -> State:
    attributes = {} if unit is None else {"unit_of_measurement": unit}
    return State(entity_id="sensor.x", state=shown, attributes=attributes, updated=0.0)


def told(**components: dict[str, Any]) -> Truth:
    reported = {key.replace("_", ":"): status for key, status in components.items()}
    return Truth(ts=0.0, true={}, reported=reported, reported_at={})


@pytest.mark.parametrize(
    ("shown", "unit", "name", "value", "agrees"),
    [
        ("230.1", "V", "em:0-a_voltage", 230.1, True),
        ("230.2", "V", "em:0-a_voltage", 230.1, False),
        ("230.1", "mV", "em:0-a_voltage", 230.1, False),
        ("230.1", None, "em:0-a_voltage", 230.1, False),
        ("-12.5", "W", "em1:0-act_power", -12.5, True),
        ("12.5", "W", "em1:0-act_power", -12.5, False),
        ("0.0", "W", "em1:0-act_power", 0, True),
        ("0.0", "W", "em1:0-act_power", None, False),
        ("unknown", "W", "em1:0-act_power", None, True),
        ("unknown", "W", "em1:0-act_power", 0, False),
        ("unavailable", "W", "em1:0-act_power", None, False),
        ("unavailable", "W", "em1:0-act_power", 12.5, False),
        ("unknown", "W", "em1:0-act_power", NEVER, False),
        ("6941.39012", "kWh", "emdata:0-total_act", 6941390.12, True),
        ("6941.39", "kWh", "emdata:0-total_act", 6941390.12, False),
        ("6941390.12", "kWh", "emdata:0-total_act", 6941390.12, False),
        ("0.68", None, "em:0-b_pf", 0.68, True),
        ("on", None, "switch:0", True, True),
        ("off", None, "switch:0", True, False),
        ("unavailable", None, "switch:0", False, False),
    ],
)
def test_a_state_agrees_only_with_its_value_in_its_unit(
    shown: str, unit: str | None, name: str, value: Any, agrees: bool
) -> None:
    assert shows(state(shown, unit), name, value) is agrees


def test_values_are_found_under_the_names_of_unique_ids() -> None:
    truth = told(
        switch_0={"output": True, "temperature": {"tC": 40.1, "tF": 104.2}},
        temperature_0={"tC": 44.7, "tF": 112.5},
        em_0={"a_voltage": 230.1, "n_current": None},
    )
    names = ("switch:0", "switch:0-temperature", "temperature:0-temperature", "em:0-a_voltage", "em:0-n_current")
    assert [reported_value(truth, name) for name in names] == [True, 40.1, 44.7, 230.1, None]
    assert {reported_value(truth, name) for name in ("switch:1", "em:0-z", "switch:0-output-x")} == {NEVER}


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        *[(name, True) for name in ("switch:0", "input:2", "em:0-n_current", "em:0-total_act_power", "em1:1-pf")],
        *[(name, True) for name in ("emdata:0-a_total_act_ret_energy", "emdata:0-total_act", "switch:0-temperature")],
        *[(name, False) for name in ("em:0", "em:0-a_react_power", "switch:0-auto_off", "health-http", "sys-uptime")],
    ],
)
def test_what_is_a_reading(name: str, reading: bool) -> None:
    assert is_reading(name) is reading


def test_every_measured_number_is_expected_as_an_entity() -> None:
    truth = told(
        em_0={"id": 0, "a_voltage": 230.1, "n_current": None, "a_errors": ["out_of_range:voltage"]},
        temperature_0={"id": 0, "tC": 44.7, "tF": 112.5},
        sys={"uptime": 12},
    )
    assert measured(truth) == {"em:0-a_voltage", "temperature:0-temperature"}


async def test_a_wrong_state_is_noticed(stage: Stage) -> None:
    device = next(device for device in stage.fleet.devices if device.model == "pro3")
    entity = (await stage.entities(device))["switch:1"]
    right = stage.client.states[entity].state
    wrong = "on" if right == "off" else "off"
    await stage.client.rest("POST", f"/api/states/{entity}", {"state": wrong})
    await stage.client.wait_for_state(entity, wrong)
    try:
        differing = [comparison for comparison in await compare_values(stage, 1.0) if not comparison.agrees]
        assert [(comparison.name, comparison.shown) for comparison in differing] == [("switch:1", wrong)]
    finally:
        await stage.client.rest("POST", f"/api/states/{entity}", {"state": right})
