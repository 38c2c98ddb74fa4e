import json
import math

import pytest

from shelly_exporter.rollups import AHEAD_S, MAX_GAP_S, Series
from tests.exporter.rollup_points import A, Points, amounts, at, feed, rollups, write

DAY = "2026-09-21T"
"""A Monday; Berlin is two hours ahead of UTC."""


def test_the_lines_of_an_hour_and_its_day() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:00:30"), 1000.0, 7.0), (at(DAY + "10:30:00"), 1500.5, 7.0)])
    tags = "channel=0,device=shellypro3em-3ce90e6ff1a0"
    assert some.lines() == [
        f"energy_1h,{tags},dow=1,hour=12,phase=a export_kwh=0.0,import_kwh=0.5005,resets=0i "
        f"{at(DAY + '10:00'):.0f}000".encode(),
        f"energy_1d,{tags},dow=1,month=09,phase=a,year=2026 export_kwh=0.0,import_kwh=0.5005,resets=0i "
        f"{at('2026-09-20T22:00'):.0f}000".encode(),
    ]


def test_only_what_changed_is_told_again() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:00"), 1000.0, 7.0)])
    assert len(some.lines()) == 2
    assert some.lines() == []
    feed(some, [(at(DAY + "10:01"), 1000.0, 7.0)])
    assert some.lines() == []
    feed(some, [(at(DAY + "10:02"), 1000.1, 7.0)])
    assert len(some.lines()) == 2
    feed(some, [(at(DAY + "11:02"), 1000.1, 7.0)])
    assert len(some.lines()) == 3, "the hour that is over, the new one, and the day"


def test_growth_is_spread_by_time_over_the_hours_between() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:45"), 1000.0, None), (at(DAY + "13:15"), 1100.0, None)])
    assert amounts(write({}, some), "energy_1h", "import_kwh") == [0.01, 0.04, 0.04, 0.01]


def test_growth_over_midnight_belongs_to_both_days() -> None:
    some = rollups()
    feed(some, [(at(DAY + "21:30"), 0.0, 500.0), (at(DAY + "22:30"), 10.0, 540.0)])
    points = write({}, some)
    assert amounts(points, "energy_1d", "import_kwh") == [0.005, 0.005]
    assert amounts(points, "energy_1d", "export_kwh") == [0.02, 0.02]


def test_a_reading_on_the_hour_ends_the_hour_before() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:30"), 100.0, None), (at(DAY + "11:00"), 130.0, None)])
    assert amounts(write({}, some), "energy_1h", "import_kwh") == [0.03, 0.0]


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


@pytest.mark.parametrize(
    ("zone", "noon", "count", "hour_kwh"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", 23, {0.06}),
        ("Europe/Berlin", "2026-10-25T12:00", 25, {0.06}),
        ("America/Sao_Paulo", "2018-11-04T12:00", 23, {0.06}),
        ("America/Sao_Paulo", "2018-02-17T12:00", 25, {0.06}),
        ("Asia/Kolkata", "2026-09-21T12:00", 24, {0.06}),
        ("Australia/Lord_Howe", "2026-10-04T01:00", 24, {0.06, 0.03}),
        ("Australia/Lord_Howe", "2026-04-05T01:00", 25, {0.06, 0.03}),
    ],
)
def test_days_when_the_clock_changes(zone: str, noon: str, count: int, hour_kwh: set[float]) -> None:
    some = rollups(zone)
    start, end = (day := some._calendar.day(int(at(noon)))).start, day.end
    # One watt-hour a minute, from an hour before the day to an hour after it.
    feed(some, [(ts, (ts - start + 3600) / 60, None) for ts in range(start - 3600, end + 3601, 60)])
    points = write({}, some)
    of_the_day = {key: point for key, point in points.items() if start <= key[1] < end}
    hours = amounts(of_the_day, "energy_1h", "import_kwh")
    assert len(hours) == count
    assert {round(kwh, 9) for kwh in hours} == hour_kwh
    assert amounts(of_the_day, "energy_1d", "import_kwh") == [pytest.approx((end - start) / 3600 * 0.06)]


def test_series_do_not_mix() -> None:
    some = rollups()
    others = [A._replace(phase="b"), A._replace(channel=1), A._replace(device="shellypro3em-0cb815fcaf3c")]
    for number, series in enumerate([A, *others]):
        feed(some, [(at(DAY + "10:00"), 0.0, None), (at(DAY + "10:30"), 1000.0 * (number + 1), None)], series)
    points = write({}, some)
    assert sorted(amounts(points, "energy_1h", "import_kwh")) == [1.0, 2.0, 3.0, 4.0]
    assert len(points) == 8


def test_names_are_escaped() -> None:
    some = rollups()
    feed(some, [(at(DAY + "10:00"), 0.0, None)], Series("a b,c=d\n", 0, "a"))
    assert some.lines()[0].startswith(rb"energy_1h,channel=0,device=a\ b\,c\=d_,dow=1,hour=12,phase=a import_kwh=0.0,")


def test_the_number_of_series_is_limited() -> None:
    some = rollups(max_series=2)
    for channel in range(5):
        feed(some, [(at(DAY + "10:00"), 0.0, None)], A._replace(channel=channel))
    assert len(some) == 2
    assert len(some.lines()) == 4
    assert some.ignored == {"too many series": 3}


def test_memory_does_not_grow_with_time() -> None:
    some = rollups()
    points: Points = {}
    sizes = set()
    for hour in range(24 * 60):
        feed(some, [(at("2026-01-01T00:00") + 3600.0 * hour, 100.0 * hour, None)])
        write(points, some)
        state = some.state()
        sizes.add((len(state["series"]), len(state["over"]), len(some._touched)))
    assert sizes == {(1, 0, 0)}
    assert len(points) > 24 * 60
