"""What the device believes the time is, next to our own clock.

A device stamps what it tells with its own time, and that stamp is worth more than the time of arrival: it survives
delays. But its clock may be wrong: it counts from 1970 after a power cut until it reaches a time server, and it steps
when it does. The offset of its clock to ours is bounded from both sides, without any assumption about delays:

- a notification cannot arrive before it was sent, so the offset is at least `ts - now`;
- `sys.unixtime`, whole seconds in an answer to a question of ours, was read between asking and answering.

What is kept is the best bound from below: a status that seems older than it is does no harm, but one that seems younger
would push aside what the device tells next. Clocks drift, so an old bound fades with every status towards a newer one.

All times are Unix seconds.
"""

import math
from typing import Any

from .frame import MAX_TS

EPOCH_S = 1e9
"""A time before this, in 2001, is a clock that counts from the device's boot."""

TOLERANCE_S = 5.0
"""An offset up to this leaves stamps as the device made them."""

STEP_S = 2.0
"""A change of the offset beyond what was possible is a step of the clock; less is drift, or a late frame."""

_FADING = 0.25
"""Share of the way that an old bound goes with each status."""


class DeviceClock:
    """Estimates one device's clock; `steps` counts its jumps."""

    def __init__(self) -> None:
        self.offset_s: float | None = None
        """The device's time minus ours; `None` until the device has told a time."""
        self.synced = True
        """Whether the device has the time from somewhere, or only counts since its boot."""
        self.steps = 0
        self._far = False
        self._most = math.inf
        """What the offset cannot have been above at the last status; unknown after a step."""
        self._heard = -math.inf
        """The best bound from below by notifications since the last status."""

    @property
    def wrong(self) -> bool:
        """Whether stamps have to be corrected."""
        return not self.synced or self._far

    def hear(self, ts: float, now: float) -> bool:
        """Take the stamp of a notification; tells whether the clock was put back, so that old stamps mean nothing."""
        offset, shown, synced = self.offset_s, ts - now, ts >= EPOCH_S
        put_back = offset is not None and not synced and now + offset >= EPOCH_S
        if put_back:
            self._heard = -math.inf
        self._heard = max(self._heard, shown)
        if offset is None or shown > offset or put_back:
            if offset is not None and (synced is not self.synced or shown > self._most + STEP_S):
                self.steps += 1
                self._most = math.inf
            self.synced = synced
            self._set(shown)
        return put_back

    def read(self, system: Any, asked: float, answered: float) -> bool:
        """Take `sys` of a status that was asked for; tells whether the clock was put back."""
        told = _told(system)
        if told is None:
            return False
        ts, self.synced = told
        least, most = ts - answered, ts + 1.0 - asked
        offset, most_before, heard = self.offset_s, self._most, self._heard
        self._most, self._heard = most, -math.inf
        if offset is None:
            self._set(least)
            return False
        put_back = offset > most + STEP_S
        if put_back or least > most_before + STEP_S:
            self.steps += 1
            self._set(least)
            return put_back
        offset, best = min(offset, most), min(max(least, heard), most)
        self._set(max(best, offset - _FADING * (offset - best)))
        return False

    def at(self, now: float) -> float:
        """Return the device's time at a time of ours."""
        return now if self.offset_s is None else now + self.offset_s

    def correct(self, ts: float) -> float:
        """Return the true time of a stamp: as the device made it, unless its clock is wrong."""
        return ts if self.offset_s is None or not self._far else ts - self.offset_s

    def _set(self, offset: float) -> None:
        """Keep an offset; one that wavers about the tolerance must not move stamps to and fro.

        That a clock is behind is first known from a status: a notification may simply have been long under way.
        """
        self.offset_s = offset
        tolerance_s = TOLERANCE_S - STEP_S if self._far else TOLERANCE_S
        known = self._far or not self.synced or math.isfinite(self._most)
        self._far = offset > tolerance_s or (known and offset < -tolerance_s)


def _told(system: Any) -> tuple[float, bool] | None:
    """Return the time in whole seconds that `sys` tells and whether it is a synchronised one."""
    if type(system) is not dict:
        return None
    for field, synced in (("unixtime", True), ("uptime", False)):
        value = system.get(field)
        if (type(value) is int or type(value) is float) and 0 <= value <= MAX_TS:
            return float(value), synced and value >= EPOCH_S
    return None
