"""Notifications far too late among others that are in time: either the device's clock was put back, or they are late.

The next status tells which, because it tells what the clock shows; until then, some seconds at most, they are held.
What a broker has kept is no such case: it arrives before anything is in time.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from shelly_core import ClockHealth, Update

LATE_S = 30.0
LIVELY_S = 10.0
PATIENCE_S = 10.0
"""How long a status is waited for: it is asked for within 5 s, and may take 3 more."""
MAX_HELD = 200


class _Held(NamedTuple):
    update: Update
    stamp: float
    """As the device made it."""
    since: float


class Latecomers:
    """Holds updates; `clock` tells what is known of the device's clock, `wall` is Unix time."""

    def __init__(self, clock: Callable[[], ClockHealth], wall: Callable[[], float]) -> None:
        self._clock = clock
        self._wall = wall
        self._in_time_at = float("-inf")
        self._held: list[_Held] = []

    def hold(self, update: Update) -> bool:
        """Tell whether an update is held; it comes back from `release`."""
        now, ts = self._wall(), update.ts
        if ts is None or update.full or now - ts < LATE_S:
            self._in_time_at = now
            return False
        if now - self._in_time_at > LIVELY_S or len(self._held) >= MAX_HELD:
            return False
        self._held.append(_Held(update, ts + self._correction(), now))
        return True

    @property
    def waits(self) -> bool:
        """Whether something is held."""
        return bool(self._held)

    def release(self, *, known: bool) -> Iterator[tuple[Update, float]]:
        """Return what is held, each with its true time, once the clock is `known`, or nobody tells."""
        if self._held and (known or self._wall() - self._held[0].since >= PATIENCE_S):
            held, self._held = self._held, []
            correction = self._correction()
            for update, stamp, _ in held:
                yield update, stamp - correction

    def _correction(self) -> float:
        clock = self._clock()
        return clock.offset_s if clock.wrong and clock.offset_s is not None else 0.0
