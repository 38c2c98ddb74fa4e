import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shelly_core.clock import EPOCH_S, STEP_S, TOLERANCE_S, DeviceClock

NOW = 1763995000.0
TINY = 1e-6


class Watch:
    """The clock of a device, `ahead` of ours, and what we make of it; `jumps` are the times its order was forgotten."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.clock = DeviceClock()
        self.now = NOW
        self.ahead = ahead
        self.drift = 0.0
        """Seconds that the device gains per second."""
        self.jumps: list[float] = []

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.ahead += seconds * self.drift

    def step(self, seconds: float) -> None:
        self.ahead += seconds

    def notify(self, delay: float = 0.0) -> bool:
        ts = round(self.now + self.ahead, 2)
        return self._forgot(self.clock.hear(ts, self.now + max(delay, 0.01)))

    def status(self, before: float = 0.02, after: float = 0.02, *, synced: bool = True) -> bool:
        """Ask `before` the device looks at its clock, and get the answer `after` that."""
        told = math.floor(self.now + self.ahead)
        system = {"unixtime": told if synced else None, "uptime": told}
        return self._forgot(self.clock.read(system, self.now - before, self.now + after))

    def _forgot(self, forgot: bool) -> bool:
        if forgot:
            self.jumps.append(self.now)
        return forgot

    @property
    def error(self) -> float:
        """How much the estimate is above the truth."""
        assert self.clock.offset_s is not None
        return self.clock.offset_s - self.ahead


def test_nothing_is_known_at_first() -> None:
    clock = DeviceClock()
    assert (clock.offset_s, clock.synced, clock.steps, clock.wrong) == (None, True, 0, False)
    assert clock.at(NOW) == NOW
    assert clock.correct(5.0) == 5.0


def test_a_notification_is_a_bound_from_below() -> None:
    clock = DeviceClock()
    assert clock.hear(NOW + 10.0, NOW) is False
    assert (clock.offset_s, clock.synced, clock.steps) == (10.0, True, 0)
    assert clock.at(NOW + 1.0) == NOW + 11.0


def test_late_frames_move_nothing() -> None:
    watch = Watch()
    watch.status()
    watch.notify()
    estimate = watch.clock.offset_s
    for delay in (0.5, 3.0, 30.0, 3600.0):
        watch.wait(1.0)
        assert watch.notify(delay) is False
        assert watch.clock.offset_s == estimate
    assert (watch.clock.steps, watch.clock.wrong) == (0, False)


def test_a_first_frame_that_was_late_is_no_step() -> None:
    watch = Watch()
    watch.notify(delay=20.0)
    watch.notify()
    assert (watch.clock.steps, watch.jumps) == (0, [])
    assert watch.error == pytest.approx(0.0, abs=0.02)
    slow = Watch()
    slow.status(before=0.0, after=4.9)
    slow.notify()
    assert slow.clock.steps == 0


# Each row: by how much the device's clock steps, whether a notification or only a status shows it, and what it counts.
STEPS: list[tuple[float, bool, bool, bool]] = [
    (0.5, False, False, False),
    (-0.5, False, False, False),
    (10.0, True, False, False),
    (3600.0, True, False, False),
    (1e8, True, False, False),
    (-10.0, False, True, True),
    (-3600.0, False, True, True),
    (-1e8, False, True, True),
]


@pytest.mark.parametrize(("seconds", "told", "read", "put_back"), STEPS)
def test_steps(seconds: float, told: bool, read: bool, put_back: bool) -> None:
    watch = Watch()
    watch.status()
    watch.notify()
    watch.step(seconds)
    watch.wait(1.0)
    assert watch.notify() is False  # a notification of a clock that was put back is one that comes late
    assert watch.clock.steps == told
    assert watch.status() is put_back
    assert watch.clock.steps == told + read
    assert -1.1 < watch.error < 1.1
    watch.wait(60.0)
    assert (watch.notify(), watch.status(), watch.clock.steps) == (False, False, told + read)
    assert watch.clock.wrong is (abs(seconds) > TOLERANCE_S)


def test_a_step_ahead_that_only_a_status_shows() -> None:
    watch = Watch()
    watch.status()
    watch.step(30.0)
    watch.wait(60.0)
    assert watch.status() is False
    assert watch.clock.steps == 1
    assert -1.1 < watch.error <= 0.0


def test_a_clock_that_counts_from_1970_until_it_is_set() -> None:
    watch = Watch()
    watch.status()
    watch.notify()
    watch.step(-NOW)  # the power came back just now
    watch.wait(3.0)
    assert watch.notify() is True
    assert (watch.clock.synced, watch.clock.wrong, watch.clock.steps) == (False, True, 1)
    assert watch.clock.correct(2.5) == pytest.approx(NOW + 2.5, abs=0.02)
    watch.wait(1.0)
    assert (watch.notify(), watch.status(synced=False), watch.clock.steps) == (False, False, 1)
    assert (watch.clock.synced, watch.clock.wrong) == (False, True)
    assert watch.error == pytest.approx(0.0, abs=0.02)
    watch.step(NOW)
    watch.wait(1.0)
    assert watch.notify() is False
    assert (watch.clock.synced, watch.clock.wrong, watch.clock.steps) == (True, False, 2)
    assert watch.status() is False
    assert watch.clock.steps == 2


def test_a_clock_that_has_never_been_set() -> None:
    watch = Watch(-NOW + 5.0)
    assert watch.status(synced=False) is False
    assert (watch.clock.synced, watch.clock.steps) == (False, 0)
    assert watch.clock.correct(watch.now + watch.ahead) == pytest.approx(watch.now, abs=1.1)
    # It starts again: it does not know that it does, but a status shows it.
    watch.step(-5.0)
    assert watch.notify() is False
    assert watch.status(synced=False) is True
    # A first notification tells as well that the clock was not set.
    first = Watch(-NOW + 5.0)
    first.notify()
    assert (first.clock.synced, first.clock.wrong, first.clock.steps) == (False, True, 0)


def test_a_frame_from_before_the_power_cut_that_comes_late_does_no_lasting_harm() -> None:
    watch = Watch()
    watch.status()
    watch.step(-NOW)
    watch.wait(1.0)
    assert watch.notify() is True
    assert watch.clock.hear(NOW, watch.now) is False
    watch.wait(1.0)
    assert watch.notify() is True
    assert watch.error == pytest.approx(0.0, abs=0.02)
    assert watch.clock.synced is False


@pytest.mark.parametrize(
    ("system", "offset_s", "synced"),
    [
        ({"unixtime": 1763995000, "uptime": 77}, 0.0, True),
        ({"unixtime": 1763995000.0}, 0.0, True),
        ({"unixtime": 77, "uptime": 77}, 77.0 - NOW, False),
        ({"unixtime": None, "uptime": 77}, 77.0 - NOW, False),
        ({"uptime": 77}, 77.0 - NOW, False),
        ({"unixtime": 0, "uptime": 77}, -NOW, False),
        ({"unixtime": -5, "uptime": 77}, 77.0 - NOW, False),
        ({"unixtime": True, "uptime": 77}, 77.0 - NOW, False),
        ({"unixtime": "1763995000", "uptime": 77}, 77.0 - NOW, False),
        ({"unixtime": 1e300, "uptime": 77}, 77.0 - NOW, False),
        ({"unixtime": int(EPOCH_S)}, EPOCH_S - NOW, True),
    ],
)
def test_what_a_status_tells(system: Any, offset_s: float, synced: bool) -> None:
    clock = DeviceClock()
    assert clock.read(system, NOW - 0.1, NOW) is False
    assert (clock.offset_s, clock.synced, clock.steps) == (offset_s, synced, 0)


@pytest.mark.parametrize(
    "system",
    [
        None,
        [],
        "sys",
        5,
        {},
        {"unixtime": None},
        {"unixtime": None, "uptime": None},
        {"unixtime": 1e300},
        {"unixtime": 10**400},
        {"unixtime": math.nan, "uptime": math.inf},
        {"unixtime": [], "uptime": {}},
    ],
)
def test_a_status_that_tells_no_time_changes_nothing(system: Any) -> None:
    clock = DeviceClock()
    assert clock.read(system, NOW, NOW) is False
    assert (clock.offset_s, clock.synced) == (None, True)
    clock.hear(NOW + 3.0, NOW)
    assert clock.read(system, NOW, NOW) is False
    assert (clock.offset_s, clock.synced, clock.steps) == (3.0, True, 0)


def test_a_stamp_from_another_world_is_healed_by_the_next_status() -> None:
    watch = Watch()
    watch.status()
    assert watch.clock.hear(5e10, NOW) is False
    assert (watch.clock.steps, watch.clock.correct(5e10)) == (1, NOW)
    watch.wait(1.0)
    assert watch.notify() is False
    assert watch.status() is True  # what was noted by that stamp would push aside all that follows
    assert -1.1 < watch.error <= 0.0
    assert watch.clock.wrong is False


@pytest.mark.parametrize("offset_s", [0.0, 4.9, -4.9, TOLERANCE_S, -TOLERANCE_S])
def test_stamps_of_a_clock_that_is_about_right_stay_as_they_are(offset_s: float) -> None:
    clock = DeviceClock()
    clock.hear(NOW + offset_s, NOW)
    assert clock.wrong is False
    assert clock.correct(NOW + 7.25) == NOW + 7.25


def test_a_notification_may_be_an_hour_late_without_any_clock_being_wrong() -> None:
    clock = DeviceClock()
    for late_s in (3600.0, 1800.0, 0.5):
        clock.hear(NOW - late_s, NOW)
        assert (clock.wrong, clock.correct(NOW - late_s)) == (False, NOW - late_s)


@pytest.mark.parametrize("offset_s", [5.1, -6.1, 3600.0, -3600.0])
def test_stamps_of_a_wrong_clock_are_corrected(offset_s: float) -> None:
    clock = DeviceClock()
    clock.read({"unixtime": int(NOW + offset_s)}, NOW, NOW)
    clock.hear(NOW + offset_s, NOW)
    assert clock.wrong is True
    assert clock.correct(NOW + offset_s + 7.25) == pytest.approx(NOW + 7.25)


def test_a_clock_at_the_tolerance_does_not_move_stamps_to_and_fro() -> None:
    clock = DeviceClock()
    clock.hear(NOW + 5.1, NOW)
    told = []
    for ahead in (4, 3, 2):
        clock.read({"unixtime": NOW + ahead}, NOW, NOW)
        assert clock.offset_s is not None
        told.append((round(clock.offset_s, 2), clock.wrong))
    assert told == [(5.0, True), (3.75, True), (2.75, False)]
    clock.hear(NOW + 4.9, NOW)
    assert clock.wrong is False


@pytest.mark.parametrize("drift", [5e-5, -5e-5, 1e-3, -1e-3])
@pytest.mark.parametrize("notifies", [True, False])
def test_a_slow_drift_is_followed_and_is_no_step(drift: float, notifies: bool) -> None:
    watch = Watch()
    watch.drift = drift
    watch.status()
    for _ in range(3000):
        watch.wait(10.0)
        if notifies:
            watch.notify()
        watch.wait(50.0)
        watch.status()
        assert -1.1 < watch.error < 1.1
    assert (watch.clock.steps, watch.jumps) == (0, [])


def test_an_estimate_that_is_too_high_comes_down_for_good() -> None:
    """Set back by half a second, a device would otherwise lose to each status what it tells within that time."""
    watch = Watch()
    watch.status()
    watch.notify()
    watch.step(-0.5)
    for _ in range(30):
        watch.wait(30.0)
        watch.notify()
        watch.wait(30.0)
        watch.status()
    assert watch.error == pytest.approx(0.0, abs=0.05)
    assert watch.clock.steps == 0


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, NOW - 100.0])
def test_when_our_own_clock_jumps_order_survives(seconds: float) -> None:
    """It cannot be told from a jump of the device's; the next status sets it right."""
    watch = Watch()
    watch.status()
    watch.notify()
    watch.now += seconds
    watch.ahead -= seconds
    watch.notify()
    put_back = watch.status()
    assert watch.clock.steps == 1
    assert put_back is (seconds > 0.0)
    assert -1.1 < watch.error < 1.1


