"""What the device believes the time is, next to our own clock.

A device stamps what it tells with its own time, and that stamp is worth more than the time of arrival: it survives
delays. But its clock may be wrong: it counts from 1970 after a power cut until it reaches a time server, and it steps
when it does. The offset of its clock to ours is bounded from both sides, without any assumption about delays:

- a notification cannot arrive before it was sent, so the offset is at least `ts - now`;
- `sys.unixtime`, whole seconds in an answer to a question of ours, was read between asking and answering.

All times are Unix seconds.
"""

from typing import Any

EPOCH_S = 1e9
"""A time before this, in 2001, is a clock that counts from the device's boot."""

TOLERANCE_S = 5.0
"""An offset up to this leaves stamps as the device made them."""

STEP_S = 2.0
"""A change of the offset beyond this is a step of the clock, not a late frame."""


class DeviceClock:
    """Estimates one device's clock; `steps` counts its jumps."""

    def __init__(self) -> None:
        self.offset_s: float | None = None
        """The device's time minus ours; `None` until the device has told a time."""
        self.synced = True
        """Whether the device has the time from somewhere, or only counts since its boot."""
        self.steps = 0

    @property
    def wrong(self) -> bool:
        """Whether stamps have to be corrected."""
        return not self.synced or (self.offset_s is not None and abs(self.offset_s) > TOLERANCE_S)

    def hear(self, ts: float, now: float) -> bool:
        """Take the stamp of a notification; tells whether the clock was put back, so that old stamps mean nothing."""
        offset = self.offset_s
        if offset is None:
            self.offset_s, self.synced = ts - now, ts >= EPOCH_S
            return False
        ahead = ts - now - offset
        if ahead > 0.0:
            self.offset_s = ts - now
            if ahead > STEP_S:
                self._step(ts)
            return False
        if ts < EPOCH_S <= now + offset:
            self.offset_s = ts - now
            self._step(ts)
            return True
        return False

    def read(self, system: Any, asked: float, answered: float) -> bool:
        """Take `sys` of a status that was asked for; tells whether the clock was put back."""
        told = _told(system)
        if told is None:
            return False
        ts, self.synced = told
        offset, least = self.offset_s, ts - answered
        if offset is None or offset < least:
            if offset is not None and least - offset > STEP_S:
                self.steps += 1
            self.offset_s = least
            return False
        if offset > ts + 1.0 - asked + STEP_S:
            self.offset_s = least
            self.steps += 1
            return True
        return False

    def at(self, now: float) -> float:
        """Return the device's time at a time of ours."""
        return now if self.offset_s is None else now + self.offset_s

    def correct(self, ts: float) -> float:
        """Return the true time of a stamp: as the device made it, unless its clock is wrong."""
        offset = self.offset_s
        return ts if offset is None or -TOLERANCE_S <= offset <= TOLERANCE_S else ts - offset

    def _step(self, ts: float) -> None:
        self.steps += 1
        self.synced = ts >= EPOCH_S


def _told(system: Any) -> tuple[float, bool] | None:
    """Return the time in whole seconds that `sys` tells and whether it is a synchronised one."""
    if type(system) is not dict:
        return None
    for field, synced in (("unixtime", True), ("uptime", False)):
        value = system.get(field)
        if (type(value) is int or type(value) is float) and value >= 0:
            return float(value), synced and value >= EPOCH_S
    return None
