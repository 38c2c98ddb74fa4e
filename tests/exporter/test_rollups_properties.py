"""What holds for any readings, in any order, with any gaps."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelly_exporter.rollups import Rollups
from tests.exporter.rollup_points import A, Points, Reading, amounts, rollups, write
from tests.exporter.rollup_stories import counted_wh, falls, readings, stories, take_all, zones


@given(zones, stories)
def test_hours_and_days_add_up_to_what_was_counted(zone: str, story: list[Reading]) -> None:
    points = take_all(rollups(zone), story)
    for column, field in ((1, "import_kwh"), (2, "export_kwh")):
        wh = counted_wh(story, column)
        for measurement in ("energy_1h", "energy_1d"):
            found = amounts(points, measurement, field)
            assert bool(found) is (wh is not None)
            assert sum(found) == pytest.approx(0.0 if wh is None else wh / 1000.0, rel=1e-9, abs=1e-9)


@given(zones, st.lists(readings, min_size=1, max_size=40).map(lambda story: [(ts, wh, None) for ts, wh, _ in story]))
def test_each_fall_is_counted_once(zone: str, story: list[Reading]) -> None:
    points = take_all(rollups(zone), story)
    for measurement in ("energy_1h", "energy_1d"):
        assert sum(amounts(points, measurement, "resets")) == falls(story)


@given(zones, stories)
def test_nothing_is_negative_and_hours_lie_in_their_day(zone: str, story: list[Reading]) -> None:
    some = rollups(zone)
    points = take_all(some, story)
    days: dict[int, float] = {}
    for (key, start), point in points.items():
        assert all(value >= 0 for value in point.values())
        if key.startswith("energy_1h") and "import_kwh" in point:
            day = some._calendar.day(start).start
            days[day] = days.get(day, 0.0) + point["import_kwh"]
    told = {
        start: point["import_kwh"]
        for (key, start), point in points.items()
        if key.startswith("energy_1d") and "import_kwh" in point
    }
    assert told == pytest.approx(days, rel=1e-9, abs=1e-9)


@given(zones, stories)
def test_it_does_not_matter_when_the_lines_are_asked_for(zone: str, story: list[Reading]) -> None:
    assert take_all(rollups(zone), story) == take_all(rollups(zone), story, {})


@given(zones, stories)
def test_the_same_readings_again_change_nothing(zone: str, story: list[Reading]) -> None:
    some = rollups(zone)
    points = take_all(some, story, {})
    before = json.dumps(sorted(points.items()))
    for ts, import_wh, export_wh in sorted(story, key=lambda reading: reading[0]):
        some.take(A, ts, import_wh, export_wh)
    assert some.lines() == []
    assert json.dumps(sorted(write(points, some).items())) == before


@given(zones, stories, st.data())
@settings(deadline=None)
def test_an_old_state_fed_with_what_came_since_changes_nothing(zone: str, story: list[Reading], data: Any) -> None:
    expected = take_all(rollups(zone), story)
    saved = data.draw(st.integers(0, len(story)))
    points: Points = {}
    some = rollups(zone)
    take_all(some, story[:saved], points)
    state = json.loads(json.dumps(some.state()))
    take_all(some, story[saved:], points)
    crashed = Rollups(ZoneInfo(zone), state, wall=lambda: 2e9)
    # Whatever is delivered twice.
    again = data.draw(st.integers(0, saved))
    take_all(crashed, story[again:], points)
    assert points == expected
    assert not crashed.ignored.keys() - {"old"}
