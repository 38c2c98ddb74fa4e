"""Counters, records and the ledger are the exact integral of the power that was played."""

from typing import Any

import pytest

from tests.fidelity.devices import Bench, bench
from tests.simulator.house import PHASES, House
from tests.simulator.meter import Record

HALF_CENT = 0.005 + 1e-9


def plain(model: str = "pro3em", **options: Any) -> Bench:
    found = bench(model, house=House(1, furnished=False), **options)
    found.device.reset_counters()
    found.told.clear()
    return found


def records(found: Bench) -> list[Record]:
    assert found.device.meter is not None
    return list(found.device.meter.records)


def test_constant_power_counts_to_the_watt_hour() -> None:
    found = plain()
    found.device.set_load("a", power_w=1200.0)
    found.device.set_load("b", power_w=-600.0)
    found.run(600.5)
    counters = found.call("EMData.GetStatus", id=0)
    assert (counters["a_total_act_energy"], counters["a_total_act_ret_energy"]) == (200.0, 0.0)
    assert (counters["b_total_act_energy"], counters["b_total_act_ret_energy"]) == (0.0, 100.0)
    assert (counters["total_act"], counters["total_act_ret"]) == (200.0, 100.0)


def test_a_load_that_comes_within_a_second_counts_from_that_moment() -> None:
    found = plain()
    found.run(12.25)
    found.device.set_load("a", power_w=3600.0)
    found.run(6.5)
    found.device.set_load("a", power_w=0.0)
    found.run(120)
    assert found.call("EMData.GetStatus", id=0)["a_total_act_energy"] == 6.5
    row = next(row for row in found.device.ledger.read()["energy"] if row["phase"] == "a" and row["act_wh"] > 0)
    assert row == {"minute": 1_790_000_040, "phase": "a", "act_wh": pytest.approx(6.5), "ret_wh": 0.0}


@pytest.mark.parametrize("model", ["pro3em", "pro3em-mono"])
def test_ledger_counters_and_records_agree_over_a_furnished_hour(model: str) -> None:
    found = bench(model, seed=4)
    start = {phase: dict(wh) for phase, wh in found.device.ledger.counters.items()}
    found.run(3600 + 1)
    told = found.call("Shelly.GetStatus")
    ledger = found.device.ledger.read()
    minutes = {row["minute"] for row in ledger["energy"]}
    assert len(minutes) == 61
    for number, phase in enumerate(PHASES):
        rows = [row for row in ledger["energy"] if row["phase"] == phase and row["minute"] < 1_790_003_640]
        record_wh = [record.phases[phase] for record in records(found)]
        for column, name in (("act_wh", "act"), ("ret_wh", "act_ret")):
            played = sum(row[column] for row in rows)
            prefix, key = (f"{phase}_", "emdata:0") if model == "pro3em" else ("", f"em1data:{number}")
            counted = told[key][f"{prefix}total_{name}_energy"] - start[phase][column]
            assert counted == pytest.approx(played, abs=HALF_CENT * 2)
            assert sum(getattr(minute, column) for minute in record_wh) == pytest.approx(played)
            assert ledger["counters"][phase][column] >= start[phase][column] + played - 1e-6


def test_import_and_export_within_a_minute_count_both() -> None:
    found = plain()
    found.device.set_load("a", power_w=3600.0)
    found.run(10)
    found.device.set_load("a", power_w=-3600.0)
    found.run(20)
    found.device.set_load("a", power_w=0.0)
    found.run(60)
    counters = found.call("EMData.GetStatus", id=0)
    assert (counters["a_total_act_energy"], counters["a_total_act_ret_energy"]) == (10.0, 20.0)


def test_a_minute_s_record_has_its_energy_extremes_and_means() -> None:
    found = plain()
    found.device.set_load("a", power_w=600.0, pf=0.8)
    found.run(30)
    found.device.set_load("a", power_w=1200.0, pf=0.8)
    found.run(31)
    event = found.events("data")[0]
    row = event["data"]["values"][0]
    assert (event["ts"], event["data"]["ts"], event["data"]["period"]) == (1_790_000_040, 1_790_000_040, 60)
    act, fund, ret, _, lag, lead, most, least, most_va, least_va = row[:10]
    assert (act, ret, lead) == (15.0, 0.0, 0.0)
    assert fund == pytest.approx(15.0, rel=0.002)
    assert lag == pytest.approx(15.0 * 0.75)
    assert (most, least, most_va, least_va) == (1200.0, 600.0, 1500.0, 750.0)
    most_v, least_v, mean_v, most_a, least_a, mean_a = row[10:16]
    assert least_v < mean_v < most_v
    assert mean_a == pytest.approx((most_a + least_a) / 2, rel=0.01)
    assert len(row) == 51
    assert 0.02 < row[-1] < 0.03


