"""The house obeys the laws of alternating current, and repeats itself."""

from math import hypot, sqrt

import pytest

from tests.fidelity.devices import bench
from tests.simulator.house import PHASES, Flow, House, Phase, neutral_a

NOON = 1_790_078_400
MIDNIGHT = NOON + 12 * 3600


def bare() -> House:
    return House(1, furnished=False)


def test_power_triangle_holds_all_day() -> None:
    house = House(3)
    for second in range(NOON, NOON + 86400, 613):
        for flow in house.flows(second).values():
            assert flow.apparent_va == pytest.approx(hypot(flow.power_w, flow.reactive_var))
            assert flow.current_a * flow.voltage_v == pytest.approx(flow.apparent_va)
            assert 0 <= flow.pf <= 1
            assert 215 < flow.voltage_v < 245
            assert 49.9 < flow.freq_hz < 50.1


def test_power_factor_is_that_of_the_appliance() -> None:
    house = bare()
    house.set_load("b", "pump", 800.0, pf=0.8, at=NOON)
    flow = house.flows(NOON)["b"]
    assert flow.power_w == 800.0
    assert flow.pf == pytest.approx(0.8)
    assert flow.reactive_var == pytest.approx(600.0)


def test_voltage_sags_on_the_loaded_phase_only_and_rises_when_feeding_in() -> None:
    house = bare()
    idle = house.flows(NOON)
    house.set_load("a", "oven", 3000.0, at=NOON)
    house.set_load("c", "sun", -3000.0, at=NOON)
    loaded = house.flows(NOON)
    assert 2 < idle["a"].voltage_v - loaded["a"].voltage_v < 4
    assert loaded["b"].voltage_v == idle["b"].voltage_v
    assert loaded["c"].voltage_v > idle["c"].voltage_v + 2


def test_neutral_carries_what_the_phases_leave_over() -> None:
    def flows(*watts: float) -> dict[Phase, Flow]:
        return {phase: Flow(230.0, power, 0.0, 50.0) for phase, power in zip(PHASES, watts, strict=True)}

    assert neutral_a(flows(2300, 2300, 2300)) == pytest.approx(0.0, abs=1e-9)
    assert neutral_a(flows(2300, 0, 0)) == pytest.approx(10.0)
    assert neutral_a(flows(2300, 2300, 0)) == pytest.approx(10.0)
    assert neutral_a(flows(2300, -2300, 0)) == pytest.approx(10 * sqrt(3))


def test_sun_feeds_in_by_day_only() -> None:
    with_sun, without = House(5), House(5, pv_w=0)
    noon = [with_sun.flows(NOON)[p].power_w - without.flows(NOON)[p].power_w for p in PHASES]
    night = [with_sun.flows(MIDNIGHT)[p].power_w - without.flows(MIDNIGHT)[p].power_w for p in PHASES]
    assert all(watts < -900 for watts in noon)
    assert night == [0, 0, 0]


def test_the_same_seed_plays_the_same_day_and_another_seed_another() -> None:
    one, same, other = (
        [house.flows(second) for second in range(NOON, NOON + 3600, 60)] for house in (House(7), House(7), House(8))
    )
    assert one == same
    assert one != other


def test_a_question_about_the_past_sees_the_loads_of_then() -> None:
    house = bare()
    house.set_load("a", "kettle", 2000.0, at=NOON + 10.5)
    house.set_load("a", "kettle", 0.0, at=NOON + 20.25)
    assert [house.flows(NOON + s)["a"].power_w for s in (10.4, 10.5, 20.2, 20.25)] == [0.0, 2000.0, 2000.0, 0.0]


def test_unwired_phase_shows_residual_current_and_nothing_else() -> None:
    status = bench("pro3em", unwired=frozenset("ab")).call("EM.GetStatus", id=0)
    for phase in "ab":
        quantities = ("voltage", "act_power", "aprt_power", "pf", "freq")
        assert [status[f"{phase}_{name}"] for name in quantities] == [0, 0, 0, 0, 0]
        assert 0.025 <= status[f"{phase}_current"] <= 0.029
    assert status["c_voltage"] > 200
    phases = sum(status[f"{phase}_current"] for phase in "abc")
    assert status["total_current"] == pytest.approx(phases, abs=0.002)


def test_neutral_current_is_null_without_its_transformer() -> None:
    assert bench("pro3em").call("EM.GetStatus", id=0)["n_current"] is None
    assert bench("pro3em", neutral_ct=True).call("EM.GetStatus", id=0)["n_current"] > 0


@pytest.mark.parametrize(("release", "sign"), [("1.1", -1), ("1.4", 1)])
def test_power_factor_of_a_leading_load_was_negative_before_1_3(release: str, sign: int) -> None:
    found = bench("pro3em", release, house=bare())
    found.device.set_load("a", power_w=100.0, pf=-0.5)
    found.device.set_load("b", power_w=100.0, pf=0.5)
    status = found.call("EM.GetStatus", id=0)
    assert (status["a_pf"], status["a_act_power"]) == (sign * 0.5, 100.0)
    assert status["b_pf"] == 0.5


def test_export_is_negative_power_with_positive_current_and_power_factor() -> None:
    found = bench("pro3em", house=bare())
    found.device.set_load("c", power_w=-1500.0)
    status = found.call("EM.GetStatus", id=0)
    assert status["c_act_power"] == -1500.0
    assert status["c_current"] > 6
    assert status["c_pf"] == 1.0
    assert status["total_act_power"] == -1500.0


def test_relays_of_a_pro_3_switch_loads_that_a_meter_in_the_same_house_sees() -> None:
    house = bare()
    relays = bench("pro3", house=house)
    meter = bench("pro3em", house=house, clock=relays.clock)
    relays.call("Switch.Set", id=0, on=True)
    assert meter.call("EM.GetStatus", id=0)["a_act_power"] == 1200.0
    relays.call("Switch.Set", id=0, on=False)
    assert meter.call("EM.GetStatus", id=0)["a_act_power"] == 0.0


def test_beyond_its_range_a_phase_reports_an_error() -> None:
    found = bench("pro3em", house=bare())
    found.device.set_load("a", power_w=40_000.0)
    status = found.call("EM.GetStatus", id=0)
    assert status["a_errors"] == ["out_of_range:current"]
    assert "b_errors" not in status
