import json
import math
from typing import Any

import pytest

from shelly_exporter.rollups import Rollups
from tests.exporter.rollup_points import A, Points, Reading, amounts, at, feed, rollups, write

B = A._replace(device="shellypro3em-0cb815fcaf3c")
DAY = "2026-09-21T"
READINGS: list[Reading] = [
    (at(DAY + "09:30") + 600 * n, 1000.0 + 7.13 * n - (1500 if n > 250 else 0), 3.3 * n) for n in range(300)
]
"""Two days, with a reset in the middle."""


def restored(some: Rollups, zone: str = "Europe/Berlin") -> Rollups:
    """What goes on after a restart, from a state that went through a file."""
    return rollups(zone, state=json.loads(json.dumps(some.state(), allow_nan=False)))


def straight() -> Points:
    some = rollups()
    feed(some, READINGS)
    return write({}, some)


@pytest.mark.parametrize("told", [True, False])
def test_a_restart_at_any_reading_changes_nothing(told: bool) -> None:
    some, points = rollups(), Points.__value__()
    for reading in READINGS:
        feed(some, [reading])
        if told:
            write(points, some)
        some = restored(some)
    assert write(points, some) == straight()
    assert not some.ignored


def test_an_old_state_and_the_readings_since_change_nothing() -> None:
    points: Points = {}
    some = rollups()
    feed(some, READINGS[:100])
    write(points, some)
    old = some.state()
    feed(some, READINGS[100:])
    write(points, some)
    again = rollups(state=old)
    feed(again, READINGS[90:])
    assert write(points, again) == straight()


def test_an_old_state_keeps_the_sum_when_readings_are_missing() -> None:
    points: Points = {}
    some = rollups()
    feed(some, READINGS[:100])
    old = some.state()
    feed(some, READINGS[100:150])
    write(points, some)
    again = rollups(state=old)
    feed(again, READINGS[160:])
    write(points, again)
    for measurement in ("energy_1h", "energy_1d"):
        for field in ("import_kwh", "export_kwh", "resets"):
            assert sum(amounts(points, measurement, field)) == pytest.approx(
                sum(amounts(straight(), measurement, field))
            )


def test_what_is_open_is_told_again_after_a_restart() -> None:
    some = rollups()
    feed(some, READINGS[:10])
    before = write({}, some)
    after = write({}, restored(some))
    assert after == {key: before[key] for key in after}
    assert len(after) == 2


def test_points_that_nobody_asked_for_yet_survive() -> None:
    some = rollups()
    feed(some, READINGS)
    assert write({}, restored(some)) == straight()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Europe/Berlin", "Asia/Kolkata"),
        ("Europe/Berlin", "UTC"),
        # The same clock, a day apart.
        ("Pacific/Apia", "Pacific/Pago_Pago"),
    ],
)
def test_another_time_zone_counts_nothing_twice(old: str, new: str) -> None:
    some = rollups(old)
    feed(some, READINGS[:100])
    points = write({}, some)
    moved = restored(some, new)
    feed(moved, READINGS[100:])
    write(points, moved)
    assert moved.ignored == {}
    for measurement in ("energy_1h", "energy_1d"):
        for field in ("import_kwh", "export_kwh"):
            assert sum(amounts(points, measurement, field)) == pytest.approx(
                sum(amounts(straight(), measurement, field))
            )


def test_points_of_another_time_zone_do_not_get_the_tags_of_this_one() -> None:
    some = rollups("Pacific/Apia")
    feed(some, READINGS[:10])
    over = some.state()["over"]
    moved = restored(some, "Pacific/Pago_Pago")
    assert moved.ignored == {"state": len(over)}
    assert all(point["import_kwh"] == 0.0 for point in write({}, moved).values())