def test_our_clock_jumps_between_asking_and_answering() -> None:
    for jump in (3600.0, -3600.0):
        watch = Watch()
        watch.status()
        told = math.floor(watch.now)
        watch.clock.read({"unixtime": told}, watch.now, watch.now + jump)
        watch.now += jump
        watch.ahead -= jump
        watch.wait(60.0)
        watch.status()
        assert -1.1 < watch.error < 1.1


delays = st.floats(0.0, 10.0)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("notify"), delays, st.just(0.0)),
        st.tuples(st.just("status"), st.floats(0.0, 3.0), st.floats(0.0, 3.0)),
        st.tuples(st.just("wait"), st.floats(0.0, 300.0), st.just(0.0)),
    ),
    max_size=40,
)


@given(st.floats(-100.0, 100.0) | st.sampled_from([1e7, -1e7]), happenings)
@example(0.0, [("status", 3.0, 3.0), ("notify", 0.0, 0.0), ("status", 0.0, 0.0)])
def test_a_steady_clock_is_never_estimated_above_the_truth(
    ahead: float, happenings: list[tuple[str, float, float]]
) -> None:
    watch = Watch(ahead)
    for what, first, second in happenings:
        match what:
            case "notify":
                watch.notify(first)
                assert watch.error >= -0.02 - max(first, 0.01)
            case "status":
                watch.status(first, second)
                assert watch.error > -1.0 - second - TINY  # a second, for it tells whole ones, and the way back
            case "wait":
                watch.wait(first)
        assert watch.clock.offset_s is None or watch.error <= TINY
    assert (watch.clock.steps, watch.jumps) == (0, [])


