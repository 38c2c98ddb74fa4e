"""No reading takes the place of another, however the device's clock was corrected."""

from shelly_exporter.devices.own_times import KEPT, OwnTimes

NOW_MS = 1_764_000_000_000


def test_a_time_that_is_free_is_taken() -> None:
    assert OwnTimes().of(NOW_MS, 1000.0) == NOW_MS


def test_two_stamps_that_were_corrected_to_one_time() -> None:
    times = OwnTimes()
    assert [times.of(NOW_MS, stamp) for stamp in (1000.0, 1000.2, 1000.4)] == [NOW_MS, NOW_MS + 1, NOW_MS + 2]


def test_what_is_told_twice_is_one_reading() -> None:
    times = OwnTimes()
    first = [times.of(NOW_MS, stamp) for stamp in (1000.0, 1000.2)]
    assert [times.of(NOW_MS, stamp) for stamp in (1000.0, 1000.2)] == first


def test_only_the_newest_are_remembered() -> None:
    times = OwnTimes()
    for number in range(KEPT + 1):
        times.of(NOW_MS + number, float(number))
    assert times.of(NOW_MS, -1.0) == NOW_MS, "the oldest is forgotten"
    assert times.of(NOW_MS + KEPT, -1.0) == NOW_MS + KEPT + 1, "the newest is not"
