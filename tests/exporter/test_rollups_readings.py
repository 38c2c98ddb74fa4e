"""Which readings count: old ones, resets, silences, clocks that are wrong."""

import json
import math

import pytest

from shelly_exporter.rollups import AHEAD_S, MAX_GAP_S
from tests.exporter.rollup_points import DAY, amounts, at, feed, rollups, write


def test_old_and_repeated_readings_change_nothing() -> None:
    some = rollups()
    readings = [(at(DAY + "10:30"), 100.0, 5.0), (at(DAY + "10:31"), 110.0, 6.0)]
    feed(some, readings)
    before = write({}, some)
    feed(some, readings)
    feed(some, [(at(DAY + "10:31"), 999.0, 999.0), (at(DAY + "09:00"), 1.0, 1.0)])
    assert some.lines() == []
    assert before == write(before.copy(), some)
    assert some.ignored == {"old": 8}


def test_a_fall_is_a_reset_from_zero() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:10"), 100.0, 50.0), (at(DAY + "10:20"), 130.0, 50.0), (at(DAY + "10:30"), 4.0, 0.0)])
    points = write({}, some)
    assert amounts(points, "energy_1h", "import_kwh") == [0.034]
    assert amounts(points, "energy_1h", "export_kwh") == [0.0]
    assert amounts(points, "energy_1h", "resets") == [1], "both fell, once"
    assert amounts(points, "energy_1d", "resets") == [1]
    feed(some, [(at(DAY + "10:40"), 5.0, 0.0), (at(DAY + "10:50"), 1.0, 0.0), (at(DAY + "11:10"), 1.0, 0.0)])
    points = write(points, some)
    assert amounts(points, "energy_1h", "import_kwh") == [0.036, 0.0]
    assert amounts(points, "energy_1h", "resets") == [2, 0]
    assert amounts(points, "energy_1d", "resets") == [2]


def test_a_reset_over_the_hour_is_spread_and_counted_where_it_was_seen() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:50"), 100.0, None), (at(DAY + "11:10"), 20.0, None)])
    points = write({}, some)
    assert amounts(points, "energy_1h", "import_kwh") == [0.01, 0.01]
    assert amounts(points, "energy_1h", "resets") == [0, 1]


def test_counters_that_fall_by_the_same_reading_are_one_reset() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:10"), 100.0, 50.0), (at(DAY + "10:20"), 1.0, None), (at(DAY + "10:20"), None, 1.0)])
    assert amounts(write({}, some), "energy_1h", "resets") == [1]


def test_one_counter_may_lag_behind_the_other() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:50"), 100.0, 50.0), (at(DAY + "11:05"), 115.0, None), (at(DAY + "11:02"), None, 1.0)])
    points = write({}, some)
    assert amounts(points, "energy_1h", "import_kwh") == [0.01, 0.005]
    assert amounts(points, "energy_1h", "resets") == [0, 1]
    feed(some, [(at(DAY + "11:10"), None, 53.0)])
    points = write(points, some)
    assert amounts(points, "energy_1h", "export_kwh") == [pytest.approx(0.001 * 10 / 12), pytest.approx(0.0521666667)]
    assert amounts(points, "energy_1h", "import_kwh") == [0.01, 0.005]


@pytest.mark.parametrize("wh", [math.nan, math.inf, -1.0, -math.inf])
@pytest.mark.parametrize("first", [True, False])
def test_what_is_no_reading_is_counted(wh: float, first: bool) -> None:
    some = rollups()
    if not first:
        feed(some, [(at(DAY + "10:50"), 100.0, 50.0)])
    before = write({}, some)
    feed(some, [(at(DAY + "10:51"), wh, wh), (at(DAY + "11:51"), wh, wh)])
    feed(some, [(ts, 200.0, 200.0) for ts in (math.nan, math.inf, -1.0, 1e11)])
    assert write(before.copy(), some) == before
    assert some.ignored == {"not a reading": 12}
    json.dumps(some.state(), allow_nan=False)


def test_a_reading_from_the_future_does_not_shut_out_the_others() -> None:
    now = at(DAY + "10:00")
    some = rollups()
    some._wall = lambda: now
    feed(some, [(now, 100.0, None), (now + AHEAD_S + 1, 200.0, None), (now + 60, 101.0, None)])
    assert some.ignored == {"in the future": 1}
    assert amounts(write({}, some), "energy_1h", "import_kwh") == [0.001]


def test_a_clock_of_ours_that_was_wrong_does_not_shut_out_the_others() -> None:
    now = at(DAY + "10:00")
    some = rollups()
    feed(some, [(now + 86_400, 100.0, None), (now + 86_401, 1.0, None)])
    some._wall = lambda: now
    feed(some, [(now, 2.0, None), (now + 60, 3.0, None)])
    assert some.ignored == {"begun anew": 1}
    points = write({}, some)
    assert amounts(points, "energy_1h", "import_kwh") == [0.001, 0.001]
    assert amounts(points, "energy_1h", "resets") == [0, 1]


def test_after_a_silence_of_a_year_it_begins_anew() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:00"), 100.0, None), (at(DAY + "10:30"), 105.0, None)])
    feed(some, [(at(DAY + "10:30") + MAX_GAP_S + 1, 1e6, None)])
    assert amounts(write({}, some), "energy_1h", "import_kwh") == [0.005, 0.0]
    assert some.ignored == {"begun anew": 1}


def test_a_silence_of_half_a_year_is_filled() -> None:
    some = rollups()
    feed(some, [(at("2026-01-01T00:00"), 0.0, None), (at("2026-07-01T00:00"), 4344.0, None)])
    points = write({}, some)
    assert amounts(points, "energy_1h", "import_kwh")[:-1] == [pytest.approx(0.001)] * 181 * 24
    assert sum(amounts(points, "energy_1d", "import_kwh")) == pytest.approx(4.344)
    assert len(amounts(points, "energy_1d", "import_kwh")) == 182
