"""A state that moves: to another time zone, to another instance and back."""

import json

import pytest

from tests.exporter.rollup_points import A, Points, amounts, feed, rollups, write
from tests.exporter.rollup_restarts import READINGS, B, restored, straight


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