def test_a_device_moves_to_another_instance() -> None:
    here, there, points = rollups(), rollups(), Points.__value__()
    feed(here, READINGS[:150])
    feed(here, READINGS[:20], B)
    there.adopt(json.loads(json.dumps(here.state(A.device))))
    here.forget(A.device)
    assert [len(here), len(there)] == [1, 1]
    write(points, here)
    feed(there, READINGS[150:])
    write(points, there)
    assert {key: point for key, point in points.items() if A.device in key[0]} == straight()
    feed(here, READINGS[20:], B)
    write(points, here)
    assert len(points) == 2 * len(straight())


def test_a_device_may_come_back_before_its_points_were_told() -> None:
    here, there = rollups(), rollups()
    feed(here, READINGS[:150])
    feed(there, READINGS[:10])
    there.adopt(here.state())
    there.forget(A.device)
    assert write({}, there) == write({}, here)
    assert there.state()["series"] == []
    assert there.lines() == []


def test_a_device_of_which_all_was_told_is_forgotten_silently() -> None:
    some = rollups()
    feed(some, READINGS[:10])
    some.lines()
    some.forget(A.device)
    some.forget("nobody")
    assert some.lines() == []
    assert some.state()["series"] == []


def test_a_series_without_a_reading_is_no_state() -> None:
    some = rollups()
    feed(some, [(1.0, math.nan, None)])
    assert some.state()["series"] == []


def test_a_state_beyond_the_limit_of_series_is_counted() -> None:
    some = rollups()
    feed(some, READINGS[:1])
    feed(some, READINGS[:1], B)
    few = rollups(state=some.state(), max_series=1)
    assert len(few) == 1
    assert few.ignored == {"too many series": 1}


GOOD = [1.79e9, 1000.0, 1.79e9, 1000.0, 1.79e9, 1000.0]


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"version": 2, "zone": "Europe/Berlin", "series": [], "over": []},
        {"version": 1, "zone": "Europe/Berlin", "series": {}, "over": []},
        {"version": 1, "zone": "Europe/Berlin", "series": []},
    ],
)
def test_no_state_at_all(state: dict[str, Any]) -> None:
    some = rollups(state=state)
    assert (len(some), some.ignored) == (0, {"state": 1})


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        7,
        "seven",
        ["d", 0, "a"],
        ["d", 0, "a", None],
        ["d", 0, "a", []],
        ["d", 0, {"resets": GOOD}],
        ["d", "0", "a", {"resets": GOOD}],
        ["d", 0, "a", {"import_kwh": GOOD}],
        ["d", 0, "a", {"import_kwh": GOOD[:5], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [*GOOD[:5], "x"], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [*GOOD[:5], math.inf], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [math.nan, *GOOD[1:]], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [1e300, *GOOD[1:]], "resets": GOOD}],
        ["d", 0, "a", {"import_kwh": [1.79e9, -1.0, *GOOD[2:]], "resets": GOOD}],
    ],
)
def test_what_makes_no_sense_in_a_state_is_left_out(entry: Any) -> None:
    some = rollups()
    feed(some, READINGS[:10])
    state = some.state() | {"over": []}
    again = rollups(state=state | {"series": [entry, *state["series"]]})
    assert (len(again), again.ignored) == (1, {"state": 1})
    feed(some, READINGS[10:])
    feed(again, READINGS[10:])
    some.lines(), again.lines()
    assert again.state() == some.state()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        ["d", 0, "a", "energy_1h", 1, {}],
        ["d", 0, "a", "energy_1m", 3600, {}],
        ["d", 0, "a", "energy_1h", 1e300, {}],
        ["d", 0, "a", "energy_1h", 3600, {"import_mwh": 1}],
        ["d", 0, "a", "energy_1h", 3600, []],
        ["d", 0, "a", "energy_1h", "noon", {}],
        ["d", 0, None, "energy_1h", 3600, {"resets": 1}],
        ["d", 0, "a", "energy_1h", 3600, {"resets": None}],
    ],
)
def test_points_that_make_no_sense_in_a_state_are_left_out(entry: Any) -> None:
    again = rollups(state={"version": 1, "zone": "Europe/Berlin", "series": [], "over": [entry]})
    assert (again.lines(), again.ignored) == ([], {"state": 1})
