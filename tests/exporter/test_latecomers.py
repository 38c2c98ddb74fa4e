"""Notifications far too late: put back clocks are told apart from what was only late on its way."""

import pytest

from shelly_core import ClockHealth, Transport, Update
from shelly_exporter.devices.latecomers import LATE_S, LIVELY_S, MAX_HELD, PATIENCE_S, Latecomers

NOW = 1_790_000_000.0


class World:
    """Latecomers, with the clocks that they look at."""

    def __init__(self) -> None:
        self.now = NOW
        self.clock = clock()
        self.latecomers = Latecomers(lambda: self.clock, lambda: self.now)

    def hold(self, age_s: float | None = 0.0, *, full: bool = False) -> bool:
        """Whether an update of that age is held."""
        return self.latecomers.hold(update(None if age_s is None else self.now - age_s, full=full))

    def released(self, *, known: bool = True) -> list[tuple[float | None, float]]:
        """What is released: as it was stamped, and its true time."""
        return [(each.ts, ts) for each, ts in self.latecomers.release(known=known)]


def clock(offset_s: float | None = 0.0, *, wrong: bool = False) -> ClockHealth:
    return ClockHealth(wrong=wrong, synced=not wrong, offset_s=offset_s, steps=0)


def update(ts: float | None, *, full: bool = False) -> Update:
    return Update(changed=frozenset(), events=(), transport=Transport.MQTT, full=full, ts=ts, told={})


@pytest.fixture
def world() -> World:
    """A device of which something has just been in time."""
    made = World()
    assert made.hold() is False
    return made


@pytest.mark.parametrize(("age_s", "held"), [(-3600.0, False), (LATE_S - 0.1, False), (LATE_S, True), (1e9, True)])
def test_what_is_far_too_late_is_held(world: World, age_s: float, held: bool) -> None:
    assert world.hold(age_s) is held
    assert len(world.released()) == held


@pytest.mark.parametrize(("age_s", "full"), [(None, False), (3600.0, True)])
def test_what_tells_no_time_or_everything_is_not_held(world: World, age_s: float | None, full: bool) -> None:
    assert world.hold(age_s, full=full) is False
    assert world.released() == []


def test_what_a_broker_has_kept_is_not_held() -> None:
    world = World()
    assert [world.hold(3600.0 - second) for second in range(5)] == [False] * 5


@pytest.mark.parametrize(("age_s", "full"), [(0.0, False), (None, False), (3600.0, True)])
def test_what_is_in_time_makes_it_lively_for_a_while(age_s: float | None, full: bool) -> None:
    world = World()
    world.hold(age_s, full=full)
    world.now += LIVELY_S
    assert world.hold(3600.0) is True
    world.now += 0.1
    assert world.hold(3600.0) is False


def test_what_was_only_late_keeps_its_stamp(world: World) -> None:
    assert not world.latecomers.waits
    assert world.hold(60.0)
    assert world.hold(50.0)
    assert world.released(known=False) == []
    assert world.latecomers.waits
    assert world.released() == [(NOW - 60.0, NOW - 60.0), (NOW - 50.0, NOW - 50.0)]
    assert not world.latecomers.waits
    assert world.released() == []


def test_a_clock_that_was_put_back_is_corrected_once_it_is_known(world: World) -> None:
    assert world.hold(3600.0)
    world.now += 1.0
    world.clock = clock(-3600.0, wrong=True)
    assert world.released() == [(NOW - 3600.0, NOW)]


@pytest.mark.parametrize(
    ("before", "after", "moved_s"),
    [
        # What was corrected by an hour was stamped an hour earlier: by two hours, it is an hour later.
        (clock(-3600.0, wrong=True), clock(-7200.0, wrong=True), 3600.0),
        (clock(-3600.0, wrong=True), clock(-3600.0, wrong=True), 0.0),
        (clock(-3600.0, wrong=True), clock(0.1), -3600.0),
        (clock(0.5), clock(-0.5), 0.0),  # right enough
        (clock(None, wrong=True), clock(-60.0, wrong=True), 60.0),
        (clock(-60.0, wrong=True), clock(None, wrong=True), -60.0),
    ],
)
def test_the_correction_at_its_arrival_is_replaced(
    world: World, before: ClockHealth, after: ClockHealth, moved_s: float
) -> None:
    world.clock = before
    assert world.hold(100.0)
    world.clock = after
    assert world.released() == [(NOW - 100.0, NOW - 100.0 + moved_s)]


def test_it_does_not_wait_for_ever(world: World) -> None:
    assert world.hold(60.0)
    world.now += PATIENCE_S - 0.5
    assert world.hold(70.0)
    assert world.released(known=False) == []
    world.now += 0.5
    stamps = (NOW - 60.0, NOW + PATIENCE_S - 70.5)
    assert world.released(known=False) == [(stamp, stamp) for stamp in stamps]


def test_so_many_are_held_and_no_more(world: World) -> None:
    assert [world.hold(60.0) for _ in range(MAX_HELD + 2)] == [*[True] * MAX_HELD, False, False]
    assert len(world.released()) == MAX_HELD
    assert world.hold(60.0) is True