def test_records_follow_each_other_without_gap() -> None:
    found = bench("pro3em")
    found.run(600)
    stamps = [record.ts for record in records(found)]
    assert stamps == list(range(1_790_000_040, 1_790_000_040 + 600, 60))


def test_status_tells_what_was_saved_at_the_minute() -> None:
    found = plain()
    found.device.set_load("a", power_w=3600.0)
    found.run(59)
    assert found.call("EMData.GetStatus", id=0)["a_total_act_energy"] == 0.0
    found.run(2)
    assert found.call("EMData.GetStatus", id=0)["a_total_act_energy"] == 60.0
    assert found.device.ledger.read()["counters"]["a"]["act_wh"] == pytest.approx(61.0)


def test_power_cut_loses_the_minute_in_progress_and_the_ledger_says_so() -> None:
    found = plain()
    found.device.set_load("a", power_w=3600.0)
    found.run(90)
    found.device.power_off()
    found.run(100)
    found.device.boot()
    found.run(130)
    counted = found.call("EMData.GetStatus", id=0)["a_total_act_energy"]
    ledger = found.device.ledger.read()
    recorded = sum(record.phases["a"].act_wh for record in records(found))
    saved = sum(row["act_wh"] for row in ledger["energy"] if row["phase"] == "a" and row["minute"] < 1_790_000_340)
    assert counted == pytest.approx(recorded) == pytest.approx(saved) == pytest.approx(60 + 110)
    assert sum(row["act_wh"] for row in ledger["lost"]) == pytest.approx(30)


def test_restart_keeps_counters_and_the_minute() -> None:
    found = plain()
    found.device.set_load("a", power_w=3600.0)
    found.run(30)
    found.call("Shelly.Reboot")
    found.run(2)
    assert found.call("EMData.GetStatus", id=0)["a_total_act_energy"] == pytest.approx(31.0, abs=0.01)
    found.run(60)
    first = found.events("data")[0]["data"]
    assert first["ts"] == 1_790_000_040
    assert first["values"][0][0] == pytest.approx(60.0)


def test_wrong_clock_shifts_records_but_no_energy() -> None:
    found = plain()
    found.device.device_clock.skew_s = 3601.7
    found.device.set_load("a", power_w=3600.0)
    found.run(600)
    shifted = [record for record in records(found) if record.ts > 1_790_003_640]
    assert [record.ts % 60 for record in shifted] == [0] * len(shifted)
    assert all(record.phases["a"].act_wh == pytest.approx(60.0) for record in shifted[1:])
    assert found.device.ledger.read()["counters"]["a"]["act_wh"] == pytest.approx(600.0)


def test_before_the_clock_is_set_records_have_tiny_stamps() -> None:
    found = plain()
    found.device.power_off()
    found.device.device_clock.synced = False
    found.device.boot()
    found.run(190)
    assert [event["data"]["ts"] for event in found.events("data")] == [0, 60, 120]
    status = found.call("Sys.GetStatus")
    assert (status["time"], status["unixtime"]) == (None, None)


def test_reset_of_one_channel_leaves_the_others() -> None:
    found = plain("pro3em-mono")
    for phase in PHASES:
        found.device.set_load(phase, power_w=3600.0)
    found.run(61)
    assert found.call("EM1Data.ResetCounters", id=1) is None
    told = [found.call("EM1Data.GetStatus", id=n)["total_act_energy"] for n in range(3)]
    assert told[1] == 0.0
    assert told[0] == told[2] == pytest.approx(60.0, abs=1.1)
    assert found.statuses("em1data:1")[-1]["total_act_energy"] == 0.0


def test_counter_dip_lowers_what_is_told_but_not_the_truth() -> None:
    found = plain()
    found.device.set_load("a", power_w=3600.0)
    found.run(61)
    found.device.faults.inject("counter_dip", wh=0.1)
    assert found.call("EMData.GetStatus", id=0)["a_total_act_energy"] == 59.9
    found.device.faults.clear("counter_dip")
    assert found.call("EMData.GetStatus", id=0)["a_total_act_energy"] == 60.0
