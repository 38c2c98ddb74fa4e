import math

import pytest

from tests.exporter.rollup_points import Points, amounts, feed, rollups, write
from tests.exporter.rollup_restarts import READINGS, restored, straight


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


def test_a_series_without_a_reading_is_no_state() -> None:
    some = rollups()
    feed(some, [(1.0, math.nan, None)])
    assert some.state()["series"] == []