@given(st.floats(-100.0, 100.0), happenings, st.floats(-1e6, 1e6), st.floats(0.0, 3.0), st.floats(0.0, 3.0))
def test_after_a_status_the_truth_is_near_whatever_happened(
    ahead: float, happenings: list[tuple[str, float, float]], step: float, before: float, after: float
) -> None:
    watch = Watch(ahead)
    for number, (what, first, second) in enumerate(happenings):
        match what:
            case "notify":
                watch.notify(first)
            case "status":
                watch.status(first, second)
            case "wait":
                watch.wait(first)
                watch.step(step if number % 2 else -step)
    estimate = watch.clock.offset_s
    forgot = watch.status(before, after)
    assert -1.0 - after - TINY < watch.error <= 1.0 + before + TINY
    # Order is forgotten exactly when what was believed cannot have been, by more than the usual.
    most = math.floor(watch.now + watch.ahead) + 1.0 - (watch.now - before)
    assert forgot is (estimate is not None and estimate > most + STEP_S)


@given(st.floats(0.0, 1e6), st.floats(-1e5, 1e5))
def test_a_status_is_never_younger_than_what_is_told_after_it(uptime: float, ahead: float) -> None:
    """What `at` is for: the moment of asking, in the device's time."""
    watch = Watch(ahead)
    watch.status()
    watch.wait(uptime)
    asked = watch.now
    watch.status()
    told_after = watch.now + watch.ahead
    assert watch.clock.at(asked) <= told_after + TINY
