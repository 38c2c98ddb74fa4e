import pytest

from shelly_exporter.rollups import Series
from tests.exporter.rollup_points import DAY, A, Points, amounts, at, feed, rollups, write


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
