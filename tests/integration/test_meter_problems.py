"""What a meter says is wrong is a problem until it says so no more."""

from collections.abc import Awaitable, Callable

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

type Notify = Callable[..., Awaitable[None]]

METER = "binary_sensor.switchboard"


@pytest.fixture(autouse=True)
def _everything(all_enabled: None) -> None:
    pass


@pytest.mark.parametrize(
    ("field", "errors", "problem"),
    [
        ("errors", ["phase_sequence"], "phase_sequence"),
        ("errors", ["something_new", "power_meter_failure"], "power_meter_failure"),
        ("errors", ["ct_type_not_set"], "clamp_type_not_set"),
        ("n_errors", ["out_of_range:current"], "neutral_current_out_of_range"),
        ("a_errors", ["out_of_range:voltage"], "phase_a_voltage_out_of_range"),
        ("b_errors", ["out_of_range:active_power"], "phase_b_power_out_of_range"),
        ("c_errors", ["out_of_range:apparent_power", "out_of_range:current"], "phase_c_apparent_power_out_of_range"),
        ("c_errors", ["out_of_range:apparent_power", "out_of_range:current"], "phase_c_current_out_of_range"),
    ],
)
async def test_a_problem_comes_and_goes(
    hass: HomeAssistant,
    mqtt_device: FixtureDevice,
    entry: MockConfigEntry,
    notify: Notify,
    field: str,
    errors: list[str],
    problem: str,
) -> None:
    mqtt_device.config["em:0"]["monitor_phase_sequence"] = True
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    problems = [
        state.entity_id
        for state in hass.states.async_all("binary_sensor")
        if state.attributes.get("device_class") == "problem" and state.entity_id != f"{METER}_clock"
    ]
    assert {state_of(hass, each) for each in problems} == {STATE_OFF}
    status = mqtt_device.status["em:0"]
    await notify({"em:0": {**status, field: errors}})
    assert state_of(hass, f"{METER}_{problem}") == STATE_ON
    assert sum(state_of(hass, each) == STATE_ON for each in problems) == (2 if field == "c_errors" else 1)
    await notify({"em:0": {**status, field: []}}, ts=1764000001.0)
    assert state_of(hass, f"{METER}_{problem}") == STATE_OFF


async def test_what_the_device_does_not_look_for_is_not_known(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.config["em:0"]["monitor_phase_sequence"] = False
    await set_up(hass, entry)
    assert state_of(hass, f"{METER}_phase_sequence") == STATE_UNKNOWN


async def test_stored_history(
    hass: HomeAssistant, mqtt_device: FixtureDevice, entry: MockConfigEntry, notify: Notify
) -> None:
    await set_up(hass, entry, topic_prefix=mqtt_device.topic_prefix)
    await notify({"emdata:0": {**mqtt_device.status["emdata:0"], "errors": ["database_error"]}})
    assert state_of(hass, f"{METER}_stored_history") == STATE_ON


@pytest.mark.parametrize("fixture_name", ["shellypro3em-mono-1.4.4"])
@pytest.mark.parametrize(
    ("field", "told", "problem"),
    [
        ("errors", ["out_of_range:act_power"], "power_out_of_range"),
        ("errors", ["power_meter_failure"], "power_meter_failure"),
        ("flags", ["count_disabled"], "counting_switched_off"),
    ],
)
async def test_single_meters(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, field: str, told: list[str], problem: str
) -> None:
    device.config["em1:1"]["name"] = None
    device.status["em1:1"][field] = told
    await set_up(hass, entry)
    assert state_of(hass, f"{METER}_meter_2_{problem}") == STATE_ON


async def test_a_device_that_is_away_has_no_known_problem(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry, pass_time: Callable[[float], Awaitable[None]]
) -> None:
    device.config["em:0"]["monitor_phase_sequence"] = True
    await set_up(hass, entry)
    device.online = False
    for _ in range(6):
        await pass_time(30)
    assert state_of(hass, f"{METER}_phase_sequence") == STATE_UNAVAILABLE
    device.online = True
    await pass_time(120)
    assert state_of(hass, f"{METER}_phase_sequence") == STATE_OFF
