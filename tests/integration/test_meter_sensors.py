"""What is computed from what a meter measures, against figures worked out by hand."""

from math import sqrt

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.shelly_pro.meter_sensors import (
    LEAST_A,
    LIVE_V,
    computed_neutral_current_a,
    imbalance_percent,
    reactive_power_var,
    total_reactive_power_var,
)
from custom_components.shelly_pro.shelly_core import EmStatus, Phase, PhaseReading
from tests.integration.entries import set_up, state_of
from tests.integration.fixture_device import FixtureDevice

METER = "sensor.switchboard"


@pytest.fixture(autouse=True)
def _everything(all_enabled: None) -> None:
    pass


def reading(**values: float | None) -> PhaseReading:
    told = {"voltage_v": 230.0, "current_a": 5.0, "act_power_w": 1.0, "aprt_power_va": 1.0, "pf": 1.0, "freq_hz": 50.0}
    return PhaseReading(**{**told, **values}, errors=())


def meter(a: PhaseReading, b: PhaseReading, c: PhaseReading) -> EmStatus:
    return EmStatus(
        id=0,
        phases=dict(zip(Phase, (a, b, c), strict=True)),
        n_current_a=None,
        n_errors=(),
        total_current_a=None,
        total_act_power_w=None,
        total_aprt_power_va=None,
        user_calibrated_phases=(),
        errors=(),
    )


@pytest.mark.parametrize(
    ("act_power_w", "aprt_power_va", "reactive"),
    [(300.0, 500.0, 400.0), (-300.0, 500.0, 400.0), (100.0, 99.9, 0.0), (None, 500.0, None), (300.0, None, None)],
)
def test_reactive_power(act_power_w: float | None, aprt_power_va: float | None, reactive: float | None) -> None:
    assert reactive_power_var(act_power_w, aprt_power_va) == reactive


def test_total_reactive_power_needs_every_phase() -> None:
    live = reading(act_power_w=300.0, aprt_power_va=500.0)
    assert total_reactive_power_var(meter(live, live, live)) == 1200.0
    assert total_reactive_power_var(meter(live, live, reading(aprt_power_va=None))) is None


@pytest.mark.parametrize(
    ("current", "pf", "power", "neutral"),
    [
        ((5.0, 5.0, 5.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 0.0),
        ((10.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 10.0),
        ((10.0, 5.0, 5.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 5.0),
        ((5.0, 5.0, 5.0), (0.8, 0.8, -0.8), (1.0, 1.0, 1.0), 0.0),
        # Feeding in turns a current round, and the sum of the other two points there, too.
        ((5.0, 5.0, 5.0), (1.0, 1.0, 1.0), (-1.0, 1.0, 1.0), 10.0),
    ],
)
def test_the_neutral_current_is_the_sum_of_phasors(
    current: tuple[float, ...], pf: tuple[float, ...], power: tuple[float, ...], neutral: float
) -> None:
    told = zip(current, pf, power, strict=True)
    a, b, c = (reading(current_a=amps, pf=factor, act_power_w=watts) for amps, factor, watts in told)
    assert computed_neutral_current_a(meter(a, b, c)) == pytest.approx(neutral, abs=1e-9)


@pytest.mark.parametrize(
    "lacking", [{"voltage_v": 0.0}, {"voltage_v": None}, {"current_a": None}, {"pf": None}, {"act_power_w": None}]
)
def test_no_neutral_current_of_what_is_not_known(lacking: dict[str, float | None]) -> None:
    assert computed_neutral_current_a(meter(reading(), reading(), reading(**lacking))) is None


@pytest.mark.parametrize(
    ("voltages", "imbalance"),
    [
        ((230.0, 230.0, 230.0), 0.0),
        ((235.0, 230.0, 225.0), 100 * 5 / 230),
        ((230.0, 0.0, 220.0), 100 * 5 / 225),
        ((230.0, 0.0, 0.0), None),
        ((None, None, None), None),
    ],
)
def test_voltage_imbalance(voltages: tuple[float | None, ...], imbalance: float | None) -> None:
    a, b, c = (reading(voltage_v=volts) for volts in voltages)
    found = imbalance_percent(meter(a, b, c), lambda told: told.voltage_v, LIVE_V)
    assert found == (None if imbalance is None else pytest.approx(imbalance))


@pytest.mark.parametrize(
    ("currents", "imbalance"),
    [((3.0, 2.0, 1.0), 50.0), ((0.1, 0.2, 0.3), None), ((None, 5.0, 5.0), None)],
)
def test_current_imbalance(currents: tuple[float | None, ...], imbalance: float | None) -> None:
    a, b, c = (reading(current_a=amps) for amps in currents)
    found = imbalance_percent(meter(a, b, c), lambda told: told.current_a, LEAST_A)
    assert found == (None if imbalance is None else pytest.approx(imbalance))


async def test_they_are_shown(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    told = device.status["em:0"]
    await set_up(hass, entry)
    reactive = [sqrt(told[f"{phase}_aprt_power"] ** 2 - told[f"{phase}_act_power"] ** 2) for phase in "abc"]
    assert float(state_of(hass, f"{METER}_total_reactive_power")) == pytest.approx(sum(reactive))
    assert float(state_of(hass, f"{METER}_phase_c_reactive_power")) == pytest.approx(reactive[2])
    assert float(state_of(hass, f"{METER}_voltage_imbalance")) == pytest.approx(100 * 0.85 / 232.55)
    assert state_of(hass, f"{METER}_neutral_current_computed") == STATE_UNKNOWN, "phase B is not wired"


async def test_a_neutral_that_is_measured_is_not_computed(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.status["em:0"]["n_current"] = 1.5
    await set_up(hass, entry)
    assert state_of(hass, f"{METER}_neutral_current") == "1.5"
    assert hass.states.get(f"{METER}_neutral_current_computed") is None


@pytest.mark.parametrize(
    ("fixture_name", "profile"),
    [("shellypro3em-1.7.5", "triphase"), ("shellypro3em-mono-1.4.4", "monophase"), ("shellypro3em400-0.14.2", None)],
)
async def test_profile(hass: HomeAssistant, entry: MockConfigEntry, profile: str | None) -> None:
    await set_up(hass, entry)
    state = hass.states.get(f"{METER}_profile")
    assert (None if state is None else state.state) == profile


async def test_a_profile_that_we_do_not_know(
    hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry
) -> None:
    device.info["profile"] = "hexaphase"
    await set_up(hass, entry)
    assert state_of(hass, f"{METER}_profile") == STATE_UNKNOWN


@pytest.mark.parametrize("fixture_name", ["shellypro3em-mono-1.4.4"])
async def test_single_meters(hass: HomeAssistant, device: FixtureDevice, entry: MockConfigEntry) -> None:
    device.config["em1:0"]["name"] = None
    told = device.status["em1:0"]
    await set_up(hass, entry)
    reactive = sqrt(max(0.0, told["aprt_power"] ** 2 - told["act_power"] ** 2))
    assert float(state_of(hass, f"{METER}_meter_1_reactive_power")) == pytest.approx(reactive)
